from __future__ import annotations

import pytest
from fakes.tiny_campaign import ALUMINIUM, tiny_campaign

from hightc.launch.campaign_command import survey_lines
from hightc.launch.campaign_survey import survey_campaign
from hightc.launch.cost_learning import FEWEST_RUNS, LearnedFactor, factors_by_program, factors_of, learned_factors
from hightc.launch.dispatch import submit
from hightc.launch.store import OUTPUTS
from hightc.makers.cost import estimate_cost

PROCESSES = 2


@pytest.fixture
def finished(database, tmp_path, settings):
    """Materials whose dense self-consistency took as much longer than estimated as is asked for."""

    def finish(*ratios: float, **provenance: object) -> None:
        entries = [f'[materials.M{number}]\nprototype = "fcc Al 4.1{number}"\n' for number, _ in enumerate(ratios)]
        text = "\n".join((ALUMINIUM.partition("[materials.Al]")[0], *entries))
        campaign = tiny_campaign(tmp_path, settings, text)
        header = tmp_path / "pseudo" / "Al.upf"
        header.write_text(header.read_text().replace("wfc_cutoff", 'z_valence="3.0" wfc_cutoff'))
        outputs = database.collections[OUTPUTS]
        for ratio, submission in zip(ratios, submit(campaign, database, tmp_path / "runs"), strict=True):
            material = submission.material
            name = f"{material.tag.material} scf dense"
            firework = database.launchpad.fireworks.find_one({"name": name})
            folder = tmp_path / "runs" / name
            folder.mkdir(parents=True)
            banner = (
                f"     Program PWSCF v.6.7MaX starts\n     Number of MPI processes:       {PROCESSES}\n   JOB DONE.\n"
            )
            (folder / "pw.out").write_text(banner)
            cost = estimate_cost(material.structure, material.recipe, tmp_path / "pseudo")
            stored = {"wall_seconds": ratio * cost.scf_dense / PROCESSES, "directory": str(folder), **provenance}
            uuid = firework["spec"]["_tasks"][0]["job"]["uuid"]
            outputs.insert_one({"uuid": uuid, "index": 1, "output": {"provenance": stored}})
        database.launchpad.workflows.update_many({}, {"$set": {"state": "COMPLETED"}})

    return finish


def test_median_of_finished_runs_is_learned(finished, database, settings):
    finished(1.0, 3.0, 2.5, 100.0, 2.0)
    assert learned_factors(database, settings) == {"pw.x": LearnedFactor(pytest.approx(2.5), 5)}


def test_nothing_is_learned_from_few_runs(finished, database, settings):
    finished(*[2.0] * (FEWEST_RUNS - 1))
    assert learned_factors(database, settings) == {}


@pytest.mark.parametrize(
    "provenance",
    [
        {"reused_from": "/elsewhere"},
        {"corrections": [{"handler": "x"}]},
        {"wall_seconds": None},
        {"directory": "/not/on/this/machine"},
    ],
)
def test_runs_that_say_nothing_of_the_time_are_left_out(provenance, finished, database, settings):
    finished(*[2.0] * FEWEST_RUNS, **provenance)
    assert learned_factors(database, settings) == {}


@pytest.mark.parametrize("text", ["&control\n restart_mode = 'restart'\n/\n", "&inputph\n start_q = 3\n/\n"])
def test_runs_that_went_on_from_another_are_left_out(text, finished, database, settings, tmp_path):
    finished(*[2.0] * FEWEST_RUNS)
    for output in tmp_path.glob("runs/*/pw.out"):
        output.with_suffix(".in").write_text(text)
    assert learned_factors(database, settings) == {}


def test_what_was_learned_is_used_at_the_next_submission(finished, database, settings):
    finished(*[2.0] * FEWEST_RUNS)
    assert factors_by_program(database, settings) == {"pw.x": pytest.approx(2.0)}


def test_empty_database_teaches_nothing(database, settings):
    assert learned_factors(database, settings) == {}


def test_programs_are_told_apart():
    assert factors_of([("pw.x", 1.0)] * 5 + [("ph.x", 3.0)] * 4) == {"pw.x": LearnedFactor(1.0, 5)}


def test_what_was_learned_is_said_and_used(finished, tmp_path, settings):
    finished(1.0)
    survey = survey_campaign(tmp_path / "tiny.toml", settings)
    plain, learned = (survey_lines(survey, found) for found in ({}, {"ph.x": LearnedFactor(100.0, 7)}))
    assert "  ph.x: 1e+02 times the estimate, the median of 7 finished runs" in learned
    hours = [
        float(next(line for line in lines if "core-hours" in line).split()[2].strip(";")) for lines in (plain, learned)
    ]
    assert hours[1] > 10 * hours[0]
