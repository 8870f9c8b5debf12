from __future__ import annotations

import time
import warnings

import pytest
from fakes.source_data import DATA
from pymatgen.core import Lattice, Structure

from hightc.launch.sources.cif_text import MOST_IMAGES, MOST_OPERATIONS, crystal_of_cif

ANGLES = "".join(f"_cell_length_{name} 100\n" for name in "abc") + "".join(
    f"_cell_angle_{name} 90\n" for name in ("alpha", "beta", "gamma")
)
LOOP = "loop_\n_atom_site_label\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n"


def text_of(n_sites: int, group: str) -> str:
    sites = "".join(f"Al{site} {site / 1e5:.5f} {site / 1e4:.5f} {site / 1e3:.5f}\n" for site in range(n_sites))
    return f"data_x\n{group}{ANGLES}{LOOP}{sites}"


@pytest.mark.parametrize("path", sorted((DATA / "cifs").iterdir()), ids=lambda path: path.name)
def test_crystals_of_a_database_are_read_as_pymatgen_reads_them(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = Structure.from_str(path.read_text(), fmt="cif")
    assert crystal_of_cif(path.read_text()) == expected


@pytest.mark.parametrize("group", ["_symmetry_space_group_name_H-M 'Fm-3m'\n", "_space_group_IT_number 225\n"])
def test_sites_that_a_space_group_multiplies_beyond_the_limit_are_refused_at_once(group):
    start = time.monotonic()
    with pytest.raises(ValueError, match=f"expected at most {MOST_IMAGES} atoms of all symmetry operations"):
        crystal_of_cif(text_of(MOST_IMAGES // MOST_OPERATIONS + 1, group))
    assert time.monotonic() - start < 5


def test_listed_operations_are_counted():
    listed = "loop_\n_symmetry_equiv_pos_as_xyz\n" + "'x, y, z'\n" * 200
    with pytest.raises(ValueError, match="found up to 12000"):
        crystal_of_cif(text_of(60, listed))


def test_large_cell_without_symmetry_is_left_to_those_who_count_atoms():
    cell = Structure(Lattice.cubic(100), ["Al"] * 150, [(site / 150, 0, 0) for site in range(150)])
    assert len(crystal_of_cif(cell.to(fmt="cif"))) == 150
