"""Delta functions in frequency: the form in which every calculation here sees a spectrum."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from hightc.eliashberg.errors import SpectrumError

FloatArray = npt.NDArray[np.float64]

NO_COUPLING = 1e-200
"""Coupling constant up to which a spectrum counts as uncoupled: below, products leave the range of floats."""

Scalar = TypeVar("Scalar", bound=np.generic)


class Spectrum(Protocol):
    """Anything that couples electrons to a set of bosonic modes."""

    @property
    def modes(self) -> "CoupledModes":
        """The delta functions by which the spectrum is represented."""


def modes_of(spectrum: Spectrum) -> "CoupledModes":
    """Return the modes of a spectrum, or raise `SpectrumError` if it is none."""
    modes = getattr(spectrum, "modes", None)
    if not isinstance(modes, CoupledModes):
        raise SpectrumError(
            f"spectrum: expected Alpha2F or CoupledModes, found {type(spectrum).__name__}: "
            "build Alpha2F(omega_mev, alpha2f) from arrays"
        )
    return modes


def frozen(values: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    """Return the array read-only: itself if it owns its numbers, a copy otherwise."""
    array = values if values.base is None else values.copy()
    array.flags.writeable = False
    return array


def real_array(name: str, values: npt.ArrayLike) -> FloatArray:
    """Convert to float64, or raise `SpectrumError` for what are no real numbers; shares memory where it can."""
    try:
        array = np.asarray(values)
        if np.iscomplexobj(array) or np.ma.is_masked(values):
            raise TypeError("complex or masked numbers")
        return array.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise SpectrumError(f"{name}: expected real numbers, found {values!r:.60}: {error}") from error


def finite_vector(name: str, values: npt.ArrayLike) -> FloatArray:
    """Return a read-only one-dimensional copy of finite numbers, or say which entry is not one."""
    array = real_array(name, values).copy()
    if array.ndim != 1 or array.size == 0:
        raise SpectrumError(f"{name}: expected shape (n,), n > 0, found {array.shape}: pass one spectrum at a time")
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        raise SpectrumError(
            f"{name}[{bad[0]}]: expected finite numbers, found {array[bad[0]]} ({bad.size} such): "
            "repair or drop these points at their source"
        )
    array.flags.writeable = False
    return array


def require_same_length(name: str, values: FloatArray, omega_mev: FloatArray) -> None:
    """Raise `SpectrumError` unless there is one value for each frequency."""
    if values.size != omega_mev.size:
        raise SpectrumError(
            f"{name}: expected {omega_mev.size} values, one for each frequency, found {values.size}: "
            "check that both columns come from the same file"
        )


@dataclass(frozen=True, eq=False)
class CoupledModes:
    """Delta functions lam_j at w_j: the spectrum sum_j (lam_j w_j / 2) delta(w - w_j).

    Parameters
    ----------
    omega_mev
        Positive frequencies w_j in meV, shape (n,), in any order.
    lam_per_mode
        Non-negative dimensionless couplings lam_j, shape (n,); their sum is lambda.

    Raises
    ------
    SpectrumError
        If shapes differ, a frequency is not positive, a coupling is negative or a number is not finite.

    Examples
    --------
    >>> modes = CoupledModes([10.0, 20.0], [0.5, 1.0])
    >>> modes.lam, modes.omega_max_mev
    (1.5, 20.0)
    """

    omega_mev: FloatArray
    lam_per_mode: FloatArray

    def __post_init__(self) -> None:
        omega = finite_vector("omega_mev", self.omega_mev)
        lam = finite_vector("lam_per_mode", self.lam_per_mode)
        require_same_length("lam_per_mode", lam, omega)
        for name, values, wrong, expected in (
            ("omega_mev", omega, omega <= 0, "positive frequencies"),
            ("lam_per_mode", lam, lam < 0, "non-negative couplings"),
        ):
            if wrong.any():
                first = int(np.argmax(wrong))
                raise SpectrumError(f"{name}[{first}]: expected {expected}, found {values[first]}: drop such modes")
        object.__setattr__(self, "omega_mev", omega)
        object.__setattr__(self, "lam_per_mode", lam)

    def coupled(self) -> "CoupledModes":
        """Only the modes that couple."""
        used = self.lam_per_mode > 0
        return self if used.all() else CoupledModes(self.omega_mev[used], self.lam_per_mode[used])

    @property
    def modes(self) -> "CoupledModes":
        """Itself: delta functions are their own representation."""
        return self

    @cached_property
    def lam(self) -> float:
        """Coupling constant lambda = 2 int dw a2F(w)/w, dimensionless."""
        return float(self.lam_per_mode.sum())

    @property
    def couples(self) -> bool:
        """Whether lambda exceeds `NO_COUPLING`."""
        return self.lam > NO_COUPLING

    def moment(self, n: float) -> float:
        """Mean <w^n> = (2/lambda) int dw a2F(w) w^(n-1) in meV^n; nan for zero coupling."""
        if not self.couples:
            return float("nan")
        return float(self.lam_per_mode @ self.omega_mev**n) / self.lam

    @cached_property
    def omega_log_mev(self) -> float:
        """Logarithmic mean exp <ln w> in meV; nan for zero coupling."""
        if not self.couples:
            return float("nan")
        return float(np.exp(self.lam_per_mode @ np.log(self.omega_mev) / self.lam))

    @cached_property
    def omega_2_mev(self) -> float:
        """Root mean square frequency w2 = <w^2>^(1/2) in meV; nan for zero coupling."""
        return float(np.sqrt(self.moment(2)))

    @cached_property
    def omega_max_mev(self) -> float:
        """Highest frequency in meV that couples; nan for zero coupling."""
        return float(self.omega_mev[self.lam_per_mode > 0].max()) if self.couples else float("nan")
