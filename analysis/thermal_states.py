"""States of bands at a temperature, as they propagate in imaginary time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.fermi_bands import require_near
from hightc.analysis.imaginary_time import ImaginaryTimes, imaginary_times
from hightc.analysis.parsers.units import KELVIN_EV

REACH = 40.0
"""Distance over kT beyond which a Fermi function is 0 or 1 to 4e-18."""


@dataclass(frozen=True, slots=True, eq=False)
class ThermalStates:
    """Fermi functions of bands and the times at which pairs of them are summed.

    Attributes
    ----------
    reduced : ndarray
        x = (e - E_F)/kT, any shape.
    log_filled, log_empty : ndarray
        ln f(x) and ln [1 - f(x)], same shape; kept as logarithms because exp(x) overflows.
    kt_ev : float
        kT in eV.
    times : ImaginaryTimes
        Good for the largest difference of two of the energies.
    """

    reduced: NDArray[np.float64]
    log_filled: NDArray[np.float64]
    log_empty: NDArray[np.float64]
    kt_ev: float
    times: ImaginaryTimes

    @classmethod
    def of(cls, energies_ev: NDArray[np.float64], fermi_ev: float, temperature_k: float) -> ThermalStates:
        """Fill states.

        Parameters
        ----------
        energies_ev
            Finite energies in eV, any shape.
        fermi_ev
            Fermi energy in eV.
        temperature_k
            Temperature in K.

        Returns
        -------
        ThermalStates
            With as few times as the range of energies over kT allows.

        Raises
        ------
        ValueError
            If the temperature is not positive or too low for the times' rule, or all energies are on one side of the
            Fermi energy by more than `REACH` kT.
        """
        if not (math.isfinite(temperature_k) and temperature_k > 0):
            msg = (
                f"temperature_k: expected more than 0 K, found {temperature_k}: 300 K is 26 meV; lower it step by step"
            )
            raise ValueError(msg)
        kt_ev = temperature_k * KELVIN_EV
        require_near(energies_ev, fermi_ev, distance_ev=REACH * kt_ev, width=f"{REACH:g} kT")
        reduced = np.ascontiguousarray(energies_ev) - fermi_ev
        reduced /= kt_ev
        # f = exp(min(-x, 0)) / (1 + exp(-|x|)), and 1 - f is f at -x
        log_denominator = np.log1p(np.exp(-np.abs(reduced)))
        log_filled = -np.maximum(reduced, 0) - log_denominator
        log_empty = np.minimum(reduced, 0) - log_denominator
        times = imaginary_times(float(reduced.max() - reduced.min()))
        return cls(reduced, log_filled, log_empty, kt_ev, times)

    def propagate(self) -> Iterator[tuple[float, NDArray[np.float64], NDArray[np.float64]]]:
        """Go through the times.

        Yields
        ------
        weight : float
            Of this time, in 1/eV.
        filled, empty : ndarray
            F = f(x) exp(u x) and G = [1 - f(x)] exp(-u x), u = tau/beta. For two states x and y the sum over times of
            weight times F(x) G(y) + G(x) F(y) is [f(x) - f(y)]/(e_y - e_x) in 1/eV, and -f' if both are equal. The next
            time overwrites both arrays.
        """
        filled, empty = np.empty_like(self.reduced), np.empty_like(self.reduced)
        for fraction, weight in zip(self.times.fractions.tolist(), self.times.weights.tolist(), strict=True):
            np.multiply(fraction, self.reduced, out=filled)
            np.subtract(self.log_empty, filled, out=empty)
            filled += self.log_filled
            yield weight / self.kt_ev, np.exp(filled, out=filled), np.exp(empty, out=empty)
