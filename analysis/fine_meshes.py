"""When finer meshes no longer change the coupling, the states at the Fermi energy and the critical temperature."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hightc.analysis.documents.wannier import FineMesh, FineMeshConvergence

STILL_STEPS = 2
"""How often in a row nothing may change: a single small step can be chance."""


def compared(mesh: FineMesh, previous: FineMesh | None) -> FineMesh:
    """A mesh with its changes from the one before.

    Parameters
    ----------
    mesh
        The coupling on a mesh.
    previous
        That on the mesh before; None for the first.
    """
    if previous is None:
        return mesh
    change = (mesh.lambda_ - previous.lambda_) / mesh.lambda_ if mesh.lambda_ else None
    known = mesh.tc_kelvin is not None and previous.tc_kelvin is not None
    difference = mesh.tc_kelvin - previous.tc_kelvin if known else None  # type: ignore[operator]
    changes = {"lambda_change": change, "tc_change_kelvin": difference, "dos_change": _dos_change(mesh, previous)}
    return mesh.model_copy(update=changes)


def mesh_convergence(
    meshes: Sequence[FineMesh],
    *,
    lambda_tolerance: float,
    tc_relative_tolerance: float,
    tc_tolerance_kelvin: float,
) -> FineMeshConvergence:
    """Judge a series of finer and finer meshes.

    The density of states at the Fermi energy counts too: lambda is N(E_F) times a mean over the Fermi surface, and on a
    mesh that does not resolve the smearing both can hold still by chance. fcc Al with 0.3 eV has lambda 0.465 and 0.471
    on 20^3 and 24^3 k, N(E_F) 0.202 and 0.209; on 40^3 k it has 0.440 and 0.197.

    Parameters
    ----------
    meshes
        As :func:`compared` gives them, in the order they were computed.
    lambda_tolerance
        Relative change of lambda, and of N(E_F), that counts as still.
    tc_relative_tolerance, tc_tolerance_kelvin
        Relative change of Tc, or its change in K, that counts as still: the larger of the two.

    Returns
    -------
    FineMeshConvergence
        Converged if lambda, N(E_F) and Tc held still over the last two steps.
    """
    steps = list(pairwise(meshes))[-STILL_STEPS:]
    still = len(steps) == STILL_STEPS and all(
        _is_still(mesh, previous, lambda_tolerance, tc_relative_tolerance, tc_tolerance_kelvin)
        for previous, mesh in steps
    )
    return FineMeshConvergence(
        status="converged" if still else "not_converged",
        lambda_tolerance=lambda_tolerance,
        tc_relative_tolerance=tc_relative_tolerance,
        tc_tolerance_kelvin=tc_tolerance_kelvin,
        meshes=tuple(meshes),
    )


def _is_still(
    mesh: FineMesh, previous: FineMesh, lambda_tolerance: float, relative: float, absolute_kelvin: float
) -> bool:
    if mesh.lambda_change is None or abs(mesh.lambda_change) >= lambda_tolerance:
        return False
    dos_change = _dos_change(mesh, previous)
    if dos_change is None or abs(dos_change) >= lambda_tolerance:
        return False
    if mesh.tc_kelvin is None or mesh.tc_change_kelvin is None:
        # below the lowest temperature searched on both meshes: nothing moves
        return mesh.tc_kelvin is None and previous.tc_kelvin is None
    allowed = max(relative * mesh.tc_kelvin, absolute_kelvin)
    return abs(mesh.tc_change_kelvin) < allowed


def _dos_change(mesh: FineMesh, previous: FineMesh) -> float | None:
    """Relative change of N(E_F); None if there are no states at the Fermi energy."""
    new, old = mesh.dos_per_ev_spin_cell, previous.dos_per_ev_spin_cell
    return (new - old) / new if new else None
