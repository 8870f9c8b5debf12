"""From the spectra of a run to the document that every Tc stands on."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.convergence import find_plateau
from hightc.analysis.documents import (
    Alpha2FDocument,
    CouplingDocument,
    Plateau,
    SmearingMoments,
    StructureDocument,
)
from hightc.analysis.documents.base import IDENTITY, Provenance
from hightc.analysis.parsers.matdyn import CouplingTable, SpectrumFile
from hightc.analysis.rescaling import RescaledCoupling, rescale_by_dos
from hightc.eliashberg import Alpha2F, NegativeSpectrumWarning

LAMBDA_AGREEMENT = 0.01
"""Relative difference between the recomputed and the printed lambda above which the document says why."""

Q_SUM_AGREEMENT = 0.16
"""Relative difference between interpolated and direct lambda seen on 2x2x2 meshes of Al and Pb: 4 to 16 %."""

NEGATIVE_WEIGHT = 0.01
"""Share of lambda in negative a2F above which the spectrum is called polluted."""


def clipped_spectrum(omega_mev: NDArray[np.float64], alpha2f: NDArray[np.float64]) -> Alpha2F:
    """Spectrum for the Eliashberg engine, negative values set to zero without a further warning.

    Parameters
    ----------
    omega_mev
        (n,) frequencies in meV.
    alpha2f
        (n,) spectral function as the code wrote it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NegativeSpectrumWarning)
        return Alpha2F(omega_mev, alpha2f)


def document_spectrum(document: Alpha2FDocument, smearing: int | None = None) -> Alpha2F:
    """Spectrum of a document for the Eliashberg engine.

    Parameters
    ----------
    document
        The document.
    smearing
        Position in ``smearing_ev``; the chosen one if None.
    """
    index = document.chosen_smearing if smearing is None else smearing
    return clipped_spectrum(np.array(document.omega_mev), np.array(document.alpha2f[index]))


def alpha2f_document(
    structure: StructureDocument,
    coupling: CouplingDocument,
    spectra: Sequence[SpectrumFile],
    table: CouplingTable,
    *,
    k_mesh: tuple[int, int, int],
    k_mesh_dense: tuple[int, int, int],
    provenance: Provenance,
    inherited_warnings: Sequence[str] = (),
    dos_tetrahedra_per_ev_spin_cell: float | None = None,
) -> Alpha2FDocument:
    """Join the spectra of all smearings, choose one, and say what is wrong with them.

    Parameters
    ----------
    structure
        The relaxed structure.
    coupling
        The coupling on the computed q mesh.
    spectra
        One a smearing, in the order of ``coupling.smearing_ev``.
    table
        What matdyn.x printed of each smearing.
    k_mesh, k_mesh_dense
        Meshes of the linear response and of the double delta.
    provenance
        Where the spectra come from.
    inherited_warnings
        Warnings of the steps before.
    dos_tetrahedra_per_ev_spin_cell
        Density of states at the Fermi energy on the dense mesh without smearing, in states/eV/spin/cell; None if it
        was not computed. It is compared with that of each smearing and changes no spectrum.

    Raises
    ------
    ValueError
        If the spectra and the smearings do not belong together.
    """
    if not len(spectra) == len(coupling.smearing_ev) == len(table.coupling):
        msg = (
            f"expected {len(coupling.smearing_ev)} smearings as ph.x summed, found {len(spectra)} spectra and "
            f"{len(table.coupling)} lines of lambda: matdyn.x was cut; run it again"
        )
        raise ValueError(msg)
    omega = spectra[0].omega_mev
    for number, spectrum in enumerate(spectra, start=1):
        if not np.array_equal(spectrum.omega_mev, omega):
            msg = f"a2F.dos{number}: expected the frequencies of a2F.dos1, found others: files of two runs are mixed"
            raise ValueError(msg)
    positive = omega > 0
    moments = tuple(
        _moments(omega[positive], spectrum.alpha2f[positive], coupling, table, index)
        for index, spectrum in enumerate(spectra)
    )
    plateau = find_plateau(np.array(coupling.smearing_ev), np.array([entry.lambda_ for entry in moments]))
    chosen = plateau.chosen if plateau.chosen is not None else len(spectra) - 1
    rescaled = _rescaled(moments, coupling, dos_tetrahedra_per_ev_spin_cell)
    return Alpha2FDocument(
        **structure.model_dump(include=IDENTITY),
        structure=structure.structure,
        pressure_gpa=structure.pressure_gpa,
        protocol=structure.protocol,
        route="linear_response",
        omega_mev=tuple(omega[positive].tolist()),
        alpha2f=tuple(tuple(spectrum.alpha2f[positive].tolist()) for spectrum in spectra),
        smearing_ev=coupling.smearing_ev,
        moments=moments,
        plateau=Plateau(status=plateau.status, indices=tuple(plateau.indices), relative_spread=plateau.relative_spread),
        chosen_smearing=chosen,
        dos_per_ev_spin_cell=coupling.dos_per_ev_spin_cell,
        dos_tetrahedra_per_ev_spin_cell=dos_tetrahedra_per_ev_spin_cell,
        lambda_rescaled=None if rescaled is None else tuple(finite_or_none(value) for value in rescaled.coupling),
        k_mesh=k_mesh,
        k_mesh_dense=k_mesh_dense,
        q_mesh=coupling.q_mesh,
        warnings=(
            *inherited_warnings,
            *_warnings(moments, chosen, plateau.status, coupling.smearing_ev),
            *_dos_warnings(rescaled, chosen),
        ),
        provenance=provenance,
    )


def _moments(
    omega_mev: NDArray[np.float64],
    alpha2f: NDArray[np.float64],
    coupling: CouplingDocument,
    table: CouplingTable,
    index: int,
) -> SmearingMoments:
    spectrum = clipped_spectrum(omega_mev, alpha2f)
    return SmearingMoments(
        lambda_=spectrum.lam,
        omega_log_mev=finite_or_none(spectrum.omega_log_mev),
        omega_2_mev=finite_or_none(spectrum.omega_2_mev),
        lambda_printed=finite_or_none(table.coupling[index]),
        omega_log_printed_mev=finite_or_none(table.omega_log_mev[index]),
        lambda_q_sum=coupling.lambda_q_sum[index],
        lambda_clipped=-spectrum.clipped_lambda,
    )


def _rescaled(
    moments: Sequence[SmearingMoments], coupling: CouplingDocument, dos_tetrahedra: float | None
) -> RescaledCoupling | None:
    """Scale lambda of each smearing to the density of states of the tetrahedra."""
    if dos_tetrahedra is None:
        return None
    return rescale_by_dos(
        np.empty((len(moments), 0)),
        np.array([entry.lambda_ for entry in moments]),
        dos_used_per_ev_spin_cell=np.array(coupling.dos_per_ev_spin_cell),
        dos_reference_per_ev_spin_cell=dos_tetrahedra,
    )


def _dos_warnings(rescaled: RescaledCoupling | None, chosen: int) -> list[str]:
    """Whether the chosen smearing has another density of states than the tetrahedra."""
    if rescaled is None or rescaled.status[chosen] != "outside_range":
        return []
    return [
        f"N(E_F) of the chosen smearing is off by a factor {rescaled.factor[chosen]:.2f} from that of the tetrahedra: "
        f"use a denser k mesh; scaled by it, lambda would be {rescaled.coupling[chosen]:.3f}"
    ]


def finite_or_none(value: float) -> float | None:
    """Keep a number, replace nan and infinity by None.

    Parameters
    ----------
    value
        Any float.
    """
    return float(value) if np.isfinite(value) else None


def _warnings(moments: Sequence[SmearingMoments], chosen: int, plateau: str, smearing_ev: Sequence[float]) -> list[str]:
    """What a reader should know of the chosen spectrum."""
    best = moments[chosen]
    notes = []
    if plateau == "no_plateau":
        notes.append(
            f"lambda does not settle against the smearing: the widest, {smearing_ev[chosen]:.3f} eV, is used; "
            "use a denser k mesh"
        )
    if best.lambda_clipped < -NEGATIVE_WEIGHT * best.lambda_:
        notes.append(
            f"negative a2F of weight {best.lambda_clipped:.3f} in lambda was set to zero: the q mesh is too coarse"
        )
    if best.lambda_printed is not None and abs(best.lambda_ - best.lambda_printed) > LAMBDA_AGREEMENT * best.lambda_:
        cause = "negative a2F was set to zero" if best.lambda_clipped < 0 else "the code's own sum differs"
        notes.append(f"lambda recomputed {best.lambda_:.3f}, printed {best.lambda_printed:.3f}: {cause}")
    if best.lambda_q_sum is not None and abs(best.lambda_q_sum - best.lambda_) > Q_SUM_AGREEMENT * best.lambda_:
        notes.append(
            f"lambda interpolated {best.lambda_:.3f}, direct q sum {best.lambda_q_sum:.3f}: the q mesh is too coarse"
        )
    return notes
