from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.report_results import MU_STAR, STRUCTURE, make_alpha2f, make_provenance, make_result, make_structure
from fakes.route_results import (
    FINE_CORRECTION,
    TAG,
    VERTEX_CORRECTION,
    asked_for_wannier,
    make_convergence,
    make_gaps,
    make_route_result,
    make_two_routes,
    make_vertex,
    make_wannier,
)
from rich.console import Console

from hightc.analysis.documents import Alpha2FDocument, CouplingDocument, PhononDocument
from hightc.analysis.documents.base import identity
from hightc.analysis.documents.phonon import MeshPass
from hightc.analysis.plots.wording import METHODS, coupling_range, plateau_text
from hightc.analysis.wannier_spectrum import fermi_gate
from hightc.launch.report import symbols, write_report
from hightc.launch.report_facts import GATE_ADVICE, next_step, provenances, reuse_line, reuse_lines, shortfall
from hightc.launch.report_funnel import WANNIER, funnel
from hightc.launch.report_inputs import numbers, value_text
from hightc.launch.report_table import result_table
from hightc.launch.results import MaterialResult, Outcome, StepFailure
from hightc.launch.route_comparison import comparison, wannier_lines


@pytest.fixture(scope="module")
def both() -> MaterialResult:
    return make_two_routes()


@pytest.fixture(scope="module")
def stopped() -> MaterialResult:
    """Answered by linear response; Wannier functions that do not carry the bands."""
    wannier = make_wannier(35.0)
    return make_route_result(wannier, gate=wannier.gates[0])


@pytest.fixture(scope="module")
def page(both: MaterialResult, tmp_path_factory: pytest.TempPathFactory) -> str:
    return rendered(both, tmp_path_factory.mktemp("report"))


def rendered(result: MaterialResult, folder: Path) -> str:
    path = folder / "report.html"
    write_report((result,), path, campaign="test", versions={}, elapsed_seconds=None, campaign_file=Path("test.toml"))
    return path.read_text(encoding="utf-8")


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def terminal(result: MaterialResult, width: int = 80) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(result_table((result,), campaign_file=Path("test.toml")))
    return stream.getvalue()


def test_both_routes_stand_side_by_side_in_the_terminal(both: MaterialResult) -> None:
    lines = terminal(both).splitlines()
    assert any(re.search(r"linear response +Wannier", line) for line in lines)
    for start in ("lambda", "omega_log", "N(E_F)", "k mesh of the sum", "q mesh of the sum"):
        (row,) = [line for line in lines if line.strip().startswith(start)]
        assert len(re.split(r"  +", row.strip())) == 3
    for method in ("Allen-Dynes", "Eliashberg"):
        assert sum(line.strip().startswith(f"Tc {method}, mu* ") for line in lines) == len(MU_STAR)
    assert "McMillan" not in "".join(lines)


def test_terminal_tells_epws_convention_meshes_and_bands(both: MaterialResult) -> None:
    text = " ".join(terminal(both).split())
    assert "EPW's convention Tc 12.0 K, Delta_0 1.9 meV at 1.80 K (mu* 0.10 at its cutoff, 160 meV)" in text
    assert "anisotropic gap 1.8 to 1.99 meV" in text
    assert "fine meshes converged at k 40x40x40, q 20x20x20: lambda changed last by -1.7 %, +0.8 %" in text
    assert "Wannier bands eta 4.2 meV" in text


def test_terminal_of_two_routes_fits_80_columns_and_cuts_nothing(both: MaterialResult, stopped: MaterialResult) -> None:
    for result in (both, stopped):
        text = terminal(result)
        assert max(len(line) for line in text.splitlines()) <= 80
        assert "…" not in text


def test_one_route_has_no_comparison_and_every_method(stopped: MaterialResult) -> None:
    assert comparison(stopped, MU_STAR) == ()
    assert wannier_lines(stopped) == []
    text = terminal(stopped)
    assert not re.search(r"linear response +Wannier", text)
    for name in METHODS.values():
        assert name in text


def test_comparison_keeps_the_range_of_the_plateau_and_misses_none_of_wannier(both: MaterialResult) -> None:
    rows = comparison(both, MU_STAR)
    for row in rows:
        if row.quantity in ("lambda", "smearing", "tc"):
            assert "(" in row.values[0]
            assert "(" not in row.values[1]
    tc = both.tc_of("wannier")
    assert tc is not None
    assert "no plateau" not in coupling_range(tc) + plateau_text(tc, None)


def test_route_that_stopped_leaves_the_answer_with_a_note_and_a_next_step(
    stopped: MaterialResult, tmp_path: Path
) -> None:
    missing = shortfall(stopped, Path("test.toml"))
    assert missing is not None
    assert missing.message.startswith("no Tc by Wannier functions: Wannier bands 35.0 meV off")
    assert missing.next_step.endswith("then: hightc run test.toml")
    assert next_step(stopped) is None
    html = rendered(stopped, tmp_path)
    for text in (" ".join(terminal(stopped).split()), words(html)):
        assert "no Tc by Wannier functions: Wannier bands 35.0 meV off" in text
        assert "band_distance_mev in [wannier]" in text
    assert 'class="badge answered"' in html
    assert "35.0 meV</td>" in html


def test_nothing_is_missing_from_a_full_answer_or_where_there_is_none(both: MaterialResult) -> None:
    assert shortfall(both) is None
    assert shortfall(replace(both, outcome=Outcome.FAILED)) is None
    tc = both.tc_of("linear_response")
    assert tc is not None
    unasked = make_result("Po", Outcome.ANSWERED, make_structure("Po"), tc)
    assert shortfall(unasked) is None
    assert shortfall(asked_for_wannier(unasked)) is not None
    assert shortfall(make_result("Po", Outcome.ANSWERED, make_structure("Po"))).message.startswith("no Tc: ")


def test_failure_beside_an_answer_is_told(both: MaterialResult, tmp_path: Path) -> None:
    failure = StepFailure(step="Po gap", fw_id=1, reason="epw.x failed <here>", directory="/runs")
    missing = shortfall(replace(both, failure=failure))
    assert missing is not None
    assert missing.message == "a step beside the answer has no result: Po gap: epw.x failed <here>"
    assert missing.next_step.startswith("mend the cause")
    assert "epw.x failed &lt;here&gt;" in rendered(replace(both, failure=failure), tmp_path)


def test_failed_route_shows_the_reason_beside_the_tc_of_the_other(tmp_path: Path) -> None:
    failure = StepFailure(step="Po epw.x fine", fw_id=1, reason="out of memory", directory="/runs/fine")
    failed = make_route_result(make_wannier(), make_vertex(), outcome=Outcome.FAILED, failure=failure)
    text = words(rendered(failed, tmp_path))
    assert "Po epw.x fine: out of memory" in text
    assert "Folder: /runs/fine" in text
    assert "from the Eliashberg equations is" in text


@pytest.mark.parametrize(
    "gate", [make_wannier(35.0).gates[0], make_wannier(trials=(), chosen=None).gates[0], fermi_gate(11.0, 11.6)]
)
def test_gates_of_the_wannier_route_have_advice_of_their_own(gate) -> None:
    assert gate.name in GATE_ADVICE
    assert "[wannier]" in GATE_ADVICE[gate.name]


def test_funnel_has_a_wannier_stage_only_where_it_was_asked_for(both: MaterialResult, stopped: MaterialResult) -> None:
    unasked = make_result("Al", Outcome.ANSWERED, make_structure("Al"))
    assert [stage.name for stage in funnel([unasked])][-1] == "Tc"
    results = [complete(both), complete(stopped), unasked]
    stages = {stage.name: stage for stage in funnel(results)}
    assert stages["Tc"].count == 2
    assert stages[WANNIER].count == 1
    assert [index for index, _ in stages[WANNIER].dropped] == [1]


def complete(result: MaterialResult) -> MaterialResult:
    """The same with phonons, so that the funnel lets it through."""
    common = {**identity(TAG, STRUCTURE), "structure": STRUCTURE, "q_mesh": (4, 4, 4), "protocol": "draft"}
    coarse = MeshPass(
        q_mesh=(2, 2, 2), k_mesh=(8, 8, 8), stability="marginal", lowest_frequency_mev=-0.3, message="marginal on 2x2x2"
    )
    phonon = PhononDocument(
        **common,
        interpolation_mesh=(16, 16, 16),
        omega_mev=(0.0, 5.0, 10.0),
        dos_per_mev=(0.0, 0.4, 0.0),
        lowest_frequency_mev=0.0,
        lowest_frequency_q=(0.0, 0.0, 0.0),
        stability="stable",
        coarser_passes=(coarse,),
        provenance=make_provenance("07-phonon"),
    )
    coupling = CouplingDocument(
        **common,
        q_points=(),
        smearing_ev=(),
        dos_per_ev_spin_cell=(),
        lambda_q_sum=(),
        omega_log_q_sum_mev=(),
        unfinished_reason="1 of 8 q points computed: ph.x was stopped at the first unstable one",
        lowest_frequency_mev=0.0,
        provenance=make_provenance("05-phonon"),
    )
    return replace(result, documents={**result.documents, "coupling": (coupling,), "phonon": (phonon,)})


def test_each_run_is_counted_once(both: MaterialResult) -> None:
    found = provenances(both)
    assert [Path(one.directory).name for one in found] == [
        "01-relax",
        "12-epw-fine-4",
        "10-wannier",
        "11-epw-coarse",
        "13-gap",
    ]
    # four single runs of 1.5 s, and four fine meshes of 10 s
    assert sum(one.wall_seconds or 0 for one in found) == 4 * 1.5 + 4 * 10
    handlers = [correction.handler for one in found for correction in one.corrections]
    assert sorted(handlers) == ["FineHandler", "ScfHandler", "VertexHandler"]


def test_gaps_without_a_run_of_their_own_are_not_counted(both: MaterialResult) -> None:
    spectrum = both.alpha2f_of("wannier")
    assert spectrum is not None
    none = make_gaps(isotropic=(), anisotropic=(), tc_kelvin=None, provenance=spectrum.provenance)
    without = replace(both, documents={**both.documents, "gap": (none,)})
    assert len(provenances(without)) == len(provenances(both)) - 1


def test_fine_meshes_whose_times_are_unknown_add_none(both: MaterialResult) -> None:
    spectrum = both.alpha2f_of("wannier")
    assert spectrum is not None
    bare = spectrum.model_copy(update={"convergence": None})
    found = provenances(replace(both, documents={"alpha2f": (bare,)}))
    assert [one.wall_seconds for one in found] == [None]


def test_page_compares_the_routes_and_draws_what_is_new(page: str) -> None:
    text = words(page)
    assert "Both routes linear response Wannier" in text
    for name in ("routes", "alpha2f", "smearing", "meshes", "gaps"):
        assert f'id="m0-{name}-' in page
    assert page.count("<svg") == 5
    assert "Δ₀ 1.9 meV at 1.80 K (μ* 0.10 at its cutoff, 160 meV)" in text
    assert "λ changed last by −1.7 %, +0.8 %" in text  # noqa: RUF001 - a minus sign
    assert "fine_q_meshes 8 × 8 × 8, 12 × 12 × 12" in text  # noqa: RUF001 - a mesh is a product
    assert len(page) < 400_000


def test_page_lists_the_attempts_at_wannier_functions(page: str) -> None:
    text = words(page)
    assert "failed: more frozen states than functions &lt;here&gt;" in text
    assert "Po:s, Po:p 4 13.50 eV 18.00 eV 8.4 meV 2.1 meV 12.6 meV 12.34 Å²" in text
    assert re.search(r'<tr class="chosen"><td>density matrix</td>.*\n.*<td>chosen</td></tr>', page)


def test_page_tells_what_a_correction_did_to_the_physics(page: str) -> None:
    text = words(page)
    assert f"(effect on the result: {VERTEX_CORRECTION.physics})" in text
    assert "(effect on the result: nothing)" in text
    # of an error that this version does not know, nothing is said
    assert f"FineHandler: mixing_beta 0.7 -&gt; 0.3 after {FINE_CORRECTION.errors[0]} VertexHandler" in text


def test_page_shows_tetrahedra_coarser_meshes_and_unfinished_phonons(both: MaterialResult, tmp_path: Path) -> None:
    linear, wannier = both.documents["alpha2f"]
    assert isinstance(linear, Alpha2FDocument)
    known = linear.model_copy(
        update={"dos_tetrahedra_per_ev_spin_cell": 0.345, "lambda_rescaled": (1.111, 1.222, 1.333)}
    )
    more = complete(replace(both, documents={**both.documents, "alpha2f": (known, wannier)}))
    text = words(rendered(more, tmp_path))
    assert "0.345 states/eV/spin/cell" in text
    assert "λ rescaled 1.222" in text
    assert "on q mesh 2 × 2 × 2 marginal on 2x2x2" in text  # noqa: RUF001 - a mesh is a product
    gated = replace(more, outcome=Outcome.GATED, gate=make_wannier(35.0).gates[0])
    assert "Phonons: 1 of 8 q points computed" in words(rendered(gated, tmp_path))


def test_reused_calculations_are_told_on_the_page(both: MaterialResult, tmp_path: Path) -> None:
    assert reuse_line(both) is None
    assert reuse_lines([both]) == []
    vertex = make_vertex()
    taken = vertex.provenance.model_copy(update={"reused_from": "/runs/other/Po-abc/11-epw-coarse"})
    reused = replace(both, documents={**both.documents, "vertex": (vertex.model_copy(update={"provenance": taken}),)})
    line = "1 of 5 calculations reused from /runs/other/Po-abc"
    assert reuse_lines([reused]) == [f"Po: {line}"]
    assert line in words(rendered(reused, tmp_path))


def test_numbers_of_both_recipes_are_written_the_same_way(both: MaterialResult) -> None:
    material = both.submission.material
    assert material.wannier is not None
    written = {name: value for recipe in (material.recipe, material.wannier) for name, value, _ in numbers(recipe)}
    assert written["hubbard_u_ev"] == "none"
    assert written["k_mesh_dense"] == "16 × 16 × 16"  # noqa: RUF001 - a mesh is a product
    assert value_text({"Fe": 4.5, "O": 1.0}) == "Fe 4.5, O 1"
    assert value_text(((2, 2, 2), (4, 4, 4))) == "2 × 2 × 2, 4 × 4 × 4"  # noqa: RUF001 - a mesh is a product
    assert (value_text(True), value_text(0.5), value_text("cold")) == ("yes", "0.5", "cold")


def test_words_of_the_terminal_become_letters_only_where_they_are_words() -> None:
    assert symbols("lambda 1.2, Tc by -0.2 K, k 8x8x8") == "λ 1.2, Tc by −0.2 K, k 8×8×8"  # noqa: RUF001
    assert symbols("lambda_tolerance of 3-4 boxes") == "lambda_tolerance of 3-4 boxes"


def test_unconverged_meshes_are_said_in_the_terminal(both: MaterialResult) -> None:
    spectrum = both.alpha2f_of("wannier")
    assert spectrum is not None
    loose = spectrum.model_copy(update={"convergence": make_convergence((1.4, 1.2))})
    linear = make_alpha2f("Po")
    text = terminal(replace(both, documents={**both.documents, "alpha2f": (linear, loose)}))
    assert "not converged at k 24x24x24" in text
