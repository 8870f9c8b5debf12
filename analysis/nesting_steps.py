"""Nesting and bare susceptibility on finer and finer meshes, and whether their peaks hold still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from hightc.analysis.documents.fermi import MeshStep
from hightc.analysis.nesting import nesting_function
from hightc.analysis.peaks import Peaks, find_peaks
from hightc.analysis.reciprocal_symmetry import distance, images, point_group, reciprocal_vectors
from hightc.analysis.susceptibility import bare_susceptibility
from hightc.analysis.tetrahedra import make_tetrahedra, tetrahedron_dos

HEIGHT_TOLERANCE = 0.05
"""Relative change of a peak's height that counts as still."""

HALF_MESH = 4.0
"""Error of bands interpolated from every second point over that from all points: Cr 67 meV on 8^3, 15 meV on 16^3."""

MOST_PEAKS = 5


@dataclass(frozen=True, slots=True, eq=False)
class MeshResult:
    """Both functions of q on one mesh.

    Attributes
    ----------
    step : MeshStep
        What the document keeps of it.
    nesting, chi0 : ndarray (n1, n2, n3)
        In (states/eV/spin/cell)^2 and in states/eV/spin/cell.
    nesting_peaks, chi0_peaks : Peaks
        Their peaks; the one of the nesting function at q = 0 is left out.
    """

    step: MeshStep
    nesting: NDArray[np.float64]
    chi0: NDArray[np.float64]
    nesting_peaks: Peaks
    chi0_peaks: Peaks


def mesh_result(
    energies_ev: NDArray[np.float64],
    structure: Structure,
    *,
    smearing_ev: float,
    temperature_k: float,
    interpolated: bool,
) -> MeshResult:
    """Compute both functions from the bands of one mesh.

    Parameters
    ----------
    energies_ev
        (n1, n2, n3, n_bands) energies less the Fermi energy in eV.
    structure
        The crystal.
    smearing_ev
        Gaussian width of the nesting function in eV.
    temperature_k
        Temperature of the susceptibility in K.
    interpolated
        Whether the energies come from a coarser mesh.

    Returns
    -------
    MeshResult
        With the strongest peaks.
    """
    nesting = nesting_function(energies_ev, 0.0, smearing_ev=smearing_ev)
    chi0 = bare_susceptibility(energies_ev, 0.0, temperature_k=temperature_k)
    nesting_peaks = find_peaks(nesting, structure, most=MOST_PEAKS)
    chi0_peaks = find_peaks(chi0, structure, include_gamma=True, most=MOST_PEAKS)
    n1, n2, n3 = nesting.shape
    strongest = nesting_peaks.peaks[0] if nesting_peaks.peaks else None
    highest = chi0_peaks.peaks[0] if chi0_peaks.peaks else None
    near_ev = 2.0 * float(np.abs(np.diff(energies_ev, axis=0)).max(initial=1.0))
    step = MeshStep(
        k_mesh=(n1, n2, n3),
        interpolated=interpolated,
        dos_per_ev_spin_cell=tetrahedron_dos(make_tetrahedra(energies_ev, (-near_ev, near_ev)), 0.0),
        nesting_peak=None if strongest is None else strongest.q_reduced,
        nesting_over_mean=None if strongest is None else strongest.strength,
        chi0_peak=None if highest is None else highest.q_reduced,
        chi0_max=float(chi0.max()) if highest is None else highest.value,
    )
    return MeshResult(step, nesting, chi0, nesting_peaks, chi0_peaks)


def convergence(
    steps: Sequence[MeshStep], structure: Structure, *, interpolation_error_mev: float | None, width_ev: float
) -> tuple[bool, str]:
    """Judge whether the peaks hold still between the last two meshes.

    Parameters
    ----------
    steps
        Coarser to finer.
    structure
        The crystal.
    interpolation_error_mev
        Error of energies interpolated from every second point; None if it is not known.
    width_ev
        Width in eV that the sums resolve, which the error from all points should stay below.

    Returns
    -------
    bool
        Whether both peaks moved by less than a step of the finest mesh and their heights by less than
        :data:`HEIGHT_TOLERANCE`, and the interpolation error is below :data:`HALF_MESH` times the width.
    str
        The numbers behind that.
    """
    if len(steps) < 2:
        return False, f"one mesh, {_times(steps[-1].k_mesh)}: nothing to compare with; raise interpolation_factor"
    before, last = steps[-2:]
    reciprocal = reciprocal_vectors(structure)
    allowed = float(np.linalg.norm(reciprocal / np.array(last.k_mesh)[:, None], axis=1).max())
    moved = {
        "nesting": _moved(before.nesting_peak, last.nesting_peak, structure),
        "chi0": _moved(before.chi0_peak, last.chi0_peak, structure),
    }
    changed = {
        "nesting": _change(before.nesting_over_mean, last.nesting_over_mean),
        "chi0": _change(before.chi0_max, last.chi0_max),
    }
    still = all(value <= allowed for value in moved.values())
    steady = all(value <= HEIGHT_TOLERANCE for value in changed.values())
    good = interpolation_error_mev is None or interpolation_error_mev <= HALF_MESH * 1e3 * width_ev
    parts = [
        f"from {_times(before.k_mesh)} to {_times(last.k_mesh)} k points the peak of the nesting function moves by "
        f"{moved['nesting']:.3f}/Angstrom and its height by {changed['nesting']:.1%}, that of chi0 by "
        f"{moved['chi0']:.3f}/Angstrom and {changed['chi0']:.1%}; allowed are {allowed:.3f}/Angstrom, one step of the "
        f"mesh, and {HEIGHT_TOLERANCE:.0%}"
    ]
    if not good:
        parts.append(
            f"bands interpolated from every second point are off by {interpolation_error_mev:.0f} meV, more than "
            f"{HALF_MESH:g} times the {1e3 * width_ev:.0f} meV that the sums resolve: compute a denser k_mesh"
        )
    if interpolation_error_mev is None and last.interpolated:
        parts.append("the error of the interpolated bands was not determined")
    return still and steady and good, "; ".join(parts)


def _times(mesh: Sequence[int]) -> str:
    return "x".join(str(n) for n in mesh)


def _moved(
    before: tuple[float, float, float] | None, after: tuple[float, float, float] | None, structure: Structure
) -> float:
    """Shortest way from one peak to an image of the other in 1/Angstrom; infinite if one is missing."""
    if before is None or after is None:
        return 0.0 if before is after else np.inf
    reciprocal = reciprocal_vectors(structure)
    star = images(np.array(before), point_group(structure))
    return min(distance(image, np.array(after), reciprocal) for image in star)


def _change(before: float | None, after: float | None) -> float:
    if before is None or after is None:
        return 0.0 if before is after else np.inf
    return abs(after / before - 1)
