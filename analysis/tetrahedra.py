"""The density of states at the Fermi energy by tetrahedra, which need no smearing."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from hightc.analysis.mesh_unfolding import irreducible_of_mesh
from hightc.analysis.parsers.pw import PwRun

WINDOW_EV = 3.0
"""Distance from the Fermi energy beyond which a band is full or empty for tetrahedra and smearing alike."""

REACH_EV = 1.0
"""Largest difference of the Fermi energies by tetrahedra and by smearing; 0.1 eV on 8x8x8 points of Al and Pb."""

FERMI_TOLERANCE_EV = 1e-6

TETRAHEDRA = 6
"""Tetrahedra of equal volume that a cell of the mesh is cut into."""


@dataclass(frozen=True, slots=True)
class FermiDos:
    """The density of states at the Fermi energy of one k mesh.

    Attributes
    ----------
    dos_per_ev_spin_cell : float
        Density of states at the Fermi energy in states/eV/spin/cell; the mean of both spins if there are two.
    error_per_ev_spin_cell : float or None
        Its distance from that of every second mesh point; None where the mesh has odd numbers of points.
    fermi_ev : float
        The Fermi energy at which the tetrahedra hold all electrons.
    k_mesh : tuple of 3 int
        The mesh.
    """

    dos_per_ev_spin_cell: float
    error_per_ev_spin_cell: float | None
    fermi_ev: float
    k_mesh: tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Tetrahedra:
    """Tetrahedra of all bands around an energy.

    Attributes
    ----------
    corners_ev : ndarray (4, n)
        Sorted energies at the corners of each in eV.
    n_below : int
        How many more lie below, and are full.
    n_of_a_band : int
        How many make one band.
    """

    corners_ev: NDArray[np.float64]
    n_below: int
    n_of_a_band: int


def fermi_dos(run: PwRun) -> FermiDos:
    """Compute N(E_F) of a run on a uniform k mesh.

    Parameters
    ----------
    run
        A self-consistent run, or one at fixed density, on a Monkhorst-Pack mesh.

    Returns
    -------
    FermiDos
        At the Fermi energy of the tetrahedra themselves, not of the run's smearing.

    Raises
    ------
    ValueError
        If the run has no mesh or no Fermi energy, its k points do not fill the mesh, or its bands do not hold its
        electrons.
    """
    if run.k_mesh is None or run.fermi_ev is None:
        msg = (
            f"expected a Monkhorst-Pack mesh and a Fermi energy, found mesh {run.k_mesh}, Fermi energy "
            f"{run.fermi_ev}: run pw.x with smearing on an automatic mesh"
        )
        raise ValueError(msg)
    points = irreducible_of_mesh(run.structure, run.k_points, run.k_mesh, run.k_shift or (0, 0, 0))
    low, high = run.eigenvalues_ev.min(axis=1).ravel(), run.eigenvalues_ev.max(axis=1).ravel()
    full = high < run.fermi_ev - WINDOW_EV
    near = ~full & (low < run.fermi_ev + WINDOW_EV)
    bands = np.concatenate([energies[points] for energies in run.eigenvalues_ev], axis=-1)[..., near]
    bands = np.flip(bands, _axes_to_flip(run.structure.lattice.reciprocal_lattice.matrix, run.k_mesh))
    # where two spins are resolved both stand in the sums, and a noncollinear band holds one electron
    n_filled_bands = run.n_electrons / run.n_states_per_band - int(full.sum())
    spin_share = run.n_states_per_band / 2
    dos, fermi_ev = _dos_at_fermi(bands, n_filled_bands, (run.fermi_ev - REACH_EV, run.fermi_ev + REACH_EV))
    error = None
    if all(n % 2 == 0 and n > 2 for n in run.k_mesh):
        error = abs(dos - _dos_at_fermi(bands[::2, ::2, ::2], n_filled_bands)[0]) * spin_share
    return FermiDos(dos * spin_share, error, fermi_ev, run.k_mesh)


def _dos_at_fermi(
    bands_ev: NDArray[np.float64], n_filled_bands: float, near_ev: tuple[float, float] = (-np.inf, np.inf)
) -> tuple[float, float]:
    """Density of states in 1/eV, one state a band, and Fermi energy in eV."""
    tetrahedra = make_tetrahedra(bands_ev, near_ev)
    fermi_ev = fermi_energy(tetrahedra, n_filled_bands)
    return tetrahedron_dos(tetrahedra, fermi_ev), fermi_ev


def _axes_to_flip(reciprocal: NDArray[np.float64], mesh: tuple[int, int, int]) -> tuple[int, ...]:
    """Axes to run backwards, so that the diagonal which all tetrahedra of a cell share is its shortest."""
    steps = reciprocal / np.array(mesh)[:, None]
    signs = np.array([(1, *others) for others in itertools.product((1, -1), repeat=2)])
    shortest = signs[np.linalg.norm(signs @ steps, axis=1).argmin()]
    return tuple(np.flatnonzero(shortest < 0).tolist())


def make_tetrahedra(bands_ev: NDArray[np.float64], near_ev: tuple[float, float] = (-np.inf, np.inf)) -> Tetrahedra:
    """Cut a mesh into tetrahedra, fitted so that linear ones follow curved bands.

    Parameters
    ----------
    bands_ev
        (n1, n2, n3, n_bands) energies on the whole periodic mesh in eV.
    near_ev
        Range of energies that matters, in eV: tetrahedra below it are counted, those above it forgotten.

    Returns
    -------
    Tetrahedra
        Of all bands.

    Notes
    -----
    Kawamura, Gohda and Tsuneyuki, Phys. Rev. B 89, 094515 (2014): the linear function nearest to the cubic one through
    twenty points in and around a tetrahedron. Plain linear tetrahedra put the centre of mass of curved bands too high.
    """
    (low, high), kept, n_below = near_ev, [], 0
    for path in itertools.permutations(np.eye(3, dtype=np.int64)):
        corners = np.cumsum([np.zeros(3, dtype=np.int64), *path], axis=0)
        fitted = np.zeros((4, bands_ev.size))
        for point, weights in zip(FITTED_POINTS @ corners, FIT.T, strict=True):
            fitted += weights[:, None] * np.roll(bands_ev, tuple(-point), axis=(0, 1, 2)).ravel()
        fitted.sort(axis=0)
        n_below += int((fitted[3] <= low).sum())
        kept.append(fitted[:, (fitted[3] > low) & (fitted[0] < high)])
    return Tetrahedra(np.concatenate(kept, axis=1), n_below, TETRAHEDRA * int(np.prod(bands_ev.shape[:3])))


def fermi_energy(tetrahedra: Tetrahedra, n_filled_bands: float) -> float:
    """Energy below which the tetrahedra hold the electrons.

    Parameters
    ----------
    tetrahedra
        The bands.
    n_filled_bands
        Electrons of the cell over the states of a band.

    Returns
    -------
    float
        In eV.

    Raises
    ------
    ValueError
        If the Fermi energy is not in the range of energies that the tetrahedra were made for.
    """
    if tetrahedra.corners_ev.size == 0:
        msg = "expected bands around the Fermi energy, found none: the run is of an insulator, or lacks empty bands"
        raise ValueError(msg)
    low, high = float(tetrahedra.corners_ev.min()), float(tetrahedra.corners_ev.max())
    most = tetrahedron_states(tetrahedra, high)
    if not tetrahedron_states(tetrahedra, low) < n_filled_bands < most:
        msg = (
            f"expected fewer than {most:g} filled bands below {high:.3f} eV, and more below {low:.3f} eV, found "
            f"{n_filled_bands:g}: compute more empty bands, or use a denser k mesh"
        )
        raise ValueError(msg)
    energy = brentq(
        lambda energy_ev: tetrahedron_states(tetrahedra, energy_ev) - n_filled_bands,
        low,
        high,
        xtol=FERMI_TOLERANCE_EV,
    )
    return float(energy)


def tetrahedron_dos(tetrahedra: Tetrahedra, energy_ev: float) -> float:
    """Density of states at one energy.

    Parameters
    ----------
    tetrahedra
        The bands.
    energy_ev
        The energy in eV, in the range that the tetrahedra were made for.

    Returns
    -------
    float
        In 1/eV: each band holds one state.

    Notes
    -----
    Bloechl, Jepsen and Andersen, Phys. Rev. B 49, 16223 (1994), appendix C. Their correction moves weight between
    the corners of a tetrahedron and sums to zero over them: it leaves the density of states as it is.
    """
    e = energy_ev
    e1, e2, e3, e4 = _crossing(tetrahedra, e)
    # where two corners agree, the case that divides by their difference is not the one taken
    with np.errstate(divide="ignore", invalid="ignore"):
        bottom = 3 * (e - e1) ** 2 / ((e2 - e1) * (e3 - e1) * (e4 - e1))
        curved = (e3 - e1 + e4 - e2) * (e - e2) ** 2 / ((e3 - e2) * (e4 - e2))
        middle = (3 * (e2 - e1) + 6 * (e - e2) - 3 * curved) / ((e3 - e1) * (e4 - e1))
        top = 3 * (e4 - e) ** 2 / ((e4 - e1) * (e4 - e2) * (e4 - e3))
    return float(np.select([e < e2, e < e3], [bottom, middle], top).sum()) / tetrahedra.n_of_a_band


def tetrahedron_states(tetrahedra: Tetrahedra, energy_ev: float) -> float:
    """States below an energy, the integral of :func:`tetrahedron_dos`.

    Parameters
    ----------
    tetrahedra
        The bands.
    energy_ev
        The energy in eV, in the range that the tetrahedra were made for.

    Returns
    -------
    float
        Each band holds one.
    """
    e = energy_ev
    e1, e2, e3, e4 = _crossing(tetrahedra, e)
    with np.errstate(divide="ignore", invalid="ignore"):
        bottom = (e - e1) ** 3 / ((e2 - e1) * (e3 - e1) * (e4 - e1))
        curved = (e3 - e1 + e4 - e2) * (e - e2) ** 3 / ((e3 - e2) * (e4 - e2))
        linear = (e2 - e1) ** 2 + 3 * (e2 - e1) * (e - e2) + 3 * (e - e2) ** 2
        middle = (linear - curved) / ((e3 - e1) * (e4 - e1))
        top = 1 - (e4 - e) ** 3 / ((e4 - e1) * (e4 - e2) * (e4 - e3))
    partly = float(np.select([e < e2, e < e3], [bottom, middle], top).sum())
    return (partly + int((tetrahedra.corners_ev[3] <= e).sum()) + tetrahedra.n_below) / tetrahedra.n_of_a_band


def _crossing(tetrahedra: Tetrahedra, energy_ev: float) -> NDArray[np.float64]:
    """(4, n) corners of the tetrahedra that an energy cuts."""
    corners = tetrahedra.corners_ev
    cut: NDArray[np.float64] = corners[:, (corners[0] <= energy_ev) & (energy_ev < corners[3])]
    return cut


def _barycentric_points() -> NDArray[np.int64]:
    """Corners of a tetrahedron and the sixteen mesh points around it that the fit uses, in barycentric coordinates."""
    corner = np.eye(4, dtype=np.int64)
    beyond = [2 * corner[i] - corner[(i + step) % 4] for step in (1, 2, 3) for i in range(4)]
    across = [corner[i - 1] - corner[i] + corner[(i + 1) % 4] for i in range(4)]
    return np.array([*corner, *beyond, *across])


def _linear_fit(points: NDArray[np.int64]) -> NDArray[np.float64]:
    """(4, 20) weights: corners of the linear function nearest to the cubic through the points."""
    cubic = np.array([powers for powers in itertools.product(range(4), repeat=4) if sum(powers) == 3])
    linear = np.eye(4, dtype=np.int64)
    values = np.array([[math.prod(map(pow, point, powers)) for powers in cubic.tolist()] for point in points.tolist()])
    overlap = np.array([[_integral(first + second) for second in linear] for first in linear])
    moments = np.array([[_integral(first + powers) for powers in cubic] for first in linear])
    return np.asarray(np.linalg.solve(overlap, moments) @ np.linalg.inv(values), dtype=np.float64)


def _integral(powers: NDArray[np.int64]) -> float:
    """Mean over a tetrahedron of a product of powers of the barycentric coordinates."""
    return 6 * math.prod(math.factorial(power) for power in powers) / math.factorial(int(powers.sum()) + 3)


FITTED_POINTS = _barycentric_points()
FIT = _linear_fit(FITTED_POINTS)
