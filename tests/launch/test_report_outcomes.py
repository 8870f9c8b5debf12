from __future__ import annotations

from dataclasses import replace

import pytest
from fakes.route_results import judge_bands, judge_fermi_energy
from fakes.tiny_jobs import answer, fail, relax, solve

from hightc.launch.report_facts import shortfall
from hightc.launch.results import Outcome, collect_results
from hightc.launch.run import exit_code
from hightc.makers.qe.wannier_recipe import make_wannier_recipe


@pytest.fixture
def result(run_worker, database):
    """Run jobs as those of a material that asks for the Wannier route, and collect what became of it."""

    def run(*jobs):
        submission = run_worker.submit("Al", jobs)
        material = submission.material
        wannier = make_wannier_recipe(material.structure, material.recipe, {})
        run_worker()
        (collected,) = collect_results([replace(submission, material=replace(material, wannier=wannier))], database)
        return collected

    return run


@pytest.mark.parametrize(("judge", "gate"), [(judge_bands(35.0), "wannier"), (judge_fermi_energy(0.3), "fermi_energy")])
def test_gate_of_the_wannier_route_does_not_take_the_answer_of_the_linear_response(judge, gate, result, run_worker):
    found = result(relax(run_worker.tag("Al"), 0.0), solve(run_worker.tag("Al")), judge, answer(1))
    assert found.outcome is Outcome.ANSWERED
    assert exit_code([found]) == 0
    assert found.tc is found.tc_of("linear_response") is not None
    assert found.tc_of("wannier") is None
    assert found.gate is not None
    assert found.gate.name == gate
    missing = shortfall(found)
    assert missing is not None
    assert found.gate.message in missing.message
    assert "[wannier]" in missing.next_step


def test_wannier_route_that_failed_is_a_failure_though_the_linear_response_answered(result, run_worker):
    found = result(solve(run_worker.tag("Al")), judge_bands(4.0), fail("epw.x failed"))
    assert found.outcome is Outcome.FAILED
    assert found.tc is not None
    assert shortfall(found) is None
    assert exit_code([found]) == 1


def test_gate_without_an_answer_of_the_linear_response_stops_the_material(result, run_worker):
    found = result(relax(run_worker.tag("Al"), 0.0), judge_bands(35.0), answer(1))
    assert found.outcome is Outcome.GATED
    assert found.gate is not None
    assert found.gate.name == "wannier"
