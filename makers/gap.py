"""Superconducting gaps with epw.x: isotropic, and over the Fermi surface where Tc is high enough to matter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jobflow import job

from hightc.analysis.documents import Alpha2FDocument, GapDocument, TemperatureGap, VertexDocument, WannierDocument
from hightc.analysis.documents.base import IDENTITY
from hightc.analysis.parsers.alpha2f import Alpha2FFile, read_alpha2f
from hightc.analysis.parsers.eliashberg_gaps import GapAtTemperature
from hightc.analysis.parsers.epw_output import read_epw_output
from hightc.analysis.parsers.fermi_surface_gaps import read_fermi_surface_gaps
from hightc.eliashberg import ParameterError
from hightc.eliashberg.compatibility import CompatibleTc, epw_critical_temperature, epw_gap
from hightc.makers.base import QEMaker, correction_warnings
from hightc.makers.content_key import Calculation
from hightc.makers.epw import on_meshes
from hightc.makers.epw_staging import link
from hightc.makers.errors import CalculationError, ProgramFailedError
from hightc.makers.execution import ProgramRun, run_program
from hightc.makers.provenance import joined_provenance
from hightc.makers.qe.epw_inputs import (
    MATRIX_ELEMENTS,
    N_FREQUENCIES,
    SELECTED_Q,
    SPECTRUM_ISOTROPIC,
    Subspace,
    gap_input,
)
from hightc.makers.qe.failures import CRASHED, DISK_FULL, KILLED, OUT_OF_MEMORY, RETURN_CODE, WALLTIME
from hightc.makers.qe.failures_epw import EPW_FILES
from hightc.makers.qe.handlers import epw_handlers
from hightc.makers.qe.inputs import PREFIX
from hightc.makers.qe.wannier_recipe import WannierRecipe
from hightc.makers.staging import stage

CUTOFF_IN_PHONONS = 10.0
"""Cutoff of the Matsubara sums over the highest phonon energy."""

ISOTROPIC_SHARES = (0.15, 0.4, 0.6, 0.8, 0.9)
ANISOTROPIC_SHARES = (0.35, 0.6, 0.9)
"""Temperatures over Tc: epw.x stops above Tc, and takes ever longer below. At 0.35 Tc the gap has grown to 99.8 % of
that at zero (BCS); epw.x counts the kernel of the anisotropic equations, which grows with 1/T, in 32 bits."""

GAPS_OF_STATES = f"{PREFIX}.imag_aniso_gap_FS_{{}}"

OF_THE_MACHINE = frozenset(
    failure.code for failure in (CRASHED, DISK_FULL, EPW_FILES, KILLED, OUT_OF_MEMORY, RETURN_CODE, WALLTIME)
)
"""Failures that another run may not have."""

TOO_LARGE = re.compile(r"error allocating|exceeds max_memlt", re.IGNORECASE)
"""Words with which epw.x refuses equations of this size, such as 'Error allocating akeri'."""


@dataclass
class GapMaker(QEMaker):
    """Gaps on the imaginary axis with epw.x, beside hightc's own solution.

    Attributes
    ----------
    wannier
        Numbers of the Wannier route.
    mu_star
        Coulomb pseudopotential.
    """

    name: str = "gap"
    wannier: WannierRecipe = field(kw_only=True)
    mu_star: float = 0.10

    @job(output_schema=GapDocument)
    def make(self, spectrum: Alpha2FDocument, wannier: WannierDocument, vertex: VertexDocument) -> GapDocument:
        """Solve the Eliashberg equations at temperatures below the Tc that hightc finds for them.

        Parameters
        ----------
        spectrum
            alpha2F of the fine meshes; its files and matrix elements lie in the folder of its run.
        wannier
            The Wannier functions.
        vertex
            The coupling between them.
        """
        folder = Path(spectrum.provenance.directory)
        stage(folder, ["crystal.fmt", SPECTRUM_ISOTROPIC])
        file = read_alpha2f(SPECTRUM_ISOTROPIC, n_points=N_FREQUENCIES)
        cutoff_ev = round(CUTOFF_IN_PHONONS * vertex.highest_frequency_mev / 1e3, 6)
        tc = epw_critical_temperature(file.omega_mev, file.alpha2f, self.mu_star, wscut_ev=cutoff_ev)
        runs: list[ProgramRun] = []
        isotropic: tuple[TemperatureGap, ...] = ()
        anisotropic: tuple[TemperatureGap, ...] = ()
        reason: str | None = "there is no gap at any temperature searched"
        if tc.tc_kelvin:
            texts = {
                kind: self._input(spectrum, wannier, vertex, tc.tc_kelvin, cutoff_ev, anisotropic=kind == "anisotropic")
                for kind in ("isotropic", "anisotropic")
            }
            runs.append(self._solve("isotropic", texts["isotropic"], spectrum))
            gaps = read_epw_output("isotropic.out").isotropic_gaps
            isotropic = tuple(_gap(gap, _own_gap_mev(file, gap.temperature_k, self.mu_star, cutoff_ev)) for gap in gaps)
            reason = self._why_isotropic_only(tc, folder)
            if reason is None:
                try:
                    runs.append(self._solve("anisotropic", texts["anisotropic"], spectrum))
                    gaps = read_epw_output("anisotropic.out").anisotropic_gaps
                    anisotropic = tuple(self._with_extremes(_gap(gap, None)) for gap in gaps)
                except ProgramFailedError as error:
                    # the isotropic gaps stand by themselves
                    reason = lasting_reason(error)
        provenances = [self.provenance("epw.x", run) for run in runs] or [spectrum.provenance]
        provenance = joined_provenance(provenances)
        return GapDocument(
            **spectrum.model_dump(include=IDENTITY),
            mu_star=self.mu_star,
            cutoff_ev=cutoff_ev,
            convention=tc.convention,
            lambda_=tc.lam,
            isotropic=isotropic,
            anisotropic=anisotropic,
            anisotropic_reason=reason,
            tc_kelvin=tc.tc_kelvin,
            tc_status=tc.status.value,
            largest_difference=_largest_difference(isotropic),
            warnings=correction_warnings(provenances),
            provenance=provenance,
        )

    def _why_isotropic_only(self, tc: CompatibleTc, folder: Path) -> str | None:
        if tc.tc_kelvin is None or tc.tc_kelvin < self.wannier.anisotropic_above_kelvin:
            return f"Tc is below {self.wannier.anisotropic_above_kelvin:g} K (anisotropic_above_kelvin in [wannier])"
        if not _pools(folder) or not (folder / SELECTED_Q).is_file():
            return f"the matrix elements of the fine meshes are no longer in {folder}: run epw.x fine again"
        return None

    def _input(
        self,
        spectrum: Alpha2FDocument,
        wannier: WannierDocument,
        vertex: VertexDocument,
        tc_kelvin: float,
        cutoff_ev: float,
        *,
        anisotropic: bool,
    ) -> str:
        recipe, numbers = on_meshes(self.recipe, self.wannier, wannier, vertex.q_mesh)
        shares = ANISOTROPIC_SHARES if anisotropic else ISOTROPIC_SHARES
        if spectrum.convergence is None:
            msg = "expected a spectrum of the Wannier route, found none with fine meshes: give that of epw.x fine"
            raise CalculationError(msg)
        return gap_input(
            recipe,
            numbers,
            step=len(spectrum.convergence.meshes) - 1,
            highest_phonon_mev=vertex.highest_frequency_mev,
            temperatures_kelvin=[round(share * tc_kelvin, 3) for share in shares],
            mu_star=self.mu_star,
            cutoff_ev=cutoff_ev,
            subspace=Subspace(vertex.n_wannier, vertex.n_excluded),
            anisotropic=anisotropic,
        )

    def _solve(self, kind: str, text: str, spectrum: Alpha2FDocument) -> ProgramRun:
        folder = Path(spectrum.provenance.directory)

        def compute() -> ProgramRun:
            settings = self.settings()
            if kind == "anisotropic":
                link(folder, [MATRIX_ELEMENTS, SELECTED_Q])
                # each process reads the matrix elements that one process wrote
                settings = settings.model_copy(update={"processes": _pools(folder)})
            return run_program("epw", input_text=text, handlers=epw_handlers(kind), settings=settings, name=kind)

        upstream = (spectrum.provenance.content_sha256,)
        outputs = (GAPS_OF_STATES.format("*"),) if kind == "anisotropic" else ()
        return self.run(Calculation("epw", text, outputs, upstream=upstream, name=kind), compute)

    def _with_extremes(self, gap: TemperatureGap) -> TemperatureGap:
        """Add the lowest and highest gap of the states on the Fermi surface, as far as it is smeared."""
        states = read_fermi_surface_gaps(GAPS_OF_STATES.format(f"{gap.temperature_kelvin:06.2f}"))
        on_surface = states.gap_mev[np.abs(states.energy_from_fermi_ev) < self.wannier.electron_smearing_ev]
        if not on_surface.size:
            return gap
        return gap.model_copy(
            update={"lowest_mev": float(np.abs(on_surface).min()), "highest_mev": float(np.abs(on_surface).max())}
        )


def lasting_reason(error: ProgramFailedError) -> str:
    """Why there are no anisotropic gaps, where every run would fail alike: a refusal of epw.x.

    Parameters
    ----------
    error
        The failure.

    Raises
    ------
    ProgramFailedError
        The same, if the machine failed and another run may succeed.
    """
    if OF_THE_MACHINE.isdisjoint(error.codes) or TOO_LARGE.search(str(error)):
        return str(error)
    raise error


def _pools(folder: Path) -> int:
    """Processes that wrote matrix elements; 0 if they are gone."""
    return len(list((folder / MATRIX_ELEMENTS).glob("ephmat*")))


def _own_gap_mev(file: Alpha2FFile, temperature_k: float, mu_star: float, cutoff_ev: float) -> float | None:
    """Solve the same equations with hightc; None where a low temperature makes its dense sums too long."""
    try:
        solution = epw_gap(file.omega_mev, file.alpha2f, temperature_k, mu_star, wscut_ev=cutoff_ev)
    except ParameterError:
        return None
    return solution.gap_mev


def _gap(gap: GapAtTemperature, own_gap_mev: float | None) -> TemperatureGap:
    """One temperature; EPW prints the gap with either sign."""
    return TemperatureGap(
        temperature_kelvin=gap.temperature_k,
        gap_mev=abs(gap.gap_mev),
        renormalization=gap.renormalization,
        lowest_mev=gap.lowest_gap_mev,
        highest_mev=gap.highest_gap_mev,
        own_gap_mev=own_gap_mev,
        converged=gap.converged,
    )


def _largest_difference(gaps: Sequence[TemperatureGap]) -> float | None:
    pairs = [(gap.gap_mev, gap.own_gap_mev) for gap in gaps if gap.converged and gap.own_gap_mev]
    return float(np.max([abs(epw - own) / own for epw, own in pairs])) if pairs else None
