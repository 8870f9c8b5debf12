"""Bands that cross the Fermi energy of a nonmagnetic metal, on the mesh they were computed on and on finer ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from hightc.analysis.band_interpolation import BandInterpolation, interpolation_error
from hightc.analysis.fermi_bands import bands_at_fermi_level
from hightc.analysis.mesh_unfolding import Mesh, bands_on_mesh
from hightc.analysis.parsers.pw import PwRun
from hightc.analysis.tetrahedra import fermi_dos

NEAR_EV = 0.5
"""Distance from the Fermi energy within which the error of interpolated bands counts."""

POCKET_EV = 0.2
"""Distance from the Fermi energy at which a band on the mesh may have a pocket between its points."""

PAIR_EV = 1e-3
"""Difference of the two energies of a Kramers pair that the threshold of pw.x explains."""


@dataclass(frozen=True, slots=True, eq=False)
class MetalBands:
    """Bands of one spin that cross the Fermi energy.

    Attributes
    ----------
    structure : Structure
        The crystal in the cell of the mesh.
    fermi_ev : float
        Fermi energy in eV.
    numbers : tuple of int
        Number of each band, counted from 1; empty for an insulator.
    energies_ev : ndarray (nk1, nk2, nk3, n_bands)
        Energies on the computed mesh less the Fermi energy, in eV.
    on_mesh : callable
        Gives the same on another Gamma-centred mesh.
    interpolation_error_mev : float or None
        Distance of interpolated from computed energies near the Fermi energy; None if it was not determined.
    source : {"nscf", "wannier"}
        Where the energies come from.
    warnings : tuple of str
        What a reader should know.
    """

    structure: Structure
    fermi_ev: float
    numbers: tuple[int, ...]
    energies_ev: NDArray[np.float64]
    on_mesh: Callable[[Mesh], NDArray[np.float64]]
    interpolation_error_mev: float | None
    source: Literal["nscf", "wannier"]
    warnings: tuple[str, ...]

    @property
    def k_mesh(self) -> Mesh:
        """The computed mesh."""
        n1, n2, n3 = self.energies_ev.shape[:3]
        return n1, n2, n3


def metal_bands(run: PwRun, *, reach_ev: float) -> MetalBands:
    """Read the bands that cross the Fermi energy from a run.

    Parameters
    ----------
    run
        A run on an unshifted Monkhorst-Pack mesh with one spin; with spin-orbit coupling, of a crystal whose bands
        come in pairs.
    reach_ev
        Distance above the Fermi energy up to which bands matter, in eV.

    Returns
    -------
    MetalBands
        At the Fermi energy of the tetrahedra on the run's mesh: that of a smearing is a tenth of an eV off on meshes of
        this kind. A band whose pocket lies between the points of the mesh is among them if interpolation finds it.

    Raises
    ------
    ValueError
        If the run has two spins, no Fermi energy or no uniform mesh, if the highest band crosses the Fermi energy, or
        if spin-orbit coupling splits the bands of the two spins.
    """
    mesh, fermi_ev = _require_one_spin_on_a_mesh(run)
    of_list, step = run.eigenvalues_ev[0], 1
    if run.n_states_per_band == 1:
        of_list, step = _one_of_each_pair(of_list), 2
    energies = bands_on_mesh(of_list, run.k_points, run.structure, mesh=mesh)
    warnings: tuple[str, ...] = ()
    if bands_at_fermi_level(energies, fermi_ev, window_ev=0.0):
        warnings = _require_enough_bands(energies, fermi_ev, reach_ev)
        fermi_ev = fermi_dos(run).fermi_ev
    if not bands_at_fermi_level(energies, fermi_ev, window_ev=0.0):
        # of an insulator with wide smearing, only the smeared Fermi energy lies in a band
        return MetalBands(run.structure, fermi_ev, (), energies[..., :0], _no_bands, None, "nscf", warnings)
    near = bands_at_fermi_level(energies, fermi_ev, window_ev=POCKET_EV)
    energies = energies[..., near] - fermi_ev
    fitted = BandInterpolation.fit_mesh(energies, run.structure.lattice)
    crossing = sorted({*_crossing(energies), *_crossing(fitted.on_mesh((2 * mesh[0], 2 * mesh[1], 2 * mesh[2])))})
    chosen = energies[..., crossing]
    return MetalBands(
        structure=run.structure,
        fermi_ev=fermi_ev,
        numbers=tuple(step * near[band] + 1 for band in crossing),
        energies_ev=chosen,
        on_mesh=lambda mesh: fitted.on_mesh(mesh)[..., crossing],
        interpolation_error_mev=_error_mev(chosen, run.structure),
        source="nscf",
        warnings=warnings,
    )


def _crossing(energies_ev: NDArray[np.float64]) -> tuple[int, ...]:
    return bands_at_fermi_level(energies_ev, 0.0, window_ev=0.0)


def _no_bands(mesh: Mesh) -> NDArray[np.float64]:
    return np.empty((*mesh, 0))


def _error_mev(energies_ev: NDArray[np.float64], structure: Structure) -> float | None:
    if all(n % 2 for n in energies_ev.shape[:3]):
        return None
    found = interpolation_error(energies_ev, structure.lattice, 0.0, window_ev=NEAR_EV)
    return None if found.rms_ev is None else found.rms_ev * 1e3


def _require_one_spin_on_a_mesh(run: PwRun) -> tuple[Mesh, float]:
    if len(run.eigenvalues_ev) != 1:
        msg = (
            "expected bands of a nonmagnetic run, found those of two spins: the susceptibility is that of the "
            "nonmagnetic metal; set spin_polarized = false"
        )
        raise ValueError(msg)
    if run.fermi_ev is None:
        msg = "expected a Fermi energy, found none: run pw.x with smeared occupations"
        raise ValueError(msg)
    if run.k_mesh is None or any(run.k_shift or ()):
        msg = (
            f"expected an unshifted Monkhorst-Pack mesh, found mesh {run.k_mesh} and shift {run.k_shift}: run pw.x "
            "with K_POINTS automatic and no shift"
        )
        raise ValueError(msg)
    return run.k_mesh, run.fermi_ev


def _one_of_each_pair(energies_ev: NDArray[np.float64]) -> NDArray[np.float64]:
    """First of the two spins that time reversal and inversion make equal."""
    first, second = energies_ev[:, 0::2], energies_ev[:, 1::2]
    split = float(np.abs(first[:, : second.shape[1]] - second).max())
    if split > PAIR_EV:
        msg = (
            f"expected bands in pairs of equal energy, found pairs up to {split:.3f} eV apart: spin-orbit coupling "
            "splits the spins of a crystal without inversion; set spin_orbit = false"
        )
        raise ValueError(msg)
    return first[:, : second.shape[1]]


def _require_enough_bands(energies_ev: NDArray[np.float64], fermi_ev: float, reach_ev: float) -> tuple[str, ...]:
    lowest = float(energies_ev[..., -1].min()) - fermi_ev
    if lowest <= 0:
        msg = (
            f"expected the highest of {energies_ev.shape[3]} bands above the Fermi energy, found it down to "
            f"{lowest:.3f} eV: bands that cross may be missing; raise extra_bands of [nesting]"
        )
        raise ValueError(msg)
    if lowest < reach_ev:
        return (
            f"the highest band computed begins {lowest:.3f} eV above the Fermi energy, within the {reach_ev:.3f} eV "
            "that the widths reach: raise extra_bands of [nesting]",
        )
    return ()
