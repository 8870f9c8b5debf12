"""Bands between the k points of a run: the smoothest Fourier series through all of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pymatgen.core import Lattice, Structure
from scipy import fft

from hightc.analysis.mesh_unfolding import SAME_ENERGY_EV, Mesh, bands_on_mesh

VECTORS_PER_K_POINT = 5.0
"""Lattice vectors for each point of the data's mesh. Errors for Cr from 16^3 to 32^3 change by 2 % from 2 to 5 and by
less than 0.5 % beyond."""

ROUGHNESS = (0.75, 0.75)
"""C1 and C2 of Pickett, Krakauer and Allen; errors for Cr are the same within 1 % for C1 0 to 0.75, C2 0.05 to 1."""

_POINTS_AT_ONCE = 2**22  # phases held in memory by `at`


@dataclass(frozen=True, slots=True, eq=False)
class BandInterpolation:
    """E_n(k) = sum over R of c_n(R) exp(2 pi i k.R).

    Attributes
    ----------
    lattice_angstrom : ndarray (3, 3)
        Lattice vectors as rows.
    mesh : tuple of 3 int
        Mesh of the data, through which the bands pass.
    vectors : ndarray (n_vectors, 3)
        Lattice vectors R in units of the primitive ones; with each also its images under the point group.
    coefficients_ev : ndarray (n_vectors, bands)
        c_n(R) = c_n(-R) in eV.

    Notes
    -----
    Of all series of these vectors that pass through the data this is the one with the least roughness
    sum over R of rho(R) |c(R)|^2, rho = (1 - C1 x^2)^2 + C2 x^6 with x = R/R_min, R = 0 free: the interpolation of
    Shankland, Koelling and Wood (Int. J. Quantum Chem. Symp. 5, 497 (1971); J. Comput. Phys. 67, 253 (1986)) with the
    roughness of Pickett, Krakauer and Allen (Phys. Rev. B 38, 2721 (1988)), who let each star of vectors count once;
    here each vector counts, so that the roughness is an integral over the zone whatever the symmetry. Their linear
    system for star functions falls apart when the data fill a uniform mesh: vectors that differ by a vector of the
    mesh's supercell look the same on it, so each Fourier coefficient of the data is the sum of c over such a class,
    and least roughness shares it out in proportion to 1/rho. One Fourier transform therefore gives the series without
    any system, and the symmetry of the data is that of the series.

    Bands are numbered by energy. Where two cross, each has an edge that the series rounds off: see
    :func:`interpolation_error` for what this costs.
    """

    lattice_angstrom: NDArray[np.float64]
    mesh: Mesh
    vectors: NDArray[np.int64]
    coefficients_ev: NDArray[np.float64]

    @classmethod
    def fit(
        cls,
        energies_ev: ArrayLike,
        k_fractional: ArrayLike,
        structure: Structure,
        *,
        mesh: Mesh | None = None,
        rotations: NDArray[np.int64] | None = None,
        vectors_per_k_point: float = VECTORS_PER_K_POINT,
    ) -> BandInterpolation:
        """Interpolate the bands of one spin at irreducible k points.

        Parameters
        ----------
        energies_ev
            (n_irreducible, bands) energies in eV.
        k_fractional
            (n_irreducible, 3) points in units of the reciprocal lattice vectors.
        structure
            The structure; collinear moments as site property ``magmom`` lower its symmetry.
        mesh
            Points along each reciprocal lattice vector; None infers them from the points.
        rotations
            (n, 3, 3) rotations to use instead, as of :func:`~hightc.analysis.reciprocal_symmetry.band_rotations`.
        vectors_per_k_point
            Lattice vectors for each point of the whole mesh, at least 1.

        Raises
        ------
        ValueError
            If the points are not those of a uniform Gamma-centred mesh, or energies are not finite or not symmetric.
        """
        energies = bands_on_mesh(energies_ev, k_fractional, structure, mesh=mesh, rotations=rotations)
        return cls.fit_mesh(energies, structure.lattice, vectors_per_k_point=vectors_per_k_point)

    @classmethod
    def fit_mesh(
        cls, energies_ev: ArrayLike, lattice: Lattice, *, vectors_per_k_point: float = VECTORS_PER_K_POINT
    ) -> BandInterpolation:
        """Interpolate the bands of one spin on a whole mesh.

        Parameters
        ----------
        energies_ev
            (n1, n2, n3, bands) energies in eV, point (i, j, k) at (i/n1, j/n2, k/n3).
        lattice
            Lattice of the crystal.
        vectors_per_k_point
            Lattice vectors for each point of the mesh, at least 1.

        Raises
        ------
        ValueError
            If energies are not of this shape, not finite, or differ between k and -k.
        """
        energies = _even_bands(energies_ev)
        if not vectors_per_k_point >= 1:
            msg = f"vectors_per_k_point: expected 1 or more, found {vectors_per_k_point}: 5 is enough"
            raise ValueError(msg)
        n1, n2, n3, n_bands = energies.shape
        matrix = np.array(lattice.matrix, dtype=np.float64)
        vectors, lengths = _lattice_vectors(matrix, (n1, n2, n3), vectors_per_k_point)
        weights = _smoothness(lengths)
        classes = np.ravel_multi_index(tuple(vectors.T), (n1, n2, n3), mode="wrap")
        weights[(classes == 0) & (lengths > 0)] = 0.0  # R = 0 costs nothing and takes all of the mean
        shares = weights / np.bincount(classes, weights, minlength=n1 * n2 * n3)[classes]
        transform = fft.fftn(energies, axes=(0, 1, 2), norm="forward").real.reshape(-1, n_bands)
        return cls(matrix, (n1, n2, n3), vectors, transform[classes] * shares[:, None])

    def on_mesh(self, mesh: Mesh) -> NDArray[np.float64]:
        """Compute energies on a Gamma-centred mesh.

        Parameters
        ----------
        mesh
            Points along each reciprocal lattice vector; any, the sums are exact on it.

        Returns
        -------
        ndarray (n1, n2, n3, bands)
            In eV.
        """
        bands = [self._series(mesh, coefficients).real for coefficients in self.coefficients_ev.T]
        return np.stack(bands, axis=-1)

    def velocities(self, mesh: Mesh) -> NDArray[np.float64]:
        """Compute the gradient dE/dk on a Gamma-centred mesh.

        Parameters
        ----------
        mesh
            Points along each reciprocal lattice vector.

        Returns
        -------
        ndarray (n1, n2, n3, bands, 3)
            Cartesian, in eV Angstrom, of k in 1/Angstrom with its 2 pi; hbar times the group velocity. Where bands
            cross, that of the rounded series.
        """
        cartesian = self.vectors @ self.lattice_angstrom
        slopes = np.empty((*mesh, self.coefficients_ev.shape[1], 3))
        for band, coefficients in enumerate(self.coefficients_ev.T):
            for axis in range(3):
                # the sum over R of i R c(R) exp(2 pi i k.R), with c even
                slopes[..., band, axis] = -self._series(mesh, coefficients * cartesian[:, axis]).imag
        return slopes

    def at(self, k_fractional: ArrayLike) -> NDArray[np.float64]:
        """Compute energies at any k points.

        Parameters
        ----------
        k_fractional
            (..., 3) points in units of the reciprocal lattice vectors.

        Returns
        -------
        ndarray (..., bands)
            In eV.
        """
        points = np.asarray(k_fractional, dtype=np.float64)
        flat = points.reshape(-1, 3)
        energies = np.empty((len(flat), self.coefficients_ev.shape[1]))
        step = max(1, _POINTS_AT_ONCE // len(self.vectors))
        for start in range(0, len(flat), step):
            phases = 2 * math.pi * (flat[start : start + step] @ self.vectors.T)
            energies[start : start + step] = np.cos(phases) @ self.coefficients_ev
        return energies.reshape(*points.shape[:-1], -1)

    def _series(self, mesh: Mesh, coefficients: NDArray[np.float64]) -> NDArray[np.complex128]:
        """Sum of coefficients times exp(2 pi i k.R) on the mesh, where vectors a multiple of it apart add up."""
        places = np.ravel_multi_index(tuple(self.vectors.T), mesh, mode="wrap")
        box = np.bincount(places, coefficients, minlength=math.prod(mesh)).reshape(mesh)
        return np.asarray(fft.ifftn(box, norm="forward"), dtype=np.complex128)


@dataclass(frozen=True, slots=True)
class InterpolationError:
    """How far an interpolation from half the points misses the other half.

    Attributes
    ----------
    fitted_mesh : tuple of 3 int
        Mesh that was fitted: every second point along each axis with an even number of them.
    rms_ev, max_ev : float or None
        Error at the left-out points of levels near the Fermi energy, in eV; None if no such level is near it.
    n_levels : int
        How many levels that is, on the whole mesh.
    """

    fitted_mesh: Mesh
    rms_ev: float | None
    max_ev: float | None
    n_levels: int


def interpolation_error(
    energies_ev: ArrayLike, lattice: Lattice, fermi_ev: float, *, window_ev: float = 1.0
) -> InterpolationError:
    """Fit every second point of the data and compare with the points left out.

    Parameters
    ----------
    energies_ev
        (n1, n2, n3, bands) energies of one spin in eV.
    lattice
        Lattice of the crystal.
    fermi_ev
        Fermi energy in eV.
    window_ev
        Distance from the Fermi energy within which a computed level counts, in eV.

    Returns
    -------
    InterpolationError
        Of a mesh twice as coarse as the data, and so above the error of an interpolation from all of them: for Cr
        on 16^3 points this estimate is 63 meV rms, while that interpolation misses a computed 32^3 mesh by 18 meV.

    Raises
    ------
    ValueError
        If no axis has an even number of points.
    """
    energies = _even_bands(energies_ev)
    shape: Mesh = (energies.shape[0], energies.shape[1], energies.shape[2])
    steps = tuple(2 if n % 2 == 0 else 1 for n in shape)
    if max(steps) == 1:
        msg = f"expected an even number of k points along some axis, found {shape}: every second point of an odd mesh"
        raise ValueError(f"{msg} is no mesh; compute an even one")
    kept = tuple(slice(None, None, step) for step in steps)
    interpolation = BandInterpolation.fit_mesh(energies[kept], lattice)
    left_out = np.ones(shape, dtype=np.bool_)
    left_out[kept] = False
    counted = (np.abs(energies - fermi_ev) < window_ev) & left_out[..., None]
    errors = (interpolation.on_mesh(shape) - energies)[counted]
    if not errors.size:
        return InterpolationError(interpolation.mesh, None, None, 0)
    rms_ev, max_ev = math.sqrt(float((errors**2).mean())), float(np.abs(errors).max())
    return InterpolationError(interpolation.mesh, rms_ev, max_ev, errors.size)


def _even_bands(energies_ev: ArrayLike) -> NDArray[np.float64]:
    """Check energies on a mesh and average what differs between k and -k."""
    energies = np.asarray(energies_ev, dtype=np.float64)
    if energies.ndim != 4 or energies.size == 0 or not np.isfinite(energies).all():
        msg = f"expected finite energies (n1, n2, n3, bands), found shape {energies.shape}: fill the whole mesh first"
        raise ValueError(msg)
    reversed_ev = np.roll(np.flip(energies, axis=(0, 1, 2)), 1, axis=(0, 1, 2))
    difference = float(np.abs(energies - reversed_ev).max())
    if difference > SAME_ENERGY_EV:
        msg = (
            f"expected equal energies at k and -k, found {difference:.4f} eV between them: the mesh must start at "
            "Gamma, and bands of a noncollinear magnet cannot be interpolated"
        )
        raise ValueError(msg)
    return np.asarray((energies + reversed_ev) / 2, dtype=np.float64)


def _lattice_vectors(
    matrix: NDArray[np.float64], mesh: Mesh, per_k_point: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """All lattice vectors of a sphere that holds some of each class, and their lengths in Angstrom."""
    volume = math.prod(mesh) * abs(float(np.linalg.det(matrix)))
    supercell = matrix * np.array(mesh)[:, None]
    # no point is farther from a lattice than half the diagonal of its orthogonalised vectors (Babai's nearest plane)
    covering = np.linalg.norm(np.diag(np.linalg.qr(supercell.T, mode="r"))) / 2
    radius = max((3 * per_k_point * volume / (4 * math.pi)) ** (1 / 3), float(covering)) * (1 + 1e-9)
    reach = np.floor(radius * np.linalg.norm(np.linalg.inv(matrix), axis=0)).astype(np.int64)
    grid = np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij")
    vectors = np.stack(grid, axis=-1).reshape(-1, 3)
    lengths = np.linalg.norm(vectors @ matrix, axis=1)
    inside = lengths <= radius
    return vectors[inside], lengths[inside]


def _smoothness(lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """1/rho of each lattice vector."""
    first, sixth = ROUGHNESS
    ratio = (lengths / lengths[lengths > 0].min()) ** 2
    return np.asarray(1 / ((1 - first * ratio) ** 2 + sixth * ratio**3), dtype=np.float64)
