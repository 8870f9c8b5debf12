"""The document of phonons and coupling on the q mesh, from the files of ph.x in the current folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hightc.analysis.coupling import direct_q_sum
from hightc.analysis.documents import CouplingDocument, Provenance, QPointRecord, ScfDocument
from hightc.analysis.documents.base import IDENTITY
from hightc.analysis.parsers.ph import QPoint, read_coupling, read_dynamical_matrices, read_elph, read_finished_q
from hightc.analysis.spectral_function import finite_or_none
from hightc.makers.base import QEMaker, correction_warnings
from hightc.makers.errors import ProgramFailedError
from hightc.makers.gates import stability_gate
from hightc.makers.phonon_watch import judge
from hightc.makers.qe.phonon_inputs import FILDYN


def coupling_document(maker: QEMaker, scf: ScfDocument, provenance: Provenance) -> CouplingDocument:
    """Read what ph.x computed in the current folder and judge it.

    Parameters
    ----------
    maker
        For its recipe.
    scf
        The calculation on the k mesh of the linear response.
    provenance
        Of the run or runs.

    Raises
    ------
    ProgramFailedError
        If q points are missing though all that is there is stable.
    """
    here = Path.cwd()
    finished, n_q = read_finished_q(here, FILDYN)
    if not finished:
        msg = f"ph.x in {here}: expected {n_q or 'its'} q points, found none: see ph.out there"
        raise ProgramFailedError(msg)
    verdict = judge(here, finished)
    reason = f"{len(finished)} of {n_q} q points computed" if len(finished) < n_q else None
    if reason and verdict.status != "unstable":
        msg = f"ph.x in {here}: {reason}, though none is unstable: run the step again"
        raise ProgramFailedError(msg)
    gamma = verdict.gamma_modes
    sums, notes = _partial_sums(here, min(finished)) if reason else _sums(here)
    return CouplingDocument(
        **scf.model_dump(include=IDENTITY),
        structure=scf.structure,
        q_mesh=maker.recipe.q_mesh,
        q_points=_records(finished),
        **sums,
        n_irreducible_q=n_q,
        unfinished_reason=f"{reason}: ph.x was stopped at the first unstable one" if reason else None,
        acoustic_gamma_mev=tuple(gamma.acoustic_mev.tolist()) if gamma else None,
        acoustic_gamma_corrected_mev=tuple(gamma.acoustic_corrected_mev.tolist()) if gamma else None,
        lowest_frequency_mev=verdict.lowest_mev,
        protocol=maker.recipe.protocol,
        gates=(stability_gate(verdict, note=reason),),
        warnings=(*correction_warnings([provenance]), *notes, *verdict.warnings),
        provenance=provenance,
    )


def _records(q_points: Mapping[int, QPoint]) -> tuple[QPointRecord, ...]:
    return tuple(
        QPointRecord(
            q_fractional=triple(point.q_fractional),
            weight=float(point.weight),
            frequencies_mev=tuple(point.frequencies_mev.tolist()),
        )
        for point in q_points.values()
    )


def _sums(here: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Fields of the coupling over the whole mesh, and what to know of them."""
    sums = direct_q_sum(read_dynamical_matrices(here, FILDYN), read_elph(here))
    fields = {
        "smearing_ev": tuple(sums.smearing_ev.tolist()),
        "dos_per_ev_spin_cell": tuple(sums.dos_per_ev_spin_cell.tolist()),
        "lambda_q_sum": tuple(sums.coupling.tolist()),
        "omega_log_q_sum_mev": tuple(finite_or_none(value) for value in sums.omega_log_mev),
    }
    return fields, sums.warnings


def _partial_sums(here: Path, index: int) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Fields that one q point tells; no sum where q points are missing."""
    coupling = read_coupling(here, index)
    fields = {
        "smearing_ev": tuple(coupling.smearing_ev.tolist()),
        "dos_per_ev_spin_cell": tuple(coupling.dos_per_ev_spin_cell.tolist()),
        "lambda_q_sum": (),
        "omega_log_q_sum_mev": (),
    }
    return fields, ()


def triple(values: Any) -> tuple[float, float, float]:
    """Three numbers as Python floats.

    Parameters
    ----------
    values
        Any three.
    """
    x, y, z = (float(value) for value in values)
    return x, y, z
