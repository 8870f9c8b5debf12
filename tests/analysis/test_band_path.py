"""The path through the Brillouin zone of the cell as it stands."""

from __future__ import annotations

import numpy as np
import pytest
import seekpath
from pymatgen.core import Lattice, Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from hightc.analysis.band_path import band_path


def crystal(group: str, lattice: Lattice, *symbols: str) -> Structure:
    places = [[0, 0, 0], [0.5, 0.5, 0.5]]
    structure = Structure.from_spacegroup(group, lattice, list(symbols), places[: len(symbols)])
    return SpacegroupAnalyzer(structure, symprec=1e-3).get_primitive_standard_structure()


def named(path):
    return "-".join(
        segment.start_label + ("" if follows else f"-{segment.stop_label}|")
        for segment, follows in zip(
            path.segments,
            [one.stop_label == two.start_label for one, two in zip(path.segments, path.segments[1:], strict=False)]
            + [False],
            strict=True,
        )
    )


@pytest.mark.parametrize(
    ("structure", "expected"),
    [
        (crystal("Fm-3m", Lattice.cubic(4.0), "Al"), "GAMMA-X-U|-K-GAMMA-L-W-X|"),
        (crystal("Im-3m", Lattice.cubic(3.3), "Nb"), "GAMMA-H-N-GAMMA-P-H|-P-N|"),
        (crystal("P6/mmm", Lattice.hexagonal(3.1, 3.5), "B"), "GAMMA-M-K-GAMMA-A-L-H-A|-L-M|-H-K|"),
    ],
)
def test_path_is_the_standard_one(structure, expected):
    assert named(band_path(structure)) == expected


def test_special_points_do_not_depend_on_the_orientation_or_choice_of_the_cell():
    cell = crystal("Fm-3m", Lattice.cubic(4.0), "Al")
    turned = Structure(Lattice.from_parameters(*cell.lattice.parameters), ["Al"], [[0, 0, 0]])
    other = Structure(Lattice(np.array([[1, 1, 0], [0, 1, 0], [0, 0, -1]]) @ cell.lattice.matrix), ["Al"], [[0, 0, 0]])
    lengths = []
    for structure in (cell, turned, other):
        path = band_path(structure)
        cartesian = path.q_fractional @ structure.lattice.reciprocal_lattice.matrix
        lengths.append(np.linalg.norm(cartesian, axis=1))
        assert path.distance_per_angstrom == pytest.approx(band_path(cell).distance_per_angstrom)
    assert lengths[1] == pytest.approx(lengths[0], abs=1e-9)
    # other stars of the same points may be named, at the same distance from Gamma
    assert lengths[2][[0, 51]] == pytest.approx(lengths[0][[0, 51]], abs=1e-9)


def test_distance_is_the_length_of_the_lines_and_a_jump_has_none():
    cell = crystal("Fm-3m", Lattice.cubic(4.0), "Al")
    path = band_path(cell, spacing_per_angstrom=0.1)
    cartesian = path.q_fractional @ cell.lattice.reciprocal_lattice.matrix
    for segment in path.segments:
        steps = np.linalg.norm(np.diff(cartesian[segment.start : segment.stop], axis=0), axis=1)
        part = path.distance_per_angstrom[segment.start : segment.stop]
        assert np.diff(part) == pytest.approx(steps)
        # a whole number of steps, rounded down
        assert steps.max() < 0.1 * (1 + 2 / len(steps))
    jump = path.segments[2].start
    assert path.distance_per_angstrom[jump] == path.distance_per_angstrom[jump - 1]
    assert path.segments[0].stop - 1 == path.segments[1].start


def test_lattice_between_two_kinds_has_a_path_without_a_warning():
    # 1/a^2 = 1/b^2 + 1/c^2 divides the two kinds of face-centred orthorhombic lattices
    lattice = Lattice.orthorhombic((1 / 4**2 + 1 / 5**2) ** -0.5, 4, 5)
    cell = crystal("Fmmm", lattice, "Al")
    with pytest.warns(seekpath.hpkot.EdgeCaseWarning):
        seekpath.get_path_orig_cell((cell.lattice.matrix, cell.frac_coords, cell.atomic_numbers), symprec=1e-3)
    assert band_path(cell).segments
