from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fakes.magnetic_ladder import magnetic_document
from fakes.report_results import MU_STAR, STRUCTURE, make_alpha2f, make_provenance, make_result, make_structure
from fakes.route_results import make_gaps, make_two_routes
from fakes.square_lattice import square_document
from pymatgen.core import Lattice, Structure

from hightc.analysis.critical_temperature import tc_document
from hightc.analysis.documents import MaterialTag, PathSegment, PhononBandsDocument, PhononDocument, Plateau
from hightc.analysis.documents.base import identity
from hightc.analysis.plots.style import PALETTE
from hightc.launch.report_site.crystal import MOST_ATOMS, crystal_figure, site_rows, structure_files
from hightc.launch.report_site.figures import site_figures
from hightc.launch.report_site.script_data import script_json
from hightc.launch.report_site.spectra import bands_figure, dos_figure, smearing_figure
from hightc.launch.report_site.studies import gaps_figure, nesting_figure, softness_figure
from hightc.launch.report_site.traces import broken, path_axis
from hightc.launch.results import Outcome

TOKEN = re.compile(rf"@(?:{'|'.join(PALETTE)}|ink|soft)(?:/0?\.\d+)?$")
SEGMENTS = (
    PathSegment(start=0, stop=2, start_label="GAMMA", stop_label="X"),
    PathSegment(start=2, stop=4, start_label="U", stop_label="SIGMA_0"),
)


def make_bands(*frequencies: tuple[float, ...]) -> PhononBandsDocument:
    return PhononBandsDocument(
        **identity(MaterialTag(campaign="test", material="Po"), STRUCTURE),
        structure=STRUCTURE,
        q_mesh=(2, 2, 2),
        q_fractional=((0.0, 0.0, 0.0), (0.5, 0.0, 0.0), (0.5, 0.5, 0.0), (0.5, 0.5, 0.5)),
        distance_per_angstrom=(0.0, 0.95, 0.95, 1.9),
        segments=SEGMENTS,
        frequencies_mev=frequencies,
        lowest_frequency_mev=min(min(row) for row in frequencies),
        protocol="draft",
        provenance=make_provenance("07-bands"),
    )


def make_dos(lowest_mev: float = 0.0) -> PhononDocument:
    return PhononDocument(
        **identity(MaterialTag(campaign="test", material="Po"), STRUCTURE),
        structure=STRUCTURE,
        q_mesh=(2, 2, 2),
        interpolation_mesh=(10, 10, 10),
        omega_mev=(0.0, 5.0, 10.0),
        dos_per_mev=(0.0, 0.6, 0.0),
        lowest_frequency_mev=lowest_mev,
        lowest_frequency_q=(0.0, 0.0, 0.0),
        stability="stable" if lowest_mev >= 0 else "unstable",
        protocol="draft",
        provenance=make_provenance("06-matdyn"),
    )


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(item)


def every_figure() -> dict[str, dict[str, Any]]:
    found = site_figures(make_two_routes())
    spectrum = make_alpha2f("Po")
    tc = tc_document(spectrum, mu_star=MU_STAR, reference="omega_2")
    phonons = (make_bands((0, 0), (4, 5), (4, 6), (3, 7)), make_dos())
    one = make_result("Po", Outcome.ANSWERED, make_structure("Po"), spectrum, tc, *phonons)
    found |= {f"one {name}": figure for name, figure in site_figures(one).items()}
    more = make_result("Po", Outcome.ANSWERED, magnetic_document(), square_document(), make_dos())
    found |= {f"more {name}": figure for name, figure in site_figures(more).items()}
    return found | {"crystal": crystal_figure(STRUCTURE)}


@pytest.fixture(scope="module")
def figures() -> dict[str, dict[str, Any]]:
    return every_figure()


def test_a_material_has_the_figures_of_what_is_known(figures: dict[str, dict[str, Any]]) -> None:
    assert {"routes", "alpha2f", "smearing", "meshes", "gaps"} <= figures.keys()
    assert {
        "one alpha2f",
        "one smearing",
        "one bands",
        "more softness",
        "more nesting",
        "more phonons",
    } <= figures.keys()
    assert site_figures(make_result("Po", Outcome.UNFINISHED)) == {}


def test_figures_are_small_json_whose_names_the_page_knows(figures: dict[str, dict[str, Any]]) -> None:
    for name, figure in figures.items():
        assert json.loads(script_json(figure)) == json.loads(json.dumps(figure)), name
        assert len(script_json(figure)) < 60_000, name
        known = figure["shared"]
        for text in texts([figure["data"], figure["layout"]]):
            assert not text.startswith("@") or TOKEN.match(text) or text[1:] in known, (name, text)


def test_curves_have_as_many_numbers_across_as_up(figures: dict[str, dict[str, Any]]) -> None:
    for name, figure in figures.items():
        for trace in figure["data"]:
            x = figure["shared"][trace["x"][1:]] if isinstance(trace["x"], str) else trace["x"]
            assert len(x) == len(trace["y"]), (name, trace.get("name"))


def test_no_curve_joins_the_two_sides_of_a_jump() -> None:
    figure = bands_figure(make_bands((0, 0), (4, 5), (4, 6), (3, 7)), None)
    assert figure["shared"]["q"] == [0.0, 0.95, None, 0.95, 1.9]
    assert figure["data"][0]["y"] == [0.0, 4.0, None, 4.0, 3.0]
    assert broken(SEGMENTS, (1.0, 2.0, 3.0, 4.0)) == [1.0, 2.0, None, 3.0, 4.0]
    assert path_axis(SEGMENTS, (0.0, 0.95, 0.95, 1.9))["ticktext"] == ["Γ", "X|U", "Σ<sub>0</sub>"]


@pytest.mark.parametrize(("lowest", "shaded"), [(0.0, False), (-3.0, True)])
def test_imaginary_frequencies_are_shaded(lowest: float, shaded: bool) -> None:
    bands = make_bands((lowest, 0), (4, 5), (4, 6), (3, 7))
    assert bool(bands_figure(bands, make_dos(lowest))["layout"]["shapes"]) is shaded
    assert bool(dos_figure(make_dos(lowest))["layout"]["shapes"]) is shaded


def test_smearing_says_where_lambda_holds_still_or_that_it_does_not() -> None:
    document = make_alpha2f("Po")
    assert smearing_figure(document)["layout"]["shapes"][0]["x1"] == max(document.smearing_ev)
    wild = document.model_copy(update={"plateau": Plateau(status="no_plateau", indices=(), relative_spread=None)})
    layout = smearing_figure(wild)["layout"]
    assert layout["shapes"] == []
    assert "no plateau" in layout["annotations"][0]["text"]


def test_the_curve_of_gaps_falls_to_zero_at_tc() -> None:
    document = make_gaps()
    (line,) = [trace for trace in gaps_figure(document)["data"] if trace.get("hoverinfo") == "skip"]
    assert line["x"][-1] == pytest.approx(document.tc_kelvin, rel=1e-4)
    assert line["y"][-1] == 0
    assert np.all(np.diff(line["y"]) <= 1e-9)


def test_enthalpies_are_drawn_against_the_nonmagnetic_state() -> None:
    figure = softness_figure(magnetic_document())
    assert "NM" in figure["layout"]["yaxis2"]["title"]["text"]
    assert {trace["name"] for trace in figure["data"]} == {curve.order for curve in magnetic_document().curves}


def test_peaks_on_the_path_stand_where_the_document_says() -> None:
    document = square_document()
    marks = [trace for trace in nesting_figure(document)["data"] if trace["name"] == "peak"]
    on_path = [peak for peak in (*document.nesting_peaks[:3], *document.chi0_peaks[:3]) if peak.path_label is not None]
    assert len(marks) == len(on_path)
    assert {trace["y"][0] for trace in marks} == {float(f"{peak.value:.5g}") for peak in on_path}


@pytest.mark.parametrize(
    ("structure", "atoms"),
    [
        (Structure(Lattice.cubic(3.3), ["Po"], [[0, 0, 0]]), 8),
        (Structure.from_spacegroup("Fm-3m", Lattice.cubic(4.0), ["Al"], [[0, 0, 0]]), 14),
        (Structure(Lattice.cubic(3.0), ["Cr", "Cr"], [[1e-9, 0, 1 - 1e-9], [0.5, 0.5, 0.5]]), 9),
        (Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]), 27),
    ],
)
def test_atoms_on_faces_edges_and_corners_are_drawn_on_all_of_them(structure: Structure, atoms: int) -> None:
    figure = crystal_figure(structure)
    assert sum(len(trace["x"]) for trace in figure["data"] if trace["mode"] == "markers") == atoms


def test_large_cells_are_drawn_without_images() -> None:
    structure = STRUCTURE * (8, 8, 8)
    (atoms,) = [trace for trace in crystal_figure(structure)["data"] if trace["mode"] == "markers"]
    assert len(atoms["x"]) == 512 > MOST_ATOMS
    assert len(site_rows(structure)) < len(structure)


def test_files_of_a_structure_give_it_back() -> None:
    primitive = Structure(
        Lattice.hexagonal(3.08, 3.52), ["Mg", "B", "B"], [[0, 0, 0], [0.25, 0.5, 0.5], [0.75, 0.5, 0.5]]
    )
    for kind, name, address in structure_files(primitive, "MgB2"):
        text = base64.b64decode(address.partition("base64,")[2]).decode()
        found = Structure.from_str(text, fmt=kind.lower())
        assert name.startswith("MgB2.")
        assert found.composition == primitive.composition
        assert found.lattice.abc == pytest.approx(primitive.lattice.abc, abs=1e-5)
