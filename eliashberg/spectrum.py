"""The Eliashberg function and its moments.

A spectrum enters the theory only through integrals of a2F(w). Every one of them is taken here by the same
rule, the trapezoid of the whole integrand on the spectrum's own grid, which amounts to replacing the spectrum
by one delta function per grid point,

    a2F(w) = sum_j (lam_j w_j / 2) delta(w - w_j),      lam_j = 2 a2F(w_j) weight_j / w_j .

Moments, closed formulas and gap equation all read these modes, so that they can never disagree on lambda.
"""

import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from hightc.eliashberg.errors import NegativeSpectrumWarning, ParameterError, SpectrumError
from hightc.eliashberg.modes import CoupledModes, FloatArray, finite_vector, require_same_length

LowFrequency = Literal["quadratic", "linear", "omit"]

# Integral of a2F(w)/w over [0, w1] in units of a2F(w1), by the assumed shape of a2F below the first grid
# point.
_FIRST_INTERVAL: dict[LowFrequency, float] = {"quadratic": 0.5, "linear": 1.0, "omit": 0.0}


@dataclass(frozen=True, eq=False)
class Alpha2F:
    """Eliashberg function a2F(w) of one material on its own frequency grid.

    a2F(0) = 0 is implied, and nothing lies above the last point. Integrals are trapezoidal (see the module).
    On the first interval [0, w1] only int a2F/w is sensitive to how a2F rises from zero, so that is a choice:

    * ``"quadratic"``: a2F = a1 (w/w1)^2, as for acoustic phonons of a crystal. Then int_0^w1 dw a2F/w = a1/2,
      which is also the trapezoid of an integrand that vanishes at w = 0: the same rule holds on all
      intervals.
    * ``"linear"``: a2F = a1 w/w1, as in a disordered metal. Then the integral is a1.
    * ``"omit"``: nothing below w1, as in codes that sum from their first point.

    Parameters
    ----------
    omega_mev
        Strictly increasing positive frequencies in meV, shape (n,); one leading zero is allowed and dropped
        together with its value.
    alpha2f
        Dimensionless a2F, shape (n,). Negative values, which Fourier interpolation produces, are set to zero
        with a `NegativeSpectrumWarning`.
    low_frequency
        Shape of a2F below the first grid point.

    Attributes
    ----------
    clipped_lambda : float
        How much lambda the negative values would have taken away, >= 0; 0.0 if nothing was clipped.

    Raises
    ------
    SpectrumError
        If shapes differ, fewer than two points are left, the grid does not increase or a number is not
        finite.
    ParameterError
        If ``low_frequency`` is none of the three rules.

    Examples
    --------
    >>> import numpy as np
    >>> omega = np.linspace(0.0, 10.0, 101)
    >>> round(Alpha2F(omega, 0.5 * (omega / 10.0) ** 2).lam, 12)
    0.5
    """

    omega_mev: FloatArray
    alpha2f: FloatArray
    low_frequency: LowFrequency = field(default="quadratic", kw_only=True)
    clipped_lambda: float = field(init=False)

    def __post_init__(self) -> None:
        omega = finite_vector("omega_mev", self.omega_mev)
        alpha2f = finite_vector("alpha2f", self.alpha2f)
        require_same_length("alpha2f", alpha2f, omega)
        if omega[0] == 0:
            omega, alpha2f = omega[1:], alpha2f[1:]
        weights = coupling_weights(omega, self.low_frequency)
        object.__setattr__(self, "omega_mev", omega)
        negative = alpha2f < 0
        removed = 0.0
        if negative.any():
            removed = float(-np.sum((weights * alpha2f)[negative]))
            clipped = np.where(negative, 0.0, alpha2f)
            clipped.flags.writeable = False
            _warn_of_clipping(omega, alpha2f, removed)
            alpha2f = clipped
        object.__setattr__(self, "alpha2f", alpha2f)
        object.__setattr__(self, "clipped_lambda", removed)

    @cached_property
    def modes(self) -> CoupledModes:
        """One delta function for each grid point; every integral of the spectrum is a sum over them."""
        return CoupledModes(self.omega_mev, coupling_weights(self.omega_mev, self.low_frequency) * self.alpha2f)

    @property
    def lam(self) -> float:
        """Coupling constant lambda = 2 int dw a2F(w)/w, dimensionless."""
        return self.modes.lam

    @property
    def omega_log_mev(self) -> float:
        """Logarithmic mean exp[(2/lambda) int dw a2F(w)/w ln w] in meV; nan for zero coupling."""
        return self.modes.omega_log_mev

    @property
    def omega_2_mev(self) -> float:
        """Root mean square frequency [(2/lambda) int dw a2F(w) w]^(1/2) in meV; nan for zero coupling."""
        return self.modes.omega_2_mev

    @property
    def omega_max_mev(self) -> float:
        """Highest grid frequency in meV where a2F > 0; nan for zero coupling."""
        return self.modes.omega_max_mev

    def moment(self, n: float) -> float:
        """Mean <w^n> = (2/lambda) int dw a2F(w) w^(n-1) in meV^n; nan for zero coupling."""
        return self.modes.moment(n)

    def running_lambda(self) -> FloatArray:
        """Coupling lambda(w) = 2 int_0^w dw' a2F(w')/w' up to each grid point, dimensionless, shape (n,)."""
        integrand = 2 * self.alpha2f / self.omega_mev
        steps = np.empty_like(integrand)
        steps[0] = _FIRST_INTERVAL[self.low_frequency] * integrand[0] * self.omega_mev[0]
        steps[1:] = np.diff(self.omega_mev) * (integrand[1:] + integrand[:-1]) / 2
        return np.cumsum(steps)

    def resample(self, omega_mev: npt.ArrayLike) -> "Alpha2F":
        """Return the spectrum on another grid.

        Linear between the grid points, the assumed shape below the first, zero above the last. Lambda changes
        by the interpolation error, of second order in the spacing.

        Parameters
        ----------
        omega_mev
            New grid in meV, shape (m,), as for the constructor.

        Returns
        -------
        Alpha2F
            Spectrum on the new grid with the same ``low_frequency``; its ``clipped_lambda`` is zero.
        """
        grid = finite_vector("omega_mev", omega_mev)
        first = self.omega_mev[0]
        power = {"quadratic": 2, "linear": 1, "omit": np.inf}[self.low_frequency]
        values = np.interp(grid, self.omega_mev, self.alpha2f, right=0.0)
        below = (grid >= 0) & (grid < first)
        values[below] = self.alpha2f[0] * (grid[below] / first) ** power
        return Alpha2F(grid, values, low_frequency=self.low_frequency)


def coupling_weights(omega_mev: FloatArray, low_frequency: LowFrequency) -> FloatArray:
    """Weights W_j of lambda = sum_j W_j a2F(w_j) by the trapezoidal rule.

    Parameters
    ----------
    omega_mev
        Frequency grid in meV, shape (n,), without a leading zero.
    low_frequency
        Shape of a2F below the first grid point, as for `Alpha2F`.

    Returns
    -------
    ndarray
        Dimensionless weights, shape (n,): the mode at w_j has the coupling W_j a2F(w_j).

    Raises
    ------
    SpectrumError
        If the grid has fewer than two points, is not positive or does not increase.
    ParameterError
        If ``low_frequency`` is none of the three rules.
    """
    if low_frequency not in _FIRST_INTERVAL:
        raise ParameterError(
            f"low_frequency: expected one of {get_args(LowFrequency)}, found {low_frequency!r}: "
            "'quadratic' suits phonons of a crystal"
        )
    _require_frequency_grid(omega_mev)
    width = np.zeros_like(omega_mev)
    interval = np.diff(omega_mev)
    width[1:] += interval / 2
    width[:-1] += interval / 2
    width[0] += _FIRST_INTERVAL[low_frequency] * omega_mev[0]
    return 2 * width / omega_mev


def _require_frequency_grid(omega_mev: FloatArray) -> None:
    if omega_mev.size < 2:
        raise SpectrumError(
            f"omega_mev: expected at least 2 positive frequencies, found {omega_mev.size}: "
            "use CoupledModes for a single mode"
        )
    if omega_mev[0] < 0:
        raise SpectrumError(
            f"omega_mev[0]: expected positive frequencies, found {omega_mev[0]}: imaginary modes, "
            "printed as negative, carry no coupling; stabilise the structure or drop them"
        )
    falling = np.flatnonzero(np.diff(omega_mev) <= 0)
    if falling.size:
        first = int(falling[0]) + 1
        raise SpectrumError(
            f"omega_mev[{first}]: expected a strictly increasing grid, found {omega_mev[first]} after "
            f"{omega_mev[first - 1]}: sort the points and merge duplicates"
        )


def _warn_of_clipping(omega_mev: FloatArray, alpha2f: FloatArray, removed: float) -> None:
    lowest = int(np.argmin(alpha2f))
    warnings.warn(
        f"alpha2f: {int(np.sum(alpha2f < 0))} of {alpha2f.size} values are negative, lowest "
        f"{alpha2f[lowest]:.3g} at {omega_mev[lowest]:.4g} meV: set to zero, which adds {removed:.3g} to "
        "lambda; use a denser q mesh or more smearing if that matters",
        NegativeSpectrumWarning,
        stacklevel=4,
    )
