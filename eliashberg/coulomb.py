"""The Coulomb pseudopotential and the frequency to which it belongs.

mu* is a number at a frequency: 1/mu*(w) = 1/mu*(w_ref) + ln(w_ref/w). The gap equation without a Coulomb cutoff needs
only the combination

    r(T) = 1/mu* + ln(2 e^gamma w_ref / (pi T)),

the inverse of mu* at the frequency pi T/(2 e^gamma); it has to be positive.
"""

from math import exp, inf, isfinite, pi
from numbers import Real
from typing import Literal

import numpy as np
import numpy.typing as npt
from numpy import euler_gamma

from hightc.eliashberg.batch import SpectrumBatch
from hightc.eliashberg.errors import ParameterError
from hightc.eliashberg.modes import CoupledModes, FloatArray

Reference = Literal["omega_2", "omega_max"]

THERMAL_FACTOR = 2 * exp(euler_gamma) / pi
"""2 e^gamma/pi: a constant gap sees the Matsubara sum up to w as ln(2 e^gamma w/(pi T))."""

LEAST_REFERENCE = 1e-200
"""Lowest reference in meV: below, its ratio to a phonon frequency leaves the range of floats."""

STRONG_COUPLING_BOUND = 0.18273
"""Upper bound of kB Tc / (w2 sqrt(lambda)): its limit for lambda -> infinity, 0.18272625, rounded up.

P. B. Allen and R. C. Dynes, Phys. Rev. B 12, 905 (1975), eq. 23; M. K.-H. Kiessling, B. L. Altshuler and
E. A. Yuzbashyan, arXiv:2409.00533 (2024).
"""


def require_mu_star(mu_star: float) -> float:
    """Return mu* as a float, or raise `ParameterError` unless it is finite and not negative."""
    try:
        value = float(mu_star)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"mu_star: expected a number, found {mu_star!r:.60}") from error
    if not (isfinite(value) and value >= 0):
        raise ParameterError(f"mu_star: expected a finite number >= 0, found {mu_star}: metals have 0.10 to 0.16")
    return value


def require_mu_stars(mu_star: npt.ArrayLike, batch: int) -> FloatArray:
    """Return one mu* for each spectrum, shape (batch,), or raise `ParameterError` naming the entry at fault."""
    try:
        values = np.array(mu_star, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"mu_star: expected numbers, found {mu_star!r:.60}") from error
    if values.shape not in ((), (1,), (batch,)):
        raise ParameterError(
            f"mu_star: expected a number or shape ({batch},), one for each spectrum, found shape {values.shape}"
        )
    wrong = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
    if wrong.size:
        name = f"mu_star[{wrong[0]}]" if values.ndim else "mu_star"
        raise ParameterError(
            f"{name}: expected a finite number >= 0, found {values.flat[wrong[0]]}: metals have 0.10 to 0.16"
        )
    return np.broadcast_to(values, (batch,))


def require_reference(reference: Reference | float) -> tuple[str, float | None]:
    """Split a reference into its name and, where it is given as a number, its frequency in meV.

    Raises
    ------
    ParameterError
        If it is neither a known name nor a positive frequency.
    """
    if isinstance(reference, str):
        if reference in ("omega_2", "omega_max"):
            return reference, None
    elif isinstance(reference, Real) and LEAST_REFERENCE <= reference < inf:
        return "value", float(reference)
    raise ParameterError(
        f"reference: expected 'omega_2', 'omega_max' or a positive frequency in meV, found {reference!r}: "
        "name the frequency to which mu_star belongs"
    )


def reference_frequency(modes: CoupledModes, reference: Reference | float) -> tuple[str, float | None]:
    """Name and frequency in meV of the reference of one spectrum; no frequency where it has no coupling."""
    name, value = require_reference(reference)
    if value is None and modes.couples:
        value = modes.omega_2_mev if name == "omega_2" else modes.omega_max_mev
    return name, value


def reference_frequencies(batch: SpectrumBatch, reference: Reference | float) -> tuple[str, FloatArray]:
    """Name and frequencies in meV, shape (batch,), of the reference; nan where there is no coupling."""
    name, value = require_reference(reference)
    if value is not None:
        return name, np.full(len(batch), value)
    return name, batch.omega_2_mev if name == "omega_2" else batch.omega_max_mev


def highest_frequency(
    omega_2_mev: npt.ArrayLike, omega_max_mev: npt.ArrayLike, lam: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Upper bound of kB Tc, and the highest frequency at which mu* must have a value, both in meV.

    The latter is omega_max or the frequency pi T/(2 e^gamma) at that temperature, whichever is higher.
    """
    ceiling = STRONG_COUPLING_BOUND * np.asarray(omega_2_mev) * np.sqrt(lam)
    return ceiling, np.maximum(omega_max_mev, ceiling / THERMAL_FACTOR)
