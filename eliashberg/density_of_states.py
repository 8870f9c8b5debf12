"""A density of states N(E) between points, and its integrals with a Green's function.

N is linear between the points given, so that its resolvent

    H(zeta) = int dE N(E)/(E - zeta) = sum over intervals of [s (b - a) + N_ab(zeta) ln((b - zeta)/(a - zeta))]

is exact, with s the slope and N_ab the line through the interval's ends a and b. With zeta = x + i y, y > 0, its
imaginary part is int dE N y/[(E - x)^2 + y^2], its real part int dE N (E - x)/[(E - x)^2 + y^2].
"""

from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from hightc.eliashberg.errors import ParameterError, SpectrumError
from hightc.eliashberg.modes import FloatArray, finite_vector, require_same_length

Tail = Literal["constant", "zero"]

_CHUNK = 1 << 17  # complex numbers held at once: 2 MB, several arrays of them
_FERMI_RANGE = 40.0  # in kB T: exp(-40) < 1e-17
_FERMI_NODES = 400


@dataclass(frozen=True, eq=False)
class DensityOfStates:
    """N(E)/N(E_F) on points around the Fermi energy.

    Parameters
    ----------
    energy_mev
        Strictly increasing energies relative to the Fermi energy in meV, shape (m,), with E = 0 inside.
    dos
        Density of states in any unit, not negative and positive at E = 0, shape (m,); kept divided by N(0).
    tail
        What lies outside the points: ``"constant"``, the values at the two ends go on for ever; ``"zero"``, no states.
        Constant ends contribute (N_right - N_left) ln(Lambda) to Re H, Lambda -> infinity; this constant, an energy
        shift of all states, is left out.

    Raises
    ------
    SpectrumError
        If shapes differ, the grid does not increase or does not contain 0, or a value is negative, not finite or, at
        E = 0, zero.
    ParameterError
        If ``tail`` is neither of the two.
    """

    energy_mev: FloatArray
    dos: FloatArray
    tail: Tail = "constant"

    def __post_init__(self) -> None:
        if self.tail not in get_args(Tail):
            raise ParameterError(
                f"tail: expected one of {get_args(Tail)}, found {self.tail!r}: 'zero' suits whole bands"
            )
        energy, dos = finite_vector("energy_mev", self.energy_mev), finite_vector("dos", self.dos)
        require_same_length("dos", dos, energy)
        if (np.diff(energy) <= 0).any() or not energy[0] < 0 < energy[-1]:
            raise SpectrumError(
                f"energy_mev: expected increasing energies around 0, found {energy[0]:.6g} to {energy[-1]:.6g} meV: "
                "subtract the Fermi energy and sort"
            )
        at_fermi_energy = float(np.interp(0.0, energy, dos))
        if (dos < 0).any() or at_fermi_energy == 0:
            raise SpectrumError(
                f"dos: expected values >= 0, and > 0 at the Fermi energy, found {dos.min():.3g} and "
                f"{at_fermi_energy:.3g}: clip noise; an insulator has no gap equation of this kind"
            )
        object.__setattr__(self, "energy_mev", energy)
        object.__setattr__(self, "dos", dos / at_fermi_energy)

    def resolvent(self, zeta: npt.NDArray[np.complex128]) -> npt.NDArray[np.complex128]:
        """Return H in units of N(0), shape (n,), for ``zeta`` in meV with positive imaginary part, shape (n,)."""
        energy, dos = self.energy_mev, self.dos
        slope = np.diff(dos) / np.diff(energy)
        result = np.empty(zeta.size, dtype=np.complex128)
        chunk = max(1, _CHUNK // energy.size)
        for first in range(0, zeta.size, chunk):
            part = zeta[first : first + chunk, None]
            # E - zeta stays below the real axis, where the principal logarithm is continuous.
            logarithm = np.log(energy - part)
            line = dos[:-1] + slope * (part - energy[:-1])
            value = (line * np.diff(logarithm, axis=1)).sum(axis=1) + (dos[-1] - dos[0])
            if self.tail == "constant":
                value += dos[0] * (logarithm[:, 0] + 1j * np.pi) - dos[-1] * logarithm[:, -1]
            result[first : first + chunk] = value
        return result

    def __call__(self, energy_mev: FloatArray) -> FloatArray:
        """Return N(E)/N(0), shape (n,), at energies in meV, shape (n,)."""
        outside = {"left": 0.0, "right": 0.0} if self.tail == "zero" else {}
        return np.asarray(np.interp(energy_mev, self.energy_mev, self.dos, **outside))

    def added_electrons(self, shift_mev: float, temperature_mev: float) -> float:
        """Electrons per spin and N(0), in meV, that a chemical potential at ``shift_mev`` holds beyond E < 0, T = 0.

        int_0^shift dE N + int_0^inf dE [N(shift + E) - N(shift - E)] f(E), the second by Gauss quadrature.
        """
        low, high = sorted((0.0, shift_mev))
        inside = self.energy_mev[(self.energy_mev > low) & (self.energy_mev < high)]
        points = np.concatenate([[low], inside, [high]])
        moved = float(np.trapezoid(self(points), points)) * (1 if shift_mev >= 0 else -1)
        x, weight = _fermi_quadrature()
        energy = temperature_mev * x
        thermal = self(shift_mev + energy) - self(shift_mev - energy)
        return moved + temperature_mev * float(thermal @ weight)


@cache
def _fermi_quadrature() -> tuple[FloatArray, FloatArray]:
    """Nodes x and weights of int_0^inf dx f(x) g(x) with f = 1/(e^x + 1), shape (400,) each."""
    node, weight = np.polynomial.legendre.leggauss(_FERMI_NODES)
    x = (node + 1) * _FERMI_RANGE / 2
    return x, weight * _FERMI_RANGE / 2 / (np.exp(x) + 1)
