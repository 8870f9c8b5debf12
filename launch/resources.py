"""What each step asks of FireWorks and of a queue: its category, its place in the order, cores, time and memory.

The categories are those of :mod:`hightc.launch.step_category`. The numbers are estimates
(:mod:`hightc.makers.cost`), corrected by what finished runs took; a job that ends at an estimated time limit is
followed by one with twice the time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from jobflow import Job

from hightc.analysis.documents import MagneticOrder
from hightc.launch.campaign import Material
from hightc.launch.step_category import CATEGORY, Category
from hightc.launch.step_resources import RESOURCES, StepResources
from hightc.launch.studied import studied_of
from hightc.makers.cost import RELAXATION_RUNS
from hightc.makers.dynamic_jobs import MADE
from hightc.makers.errors import CalculationError
from hightc.makers.magnetism_rung import MagneticRungMaker
from hightc.makers.phonon import WAVES, CouplingMaker
from hightc.makers.phonon_interpolation import InterpolationMaker
from hightc.makers.qe.finer_mesh import finer_recipe
from hightc.makers.qe.magnetic_recipe import MagneticRecipe
from hightc.makers.qe.pseudopotentials import family_directory
from hightc.makers.settings import compute_settings
from hightc.makers.step_needs import StepNeed, load_of, magnetic_need, step_needs

SMALL_SECONDS: Final = 600.0
"""Core-seconds below which a step is small."""

AIM_SECONDS: Final = 1800.0
"""Wall time that a step is given processes for, as far as they are of use: jobs of half an hour start soon."""

TIME_MARGIN: Final = 3.0
"""Time that is asked for over the estimate, which measured times of Al and Pb meet within a factor of two."""

LEAST_WALL_SECONDS: Final = 900
STEP_SECONDS: Final = 300
"""Shortest time that is asked for, and what times are rounded up to."""

CHEAP_AHEAD: Final = 1e-6
"""What the cheapest material is ahead of the dearest in the order of one step: less than any score of a gate is."""

SECONDS_PER_HOUR: Final = 3600.0

MADE_OF_GROUPS: Final = ("QGroupMaker", "QMergeMaker")
MADE_ON_A_FINER_MESH: Final = (
    *("DenseScfMaker", "ScfMaker", "CouplingMaker", "ForceConstantsMaker", "InterpolationMaker"),
)
"""Steps that a running one may make, by the class of their Maker; they get numbers of their own."""


def wall_to_ask(seconds: float) -> int:
    """Time to ask a queue for, in s, for a step of an estimated wall time.

    Parameters
    ----------
    seconds
        The estimate in s.
    """
    return max(LEAST_WALL_SECONDS, STEP_SECONDS * math.ceil(TIME_MARGIN * seconds / STEP_SECONDS))


def resources_of(need: StepNeed, factors: Mapping[str, float]) -> StepResources | None:
    """Numbers of a step; None where its cost is not estimated.

    Parameters
    ----------
    need
        What it needs.
    factors
        What each program takes over the estimate, as finished runs show.
    """
    if need.core_seconds is None:
        return None
    seconds = max(need.core_seconds * factors.get(need.program or "", 1.0), 1.0)
    processes = need.processes(math.ceil(seconds / AIM_SECONDS))
    return StepResources(
        core_seconds=round(seconds, 1),
        processes=processes,
        wall_seconds=wall_to_ask(seconds / processes),
        memory_mb=math.ceil(need.memory_mb(processes)),
    )


def category_of(need: StepNeed, resources: StepResources | None) -> Category:
    """Category of a step.

    Parameters
    ----------
    need
        What it needs.
    resources
        Its numbers; None where they are not known.
    """
    if need.load != "program":
        return "serial" if need.load == "serial" else "epw"
    return "small" if resources is not None and resources.core_seconds < SMALL_SECONDS else "parallel"


class Estimates:
    """Numbers of the steps of one material.

    Parameters
    ----------
    material
        The material.
    factors
        What each program takes over the estimate, as finished runs show.
    """

    def __init__(self, material: Material, factors: Mapping[str, float] | None = None) -> None:
        self.material, self.factors = material, factors or {}
        self._known: dict[tuple[int, bool], Mapping[str, StepNeed]] = {}
        hours = [need.core_seconds / SECONDS_PER_HOUR for need in self._needs(1).values() if need.core_seconds]
        # those of which nothing is known come last
        self._ahead = CHEAP_AHEAD / (1 + sum(hours)) if hours else 0.0

    def configuration(self, job: Job, position: int) -> dict[str, Any]:
        """What FireWorks is told of a step.

        Parameters
        ----------
        job
            The step.
        position
            Its number among the steps of the material.
        """
        maker = getattr(job, "maker", None)
        # later steps first: a material that is under way is finished before the next is begun
        told: dict[str, Any] = {"_priority": position + self._ahead, **self._told(self._need(job, maker))}
        if isinstance(maker, CouplingMaker | InterpolationMaker):
            finer = isinstance(maker, InterpolationMaker) and maker.finer_q_passes > 0
            needs = self._needs(_groups(maker), finer=finer)
            names = (*MADE_OF_GROUPS, *(MADE_ON_A_FINER_MESH if finer else ()))
            told[MADE] = {name: self._told(needs.get(name) or StepNeed(load_of(name))) for name in names}
        return told

    def _told(self, need: StepNeed) -> dict[str, Any]:
        resources = resources_of(need, self.factors)
        told: dict[str, Any] = {CATEGORY: category_of(need, resources)}
        return told | ({RESOURCES: resources.model_dump()} if resources else {})

    def _need(self, job: Job, maker: object) -> StepNeed:
        step = type(maker).__name__
        if isinstance(maker, MagneticRungMaker):
            return self._magnetic(job.function_args[0], maker.magnetism) or StepNeed("program")
        return self._needs(_groups(maker)).get(step) or StepNeed(load_of(step))

    def _magnetic(self, order: MagneticOrder, magnetism: MagneticRecipe) -> StepNeed | None:
        folder = self._pseudo_dir
        if folder is None:
            return None
        runs = RELAXATION_RUNS if magnetism.pressures_gpa else 1.0
        mesh, _ = magnetism.k_points_of(order)
        try:
            polarized = order.kind != "nonmagnetic"
            return magnetic_need(order.structure, self.material.recipe, folder, mesh, runs, polarized=polarized)
        except (CalculationError, OSError):
            return None

    def _needs(self, groups: int, *, finer: bool = False) -> Mapping[str, StepNeed]:
        if (groups, finer) not in self._known:
            self._known[groups, finer] = self._estimate(groups, finer=finer)
        return self._known[groups, finer]

    def _estimate(self, groups: int, *, finer: bool) -> Mapping[str, StepNeed]:
        material, folder = self.material, self._pseudo_dir
        recipe = finer_recipe(material.recipe) if finer else material.recipe
        studied = studied_of(material)
        try:
            return step_needs(material.structure, recipe, folder, studied, groups=groups) if folder else {}
        except (CalculationError, OSError):
            return {}

    @cached_property
    def _pseudo_dir(self) -> Path | None:
        try:
            family = self.material.recipe.pseudopotential_family
            return family_directory(family, compute_settings().pseudopotentials_directory)
        except CalculationError:
            return None


def _groups(maker: object) -> int:
    """Runs of ph.x that share the q points of a step."""
    q_jobs = int(getattr(maker, "q_jobs", 1))
    return WAVES * q_jobs if q_jobs > 1 else 1
