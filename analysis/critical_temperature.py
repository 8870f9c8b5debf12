"""Critical temperatures of a stored spectrum, over the smearing plateau."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Literal

from hightc.analysis.documents import (
    Alpha2FDocument,
    CriticalTemperature,
    SpinFluctuationInterval,
    TcDocument,
)
from hightc.analysis.documents.base import IDENTITY
from hightc.analysis.documents.tc import Method, TcSensitivity
from hightc.analysis.spectral_function import document_spectrum, finite_or_none
from hightc.analysis.spin_fluctuation_interval import spin_fluctuation_interval
from hightc.eliashberg import Alpha2F, TcSolution, critical_temperature
from hightc.eliashberg.formulas import formula_table
from hightc.eliashberg.sensitivity import Sensitivity, sensitivity

Reference = Literal["omega_2", "omega_max"]

WEAK_COUPLING = 1.5
"""lambda/mu* below which the screening practice of the field sets Tc to zero."""

SENSITIVITY_CONVENTION = (
    "each derivative holds the reference frequency of mu* fixed in meV, also where it is a mean of the spectrum"
)
"""What is held fixed in the derivatives of Tc."""

NO_DERIVATIVES = {
    "no_superconductivity": "Tc is 0 K: the normal state is stable at every temperature",
    "below_range": "Tc lies under the lowest temperature searched",
    "invalid": "mu* has no value on the scale of the phonons",
}
"""Why a Tc of each status has no derivatives."""

FORMULA_NAMES: dict[Method, str] = {
    "mcmillan": "mcmillan_dynes",
    "allen_dynes": "allen_dynes",
    "xie_2019": "xie_2019",
    "xie_2022": "xie_2022",
}


def tc_document(document: Alpha2FDocument, *, mu_star: Sequence[float], reference: Reference) -> TcDocument:
    """Tc by every method, with its range over the smearing plateau.

    Parameters
    ----------
    document
        The spectral function.
    mu_star
        Coulomb pseudopotentials.
    reference
        The frequency that mu* belongs to.
    """
    chosen = document_spectrum(document)
    others = document.plateau.indices
    plateau = [document_spectrum(document, index) for index in others if index != document.chosen_smearing]
    if others:
        plateau.insert(0, chosen)
    moved = sensitivity(chosen, float(mu_star[0]), reference=reference) if mu_star else None
    solutions = [
        moved.solution if moved and not index else critical_temperature(chosen, float(mu), reference=reference)
        for index, mu in enumerate(mu_star)
    ]
    entries = tuple(entry for solution in solutions for entry in _entries(chosen, plateau, solution, reference))
    lambdas = [spectrum.lam for spectrum in (chosen, *plateau)]
    frequency = chosen.omega_2_mev if reference == "omega_2" else chosen.omega_max_mev
    return TcDocument(
        **document.model_dump(include=IDENTITY),
        warnings=(*document.warnings, *_warnings(chosen, mu_star)),
        lambda_=chosen.lam,
        omega_log_mev=finite_or_none(chosen.omega_log_mev),
        omega_2_mev=finite_or_none(chosen.omega_2_mev),
        smearing_ev=document.smearing_ev[document.chosen_smearing],
        plateau_smearing_ev=tuple(document.smearing_ev[index] for index in document.plateau.indices),
        lambda_low=min(lambdas),
        lambda_high=max(lambdas),
        mu_star_reference=reference,
        mu_star_reference_mev=finite_or_none(frequency),
        critical_temperatures=entries,
        alpha2f_sha256=spectrum_sha256(document),
        route=document.route,
        sensitivity=_sensitivity(document, moved) if moved else None,
        spin_fluctuations=_fluctuations(document, mu_star, reference),
    )


def _fluctuations(
    document: Alpha2FDocument, mu_star: Sequence[float], reference: Reference
) -> SpinFluctuationInterval | None:
    return spin_fluctuation_interval(document, float(mu_star[0]), reference=reference) if mu_star else None


def _sensitivity(document: Alpha2FDocument, moved: Sensitivity) -> TcSensitivity:
    """Derivatives on the document's own frequencies; at a leading zero, which no mode has, the derivative is 0."""
    derivative = None
    if moved.dtc_dalpha2f is not None:
        zeros = len(document.omega_mev) - moved.omega_mev.size
        derivative = (*(0.0,) * zeros, *moved.dtc_dalpha2f.tolist())
    return TcSensitivity(
        mu_star=moved.solution.mu_star,
        convention=SENSITIVITY_CONVENTION,
        dtc_dalpha2f_kelvin_per_mev=derivative,
        isotope_coefficient=moved.isotope_coefficient,
        dtc_dmu_star_kelvin=moved.dtc_dmu_star,
        reason=NO_DERIVATIVES.get(moved.status.value),
    )


def spectrum_sha256(document: Alpha2FDocument) -> str:
    """Digest of the spectra of a document, whatever campaign computed them.

    Parameters
    ----------
    document
        The spectral function.
    """
    content = json.dumps([document.omega_mev, document.alpha2f, document.smearing_ev, document.chosen_smearing])
    return hashlib.sha256(content.encode()).hexdigest()


def _entries(
    chosen: Alpha2F, plateau: Sequence[Alpha2F], solution: TcSolution, reference: Reference
) -> list[CriticalTemperature]:
    """Entries of one mu*, solved for the chosen spectrum; the plateau, where there is one, begins with it."""
    mu_star = solution.mu_star
    best = formula_table(chosen, mu_star)
    others = [formula_table(spectrum, mu_star) for spectrum in plateau]
    entries = [
        _entry(method, mu_star, best[name], [table[name] for table in others]) for method, name in FORMULA_NAMES.items()
    ]
    solved = [critical_temperature(spectrum, mu_star, reference=reference) for spectrum in plateau]
    return [*entries, _entry("eliashberg", mu_star, solution, solved)]


def _entry(method: Method, mu_star: float, best: TcSolution, others: Sequence[TcSolution]) -> CriticalTemperature:
    values = [solution.tc_kelvin for solution in others if solution.tc_kelvin is not None]
    complete = bool(values) and len(values) == len(others)
    return CriticalTemperature(
        method=method,
        mu_star=mu_star,
        status=best.status.value,
        tc_kelvin=best.tc_kelvin,
        low_kelvin=min(values) if complete else None,
        high_kelvin=max(values) if complete else None,
        error_estimate_kelvin=best.error_estimate_kelvin,
    )


def _warnings(spectrum: Alpha2F, mu_star: Sequence[float]) -> list[str]:
    weak = [mu for mu in mu_star if spectrum.lam <= WEAK_COUPLING * mu]
    if not weak:
        return []
    values = ", ".join(f"{mu:.2f}" for mu in weak)
    return [f"lambda {spectrum.lam:.3f} is at most {WEAK_COUPLING} mu* for mu* = {values}: practically no Tc"]
