"""What the theory answers for one spectrum, one record an answer: coupling, mean frequencies and Tc."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from hightc.analysis.critical_temperature import FORMULA_NAMES
from hightc.analysis.parsers.alpha2f import Alpha2FFile
from hightc.analysis.parsers.units import KELVIN_MEV
from hightc.analysis.spectral_function import LAMBDA_AGREEMENT, NEGATIVE_WEIGHT
from hightc.eliashberg import Alpha2F, TcSolution, TcStatus, critical_temperature
from hightc.eliashberg.formulas import formula_table
from hightc.eliashberg.reduced_basis import LOWEST_TEMPERATURE

Reference = Literal["omega_2", "omega_max"] | float
Group = Literal["spectrum", "tc", "gap", "sensitivity", "spin_fluctuations", "compare"]

FORMULA_CONVENTION: Final = "mu* as the formula was fitted, with no frequency of its own"

LOWEST_FITTED: Final = {"xie_2019": 0.69}
"""Lowest lambda of the data that a formula without a threshold was fitted to: tantalum in the table of P. B. Allen and
R. C. Dynes, Phys. Rev. B 12, 905 (1975)."""

HIGHEST_PLAUSIBLE_MEV: Final = 1000.0
"""No phonon is as fast: those of H2 reach 0.55 eV."""

HIGHEST_PLAUSIBLE_LAMBDA: Final = 20.0
"""No spectrum that was ever computed for a stable crystal comes near."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One number, or why there is none.

    Attributes
    ----------
    group : str
        What kind of question it answers.
    quantity : str
        What was asked, for example ``tc``.
    method : str
        Formula, theory or program.
    mu_star : float or None
        Coulomb pseudopotential; None where it plays no part.
    value : float or None
        The number; None where there is none.
    unit : str
        Its unit; empty for a pure number.
    status : str
        ``found`` if there is a number other than 0 K; otherwise the name of the status that says why not.
    error_estimate : float or None
        Numerical error in the same unit; None where it is not estimated.
    convention : str
        What mu* means here; empty where it plays no part.
    note : str
        What exactly the number is, or what is known against it; empty if its name says all.
    """

    group: Group
    quantity: str
    method: str
    mu_star: float | None
    value: float | None
    unit: str
    status: str = "found"
    error_estimate: float | None = None
    convention: str = ""
    note: str = ""


def spectrum_answers(spectrum: Alpha2F) -> list[Answer]:
    """Coupling and mean frequencies, in meV and K.

    Parameters
    ----------
    spectrum
        The spectral function.
    """
    answers = [Answer("spectrum", "lambda", "integral", None, spectrum.lam, "")]
    for name, value in (
        ("omega_log", spectrum.omega_log_mev),
        ("omega_2", spectrum.omega_2_mev),
        ("omega_max", spectrum.omega_max_mev),
    ):
        exists = bool(np.isfinite(value))
        for unit, size in (("meV", 1.0), ("K", KELVIN_MEV)):
            number = value / size if exists else None
            answers.append(
                Answer("spectrum", name, "integral", None, number, unit, "found" if exists else "no_coupling")
            )
    return answers


def convention_text(reference: Reference, reference_mev: float | None) -> str:
    """Say in words which mu* the Eliashberg equations take.

    Parameters
    ----------
    reference
        The frequency that mu* belongs to.
    reference_mev
        That frequency in meV; None if the spectrum has none.
    """
    name = reference if isinstance(reference, str) else "the frequency given"
    place = name if reference_mev is None else f"{name} = {reference_mev:.5g} meV"
    return f"mu* belongs to {place}: 1/mu*(w) = 1/mu* + ln(w_ref/w), infinite Coulomb cutoff"


def tc_answers(spectrum: Alpha2F, mu_star: float, reference: Reference) -> list[Answer]:
    """Tc by every formula and by the Eliashberg equations.

    Parameters
    ----------
    spectrum
        The spectral function.
    mu_star
        Coulomb pseudopotential.
    reference
        The frequency that mu* belongs to in the Eliashberg equations.
    """
    table = formula_table(spectrum, mu_star)
    answers = [
        _tc(method, table[name], FORMULA_CONVENTION, _reservation(method, spectrum.lam))
        for method, name in FORMULA_NAMES.items()
    ]
    solution = critical_temperature(spectrum, mu_star, reference=reference)
    below = solution.status is TcStatus.BELOW_RANGE
    note = f"below {lowest_tc_kelvin(spectrum):.3g} K, the lowest temperature searched" if below else ""
    return [*answers, _tc("eliashberg", solution, convention_text(reference, solution.reference_mev), note)]


def lowest_tc_kelvin(spectrum: Alpha2F) -> float:
    """Lowest Tc in K that the Eliashberg equations are searched for; nan for a spectrum of zeros.

    Parameters
    ----------
    spectrum
        The spectral function.
    """
    return LOWEST_TEMPERATURE * spectrum.omega_max_mev / KELVIN_MEV


def _reservation(method: str, lam: float) -> str:
    """What is known against a formula at this coupling."""
    lowest = LOWEST_FITTED.get(method, 0.0)
    if lam == 0 or lam >= lowest:
        return ""
    return f"lambda lies below {lowest:g}, the lowest it was fitted to, and it has a Tc even where mu* wins: too high"


def _tc(method: str, solution: TcSolution, convention: str, note: str = "") -> Answer:
    return Answer(
        "tc",
        "tc",
        method,
        solution.mu_star,
        solution.tc_kelvin,
        "K",
        solution.status.value,
        solution.error_estimate_kelvin,
        convention,
        note,
    )


def spectrum_notes(file: Alpha2FFile, spectrum: Alpha2F) -> list[str]:
    """Say what a reader should know of the spectrum.

    Parameters
    ----------
    file
        What was read.
    spectrum
        The spectral function made of it, negative values set to zero.
    """
    notes = list(file.notes)
    if spectrum.lam == 0:
        notes.append("a2F is zero everywhere: nothing couples")
    if spectrum.lam > HIGHEST_PLAUSIBLE_LAMBDA:
        notes.append(
            f"lambda = {spectrum.lam:.3g} is implausible: is a2F in the right column, the frequency in its unit?"
        )
    if spectrum.omega_mev[-1] > HIGHEST_PLAUSIBLE_MEV:
        notes.append(f"{spectrum.omega_mev[-1]:.4g} meV is above every phonon: is the unit right?")
    if spectrum.clipped_lambda > NEGATIVE_WEIGHT * spectrum.lam:
        notes.append(
            f"negative a2F was set to zero, which adds {spectrum.clipped_lambda:.3g} to lambda: use a denser q mesh"
        )
    printed = file.lambda_printed
    if printed is not None and abs(spectrum.lam - printed) > LAMBDA_AGREEMENT * abs(printed):
        notes.append(f"lambda recomputed {spectrum.lam:.4g}, printed in the file {printed:.4g}")
    return notes
