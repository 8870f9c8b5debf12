"""The critical temperature with fluctuations of the spin beside the phonons: an interval and what it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hightc.analysis.paramagnon_coupling import ParamagnonCoupling
from hightc.eliashberg import (
    Spectrum,
    TcSolution,
    TcStatus,
    critical_temperature,
    critical_temperature_with_spin_fluctuations,
    paramagnon_modes,
)
from hightc.eliashberg.coulomb import Reference

LOWEST_KELVIN = 0.5
"""Ends of an interval below it are not searched for: they say that the fluctuations may leave nothing to measure."""


@dataclass(frozen=True, slots=True)
class TcBound:
    """One end of an interval of critical temperatures.

    Attributes
    ----------
    tc_kelvin : float or None
        Tc in K; 0.0 where there is no superconductivity, None with a reason.
    status : TcStatus or None
        How the search ended; None where no coupling was known to search with.
    lambda_sf, width_mev : float or None
        Coupling and width in meV of the fluctuations it belongs to.
    reason : str or None
        Why there is no number.
    """

    tc_kelvin: float | None
    status: TcStatus | None
    lambda_sf: float | None
    width_mev: float | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class SpinFluctuationTc:
    """Tc of phonons alone and of phonons with fluctuations.

    Attributes
    ----------
    low, high : TcBound
        Ends of the interval with fluctuations: of the largest and of the smallest lambda_sf.
    without : TcSolution
        Phonons alone.
    coupling : ParamagnonCoupling
        What the interval comes from.
    """

    low: TcBound
    high: TcBound
    without: TcSolution
    coupling: ParamagnonCoupling


MISSING = {
    TcStatus.BELOW_RANGE: f"Tc is not zero, but lies under {LOWEST_KELVIN:g} K, the lowest temperature searched",
    TcStatus.INVALID: "mu* has no value on the scale of the phonons or of the fluctuations",
}
"""Why a search of each status has no temperature."""


def tc_with_spin_fluctuations(
    spectrum: Spectrum, coupling: ParamagnonCoupling, mu_star: float, *, reference: Reference | float = "omega_2"
) -> SpinFluctuationTc:
    """Solve the Eliashberg equations at the ends of an interval of lambda_sf.

    Tc falls as lambda_sf grows, so that its low end is that of the largest coupling; on the width it depends weakly and
    not always in one direction, so that both widths are tried at each end.

    Parameters
    ----------
    spectrum
        Phonons, as ``document_spectrum`` makes them of a stored spectral function.
    coupling
        The interval of lambda_sf and of the widths.
    mu_star
        Coulomb pseudopotential, without the fluctuations.
    reference
        The frequency that mu* belongs to, or a number in meV.

    Returns
    -------
    SpinFluctuationTc
        An end whose coupling has no bound, because the metal orders, has no number but a reason.

    Raises
    ------
    ParameterError, ConvergenceError
        As ``critical_temperature_with_spin_fluctuations``.

    References
    ----------
    N. F. Berk and J. R. Schrieffer, Phys. Rev. Lett. 17, 433 (1966); for vanadium, whose phonons alone would give some
    18 K and which has 5.4 K, H. Rietschel and H. Winter, Phys. Rev. Lett. 43, 1256 (1979).
    """
    without = critical_temperature(spectrum, mu_star, reference=reference)
    widths = sorted({width for width in (coupling.width_low_mev, coupling.width_high_mev) if width is not None})

    def bounds(lambda_sf: float | None) -> list[TcBound]:
        if lambda_sf is None:
            return [TcBound(None, None, None, None, coupling.reason)]
        if lambda_sf == 0 or not widths:
            return [_bound(without, 0.0, None)]
        return [
            _bound(
                critical_temperature_with_spin_fluctuations(
                    spectrum,
                    paramagnon_modes(lambda_sf, width),
                    mu_star,
                    reference=reference,
                    lowest_kelvin=LOWEST_KELVIN,
                ),
                lambda_sf,
                width,
            )
            for width in widths
        ]

    return SpinFluctuationTc(
        low=_end(bounds(coupling.lambda_high), -1),
        high=_end(bounds(coupling.lambda_low), 1),
        without=without,
        coupling=coupling,
    )


def _bound(solution: TcSolution, lambda_sf: float, width_mev: float | None) -> TcBound:
    return TcBound(solution.tc_kelvin, solution.status, lambda_sf, width_mev, MISSING.get(solution.status))


def _end(bounds: Sequence[TcBound], sign: int) -> TcBound:
    """The lowest (-1) or highest (1) of some bounds; one that is invalid, or unknown, makes the end so."""
    unknown = [bound for bound in bounds if bound.status in (None, TcStatus.INVALID)]
    return unknown[0] if unknown else max(bounds, key=lambda bound: sign * _height(bound))


def _height(bound: TcBound) -> float:
    """Order of temperatures, with one below the range between 0 K and all that were found."""
    if bound.status is TcStatus.BELOW_RANGE:
        return 1e-12
    return bound.tc_kelvin or 0.0
