"""Continuation of gap and mass renormalisation to the real frequency axis, by integral equations and by Pade."""

from dataclasses import replace
from math import ceil, isfinite, pi

import numpy as np
import numpy.typing as npt

from hightc.eliashberg.anderson_mixing import fixed_point
from hightc.eliashberg.constants import KB_MEV_PER_K
from hightc.eliashberg.errors import ParameterError
from hightc.eliashberg.gap import GapSolution, GapStatus
from hightc.eliashberg.modes import FloatArray, Spectrum, modes_of, real_array
from hightc.eliashberg.pade import ComplexArray, ThieleFraction
from hightc.eliashberg.real_axis_equation import BosonGrid, RealAxisEquation
from hightc.eliashberg.real_axis_gap import ContinuationStatus, RealAxisGap

RESIDUAL_TOLERANCE = 1e-9
"""Relative change of phi and of Z by one more iteration on the line, at which it stops."""

TRUST = 1e-2
"""Difference of two Pade approximants, relative to the largest |Delta|, above which neither is trusted."""

MOST_POINTS = 1 << 19
"""More points of the half line than this are refused."""

_ITERATIONS = 300
_PADE_POINTS = 64
_POINTS_PER_HEIGHT = 4
_HEIGHT = 1 / 40  # of Delta(i w_0)
_RANGE = 6.0  # in units of the highest phonon frequency or of 2 Delta(i w_0)


def continue_gap(
    spectrum: Spectrum,
    solution: GapSolution,
    *,
    height_mev: float | None = None,
    omega_max_mev: float | None = None,
) -> RealAxisGap:
    """Continue a gap to the real axis by the integral equations of Marsiglio, Schossmann and Carbotte.

    The equations (see `real_axis_equation`) are solved on the line w + i height, on which they are exact, by Anderson
    iteration from a constant gap to `RESIDUAL_TOLERANCE`.

    Parameters
    ----------
    spectrum
        The spectrum that ``solution`` belongs to. An `Alpha2F` is taken as linear between its points if that changes
        lambda and w2 by less than `real_axis_equation.CONSISTENCY`; on a coarser grid it remains the modes that
        `solve_gap` saw.
    solution
        From `solve_gap`.
    height_mev
        Height of the line in meV, below pi kB T/2. By default Delta(i w_0)/40, at most pi kB T/4, and more where that
        would need over `MOST_POINTS` points, as next to Tc.
    omega_max_mev
        End of the frequency range in meV; by default six times the highest phonon frequency or twice the gap,
        whichever is larger. Delta is taken as constant beyond.

    Returns
    -------
    RealAxisGap
        On w_i = i step from 0 to ``omega_max_mev``, with four steps to the height.

    Raises
    ------
    ParameterError
        If the height is not within its bounds, the range does not reach beyond the phonons, or more than
        `MOST_POINTS` would be needed.

    Examples
    --------
    >>> from hightc.eliashberg.gap import solve_gap
    >>> from hightc.eliashberg.modes import CoupledModes
    >>> modes = CoupledModes([10.0], [1.0])
    >>> real = continue_gap(modes, solve_gap(modes, 1.33, 0.0))
    >>> round(real.gap_ratio(13.3010758), 4)
    4.2292
    """
    modes = modes_of(spectrum)
    if solution.status in {GapStatus.INVALID, GapStatus.NOT_CONVERGED} or modes.lam == 0:
        return _nothing(solution, "integral_equation", np.zeros(1))
    temperature_mev = solution.temperature_kelvin * KB_MEV_PER_K
    size_mev, highest_mev = float(np.abs(solution.gap_mev[0])), modes.omega_max_mev
    if omega_max_mev is None:
        omega_max_mev = _RANGE * max(highest_mev, 2 * size_mev)
    if not (isfinite(omega_max_mev) and omega_max_mev > highest_mev):
        raise ParameterError(
            f"omega_max_mev: expected more than the highest phonon frequency, {highest_mev:.6g} meV, found "
            f"{omega_max_mev!r}: leave it out for six times that"
        )
    # The step divides the highest frequency and may come out smaller by up to its ratio to it.
    least_mev = _POINTS_PER_HEIGHT * omega_max_mev / (MOST_POINTS - ceil(omega_max_mev / highest_mev) - 1)
    bound_mev = pi * temperature_mev / 2
    if height_mev is None:
        height_mev = max(min(_HEIGHT * size_mev, bound_mev / 2) if size_mev > 0 else bound_mev / 2, least_mev)
    if not 0 < height_mev <= bound_mev:
        raise ParameterError(
            f"height_mev: expected 0 < height <= pi kB T/2 = {bound_mev:.6g} meV, found {height_mev!r}: "
            "leave it out for a suitable one, or ask for a smaller omega_max_mev"
        )
    if height_mev < least_mev:
        raise ParameterError(
            f"height_mev: expected at least {least_mev:.3g} meV, found {height_mev:.3g}, which needs "
            f"more than {MOST_POINTS} points up to {omega_max_mev:.6g} meV: leave it out for a suitable one"
        )
    # A step that divides the highest frequency: a single mode then is shifted exactly.
    step_mev = highest_mev / ceil(_POINTS_PER_HEIGHT * highest_mev / height_mev)
    bosons = BosonGrid.of(spectrum, step_mev, temperature_mev)
    return _solve(RealAxisEquation(solution, bosons, step_mev, height_mev, ceil(omega_max_mev / step_mev)))


def _solve(equation: RealAxisEquation) -> RealAxisGap:
    solution = equation.solution
    w = equation.frequency[: equation.n + 1]
    renormalisation = solution.renormalisation[0]
    start = np.concatenate([np.full_like(w, solution.gap_mev[0] * renormalisation), renormalisation * w])
    state, residual, iterations = fixed_point(
        equation.step,
        start.view(np.float64),
        np.ones(2 * start.size),
        tolerance=RESIDUAL_TOLERANCE,
        iterations=_ITERATIONS,
    )
    phi, x = np.split(state.view(np.complex128), 2)
    answer = RealAxisGap(
        status=ContinuationStatus.CONVERGED if phi.any() else ContinuationStatus.NORMAL,
        method="integral_equation",
        temperature_kelvin=solution.temperature_kelvin,
        omega_mev=w.real,
        height_mev=equation.height_mev,
        gap_mev=phi * w / x,
        renormalisation=x / w,
        residual=residual,
        iterations=iterations,
    )
    if residual <= RESIDUAL_TOLERANCE:
        return answer
    missing = np.full_like(w, np.nan)
    return replace(answer, status=ContinuationStatus.NOT_CONVERGED, gap_mev=missing, renormalisation=missing)


def continue_by_pade(
    solution: GapSolution, omega_mev: npt.ArrayLike, *, height_mev: float = 0.0, points: int = _PADE_POINTS
) -> RealAxisGap:
    """Continue a gap to the real axis by Pade approximants through the first Matsubara frequencies.

    Delta and Z are continued apart, each by Thiele's continued fraction, which ends where a further point is predicted
    within rounding (see `pade`). The continuation is ill posed: good at and below the gap edge at low
    temperature, doubtful at phonon energies. Approximants through all and through three quarters of the points
    are compared at every ``omega_mev``; if they differ by more than `TRUST` anywhere, the status says so.

    Parameters
    ----------
    solution
        From `solve_gap`.
    omega_mev
        Increasing frequencies in meV, shape (n,).
    height_mev
        Imaginary part of the frequency in meV, >= 0.
    points
        Largest number of Matsubara frequencies, at least 4.

    Returns
    -------
    RealAxisGap

    Raises
    ------
    SpectrumError
        If the frequencies are no real numbers.
    ParameterError
        If the frequencies do not increase, the height is negative or there are fewer than four points.

    References
    ----------
    H. J. Vidberg and J. W. Serene, J. Low Temp. Phys. 29, 179 (1977).
    """
    omega = real_array("omega_mev", omega_mev).copy()
    if omega.ndim != 1 or omega.size < 2 or not (np.isfinite(omega).all() and (np.diff(omega) > 0).all()):
        raise ParameterError(
            f"omega_mev: expected increasing frequencies in meV, shape (n,), n > 1, found shape "
            f"{omega.shape}: sort them"
        )
    if not (isfinite(height_mev) and height_mev >= 0):
        raise ParameterError(f"height_mev: expected a number >= 0, found {height_mev!r}: 0 is the axis itself")
    if points < 4:
        raise ParameterError(f"points: expected at least 4, found {points}: 64 suit most spectra")
    if solution.status is not GapStatus.FOUND:
        return _nothing(solution, "pade", omega)
    z = np.asarray(omega + 1j * height_mev, dtype=np.complex128)
    known = np.asarray(1j * solution.omega_n_mev[:points], dtype=np.complex128)
    gap, gap_change, used = _pade(known, solution.gap_mev[:points], z)
    excess, excess_change, _ = _pade(known, solution.renormalisation[:points] - 1, z)
    residual = max(gap_change, excess_change)
    return RealAxisGap(
        status=ContinuationStatus.CONVERGED if residual <= TRUST else ContinuationStatus.UNTRUSTWORTHY,
        method="pade",
        temperature_kelvin=solution.temperature_kelvin,
        omega_mev=omega,
        height_mev=float(height_mev),
        gap_mev=gap,
        renormalisation=1 + excess,
        residual=residual,
        iterations=used,
    )


def _pade(known: ComplexArray, values: FloatArray, z: ComplexArray) -> tuple[ComplexArray, float, int]:
    """Values at z, how far fewer points change them relative to the largest given one, and the number of points."""
    fraction = ThieleFraction.through(known, values.astype(np.complex128))
    used = fraction.points.size
    fewer = ThieleFraction(fraction.points[: 3 * used // 4], fraction.coefficients[: 3 * used // 4])
    result = fraction(z)
    return result, float(np.abs(result - fewer(z)).max() / np.abs(values).max()), used


def _nothing(solution: GapSolution, method: str, omega_mev: FloatArray) -> RealAxisGap:
    normal = solution.status is GapStatus.NORMAL
    missing = np.full(omega_mev.size, np.nan, dtype=np.complex128)
    return RealAxisGap(
        status=ContinuationStatus.NORMAL if normal else ContinuationStatus.NO_GAP,
        method=method,
        temperature_kelvin=solution.temperature_kelvin,
        omega_mev=omega_mev,
        height_mev=0.0,
        gap_mev=np.zeros_like(missing) if normal else missing,
        renormalisation=missing,
        residual=float("nan"),
        iterations=0,
    )
