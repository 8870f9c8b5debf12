"""Closed formulas for the critical temperature, fitted to solutions of the gap equation or to experiment.

All four take arrays that broadcast against each other and return Tc in K. The result separates three answers:

* a positive number: the formula's Tc;
* 0.0: the formula itself has no superconductivity (no coupling, or repulsion beyond attraction);
* nan: the formula is not defined there (mu* < 0, lambda < 0, a frequency that is not positive, a pole).

None of them says to which frequency its mu* belongs; with mu* at omega_2 the Allen-Dynes formula is unbiased.
"""

import numpy as np
import numpy.typing as npt

from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.coulomb import require_mu_star
from hightc.eliashberg.modes import FloatArray, Spectrum, modes_of
from hightc.eliashberg.results import TcSolution, TcStatus

BoolArray = npt.NDArray[np.bool_]

XIE_2022_POLE_RANGE = 0.2
"""Distance from the pole, in 1/lambda, below which the pole and not the fit shapes the Xie-2022
correction."""

XIE_2022_POLE_EFFECT = 0.1
"""Relative change of Tc by the pole term from which a point within that distance counts as lost to the
pole."""


def mcmillan_dynes_tc_kelvin(lam: npt.ArrayLike, omega_log_mev: npt.ArrayLike, mu_star: npt.ArrayLike) -> FloatArray:
    """Tc of McMillan's formula with the prefactor of Dynes and of Allen.

    kB Tc = (w_log / 1.2) exp{-1.04 (1 + lambda) / [lambda - mu* (1 + 0.62 lambda)]}, and Tc = 0 where the
    bracket is not positive.

    Parameters
    ----------
    lam
        Coupling constant lambda.
    omega_log_mev
        Logarithmic mean frequency in meV.
    mu_star
        Coulomb pseudopotential.

    Returns
    -------
    ndarray
        Tc in K, 0.0 without superconductivity, nan where not defined; shape of the inputs broadcast together.

    References
    ----------
    W. L. McMillan, Phys. Rev. 167, 331 (1968), eq. 18; R. C. Dynes, Solid State Commun. 10, 615 (1972);
    P. B. Allen and R. C. Dynes, Phys. Rev. B 12, 905 (1975), eq. 2.
    """
    lam, omega_log_mev, mu_star = _floats(lam, omega_log_mev, mu_star)
    attraction = mcmillan_attraction(lam, mu_star)
    with np.errstate(all="ignore"):
        tc = omega_log_mev / KB_MEV_PER_K * mcmillan_exponential(lam, attraction)
    tc = np.where(attraction > 0, tc, 0.0)
    return _where_defined(tc, lam, mu_star, omega_log_mev)


def mcmillan_attraction(lam: FloatArray, mu_star: FloatArray) -> FloatArray:
    """Compute lambda - mu* (1 + 0.62 lambda), without any check."""
    return lam - mu_star * (1 + 0.62 * lam)


def mcmillan_exponential(lam: FloatArray, attraction: FloatArray) -> FloatArray:
    """Compute kB Tc/w_log of `mcmillan_dynes_tc_kelvin` from its bracket, without any check."""
    return np.asarray(np.exp(-1.04 * (1 + lam) / attraction) / 1.2)


def allen_dynes_tc_kelvin(
    lam: npt.ArrayLike, omega_log_mev: npt.ArrayLike, omega_2_mev: npt.ArrayLike, mu_star: npt.ArrayLike
) -> FloatArray:
    """Tc of Allen and Dynes: McMillan's times a strong-coupling (f1) and a spectral-shape (f2) correction.

    f1 = [1 + (lambda/L1)^(3/2)]^(1/3),                        L1 = 2.46 (1 + 3.8 mu*),
    f2 = 1 + (w2/w_log - 1) lambda^2 / (lambda^2 + L2^2),      L2 = 1.82 (1 + 6.3 mu*) w2/w_log.

    Parameters
    ----------
    lam, omega_log_mev, mu_star
        As in `mcmillan_dynes_tc_kelvin`.
    omega_2_mev
        Root mean square frequency in meV.

    Returns
    -------
    ndarray
        Tc in K, 0.0 without superconductivity, nan where not defined; shape of the inputs broadcast together.

    References
    ----------
    P. B. Allen and R. C. Dynes, Phys. Rev. B 12, 905 (1975), eqs. 34-38.
    """
    lam, omega_log_mev, omega_2_mev, mu_star = _floats(lam, omega_log_mev, omega_2_mev, mu_star)
    with np.errstate(all="ignore"):
        correction = allen_dynes_correction(lam, omega_2_mev / omega_log_mev, mu_star)
        tc = correction * mcmillan_dynes_tc_kelvin(lam, omega_log_mev, mu_star)
    return _where_defined(tc, lam, mu_star, omega_log_mev, omega_2_mev)


def allen_dynes_correction(lam: FloatArray, ratio: FloatArray, mu_star: FloatArray) -> FloatArray:
    """Compute f1 f2 of `allen_dynes_tc_kelvin`, ratio = w2/w_log, without any check."""
    lambda_1 = 2.46 * (1 + 3.8 * mu_star)
    lambda_2 = 1.82 * (1 + 6.3 * mu_star) * ratio
    strength = lam / lambda_1
    f1 = np.cbrt(1 + strength * np.sqrt(strength))
    f2 = 1 + (ratio - 1) * lam**2 / (lam**2 + lambda_2**2)
    return np.asarray(f1 * f2)


def xie_2019_tc_kelvin(lam: npt.ArrayLike, omega_log_mev: npt.ArrayLike, mu_star: npt.ArrayLike) -> FloatArray:
    """Tc of the first formula found by symbolic regression on the Allen-Dynes table.

    kB Tc = 0.09525 lambda^4 w_log / (lambda^3 + sqrt(mu*)). It has no threshold: any lambda > 0
    superconducts.

    Parameters
    ----------
    lam, omega_log_mev, mu_star
        As in `mcmillan_dynes_tc_kelvin`.

    Returns
    -------
    ndarray
        Tc in K, 0.0 for zero coupling, nan where not defined; shape of the inputs broadcast together.

    References
    ----------
    S. R. Xie et al., Phys. Rev. B 100, 174513 (2019).
    """
    lam, omega_log_mev, mu_star = _floats(lam, omega_log_mev, mu_star)
    with np.errstate(all="ignore"):
        tc = 0.09525 * lam**4 * omega_log_mev / (lam**3 + np.sqrt(mu_star)) / KB_MEV_PER_K
    return _where_defined(tc, lam, mu_star, omega_log_mev)


def xie_2022_tc_kelvin(
    lam: npt.ArrayLike, omega_log_mev: npt.ArrayLike, omega_2_mev: npt.ArrayLike, mu_star: npt.ArrayLike
) -> FloatArray:
    """Tc of the second formula found by symbolic regression: McMillan's times f_w f_mu.

    f_w = 1.92 (lambda + w_log/w2 - mu*^(1/3)) / [sqrt(lambda) exp(w_log/w2)] - 0.08,
    f_mu = 1 + 6.86 exp(-lambda/mu*) / (1/lambda - mu* - w_log/w2).

    f_mu has a pole, near which the formula means nothing: see `xie_2022_is_at_pole`. There, and where f_w
    f_mu is negative, the result is nan.

    Parameters
    ----------
    lam, omega_log_mev, omega_2_mev, mu_star
        As in `allen_dynes_tc_kelvin`.

    Returns
    -------
    ndarray
        Tc in K, 0.0 without superconductivity, nan where not defined; shape of the inputs broadcast together.

    References
    ----------
    S. R. Xie et al., npj Comput. Mater. 8, 14 (2022), eqs. 6-8.
    """
    lam, omega_log_mev, omega_2_mev, mu_star = _floats(lam, omega_log_mev, omega_2_mev, mu_star)
    with np.errstate(all="ignore"):
        ratio = omega_log_mev / omega_2_mev
        f_omega = 1.92 * (lam + ratio - np.cbrt(mu_star)) / (np.sqrt(lam) * np.exp(ratio)) - 0.08
        factor = f_omega * (1 + _xie_2022_pole_term(lam, ratio, mu_star))
        mcmillan = mcmillan_dynes_tc_kelvin(lam, omega_log_mev, mu_star)
        lost = (factor < 0) | xie_2022_is_at_pole(lam, omega_log_mev, omega_2_mev, mu_star)
        tc = np.where(mcmillan > 0, np.where(lost, np.nan, factor * mcmillan), mcmillan)
    return _where_defined(tc, lam, mu_star, omega_log_mev, omega_2_mev)


def xie_2022_is_at_pole(
    lam: npt.ArrayLike, omega_log_mev: npt.ArrayLike, omega_2_mev: npt.ArrayLike, mu_star: npt.ArrayLike
) -> BoolArray:
    """Where the pole of the Xie-2022 formula, at 1/lambda = mu* + w_log/w2, spoils it.

    With x = 1/lambda - mu* - w_log/w2 that is |x| < 0.2 (`XIE_2022_POLE_RANGE`) together with a term
    |6.86 exp(-lambda/mu*)/x| above 10 % (`XIE_2022_POLE_EFFECT`). The term was fitted as an enhancement at weak
    coupling, where x is large; as x -> 0 it says nothing about superconductors. For w_log/w2 = 10/12 the excluded
    lambda are 1.0697 to 1.0731 at mu* = 0.10, 1.007 to 1.060 at 0.13 and 0.838 to 1.090 at 0.16.

    Parameters
    ----------
    lam, omega_log_mev, omega_2_mev, mu_star
        As in `allen_dynes_tc_kelvin`.

    Returns
    -------
    ndarray of bool
        Shape of the inputs broadcast together.
    """
    lam, omega_log_mev, omega_2_mev, mu_star = _floats(lam, omega_log_mev, omega_2_mev, mu_star)
    with np.errstate(all="ignore"):
        ratio = omega_log_mev / omega_2_mev
        near = np.abs(1 / lam - mu_star - ratio) < XIE_2022_POLE_RANGE
        spoilt = ~(np.abs(_xie_2022_pole_term(lam, ratio, mu_star)) <= XIE_2022_POLE_EFFECT)
    return np.asarray(near & spoilt)


def formula_table(spectrum: Spectrum, mu_star: float) -> dict[str, TcSolution]:
    """Evaluate every closed formula for one spectrum.

    Parameters
    ----------
    spectrum
        `Alpha2F` or `CoupledModes`.
    mu_star
        Coulomb pseudopotential, >= 0.

    Returns
    -------
    dict
        `TcSolution` by formula: ``mcmillan_dynes``, ``allen_dynes``, ``xie_2019``, ``xie_2022``. The status
        is ``no_superconductivity`` where the formula gives 0 K and ``invalid`` where it is not defined.

    Raises
    ------
    ParameterError
        If ``mu_star`` is negative or not finite.
    """
    mu_star = require_mu_star(mu_star)
    modes = modes_of(spectrum)
    lam, omega_log, omega_2 = modes.lam, modes.omega_log_mev, modes.omega_2_mev
    table = {
        "mcmillan_dynes": mcmillan_dynes_tc_kelvin(lam, omega_log, mu_star),
        "allen_dynes": allen_dynes_tc_kelvin(lam, omega_log, omega_2, mu_star),
        "xie_2019": xie_2019_tc_kelvin(lam, omega_log, mu_star),
        "xie_2022": xie_2022_tc_kelvin(lam, omega_log, omega_2, mu_star),
    }
    return {name: TcSolution(*_verdict(float(tc)), lam, omega_log, omega_2, mu_star) for name, tc in table.items()}


def _verdict(tc_kelvin: float) -> tuple[float | None, TcStatus]:
    if np.isnan(tc_kelvin):
        return None, TcStatus.INVALID
    return tc_kelvin, TcStatus.FOUND if tc_kelvin > 0 else TcStatus.NO_SUPERCONDUCTIVITY


def _xie_2022_pole_term(lam: FloatArray, ratio: FloatArray, mu_star: FloatArray) -> FloatArray:
    """Second term of f_mu, zero without repulsion, pole or not."""
    strength = 6.86 * np.exp(-lam / mu_star)
    return np.where(strength > 0, strength / (1 / lam - mu_star - ratio), 0.0)


def _floats(*values: npt.ArrayLike) -> tuple[FloatArray, ...]:
    return tuple(np.asarray(value, dtype=np.float64) for value in values)


def _where_defined(tc_kelvin: FloatArray, lam: FloatArray, mu_star: FloatArray, *omega_mev: FloatArray) -> FloatArray:
    """Put 0.0 at zero coupling, whose mean frequencies do not exist, and nan outside the domain."""
    positive = (lam > 0) & np.isfinite(lam)
    for omega in omega_mev:
        positive = positive & (omega > 0) & np.isfinite(omega)
    repulsive = (mu_star >= 0) & np.isfinite(mu_star)
    return np.asarray(np.where(repulsive & (lam == 0), 0.0, np.where(repulsive & positive, tc_kelvin, np.nan)))
