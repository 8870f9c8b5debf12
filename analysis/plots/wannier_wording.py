"""What the Wannier route says besides Tc, in words: fine meshes, gaps of EPW, attempts at the functions."""

from __future__ import annotations

from hightc.analysis.documents import FineMeshConvergence, GapDocument, TemperatureGap, WindowTrial
from hightc.analysis.plots.wording import kelvin, mesh_text


def convergence_text(convergence: FineMeshConvergence) -> str:
    """Write whether finer meshes still change the coupling, with the last changes.

    Parameters
    ----------
    convergence
        The coupling on all fine meshes.
    """
    verdict = "converged" if convergence.status == "converged" else "not converged"
    last = convergence.meshes[-1]
    text = f"{verdict} at k {mesh_text(last.k_mesh)}, q {mesh_text(last.q_mesh)}"
    recent = convergence.meshes[-2:]
    of_lambda = [f"{100 * mesh.lambda_change:+.1f} %" for mesh in recent if mesh.lambda_change is not None]
    of_tc = [f"{mesh.tc_change_kelvin:+.2f} K" for mesh in recent if mesh.tc_change_kelvin is not None]
    if not of_lambda:
        return f"{text}: a single mesh says nothing"
    temperatures = f"; Tc by {', '.join(of_tc)}" if of_tc else ""
    return f"{text}: lambda changed last by {', '.join(of_lambda)}{temperatures}"


def gap_text(gaps: GapDocument) -> str:
    """Write Tc and the coldest isotropic gap of EPW in its own convention of mu*.

    Parameters
    ----------
    gaps
        The gaps.
    """
    tc = "below range" if gaps.tc_kelvin is None else f"{kelvin(gaps.tc_kelvin)} K"
    parts = [f"Tc {tc}"]
    if gaps.isotropic:
        coldest = min(gaps.isotropic, key=lambda gap: gap.temperature_kelvin)
        parts.append(f"Delta_0 {abs(coldest.gap_mev):.3g} meV at {kelvin(coldest.temperature_kelvin)} K")
    text = f"{', '.join(parts)} (mu* {gaps.mu_star:.2f} at its cutoff, {1e3 * gaps.cutoff_ev:.3g} meV)"
    if gaps.largest_difference is None:
        return text
    return f"{text}; hightc's gaps of the same equations differ by {100 * gaps.largest_difference:.2g} % at most"


def anisotropy_text(gaps: GapDocument) -> str:
    """Write the range of the gap over the Fermi surface, or why it is not known.

    Parameters
    ----------
    gaps
        The gaps.
    """
    if not gaps.anisotropic:
        return f"not computed: {gaps.anisotropic_reason or 'no reason is stored'}"
    coldest = min(gaps.anisotropic, key=lambda gap: gap.temperature_kelvin)
    at = f"at {kelvin(coldest.temperature_kelvin)} K"
    ends = gap_ends(coldest)
    mean = f"mean {abs(coldest.gap_mev):.3g} meV {at}"
    return f"{ends[0]:.3g} to {ends[1]:.3g} meV, {mean}" if ends else mean


def gap_ends(gap: TemperatureGap) -> tuple[float, float] | None:
    """Lowest and highest gap over the Fermi surface in meV; None if they were not printed.

    Parameters
    ----------
    gap
        The gap at one temperature; the sign of all of it means nothing, and the mean is made positive.
    """
    if gap.lowest_mev is None or gap.highest_mev is None:
        return None
    ends = (gap.lowest_mev, gap.highest_mev)
    return ends if gap.gap_mev >= 0 else (-ends[1], -ends[0])


def projections_text(trial: WindowTrial) -> str:
    """Write what Wannier functions started from.

    Parameters
    ----------
    trial
        The attempt.
    """
    return ", ".join(trial.projections) or "density matrix"
