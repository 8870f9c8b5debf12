"""What terminal and page say of magnetic softness and of nesting."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes.magnetic_ladder import magnetic_document
from fakes.report_results import MU_STAR, make_alpha2f, make_result
from fakes.square_lattice import square_document
from pymatgen.core import Lattice, Structure
from rich.console import Console

from hightc.analysis.critical_temperature import tc_document
from hightc.analysis.documents import Softness
from hightc.launch.report import write_report
from hightc.launch.report_facts import shortfall
from hightc.launch.report_studies import (
    fluctuation_lines,
    nesting_lines,
    softness_key,
    softness_lines,
    softness_row,
    softness_text,
)
from hightc.launch.report_table import result_table
from hightc.launch.results import MaterialResult, Outcome

MAGNET, SURFACE = magnetic_document(), square_document()
SPECTRUM = make_alpha2f("V")


def asked(label: str, *studies: Any, documents: tuple[Any, ...]) -> MaterialResult:
    result = make_result(label, Outcome.ANSWERED, *documents)
    material = replace(result.submission.material, studies=studies)
    return replace(result, submission=replace(result.submission, material=material))


@pytest.fixture(scope="module")
def results() -> list[MaterialResult]:
    return [
        asked("Ni", "magnetic_softness", documents=(MAGNET,)),
        asked("Sq", "nesting", documents=(SURFACE,)),
    ]


@pytest.fixture(scope="module")
def report(results: list[MaterialResult], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(results, path, campaign="test", versions={}, elapsed_seconds=None)
    return path


def terminal(results: list[MaterialResult]) -> str:
    stream = io.StringIO()
    Console(width=400, file=stream).print(result_table(results))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.00214, 0.00082, "0.00214 +/- 0.00082 per GPa"),
        (0.0213, 0.012, "0.021 +/- 0.012 per GPa"),
        (0.002, None, "0.002 per GPa"),
        (None, None, "not determined"),
    ],
)
def test_softness_is_written_to_two_digits_of_its_error(value: float | None, error: float | None, text: str) -> None:
    assert softness_text(Softness(pressure_gpa=0, value_per_gpa=value, error_per_gpa=error, reason=None)) == text


def test_facts_of_a_magnet_name_its_class_its_orders_and_the_rung_that_failed() -> None:
    facts = dict(softness_lines(MAGNET))
    assert facts["verdict"].startswith(f"{MAGNET.softness_class}: ")
    assert "FM" in facts["lowest enthalpy"]
    assert "I = 1 eV, a table" in facts["Stoner product"]
    failed = next(state for state in MAGNET.states if state.status == "failed")
    assert f"FM: {failed.reason}" in facts["rungs"]


def test_the_ranking_shows_the_moment_at_ambient_pressure() -> None:
    state = MAGNET.ambient_state
    assert state is not None
    assert state.pressure_gpa == 0
    assert softness_row(MAGNET)[1] == f"{state.order}, {state.moment_bohr_magneton_per_atom:.3f}"


def test_facts_of_a_surface_name_peak_mesh_and_caveat() -> None:
    facts = dict(nesting_lines(SURFACE))
    assert facts["nesting peak"].startswith("q = (")
    assert "times the mean" in facts["susceptibility peak"]
    assert facts["meshes"] == SURFACE.convergence_reason
    assert "predicts little" in facts["caveat"]
    assert [name for name in facts if name.startswith("RPA")] == [
        f"RPA, I = {SURFACE.stoner[0].stoner_ev:.3g} eV, {text}"
        for text in ("without interband background", "constant matrix elements")
    ]


def test_softest_come_first_and_the_undetermined_last() -> None:
    unknown = Softness(pressure_gpa=0, value_per_gpa=None, error_per_gpa=None, reason="noise")
    known = [unknown.model_copy(update={"value_per_gpa": value, "reason": None}) for value in (0.001, 0.02)]
    documents = [MAGNET.model_copy(update={"softness": (item,)}) for item in (unknown, *known)]
    ordered = sorted(documents, key=softness_key)
    assert [document.softness[0].value_per_gpa for document in ordered] == [0.02, 0.001, None]


def test_terminal_shows_both_studies(results: list[MaterialResult]) -> None:
    text = terminal(results)
    assert f"{MAGNET.softness_class}: " in text
    assert "susceptibility peak" in text
    assert "Tc in K" not in text


def test_a_study_that_answers_lacks_nothing(results: list[MaterialResult]) -> None:
    assert [shortfall(result) for result in results] == [None, None]


def test_a_study_without_its_document_is_told_beside_the_other() -> None:
    half = asked("Ni", "magnetic_softness", "nesting", documents=(MAGNET,))
    missing = shortfall(half)
    assert missing is not None
    assert missing.message.startswith("no susceptibility")


def test_page_ranks_both_and_draws_them(report: Path) -> None:
    page = report.read_text()
    for heading in ("Magnetic softness", "Nesting and spin susceptibility", "Moment and enthalpy against pressure"):
        assert heading in page
    assert "How far the materials came" not in page
    assert page.count("<svg") == 3


def test_the_surface_has_a_page_of_its_own_that_fetches_nothing_from_elsewhere(report: Path) -> None:
    (link,) = re.findall(r'href="(report_files/[^"]+)"', report.read_text())
    page = (report.parent / link).read_text()
    assert re.findall(r'src="([^"]+)"', page) == ["plotly.min.js"]
    assert (report.parent / "report_files" / "plotly.min.js").stat().st_size > 1e6
    assert 'href="../report.html"' in page
    assert "mesh3d" in page


def test_a_surface_whose_arrays_stay_in_the_store_has_no_page(tmp_path: Path) -> None:
    away = SURFACE.nesting.model_copy(update={"blob": {"blob_uuid": "x"}})
    result = asked("Sq", "nesting", documents=(SURFACE.model_copy(update={"nesting": away}),))
    path = tmp_path / "report.html"
    write_report([result], path, campaign="test", versions={}, elapsed_seconds=None)
    assert "report_files" not in path.read_text()


def test_fluctuations_stand_beside_the_tc_of_a_transition_metal(tmp_path: Path) -> None:
    structure = Structure(Lattice.cubic(3.0), ["V"], [[0, 0, 0]])
    # N(E_F) small enough for the search to be short
    spectrum = SPECTRUM.model_copy(update={"structure": structure, "dos_per_ev_spin_cell": (0.4, 0.4, 0.4)})
    tc = tc_document(spectrum, mu_star=MU_STAR, reference="omega_2")
    ((name, text),) = fluctuation_lines(tc)
    assert name == "spin fluctuations"
    assert re.fullmatch(r"Tc [\d.]+-[\d.]+ K at mu\* 0\.10 with them \(I N\(E_F\) = 0\.28; lambda_sf .*\)", text)
    result = make_result("V", Outcome.ANSWERED, spectrum, tc)
    assert "spin fluctuations" in terminal([result])
    path = tmp_path / "report.html"
    write_report([result], path, campaign="test", versions={}, elapsed_seconds=None)
    assert "with spin fluctuations" in path.read_text()


def test_other_metals_say_nothing_of_fluctuations() -> None:
    assert fluctuation_lines(tc_document(SPECTRUM, mu_star=(0.10,), reference="omega_2")) == []
    assert fluctuation_lines(None) == []
