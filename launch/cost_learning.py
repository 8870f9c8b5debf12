"""What finished runs of this database say of the estimate of costs: one factor a program."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pymatgen.core import Structure

from hightc.analysis.parsers.errors import ParseError
from hightc.analysis.parsers.run_end import read_run_end
from hightc.launch.settings import Settings
from hightc.launch.store import OUTPUTS, Database
from hightc.makers.cost import Cost, CostedProgram, estimate_cost
from hightc.makers.errors import CalculationError
from hightc.makers.phonon import CouplingMaker
from hightc.makers.qe.inputs import read_namelists
from hightc.makers.qe.pseudopotentials import family_directory
from hightc.makers.qe.recipe import Recipe
from hightc.makers.scf import DenseScfMaker

FEWEST_RUNS: Final = 5
"""Runs of a program below which nothing is learned from them."""

MOST_WORKFLOWS: Final = 100
"""Finished materials that are read, the newest."""

STEPS: Final[Mapping[str, CostedProgram]] = {DenseScfMaker.name: "pw.x", CouplingMaker.name: "ph.x"}
"""Steps whose times are compared, one a program."""


@dataclass(frozen=True)
class LearnedFactor:
    """How finished runs compare with their estimates.

    Attributes
    ----------
    factor
        Median of measured over estimated core-seconds.
    runs
        How many it is the median of.
    """

    factor: float
    runs: int


def factors_of(ratios: Iterable[tuple[CostedProgram, float]]) -> dict[CostedProgram, LearnedFactor]:
    """Median of each program that has enough runs.

    Parameters
    ----------
    ratios
        Program, and measured over estimated time, of each run.
    """
    by_program: dict[CostedProgram, list[float]] = {}
    for program, ratio in ratios:
        by_program.setdefault(program, []).append(ratio)
    return {
        program: LearnedFactor(statistics.median(found), len(found))
        for program, found in by_program.items()
        if len(found) >= FEWEST_RUNS
    }


def learned_factors(database: Database, settings: Settings) -> dict[CostedProgram, LearnedFactor]:
    """Compare the newest finished materials with their estimates.

    The core-seconds of a run are the wall time of its document times the processes that its output names; runs whose
    folder is not on this machine, that were taken over, corrected, or went on from a run that was stopped, are left
    out.

    Parameters
    ----------
    database
        The database.
    settings
        Settings of this machine.
    """
    launchpad = database.launchpad
    finished = launchpad.workflows.find({"state": "COMPLETED"}, {"nodes": 1}).sort("updated_on", -1)
    ratios: list[tuple[CostedProgram, float]] = []
    for workflow in finished.limit(MOST_WORKFLOWS):
        fields = {"name": 1, "spec._tasks.job": 1, "spec.material": 1}
        fireworks = list(launchpad.fireworks.find({"fw_id": {"$in": workflow["nodes"]}}, fields))
        ratios += _ratios(fireworks, database, settings)
    return factors_of(ratios)


def factors_by_program(database: Database, settings: Settings) -> dict[str, float]:
    """What each program takes over the estimate, where enough finished runs say so.

    Parameters
    ----------
    database
        The database.
    settings
        Settings of this machine.
    """
    return {program: learned.factor for program, learned in learned_factors(database, settings).items()}


def _ratios(
    fireworks: Iterable[Mapping[str, Any]], database: Database, settings: Settings
) -> list[tuple[CostedProgram, float]]:
    jobs = {_step(firework): _job(firework) for firework in fireworks}
    steps = [step for step in STEPS if step in jobs]
    structure = next(filter(None, (_structure(job) for job in jobs.values())), None)
    if structure is None or not steps:
        return []
    try:
        recipe = Recipe.from_dict(jobs[steps[0]]["function"]["@bound"]["recipe"])
        family = family_directory(recipe.pseudopotential_family, settings.pseudopotentials_directory)
        cost = estimate_cost(structure, recipe, family)
    except (CalculationError, OSError, ValidationError):  # a recipe of another version teaches nothing
        return []
    outputs = database.collections[OUTPUTS]
    found: list[tuple[CostedProgram, float]] = []
    for step in steps if cost else ():
        document = outputs.find_one({"uuid": jobs[step]["uuid"]}, {"output.provenance": 1}) or {}
        spent = _core_seconds((document.get("output") or {}).get("provenance") or {})
        expected = _expected(cost, step) if cost else 0.0
        if spent and expected:
            found.append((STEPS[step], spent / expected))
    return found


def _expected(cost: Cost, step: str) -> float:
    return cost.scf_dense if step == DenseScfMaker.name else cost.seconds("ph.x")


def _step(firework: Mapping[str, Any]) -> str:
    return str(firework["name"]).removeprefix(f"{firework.get('spec', {}).get('material', '')} ")


def _job(firework: Mapping[str, Any]) -> Mapping[str, Any]:
    tasks = firework.get("spec", {}).get("_tasks") or [{}]
    job: Mapping[str, Any] = tasks[0].get("job") or {}
    return job


def _structure(job: Mapping[str, Any]) -> Structure | None:
    """The structure that a job was given itself; None where it takes that of another job."""
    for argument in job.get("function_args") or ():
        if isinstance(argument, dict) and argument.get("@class") == "Structure":
            return Structure.from_dict(argument)
    return None


def _core_seconds(provenance: Mapping[str, Any]) -> float | None:
    """Wall time times processes; None where either is not known, or where something else happened."""
    wall = provenance.get("wall_seconds")
    if wall is None or provenance.get("reused_from") or provenance.get("corrections"):
        return None
    for output in sorted(Path(str(provenance.get("directory", ""))).glob("*.out")):
        try:
            processes = read_run_end(output).n_processes
        except (ParseError, OSError):
            continue
        if processes:
            return None if _continues(output.with_suffix(".in")) else float(wall) * processes
    return None


def _continues(path: Path) -> bool:
    """Whether an input goes on with what an earlier job left, so that its time is not that of the whole."""
    namelists = read_namelists(path) if path.is_file() else {}
    first_q = namelists.get("inputph", {}).get("start_q", 1)
    return namelists.get("control", {}).get("restart_mode") == "restart" or first_q > 1
