"""What the theory answers beyond Tc: the gap, what moves Tc, fluctuations of the spin, and other programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from hightc.analysis.answers import Answer, Reference, convention_text, spectrum_answers, tc_answers
from hightc.analysis.eliashberg_curves import COLD, continued, gaps_below, is_weak
from hightc.analysis.parsers.units import KELVIN_MEV
from hightc.eliashberg import Alpha2F, Spectrum, TcSolution, TcStatus, critical_temperature
from hightc.eliashberg.compatibility import elk_critical_temperature, epw_critical_temperature
from hightc.eliashberg.gap import GapStatus, solve_gap
from hightc.eliashberg.sensitivity import Sensitivity, sensitivity
from hightc.eliashberg.spin_fluctuation_rules import daams_mitrovic_carbotte, three_step_rule
from hightc.eliashberg.spin_fluctuations import critical_temperature_with_spin_fluctuations
from hightc.eliashberg.thermodynamics import thermodynamics
from hightc.eliashberg.window_search import MOST_FREQUENCIES

WSCUT: Final = 10.0
"""EPW's cutoff wscut over the highest frequency: 5 to 10 are usual, and EPW itself has no default."""

PEAK_RANGE: Final = (2e-4, 20.0)
"""Frequencies, over the highest of the spectrum, between which dTc/da2F is searched for its maximum: it lies near 7 to
9 kB Tc, and Tc between 1/20000 of the highest frequency and half of it at lambda = 10."""

PEAK_POINTS: Final = 4000
"""Points of that range, 0.3 % apart."""

FIXED: Final = "w_ref is held fixed in meV, also where it is a mean of the spectrum"
"""What the derivatives of Tc mean."""

GAP_NOTES: Final = {
    "delta_0": f"Delta(i pi kB T) on the imaginary axis at T = {COLD:g} Tc",
    "gap_edge": f"lowest energy of an excitation, where Re Delta(E) = E on the real axis, at T = {COLD:g} Tc",
    "gap_ratio": "2 gap edge/kTc; 3.53 in weak coupling",
    "specific_heat_jump": "Delta C(Tc)/(gamma Tc); 1.43 in weak coupling",
    "field_ratio": "gamma Tc^2/Hc(0)^2 in Gaussian units; 0.168 in weak coupling",
}
"""Each quantity of the gap, and what it is."""


@dataclass(frozen=True, slots=True, eq=False)
class Questions:
    """What is asked beyond Tc.

    Attributes
    ----------
    gap, sensitivity, compare : bool
        Whether to ask :func:`gap_answers`, :func:`sensitivity_answers` and :func:`compatible_answers`.
    paramagnons : Spectrum or None
        Fluctuations of the spin for :func:`spin_fluctuation_answers`; None without.
    wscut_ev : float or None
        As for :func:`compatible_answers`.
    """

    gap: bool = False
    sensitivity: bool = False
    compare: bool = False
    paramagnons: Spectrum | None = None
    wscut_ev: float | None = None


def gap_answers(spectrum: Alpha2F, mu_star: float, reference: Reference) -> list[Answer]:
    """The gap far below Tc, on both axes, and the thermodynamics that goes with it.

    Parameters
    ----------
    spectrum
        The spectral function.
    mu_star
        Coulomb pseudopotential.
    reference
        The frequency that mu* belongs to.
    """
    solution = critical_temperature(spectrum, mu_star, reference=reference)
    found: dict[str, tuple[float | None, str]] = dict.fromkeys(GAP_NOTES, (None, solution.status.value))
    if solution.tc_kelvin:
        cold = gaps_below(spectrum, solution, reference, np.array([COLD]))
        found["delta_0"] = (None, "not_converged") if cold is None else (float(cold[0]), "found")
        weak = is_weak(spectrum, solution.tc_kelvin)
        others = [name for name in GAP_NOTES if name != "delta_0"]
        found |= (
            dict.fromkeys(others, (None, "weak_coupling")) if weak else _strong_coupling(spectrum, solution, reference)
        )
    text = convention_text(reference, solution.reference_mev)
    answers = []
    for name, (value, status) in found.items():
        unit = "meV" if name in ("delta_0", "gap_edge") else ""
        answers.append(Answer("gap", name, "eliashberg", mu_star, value, unit, status, None, text, GAP_NOTES[name]))
    return answers


def _strong_coupling(
    spectrum: Alpha2F, solution: TcSolution, reference: Reference
) -> dict[str, tuple[float | None, str]]:
    """Gap edge in meV, 2 edge/kTc, and what follows from the free energy, each with its status."""
    tc, mu_star = solution.tc_kelvin or np.nan, solution.mu_star
    cold = solve_gap(spectrum, COLD * tc, mu_star, reference=reference)
    real = continued(spectrum, cold) if cold.status is GapStatus.FOUND else None
    edge, ratio = (None, None) if real is None else (real.gap_edge_mev, real.gap_ratio(tc))
    energies = thermodynamics(spectrum, mu_star, np.empty(0), reference=reference)
    solved = energies.status is GapStatus.FOUND
    of_energies = {"specific_heat_jump": energies.specific_heat_jump, "field_ratio": energies.field_ratio}
    return {
        **{
            name: (value, "not_resolved" if value is None else "found")
            for name, value in (("gap_edge", edge), ("gap_ratio", ratio))
        },
        **{name: (value, "found") if solved else (None, energies.status.value) for name, value in of_energies.items()},
    }


def sensitivity_answers(spectrum: Alpha2F, mu_star: float, reference: Reference) -> list[Answer]:
    """What moves Tc: masses, repulsion, and the frequency at which more coupling helps most.

    Parameters
    ----------
    spectrum
        The spectral function.
    mu_star
        Coulomb pseudopotential.
    reference
        The frequency that mu* belongs to.
    """
    highest_mev = spectrum.omega_max_mev if spectrum.lam > 0 else spectrum.omega_mev[-1]
    grid = highest_mev * np.geomspace(*PEAK_RANGE, PEAK_POINTS)
    found = sensitivity(spectrum, mu_star, reference=reference, omega_mev=grid)
    peak_mev, height = _peak(found)
    tc_mev = (found.solution.tc_kelvin or 0.0) * KELVIN_MEV
    text, status = convention_text(reference, found.solution.reference_mev), found.status.value
    answers = []
    for quantity, value, unit in (
        ("isotope_coefficient", found.isotope_coefficient, ""),
        ("dtc_dmu_star", found.dtc_dmu_star, "K"),
        ("dtc_dalpha2f_peak", peak_mev, "meV"),
        ("dtc_dalpha2f_peak_over_tc", None if peak_mev is None else peak_mev / tc_mev, ""),
        ("dtc_dalpha2f_highest", height, "K/meV"),
    ):
        why = "no_maximum" if value is None and status == "found" else status
        answers.append(Answer("sensitivity", quantity, "eliashberg", mu_star, value, unit, why, None, text, FIXED))
    return answers


def _peak(found: Sensitivity) -> tuple[float | None, float | None]:
    """Frequency in meV of the maximum of dTc/da2F, and its value in K/meV; None where it only rises or falls."""
    highest = 0 if found.dtc_dalpha2f is None else int(np.argmax(found.dtc_dalpha2f))
    if found.dtc_dalpha2f is None or highest in (0, found.omega_mev.size - 1):
        return None, None
    return float(found.omega_mev[highest]), float(found.dtc_dalpha2f[highest])


def spin_fluctuation_answers(
    spectrum: Alpha2F, paramagnons: Spectrum, mu_star: float, reference: Reference
) -> list[Answer]:
    """Tc with fluctuations of the spin: exact, by two rescalings of a2F and mu*, and without them.

    Parameters
    ----------
    spectrum
        The spectral function of the phonons.
    paramagnons
        P(w) of the fluctuations, 2 int dw P(w)/w = lambda_sf.
    mu_star
        Coulomb pseudopotential, without what P(w) describes.
    reference
        The frequency of the phonons that mu* belongs to.
    """
    exact = critical_temperature_with_spin_fluctuations(spectrum, paramagnons, mu_star, reference=reference)
    text = convention_text(reference, exact.reference_mev)
    answers = []
    for quantity, value, unit in (("lambda_sf", exact.lam_sf, ""), ("omega_sf", exact.omega_sf_mev, "meV")):
        known = value if np.isfinite(value) else None
        status = "no_coupling" if known is None else "found"
        answers.append(Answer("spin_fluctuations", quantity, "integral", mu_star, known, unit, status))
    for method, found, note in (
        ("exact", exact, "a2F + P in the dressing, a2F - P in the pairing"),
        *_rescaled(spectrum, paramagnons, mu_star, reference),
    ):
        status, error = found.status.value, found.error_estimate_kelvin
        answers.append(
            Answer("spin_fluctuations", "tc", method, mu_star, found.tc_kelvin, "K", status, error, text, note)
        )
    return answers


def _rescaled(
    spectrum: Alpha2F, paramagnons: Spectrum, mu_star: float, reference: Reference
) -> list[tuple[str, TcSolution, str]]:
    """Name, solution and reservation of both rescalings."""
    rules = {"daams_mitrovic_carbotte": daams_mitrovic_carbotte, "three_step": three_step_rule}
    found = {name: rule(spectrum, paramagnons, mu_star, reference=reference) for name, rule in rules.items()}
    reasons = {name: one.reason if np.isfinite(one.frequency_ratio) else None for name, one in found.items()}
    return [(name, one.solution, reasons[name] or "an approximation") for name, one in found.items()]


def compatible_answers(spectrum: Alpha2F, mu_star: float, wscut_ev: float | None = None) -> list[Answer]:
    """Tc that EPW and Elk arrive at for the same spectrum and the same number mu*, and the estimate they print.

    Parameters
    ----------
    spectrum
        The spectral function. EPW counts its frequencies as equally spaced, so it is interpolated to such a grid where
        it has another one.
    mu_star
        Coulomb pseudopotential, used by each program in its own way.
    wscut_ev
        EPW's cutoff in eV; None for :data:`WSCUT` times the highest frequency.
    """
    if spectrum.lam == 0:
        return []
    wscut_ev = WSCUT * spectrum.omega_max_mev * 1e-3 if wscut_ev is None else wscut_ev
    even = _even_grid(spectrum)
    programs = {
        "epw": epw_critical_temperature(even.omega_mev, even.alpha2f, mu_star, wscut_ev=wscut_ev),
        "elk": elk_critical_temperature(spectrum.omega_mev, spectrum.alpha2f, mu_star),
    }
    answers = []
    for name, found in programs.items():
        status, text = found.status.value, found.convention
        note = "a2F interpolated to EPW's even grid" if name == "epw" and even is not spectrum else ""
        why = note
        if name == "epw" and wscut_ev * 1e3 < spectrum.omega_max_mev:
            why = f"wscut = {wscut_ev:g} eV lies below the highest phonon"
        if found.status is TcStatus.BELOW_RANGE:
            status = "too_many_frequencies"
            why = f"below {found.lowest_kelvin:.3g} K, where its sums hold more than {MOST_FREQUENCIES} frequencies"
            why += f"; lower wscut, {wscut_ev:g} eV" if name == "epw" else ""
        answers.append(Answer("compare", "tc", name, mu_star, found.tc_kelvin, "K", status, None, text, why))
        estimate = found.formula_tc_kelvin if np.isfinite(found.formula_tc_kelvin) else None
        status = "invalid" if estimate is None else "found" if estimate > 0 else "no_superconductivity"
        answers.append(Answer("compare", "tc_estimate", name, mu_star, estimate, "K", status, None, text, note))
    return answers


def _even_grid(spectrum: Alpha2F) -> Alpha2F:
    """The spectrum at w_j = j w_n/n; itself where it already stands there."""
    n = spectrum.omega_mev.size
    even = spectrum.omega_mev[-1] * np.arange(1, n + 1) / n
    # printed frequencies are rounded, and a thousandth of a step is no other grid
    if np.abs(spectrum.omega_mev - even).max() < 1e-3 * even[0]:
        return spectrum
    return spectrum.resample(even)


def all_answers(spectrum: Alpha2F, mu_star: Sequence[float], reference: Reference, *, ask: Questions) -> list[Answer]:
    """Answer Tc by every method, and what else is asked.

    Parameters
    ----------
    spectrum
        The spectral function.
    mu_star
        Coulomb pseudopotentials.
    reference
        The frequency that mu* belongs to in the Eliashberg equations.
    ask
        What else to answer.
    """
    answers = spectrum_answers(spectrum)
    for mu in mu_star:
        answers += tc_answers(spectrum, mu, reference)
        answers += gap_answers(spectrum, mu, reference) if ask.gap else []
        answers += sensitivity_answers(spectrum, mu, reference) if ask.sensitivity else []
        if ask.paramagnons is not None:
            answers += spin_fluctuation_answers(spectrum, ask.paramagnons, mu, reference)
        answers += compatible_answers(spectrum, mu, ask.wscut_ev) if ask.compare else []
    return answers
