"""From the spectra of EPW's fine meshes to the document that a Tc stands on."""

from __future__ import annotations

from collections.abc import Sequence

from hightc.analysis.documents import (
    Alpha2FDocument,
    FineMeshConvergence,
    Gate,
    Plateau,
    SmearingMoments,
    StructureDocument,
    WannierDocument,
)
from hightc.analysis.documents.base import IDENTITY, Provenance
from hightc.analysis.parsers.alpha2f import Alpha2FFile
from hightc.analysis.spectral_function import LAMBDA_AGREEMENT, clipped_spectrum, finite_or_none

FERMI_AGREEMENT_EV = 0.1
"""Distance of the Fermi energies above which the coupling is of other electrons: 0.53 eV gave .35 for .44 in Al."""


def fermi_gate(fermi_fine_ev: float, fermi_scf_ev: float) -> Gate:
    """The interpolated bands must have the Fermi energy of the self-consistency.

    Parameters
    ----------
    fermi_fine_ev
        Fermi energy of the fine mesh in eV.
    fermi_scf_ev
        That of the self-consistency in eV.
    """
    distance = abs(fermi_fine_ev - fermi_scf_ev)
    passed = distance < FERMI_AGREEMENT_EV
    message = f"Fermi energy of the Wannier bands {fermi_fine_ev:.3f} eV, of the self-consistency {fermi_scf_ev:.3f} eV"
    if not passed:
        message += f": expected within {FERMI_AGREEMENT_EV} eV: choose a denser k_mesh in [wannier]"
    return Gate(
        name="fermi_energy", passed=passed, value=distance, threshold=FERMI_AGREEMENT_EV, unit="eV", message=message
    )


def wannier_alpha2f_document(
    structure: StructureDocument,
    wannier: WannierDocument,
    spectrum: Alpha2FFile,
    convergence: FineMeshConvergence,
    *,
    q_mesh: tuple[int, int, int],
    provenance: Provenance,
    inherited_warnings: Sequence[str] = (),
) -> Alpha2FDocument:
    """Join a spectrum on the finest meshes with the history of its convergence.

    Parameters
    ----------
    structure
        The relaxed structure.
    wannier
        The Wannier functions.
    spectrum
        The spectrum on the last of the meshes.
    convergence
        All meshes.
    q_mesh
        q mesh of the phonons.
    provenance
        Where the spectrum comes from.
    inherited_warnings
        Warnings of the steps before.
    """
    last = convergence.meshes[-1]
    own = clipped_spectrum(spectrum.omega_mev, spectrum.alpha2f)
    moments = SmearingMoments(
        lambda_=own.lam,
        omega_log_mev=finite_or_none(own.omega_log_mev),
        omega_2_mev=finite_or_none(own.omega_2_mev),
        lambda_printed=spectrum.lambda_printed,
        omega_log_printed_mev=None,
        lambda_q_sum=None,
        lambda_clipped=-own.clipped_lambda,
    )
    best = wannier.best
    return Alpha2FDocument(
        **structure.model_dump(include=IDENTITY),
        structure=structure.structure,
        pressure_gpa=structure.pressure_gpa,
        protocol=structure.protocol,
        route="wannier",
        omega_mev=tuple(spectrum.omega_mev.tolist()),
        alpha2f=(tuple(spectrum.alpha2f.tolist()),),
        smearing_ev=(last.electron_smearing_ev,),
        moments=(moments,),
        plateau=Plateau(status="no_plateau", indices=(), relative_spread=None),
        chosen_smearing=0,
        dos_per_ev_spin_cell=(last.dos_per_ev_spin_cell,),
        k_mesh=wannier.k_mesh,
        k_mesh_dense=last.k_mesh,
        q_mesh=q_mesh,
        q_mesh_fine=last.q_mesh,
        convergence=convergence,
        band_distance_mev=best.eta_mev if best else None,
        gates=(fermi_gate(last.fermi_ev, wannier.fermi_ev),),
        warnings=(*inherited_warnings, *_warnings(moments, convergence)),
        provenance=provenance,
    )


def _warnings(moments: SmearingMoments, convergence: FineMeshConvergence) -> list[str]:
    notes = []
    if convergence.status == "not_converged":
        last = convergence.meshes[-1]
        changes = [
            f"{100 * mesh.lambda_change:+.1f} %" for mesh in convergence.meshes[-2:] if mesh.lambda_change is not None
        ]
        of_dos = [f"{100 * mesh.dos_change:+.1f} %" for mesh in convergence.meshes[-2:] if mesh.dos_change is not None]
        of_lambda = ", ".join(changes) or "an unknown amount"
        states = f" (N(E_F) by {', '.join(of_dos)})" if of_dos else ""
        notes.append(
            f"lambda is not converged with the fine meshes: it changed by {of_lambda} up to "
            f"k {'x'.join(map(str, last.k_mesh))}, q {'x'.join(map(str, last.q_mesh))}{states}; add finer meshes to "
            "fine_q_meshes in [wannier]"
        )
    printed = moments.lambda_printed
    if printed is not None and abs(moments.lambda_ - printed) > LAMBDA_AGREEMENT * moments.lambda_:
        notes.append(f"lambda recomputed {moments.lambda_:.3f}, printed {printed:.3f}: the code's own sum differs")
    return notes
