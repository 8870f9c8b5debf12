"""The critical temperature and the gap that EPW and Elk arrive at, each in its own convention.

The same a2F and the same number mu* = 0.1 give temperatures 3 to 40 % apart in different codes, because each ties
mu* to another frequency and cuts its Matsubara sums elsewhere. The functions here repeat these choices, so that a
result can be compared with an output line by line. For physics use `hightc.eliashberg.critical_temperature`, which
has no cutoff and says where its mu* belongs.

Both codes keep N(T) frequencies below a fixed energy. N is an integer, and where it changes the answer jumps: by less
than 0.1 % in Tc for EPW at N = 30, by up to some per cent for Elk, whose repulsion sees a tenth of the frequencies and
whose gap may even vanish and return. Tc here is the highest temperature at which the equations of the code have a gap.
Both codes print gaps at chosen temperatures and no Tc; both stop short of an answer very near Tc.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hightc.eliashberg.code_conventions import (
    CodeConvention,
    elk_convention,
    elk_temperatures_kelvin,
    epw_convention,
)
from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.errors import ParameterError
from hightc.eliashberg.modes import FloatArray
from hightc.eliashberg.results import TcStatus
from hightc.eliashberg.window_search import critical_temperature_in_window, require_gap_size


@dataclass(frozen=True)
class CompatibleTc:
    """A critical temperature in the convention of another code.

    Parameters
    ----------
    tc_kelvin
        Highest temperature in K at which the code's equations have a gap; 0.0 if none, None if below the range.
    status
        ``found``, ``no_superconductivity`` or ``below_range`` (a gap opens only where more than
        `window_search.MOST_FREQUENCIES` are needed: weak coupling, or a wscut far above the phonons).
    convention
        The convention in words.
    mu_star
        As given; it is not brought to any frequency.
    lam, omega_log_mev
        Coupling constant and logarithmic mean frequency in meV by the code's own integration, as it prints them.
    formula_tc_kelvin
        The estimate in K that the code prints from its closed formula; nan if the formula has no value.
    n_matsubara, n_coulomb
        Positive Matsubara frequencies at Tc in all sums and in the repulsion, or None without Tc.
    bracket_kelvin
        Temperatures in K between which n_matsubara and n_coulomb stay the same, or None without Tc.
    printed_bracket_kelvin
        The two neighbours of Tc in K on the code's own temperature grid: all that its table of gaps can tell (Elk
        prints unconverged gaps, too, just above Tc). None where the grid is the user's (EPW) or does not enclose Tc.
    evaluations
        Number of largest eigenvalues computed.
    lowest_kelvin
        Temperature in K that Tc lies under where it is ``below_range``, else None.
    """

    tc_kelvin: float | None
    status: TcStatus
    convention: str
    mu_star: float
    lam: float
    omega_log_mev: float
    formula_tc_kelvin: float
    n_matsubara: int | None = None
    n_coulomb: int | None = None
    bracket_kelvin: tuple[float, float] | None = None
    printed_bracket_kelvin: tuple[float, float] | None = None
    evaluations: int = 0
    lowest_kelvin: float | None = None


@dataclass(frozen=True)
class CompatibleGap:
    """A gap on the imaginary axis in the convention of another code.

    Parameters
    ----------
    temperature_kelvin
        Temperature in K.
    gap_mev
        Delta(i pi T) in meV; 0.0 in the normal state.
    renormalisation
        Z(i pi T).
    n_matsubara, n_coulomb
        Positive Matsubara frequencies in all sums and in the repulsion.
    iterations
        Of the gap equation; 0 in the normal state.
    convention
        The convention in words.
    """

    temperature_kelvin: float
    gap_mev: float
    renormalisation: float
    n_matsubara: int
    n_coulomb: int
    iterations: int
    convention: str


def epw_critical_temperature(
    omega_mev: npt.ArrayLike, alpha2f: npt.ArrayLike, mu_star: float, *, wscut_ev: float
) -> CompatibleTc:
    """Tc to which the isotropic gaps of EPW 5.3 on the imaginary axis extrapolate (``liso``, ``limag``, ``fila2f``).

    N = int[(wscut/(pi T) - 1)/2] + 1 frequencies in all sums, Z included; mu* is used as it is given, that is, as
    the value at wscut; integrals over a2F are sums over the grid with the step w_n/n.

    Parameters
    ----------
    omega_mev
        Grid of the ``fila2f`` file in meV, shape (n,) with n = ``nqstep``, positive and increasing. EPW assumes
        w_j = j w_n/n without a check: on another grid its lambda is wrong, and ``lam`` here is equally wrong.
    alpha2f
        Dimensionless a2F, shape (n,). Negative values are used as they are, as EPW does.
    mu_star
        ``muc``.
    wscut_ev
        ``wscut`` in eV.

    Returns
    -------
    CompatibleTc
        ``formula_tc_kelvin`` is the "Estimated Allen-Dynes Tc" (McMillan-Dynes, without f1 f2).

    Raises
    ------
    SpectrumError
        If the arrays are not such a spectrum.
    ParameterError
        If ``mu_star`` or ``wscut_ev`` is out of its domain.

    References
    ----------
    E. R. Margine and F. Giustino, Phys. Rev. B 87, 024505 (2013), eqs. 34-35; EPW 5.3.1 of Quantum ESPRESSO 6.7.
    """
    return _solve(epw_convention(omega_mev, alpha2f, mu_star, wscut_ev))


def epw_gap(
    omega_mev: npt.ArrayLike,
    alpha2f: npt.ArrayLike,
    temperature_kelvin: float,
    mu_star: float,
    *,
    wscut_ev: float,
) -> CompatibleGap:
    """Gap that EPW 5.3 prints at one temperature: ``deltai`` and ``znormi`` of its last iteration.

    Parameters
    ----------
    omega_mev, alpha2f, mu_star, wscut_ev
        As in `epw_critical_temperature`.
    temperature_kelvin
        Temperature in K.

    Returns
    -------
    CompatibleGap

    Raises
    ------
    SpectrumError, ParameterError
        As in `epw_critical_temperature`, or if the temperature needs more than `window_search.MOST_FREQUENCIES_OF_GAP`
        frequencies.
    ConvergenceError
        If the gap equation is not solved, closer than about 1e-6 to Tc.
    """
    return _gap(epw_convention(omega_mev, alpha2f, mu_star, wscut_ev), temperature_kelvin)


def elk_critical_temperature(
    omega_mev: npt.ArrayLike, alpha2f: npt.ArrayLike, mu_star: float, *, n_temperatures: int = 40
) -> CompatibleTc:
    """Tc at which the gaps of Elk's task 260 vanish.

    With w_rms the root mean square frequency, N = nint(20 w_rms/(2 pi T)) frequencies in the phonon sums, Z
    included, and nint(2 w_rms/(2 pi T)) + 1 in the repulsion, to which mu* is applied as it is given; integrals over
    a2F are sums over the grid with the step (w_n - w_1)/n.

    Parameters
    ----------
    omega_mev
        Frequencies of ``ALPHA2F.OUT`` in meV (there in Hartree), shape (n,), increasing. Negative ones, with
        which Elk's files begin, count as Elk counts them: they take coupling away. Zero is refused (Elk: NaN).
    alpha2f
        Dimensionless a2F, shape (n,), used as it is.
    mu_star
        ``mustar``.
    n_temperatures
        ``ntemp``, 40 unless set in ``elk.in``; it decides ``printed_bracket_kelvin`` and nothing else.

    Returns
    -------
    CompatibleTc
        ``formula_tc_kelvin`` is the Allen-Dynes temperature that also fixes Elk's temperature grid.

    Raises
    ------
    SpectrumError
        If the arrays are not such a spectrum.
    ParameterError
        If ``mu_star`` or ``n_temperatures`` is out of its domain.

    References
    ----------
    Elk 8.4.30, task 260 (A. Sanna and J. K. Dewhurst); https://elk.sourceforge.io.
    """
    if n_temperatures < 1:
        raise ParameterError(f"n_temperatures: expected at least 1, found {n_temperatures}: use ntemp of elk.in")
    answer = _solve(elk_convention(omega_mev, alpha2f, mu_star))
    if not answer.tc_kelvin:
        return answer
    printed = elk_temperatures_kelvin(answer.formula_tc_kelvin, n_temperatures)
    return replace(answer, printed_bracket_kelvin=_neighbours(printed, answer.tc_kelvin))


def elk_gap(
    omega_mev: npt.ArrayLike, alpha2f: npt.ArrayLike, temperature_kelvin: float, mu_star: float
) -> CompatibleGap:
    """Gap that Elk writes into ``ELIASHBERG_GAP_T.OUT`` at one temperature (there in Hartree).

    Parameters
    ----------
    omega_mev, alpha2f, mu_star
        As in `elk_critical_temperature`.
    temperature_kelvin
        Temperature in K.

    Returns
    -------
    CompatibleGap
        The converged gap; Elk's own iteration stops early near Tc and above it.

    Raises
    ------
    SpectrumError, ParameterError, ConvergenceError
        As in `epw_gap`.
    """
    return _gap(elk_convention(omega_mev, alpha2f, mu_star), temperature_kelvin)


def _neighbours(temperatures_kelvin: FloatArray, tc_kelvin: float) -> tuple[float, float] | None:
    above = int(np.searchsorted(temperatures_kelvin, tc_kelvin))
    if not 0 < above < temperatures_kelvin.size:
        return None
    return float(temperatures_kelvin[above - 1]), float(temperatures_kelvin[above])


def _solve(convention: CodeConvention) -> CompatibleTc:
    """Search for Tc, from the code's own estimate."""
    cutoffs = convention.cutoffs
    start_mev = KB_MEV_PER_K * convention.formula_tc_kelvin
    found = critical_temperature_in_window(cutoffs, start_mev if start_mev > 0 else cutoffs.scale_mev / 100)
    answer = CompatibleTc(
        tc_kelvin=found.tc_kelvin,
        status=found.status,
        convention=convention.text,
        mu_star=cutoffs.mu_star,
        lam=convention.lam,
        omega_log_mev=convention.omega_log_mev,
        formula_tc_kelvin=convention.formula_tc_kelvin,
        evaluations=found.evaluations,
        lowest_kelvin=found.lowest_kelvin,
    )
    if found.cell is None:
        return answer
    coldest, hottest = cutoffs.temperatures_mev(found.cell)
    n, coulomb = cutoffs.sizes(found.cell)
    bracket = coldest / KB_MEV_PER_K, hottest / KB_MEV_PER_K
    return replace(answer, n_matsubara=n, n_coulomb=coulomb, bracket_kelvin=bracket)


def _gap(convention: CodeConvention, temperature_kelvin: float) -> CompatibleGap:
    temperature_mev = require_gap_size(convention.cutoffs, temperature_kelvin)
    window = convention.cutoffs.window(temperature_mev)
    gap, renormalisation, iterations = window.gap(temperature_mev)
    return CompatibleGap(
        temperature_kelvin=float(temperature_kelvin),
        gap_mev=float(gap[0]),
        renormalisation=float(renormalisation[0]),
        n_matsubara=window.size,
        n_coulomb=window.coulomb_size,
        iterations=iterations,
        convention=convention.text,
    )
