"""Critical temperatures of a stored spectrum, over the smearing plateau."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Literal

from hightc.analysis.documents import Alpha2FDocument, CriticalTemperature, TcDocument
from hightc.analysis.documents.tc import Method
from hightc.analysis.parsers.units import KELVIN_MEV
from hightc.analysis.spectral_function import document_spectrum, finite_or_none
from hightc.eliashberg import Alpha2F, TcSolution, critical_temperature
from hightc.eliashberg.formulas import formula_table

Reference = Literal["omega_2", "omega_max"]

WEAK_COUPLING = 1.5
"""lambda/mu* below which the screening practice of the field sets Tc to zero."""

CHEAP_TC = 1 / 500
"""Allen-Dynes kB Tc over the highest phonon frequency above which the equations are solved for the whole plateau.

Below, a solution takes up to 2 s, since the number of Matsubara frequencies grows as 1/Tc."""

FORMULA_NAMES: dict[Method, str] = {
    "mcmillan": "mcmillan_dynes",
    "allen_dynes": "allen_dynes",
    "xie_2019": "xie_2019",
    "xie_2022": "xie_2022",
}


def tc_document(document: Alpha2FDocument, *, mu_star: Sequence[float], reference: Reference) -> TcDocument:
    """Tc by every method, with its range over the smearing plateau.

    Formulas are evaluated for every spectrum of the plateau. The Eliashberg equations are solved for every one where
    that is cheap (:data:`CHEAP_TC`), otherwise for the chosen one and those of lowest and highest Allen-Dynes Tc:
    their range then leaves out spectra that are likely, but not certain, to lie inside it.

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
    entries = tuple(entry for mu in mu_star for entry in _entries(chosen, plateau, float(mu), reference))
    lambdas = [spectrum.lam for spectrum in (chosen, *plateau)]
    frequency = chosen.omega_2_mev if reference == "omega_2" else chosen.omega_max_mev
    return TcDocument(
        **document.model_dump(include={"campaign", "material", "formula", "elements"}),
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
    chosen: Alpha2F, plateau: Sequence[Alpha2F], mu_star: float, reference: Reference
) -> list[CriticalTemperature]:
    """Entries of one mu*; the plateau, where there is one, begins with the chosen spectrum."""
    best = formula_table(chosen, mu_star)
    others = [formula_table(spectrum, mu_star) for spectrum in plateau]
    entries = [
        _entry(method, mu_star, best[name], [table[name] for table in others]) for method, name in FORMULA_NAMES.items()
    ]
    solution = critical_temperature(chosen, mu_star, reference=reference)
    range_over = [
        critical_temperature(plateau[index], mu_star, reference=reference) if index else solution
        for index in _worth_solving(plateau, others)
    ]
    return [*entries, _entry("eliashberg", mu_star, solution, range_over)]


def _worth_solving(plateau: Sequence[Alpha2F], tables: Sequence[Mapping[str, TcSolution]]) -> list[int]:
    """Positions of the first, of the extremes of the Allen-Dynes Tc, and of all whose solution is cheap."""
    values = [table["allen_dynes"].tc_kelvin or 0.0 for table in tables]
    if not values:
        return []
    cheap = {
        index
        for index, (spectrum, value) in enumerate(zip(plateau, values, strict=True))
        if value * KELVIN_MEV > CHEAP_TC * spectrum.omega_max_mev
    }
    return sorted({0, values.index(min(values)), values.index(max(values))} | cheap)


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
    )


def _warnings(spectrum: Alpha2F, mu_star: Sequence[float]) -> list[str]:
    weak = [mu for mu in mu_star if spectrum.lam <= WEAK_COUPLING * mu]
    if not weak:
        return []
    values = ", ".join(f"{mu:.2f}" for mu in weak)
    return [f"lambda {spectrum.lam:.3f} is at most {WEAK_COUPLING} mu* for mu* = {values}: practically no Tc"]
