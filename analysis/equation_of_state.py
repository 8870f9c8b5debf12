"""Pressure, bulk modulus and enthalpy of a crystal between the volumes that were computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.constants import elementary_charge
from scipy.optimize import brentq

EV_PER_ANGSTROM3_GPA: Final = elementary_charge * 1e21
"""GPa in 1 eV/Angstrom^3."""

MOST_TERMS: Final = 3
REACH: Final = 0.1
"""Share of the volume by which the curve may be followed beyond the outermost points."""


@dataclass(frozen=True, slots=True, eq=False)
class EquationOfState:
    """Birch and Murnaghan's curve of third order, E(V) = constant + sum_n c_n V^(-2n/3) with n = 1, 2, 3.

    Written so, it is linear in its coefficients and P(V) and B(V) are their sums too (F. Birch, Phys. Rev. 71, 809
    (1947); pymatgen's ``DeltaFactor`` is the same polynomial of the energies).

    Attributes
    ----------
    coefficients : ndarray (n,)
        c_1 ... c_n in eV Angstrom^(2n).
    covariance : ndarray (n, n) or None
        Their covariance from the residuals of the fit; None if the curve passes through every point.
    volume_range_angstrom3 : tuple of float
        Smallest and largest volume fitted, per atom.
    """

    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64] | None
    volume_range_angstrom3: tuple[float, float]

    @classmethod
    def from_pressures(cls, volume_angstrom3: ArrayLike, pressure_gpa: ArrayLike) -> Self:
        """Fit P(V).

        Parameters
        ----------
        volume_angstrom3, pressure_gpa : array_like (n,)
            At least two different volumes; two or three points are met exactly, by as many terms.

        Raises
        ------
        ValueError
            If there are fewer than two volumes.
        """
        volume, pressure = np.asarray(volume_angstrom3, dtype=float), np.asarray(pressure_gpa, dtype=float)
        if len(np.unique(volume)) < 2:
            msg = f"equation of state: expected at least 2 volumes, found {volume.tolist()}: compute more of them"
            raise ValueError(msg)
        design = _pressure_terms(volume, min(MOST_TERMS, len(np.unique(volume))))
        return cls._fit(design, pressure / EV_PER_ANGSTROM3_GPA, volume, 0)

    @classmethod
    def from_energies(cls, volume_angstrom3: ArrayLike, energy_ev: ArrayLike) -> Self:
        """Fit E(V).

        Parameters
        ----------
        volume_angstrom3, energy_ev : array_like (n,)
            At least four volumes.

        Raises
        ------
        ValueError
            If there are fewer.
        """
        volume, energy = np.asarray(volume_angstrom3, dtype=float), np.asarray(energy_ev, dtype=float)
        if len(np.unique(volume)) <= MOST_TERMS:
            msg = f"equation of state: expected at least {MOST_TERMS + 1} volumes, found {volume.tolist()}"
            raise ValueError(msg)
        powers = np.arange(MOST_TERMS + 1)
        return cls._fit(volume[:, None] ** (-2 * powers / 3), energy, volume, 1)

    @classmethod
    def _fit(
        cls, design: NDArray[np.float64], values: NDArray[np.float64], volume: NDArray[np.float64], constants: int
    ) -> Self:
        """Least squares with columns of equal length; the first ``constants`` coefficients are dropped."""
        scale = np.linalg.norm(design, axis=0)
        solution = np.linalg.lstsq(design / scale, values, rcond=None)[0]
        residual = values - design / scale @ solution
        n_free = len(values) - design.shape[1]
        covariance = None
        if n_free > 0:
            spread = np.linalg.inv((design / scale).T @ (design / scale)) * (residual @ residual / n_free)
            covariance = (spread / np.outer(scale, scale))[constants:, constants:]
        limits = float(volume.min()), float(volume.max())
        return cls((solution / scale)[constants:], covariance, limits)

    @property
    def _ends(self) -> tuple[float, float]:
        smallest, largest = self.volume_range_angstrom3
        return (1 - REACH) * smallest, (1 + REACH) * largest

    @property
    def pressure_range_gpa(self) -> tuple[float, float]:
        """Lowest and highest pressure in GPa up to which the curve may be followed."""
        highest, lowest = self.pressure_gpa(self._ends).tolist()
        return lowest, highest

    def pressure_gpa(self, volume_angstrom3: ArrayLike) -> NDArray[np.float64]:
        """Pressure in GPa at volumes in Angstrom^3 per atom.

        Parameters
        ----------
        volume_angstrom3 : array_like (n,)
            The volumes.
        """
        terms = _pressure_terms(np.atleast_1d(np.asarray(volume_angstrom3, dtype=float)), len(self.coefficients))
        return np.asarray(terms @ self.coefficients * EV_PER_ANGSTROM3_GPA, dtype=np.float64)

    def bulk_modulus_gpa(self, volume_angstrom3: float) -> tuple[float, float]:
        """Bulk modulus -V dP/dV in GPa at a volume, and its standard error; 0 where the curve meets every point.

        Parameters
        ----------
        volume_angstrom3
            Volume per atom.
        """
        n = np.arange(1, len(self.coefficients) + 1)
        terms = 2 * n / 3 * (2 * n / 3 + 1) * volume_angstrom3 ** (-2 * n / 3 - 1) * EV_PER_ANGSTROM3_GPA
        variance = 0.0 if self.covariance is None else float(terms @ self.covariance @ terms)
        return float(terms @ self.coefficients), float(np.sqrt(max(variance, 0.0)))

    def volume_angstrom3(self, pressure_gpa: float) -> float:
        """Volume per atom at a pressure.

        Parameters
        ----------
        pressure_gpa
            Pressure in GPa.

        Raises
        ------
        ValueError
            If it lies further than a tenth of the volume beyond the points fitted.
        """
        lowest, highest = self.pressure_range_gpa
        if not lowest <= pressure_gpa <= highest:
            msg = (
                f"equation of state: expected {lowest:.4g} to {highest:.4g} GPa, found {pressure_gpa:.4g}: add volumes"
            )
            raise ValueError(msg)

        def excess(volume: float) -> float:
            return float(self.pressure_gpa(volume)[0]) - pressure_gpa

        smallest, largest = self._ends
        # at the ends themselves rounding may put the pressure just outside
        if excess(smallest) <= 0:
            return smallest
        return largest if excess(largest) >= 0 else float(brentq(excess, smallest, largest))

    def enthalpy_ev(self, pressure_gpa: float) -> float:
        """E + P V in eV per atom at a pressure, up to the constant of E.

        Parameters
        ----------
        pressure_gpa
            Pressure in GPa.

        Raises
        ------
        ValueError
            If it lies too far from the points fitted.
        """
        volume = self.volume_angstrom3(pressure_gpa)
        powers = np.arange(1, len(self.coefficients) + 1)
        energy = float(self.coefficients @ volume ** (-2 * powers / 3))
        return energy + pressure_gpa * volume / EV_PER_ANGSTROM3_GPA


def _pressure_terms(volume: NDArray[np.float64], n_terms: int) -> NDArray[np.float64]:
    """Pressure of each term in eV/Angstrom^3, (n, n_terms)."""
    n = np.arange(1, n_terms + 1)
    return np.asarray(2 * n / 3 * volume[:, None] ** (-2 * n / 3 - 1), dtype=np.float64)
