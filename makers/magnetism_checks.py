"""What one rung tells beside its row: how far its moment scatters with mesh and smearing, and Stoner's parameter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jobflow import job
from pydantic import Field
from pymatgen.core import Structure

from hightc.analysis.documents import MagneticOrder, MagneticState, Provenance
from hightc.analysis.documents.base import JobArgument
from hightc.analysis.exchange_splitting import exchange_splitting_ev, fixed_moment_stoner_ev, smeared_dos
from hightc.analysis.parsers.pw import PwRun
from hightc.analysis.stoner import StonerParameter, stoner_from_splitting
from hightc.makers.base import QEMaker
from hightc.makers.errors import ProgramFailedError
from hightc.makers.magnetism_run import SpinCalculation, is_of_the_order
from hightc.makers.magnetism_rung import MagneticRung, recipe_of
from hightc.makers.qe.inputs import Spins
from hightc.makers.qe.magnetic_recipe import MagneticRecipe

LEAST_DOS_PER_EV = 0.01
"""N(E_F) per spin and cell below which a moment costs the gap and not 1/N: semimetals and insulators."""


class MagneticChecks(JobArgument):
    """What the further runs at one rung found."""

    noise_bohr_magneton: float | None = Field(description="Scatter of a moment per atom; None if not measured.")
    stoner_ev: float | None = Field(description="Stoner's I of a magnetic atom in eV; None if it is not known.")
    stoner_source: str | None = Field(description="Where it comes from; None if it is not known.")
    provenances: tuple[Provenance, ...] = Field(description="Of the runs.")
    warnings: tuple[str, ...] = Field(description="What could not be measured, and why.")

    @property
    def stoner(self) -> StonerParameter | None:
        """Stoner's parameter; None if it is not known."""
        if self.stoner_ev is None or self.stoner_source is None:
            return None
        return StonerParameter(self.stoner_ev, self.stoner_source)


@dataclass
class MagneticChecksMaker(QEMaker):
    """The runs that measure noise and Stoner's parameter, at the rung nearest to ambient pressure.

    Attributes
    ----------
    magnetism
        Numbers of the ladder.
    """

    name: str = "magnetic checks"
    magnetism: MagneticRecipe = field(kw_only=True)

    @job
    def make(self, orders: list[MagneticOrder], rungs: list[list[MagneticRung]]) -> MagneticChecks:
        """Repeat moments elsewhere, and take Stoner's parameter from bands, or from imposed moments.

        Parameters
        ----------
        orders
            Orders of the ladder, the nonmagnetic one first and the ferromagnetic one second.
        rungs
            Of each order the rungs :attr:`MagneticRecipe.check_rungs`, the one nearest to ambient pressure first.
        """
        runs: list[Provenance] = []
        warnings: list[str] = []
        noise = self._noise(orders, rungs, runs, warnings)
        stoner = self._stoner(orders, [ladder[0] for ladder in rungs], runs, warnings)
        return MagneticChecks(
            noise_bohr_magneton=noise,
            stoner_ev=None if stoner is None else stoner.value_ev,
            stoner_source=None if stoner is None else stoner.source,
            provenances=tuple(runs),
            warnings=tuple(warnings),
        )

    def _noise(
        self,
        orders: Sequence[MagneticOrder],
        rungs: Sequence[Sequence[MagneticRung]],
        runs: list[Provenance],
        warnings: list[str],
    ) -> float | None:
        """Scatter of moments between two meshes, per atom: what moves them all alike leaves every slope as it is.

        The ferromagnetic order is asked, or the first antiferromagnetic one where that has no moment.
        """
        ladders = [(order, _with_moment(order, ladder)) for order, ladder in zip(orders, rungs, strict=True)]
        order, magnetic = next(((order, kept) for order, kept in ladders if kept), (orders[0], []))
        changes = []
        for number, rung in enumerate(magnetic[: self.magnetism.noise_rungs], start=1):
            recipe, shift = recipe_of(self.recipe, self.magnetism, order, self.magnetism.noise_k_factor)
            degauss = self.magnetism.noise_degauss_factor * recipe.degauss_ry
            recipe, spins = recipe.model_copy(update={"degauss_ry": degauss}), Spins(rung.polarization or ())
            calculation = SpinCalculation(
                _structure(rung.state), recipe, shift, spins, freedom="none", stem=f"pw-noise-{number}"
            )
            found = self._run(calculation, runs, warnings, "the scatter of moments is less well known")
            if found is not None:
                changes.append(_moment(found, order) - _moment_of(rung.state, order))
        if len(changes) < 2:
            return abs(changes[0]) if changes else None
        return float(np.std(changes, ddof=1))

    def _stoner(
        self,
        orders: Sequence[MagneticOrder],
        rungs: Sequence[MagneticRung],
        runs: list[Provenance],
        warnings: list[str],
    ) -> StonerParameter | None:
        state, splitting = rungs[1].state, rungs[1].exchange_splitting_ev
        if splitting is not None and state.total_moment_bohr_magneton_per_atom is not None:
            moment = state.total_moment_bohr_magneton_per_atom * len(orders[1].spins) / _n_magnetic(orders[1])
            source = f"bands of {state.order} at {state.pressure_gpa:.1f} GPa"
            return stoner_from_splitting(splitting * math.copysign(1, moment), moment, source)
        if state.status == "failed" or rungs[0].state.status == "failed":
            warnings.append("Stoner's parameter is not known: the rung that it is taken from failed")
            return None
        if state.reached != "nonmagnetic" or not self.magnetism.fixed_moments_bohr_magneton:
            return None
        return self._imposed(orders, rungs[0].state, runs, warnings)

    def _imposed(
        self,
        orders: Sequence[MagneticOrder],
        nonmagnetic: MagneticState,
        runs: list[Provenance],
        warnings: list[str],
    ) -> StonerParameter | None:
        """Stoner's parameter of a nonmagnetic metal: energies with an imposed moment above that without."""
        order, n_magnetic = orders[1], _n_magnetic(orders[1])
        recipe, shift = recipe_of(self.recipe, self.magnetism, order)
        structure = _structure(nonmagnetic)
        # taken over from the rung, whose files have the same stem, unless its cell was relaxed
        plain = SpinCalculation(structure, recipe, shift, None, freedom="none", stem="pw")
        moments = [n_magnetic * moment for moment in self.magnetism.fixed_moments_bohr_magneton]
        starts = [Spins(_start(order, moment), moment) for moment in moments]
        held = [
            SpinCalculation(structure, recipe, shift, start, freedom="none", stem=f"pw-moment-{number}")
            for number, start in enumerate(starts, start=1)
        ]
        found = []
        for calculation in (plain, *held):
            result = self._run(calculation, runs, warnings, "Stoner's parameter is not known")
            if result is None or result.energy_ev is None:
                return None
            found.append(result)
        base, rest = found[0], found[1:]
        dos, zero = smeared_dos(base), base.energy_ev or 0.0
        if dos < LEAST_DOS_PER_EV:
            warnings.append(f"Stoner's parameter is not known: N(E_F) = {dos:.1e} states/eV/spin/cell is no metal's")
            return None
        energies = [(result.energy_ev or 0.0) - zero for result in rest]
        value = fixed_moment_stoner_ev(moments, energies, dos) * n_magnetic
        splitting = exchange_splitting_ev(rest[0].eigenvalues_ev, rest[0].k_weights, base.fermi_ev or 0.0)
        source = (
            f"fixed moments of {', '.join(f'{moment:g}' for moment in moments)} Bohr magnetons per cell at "
            f"{nonmagnetic.pressure_gpa:.1f} GPa, N(E_F) = {dos:.3f} states/eV/spin/cell with the smearing of the "
            f"energies; the splitting of their bands says {splitting / moments[0] * n_magnetic:.2f} eV"
        )
        return StonerParameter(value, source)

    def _run(
        self, calculation: SpinCalculation, runs: list[Provenance], warnings: list[str], without: str
    ) -> PwRun | None:
        """Run pw.x; None, and a warning, where it failed by what it computed."""
        try:
            run, result = calculation.run(self)
        except ProgramFailedError as error:
            if not is_of_the_order(error):
                raise
            warnings.append(f"{without}: {error}")
            return None
        runs.append(self.provenance("pw.x", run))
        return result


def _with_moment(order: MagneticOrder, rungs: Sequence[MagneticRung]) -> list[MagneticRung]:
    """Rungs that converged to the order that they started from; a failed one has the polarisation of another."""
    return [rung for rung in rungs if rung.polarization and rung.state.reached == order.kind]


def _structure(state: MagneticState) -> Structure:
    if state.structure is None:
        msg = f"{state.order}: expected a converged row, found one that failed"
        raise ValueError(msg)
    return state.structure


def _n_magnetic(order: MagneticOrder) -> int:
    return sum(spin != 0 for spin in order.spins)


def _moment(run: PwRun, order: MagneticOrder) -> float:
    """Moment per atom that is followed on the ladder: the total one of a ferromagnet, else the absolute one."""
    ferromagnetic = order.kind == "ferromagnetic"
    moment = run.total_magnetization_bohr_magneton if ferromagnetic else run.absolute_magnetization_bohr_magneton
    return abs(moment or 0.0) / len(order.spins)


def _moment_of(state: MagneticState, order: MagneticOrder) -> float:
    total, absolute = state.total_moment_bohr_magneton_per_atom, state.absolute_moment_bohr_magneton_per_atom
    return abs((total if order.kind == "ferromagnetic" else absolute) or 0.0)


def _start(order: MagneticOrder, moment: float) -> tuple[float, ...]:
    """Small polarisation of the magnetic sites; the moment itself is imposed."""
    return tuple(0.1 * float(np.sign(moment)) * spin for spin in order.spins)
