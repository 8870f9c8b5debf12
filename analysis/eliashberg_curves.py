"""Functions of temperature and frequency that a figure of one solved spectrum shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from hightc.analysis.answers import Reference
from hightc.analysis.parsers.units import KELVIN_MEV
from hightc.eliashberg import Alpha2F, TcSolution
from hightc.eliashberg.continuation import continue_gap
from hightc.eliashberg.errors import ParameterError
from hightc.eliashberg.gap import GapSolution, GapStatus, solve_gap
from hightc.eliashberg.gap_batch import solve_gaps
from hightc.eliashberg.modes import FloatArray
from hightc.eliashberg.real_axis_gap import ContinuationStatus, RealAxisGap
from hightc.eliashberg.sensitivity import Sensitivity, sensitivity

COLD: Final = 0.1
"""T/Tc that stands for zero temperature: the gap is short of its limit by exp(-Delta/kT), below 3e-8."""

LARGEST_RATIO: Final = 3000.0
"""Highest frequency over the usual height of the line on which a gap is continued, beyond which a coarser one is taken:
the usual one would have some 1e5 points and take seconds."""

HIGHEST_LINE: Final = 0.499
"""Height of the coarse line over pi kB T: it must lie below one half."""

SHORT_RANGE: Final = 3.0
"""Range of the coarse line over the highest frequency of the spectrum."""

WEAK_COUPLING: Final = 1 / 2000
"""kB Tc over the highest frequency below which the real axis and the free energy are not computed: both gap and phonons
would have to be resolved, for seconds, then minutes. The limit of weak coupling is near: even in a spectrum with weight
down to zero frequency 2 Delta/kTc is 2 % and the specific-heat jump 8 % above it."""

TEMPERATURES: Final = np.sin(np.linspace(0.064, np.pi / 2, 16))
"""T/Tc of the gap curve, from 0.064 on: dense near Tc, where the gap falls as a square root."""

POINTS: Final = 400
"""Frequencies of dTc/da2F that are evenly spaced, and as many that are evenly spaced in their logarithm."""

LOWEST: Final = 1e-5
"""First of the latter over the last frequency: below the maximum of dTc/da2F at the lowest Tc that is searched."""


@dataclass(frozen=True, slots=True, eq=False)
class EliashbergCurves:
    """What was computed for one spectrum at one mu*.

    Attributes
    ----------
    spectrum : Alpha2F
        The spectral function.
    sensitivity : Sensitivity
        dTc/da2F over the range of the spectrum, and the derivatives to masses and mu*.
    temperature_kelvin, gap_mev : ndarray (n,) or None
        Delta(i pi T) in meV against T in K, the last at Tc; None without a Tc or where an iteration failed.
    real_axis : RealAxisGap or None
        Delta and N(w)/N(0) on the real axis at Tc/10; None as ``gap_mev``, in weak coupling, or where no grid resolves
        the gap.
    """

    spectrum: Alpha2F
    sensitivity: Sensitivity
    temperature_kelvin: FloatArray | None
    gap_mev: FloatArray | None
    real_axis: RealAxisGap | None

    @property
    def solution(self) -> TcSolution:
        """The critical temperature."""
        return self.sensitivity.solution


def eliashberg_curves(spectrum: Alpha2F, mu_star: float, reference: Reference) -> EliashbergCurves:
    """Solve for the curves of a figure.

    Parameters
    ----------
    spectrum
        The spectral function.
    mu_star
        Coulomb pseudopotential.
    reference
        The frequency that mu* belongs to.
    """
    highest = spectrum.omega_mev[-1]
    even, fine = highest * np.arange(1, POINTS + 1) / POINTS, highest * np.geomspace(LOWEST, 1, POINTS)
    found = sensitivity(spectrum, mu_star, reference=reference, omega_mev=np.union1d(even, fine))
    temperature, gap = _gap(spectrum, found.solution, reference)
    real = None
    if gap is not None and found.solution.tc_kelvin and not is_weak(spectrum, found.solution.tc_kelvin):
        real = continued(spectrum, solve_gap(spectrum, COLD * found.solution.tc_kelvin, mu_star, reference=reference))
    return EliashbergCurves(spectrum, found, temperature, gap, real)


def is_weak(spectrum: Alpha2F, tc_kelvin: float) -> bool:
    """Whether Tc lies so far below the phonons that little but the limit of weak coupling would be found.

    Parameters
    ----------
    spectrum
        The spectral function.
    tc_kelvin
        Tc in K.
    """
    return tc_kelvin * KELVIN_MEV < WEAK_COUPLING * spectrum.omega_max_mev


def gaps_below(spectrum: Alpha2F, solution: TcSolution, reference: Reference, reduced: FloatArray) -> FloatArray | None:
    """Delta(i pi kB T) in meV at temperatures below Tc; None where an iteration failed.

    Parameters
    ----------
    spectrum
        The spectral function.
    solution
        Its positive Tc.
    reference
        The frequency that mu* belongs to.
    reduced
        T/Tc, below 1.
    """
    found = solve_gaps(
        spectrum.omega_mev,
        spectrum.alpha2f,
        (solution.tc_kelvin or np.nan) * reduced,
        solution.mu_star,
        reference=reference,
        low_frequency=spectrum.low_frequency,
    )
    return np.asarray(found.gap_mev[:, 0]) if (found.status == GapStatus.FOUND).all() else None


def continued(spectrum: Alpha2F, solution: GapSolution) -> RealAxisGap | None:
    """Gap on the real axis; None where it would need too many frequencies or does not converge.

    Where a gap is so small beside the phonons that the usual grid takes long, a line higher above the axis and a
    shorter range are taken. The edge is brought to the axis all the same; N(w) is seen with less resolution.

    Parameters
    ----------
    spectrum
        The spectral function.
    solution
        The gap on the imaginary axis.
    """
    thermal_mev = np.pi * KELVIN_MEV * solution.temperature_kelvin
    finest_mev = min(float(solution.gap_mev[0]) / 40, thermal_mev / 4)
    choice: dict[str, float] = {}
    if spectrum.omega_max_mev > LARGEST_RATIO * finest_mev:
        choice = {"height_mev": HIGHEST_LINE * thermal_mev, "omega_max_mev": SHORT_RANGE * spectrum.omega_max_mev}
    try:
        real = continue_gap(spectrum, solution, **choice)
    except ParameterError:
        return None  # more points than continue_gap takes
    return real if real.status is ContinuationStatus.CONVERGED else None


def _gap(
    spectrum: Alpha2F, solution: TcSolution, reference: Reference
) -> tuple[FloatArray, FloatArray] | tuple[None, None]:
    if not solution.tc_kelvin:
        return None, None
    # At Tc itself the gap is zero, and the iteration would have nothing to find.
    gap = gaps_below(spectrum, solution, reference, TEMPERATURES[:-1])
    return (None, None) if gap is None else (solution.tc_kelvin * TEMPERATURES, np.append(gap, 0.0))
