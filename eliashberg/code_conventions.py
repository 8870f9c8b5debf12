"""What EPW and Elk make of a spectrum: how they integrate it and how many Matsubara frequencies they keep.

EPW 5.3.1, isotropic, on the imaginary axis: N = int[(wscut/(pi T) - 1)/2] + 1 in all sums, the repulsion's included.
Elk 8.4.30, task 260: with w_rms the root mean square frequency, N = nint(20 w_rms/(2 pi T)) in the phonon sums and
max[nint(2 w_rms/(2 pi T)), 1] + 1 in the repulsion. Both were checked against runs of the programs.
"""

from dataclasses import dataclass
from math import exp, floor, pi, sqrt

import numpy as np
import numpy.typing as npt
import scipy

from hightc.eliashberg.coulomb import require_mu_star
from hightc.eliashberg.errors import ParameterError, SpectrumError
from hightc.eliashberg.formulas import allen_dynes_tc_kelvin, mcmillan_dynes_tc_kelvin
from hightc.eliashberg.matsubara_window import SumRule
from hightc.eliashberg.modes import FloatArray, finite_vector, require_same_length
from hightc.eliashberg.window_search import CutoffConvention

_HARTREE_MEV = scipy.constants.value("Hartree energy in eV") * 1e3
_ELK_LOWEST_MEV = 1e-8 * _HARTREE_MEV  # below it Elk's moments see nothing


@dataclass(frozen=True, eq=False)
class CodeConvention:
    """One code's view of one spectrum.

    Attributes
    ----------
    text
        The convention in words.
    cutoffs
        The equations it solves at each temperature.
    lam, omega_log_mev
        Coupling constant and logarithmic mean frequency in meV as it prints them.
    formula_tc_kelvin
        Its estimate of Tc in K from a closed formula; 0.0 or nan where the formula has none.
    """

    text: str
    cutoffs: CutoffConvention
    lam: float
    omega_log_mev: float
    formula_tc_kelvin: float


def epw_convention(omega_mev: npt.ArrayLike, alpha2f: npt.ArrayLike, mu_star: float, wscut_ev: float) -> CodeConvention:
    """EPW's view; arguments and errors as in `compatibility.epw_critical_temperature`."""
    omega, values = _table(omega_mev, alpha2f, fewest=2, allow_negative=False)
    if not (np.isfinite(wscut_ev) and wscut_ev > 0):
        raise ParameterError(f"wscut_ev: expected a positive energy in eV, found {wscut_ev!r}: use wscut of epw.in")
    rule = SumRule(omega, 2 * values * (omega[-1] / omega.size) / omega)
    lam, mu_star = rule.lam, require_mu_star(mu_star)
    omega_log = exp(float(rule.coupling @ np.log(omega)) / lam) if lam > 0 else float("nan")
    text = (
        f"EPW 5.3 isotropic: mu* unscaled at wscut = {wscut_ev:g} eV, Z summed over the same "
        "int[(wscut/(pi T) - 1)/2] + 1 frequencies, a2F summed with step w_max/n"
    )
    cutoffs = CutoffConvention(
        rule=rule,
        mu_star=mu_star,
        scale_mev=1e3 * wscut_ev / pi,
        cell=lambda x: floor((x + 1) / 2),
        edges=lambda cell: (max(2.0 * cell - 1, 0.0), 2.0 * cell + 1),
        sizes=lambda cell: (max(cell, 1), max(cell, 1)),
    )
    return CodeConvention(text, cutoffs, lam, omega_log, float(mcmillan_dynes_tc_kelvin(lam, omega_log, mu_star)))


def elk_convention(omega_mev: npt.ArrayLike, alpha2f: npt.ArrayLike, mu_star: float) -> CodeConvention:
    """Elk's view; arguments and errors as in `compatibility.elk_critical_temperature`."""
    omega, values = _table(omega_mev, alpha2f, fewest=4, allow_negative=True)
    lam, omega_log, omega_rms = _elk_moments(omega, values)
    mu_star = require_mu_star(mu_star)
    text = (
        f"Elk 8.4 task 260: mu* unscaled below 2 w_rms = {2 * omega_rms:.5g} meV, all other sums below 20 w_rms, "
        "Z included, a2F summed with step (w_n - w_1)/n"
    )
    cutoffs = CutoffConvention(
        rule=SumRule(omega, 2 * values * ((omega[-1] - omega[0]) / omega.size) / omega),
        mu_star=mu_star,
        scale_mev=20 * omega_rms / (2 * pi),
        cell=lambda x: floor(2 * x),  # N changes at half-integers x, M at integers 10 j + 5
        edges=lambda cell: (cell / 2, (cell + 1) / 2),
        sizes=_elk_sizes,
    )
    formula_tc = float(allen_dynes_tc_kelvin(lam, omega_log, omega_rms, mu_star))
    return CodeConvention(text, cutoffs, lam, omega_log, formula_tc)


def _elk_sizes(cell: int) -> tuple[int, int]:
    n = (cell + 1) // 2
    return n, min(max((cell + 10) // 20, 1) + 1, n)


def _elk_moments(omega_mev: FloatArray, alpha2f: FloatArray) -> tuple[float, float, float]:
    """Lambda, w_log and w_rms in meV as Elk prints them, from frequencies above 1e-8 Hartree."""
    seen = omega_mev > _ELK_LOWEST_MEV
    weight = np.divide(2 * alpha2f, omega_mev, where=seen, out=np.zeros_like(omega_mev))
    logarithm = np.log(omega_mev, where=seen, out=np.zeros_like(omega_mev))
    lam = _integral_by_local_cubics(omega_mev, weight)
    if not lam > 0:
        raise SpectrumError(
            f"alpha2f: expected a positive lambda above 1e-8 Hartree, found {lam:.4g}: Elk takes its cutoffs from the "
            "mean frequency of the spectrum, which this one does not have"
        )
    omega_log = exp(_integral_by_local_cubics(omega_mev, weight * logarithm) / lam)
    square = _integral_by_local_cubics(omega_mev, weight * omega_mev**2) / lam
    return lam, omega_log, sqrt(abs(square))


def _integral_by_local_cubics(x: FloatArray, values: FloatArray) -> float:
    """Integral over the grid, each interval with the cubic through its four nearest points, as Elk integrates."""
    width = np.diff(x)
    first = np.clip(np.arange(width.size) - 1, 0, x.size - 4)
    stencil = first[:, None] + np.arange(4)
    scaled = (x[stencil] - x[:-1, None]) / width[:, None]
    coefficients = np.linalg.solve(scaled[..., None] ** np.arange(4), values[stencil][..., None])[..., 0]
    return float(width @ (coefficients @ (1 / np.arange(1, 5))))


def elk_temperatures_kelvin(formula_tc_kelvin: float, n_temperatures: int) -> FloatArray:
    """Temperatures in K at which Elk prints a gap, shape (n_temperatures,); empty without an estimate of Tc."""
    if not formula_tc_kelvin > 0:
        return np.empty(0)
    lowest = formula_tc_kelvin / 6 if formula_tc_kelvin >= 0.06 else 0.1
    step = (max(5 * formula_tc_kelvin, 1.0) - lowest) / n_temperatures
    return np.asarray(lowest + step * np.arange(1, n_temperatures + 1))


def _table(
    omega_mev: npt.ArrayLike, alpha2f: npt.ArrayLike, *, fewest: int, allow_negative: bool
) -> tuple[FloatArray, FloatArray]:
    """Return both columns of a spectrum as a code would read them, or raise `SpectrumError`."""
    omega = finite_vector("omega_mev", omega_mev)
    values = finite_vector("alpha2f", alpha2f)
    require_same_length("alpha2f", values, omega)
    falling = np.flatnonzero(np.diff(omega) <= 0)
    if omega.size < fewest or falling.size:
        raise SpectrumError(
            f"omega_mev: expected at least {fewest} strictly increasing frequencies, found {omega.size}, of which "
            f"{falling.size} do not increase: sort the points of the file"
        )
    if (omega == 0).any() or (omega[0] < 0 and not allow_negative):
        raise SpectrumError(
            f"omega_mev: expected {'no zero' if allow_negative else 'positive frequencies'}, found {omega[0]} first: "
            "the code divides by zero or sums nonsense there; drop these points and lower nqstep or nwplot"
        )
    return omega, values
