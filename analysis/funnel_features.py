"""Numbers that a gate of the funnel may ask for: which there are, when they are known, and where they come from.

The list is frozen: models are fitted to features by name, so a feature is never given another meaning.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, get_args

import numpy as np
from pymatgen.core import Structure

from hightc.analysis.documents.decision import FeatureValue, GateDecisionDocument, MomentDocument, Stage
from hightc.analysis.documents.phonon import PhononDocument
from hightc.analysis.documents.structure import ScfDocument, StructureDocument
from hightc.analysis.documents.tc import Method, TcDocument
from hightc.analysis.parsers.units import KELVIN_MEV
from hightc.eliashberg.reduced_basis import LOWEST_TEMPERATURE

STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
"""In the order a material goes through them."""


@dataclass(frozen=True)
class Feature:
    """One number.

    Attributes
    ----------
    name
        Its name, with the unit.
    stage
        The stage after which it is known.
    unit
        Its unit; empty without one.
    description
        What it is, with its unit.
    """

    name: str
    stage: Stage
    unit: str
    description: str


FEATURES: Final[Mapping[str, Feature]] = {
    feature.name: feature
    for feature in (
        Feature("n_atoms", "electrons", "atoms", "Atoms in the primitive cell."),
        Feature("n_elements", "electrons", "elements", "Different elements."),
        Feature("mean_atomic_mass_u", "electrons", "u", "Mean mass of an atom in u."),
        Feature("lightest_atomic_mass_u", "electrons", "u", "Mass of the lightest element in u."),
        Feature("mean_atomic_number", "electrons", "", "Mean atomic number."),
        Feature(
            "mean_electronegativity",
            "electrons",
            "Pauling",
            "Mean electronegativity of Pauling; none if an element has none.",
        ),
        Feature(
            "volume_per_atom_angstrom3",
            "electrons",
            "Angstrom^3/atom",
            "Volume of the relaxed cell in Angstrom^3 per atom.",
        ),
        Feature("pressure_gpa", "electrons", "GPa", "Pressure of the relaxed cell in GPa."),
        Feature("band_gap_ev", "electrons", "eV", "Gap at the Fermi energy on the dense k mesh in eV; 0 for a metal."),
        Feature(
            "dos_per_ev_spin_cell",
            "electrons",
            "states/eV/spin/cell",
            "Density of states at the Fermi energy of the dense k mesh by tetrahedra, states/eV/spin/cell.",
        ),
        Feature("dos_per_ev_spin_atom", "electrons", "states/eV/spin/atom", "The same in states/eV/spin/atom."),
        Feature(
            "moment_bohr_magneton_per_atom",
            "electrons",
            "Bohr magnetons/atom",
            "Magnitude of the spin moment in Bohr magnetons per atom, from parallel spins; needs moment = true.",
        ),
        Feature(
            "abs_moment_bohr_magneton_per_atom",
            "electrons",
            "Bohr magnetons/atom",
            "Integral of the absolute spin density in Bohr magnetons per atom; needs moment = true.",
        ),
        Feature("lowest_phonon_mev", "phonons", "meV", "Lowest interpolated frequency in meV; negative if imaginary."),
        Feature("mean_phonon_mev", "phonons", "meV", "Mean frequency of the phonon density of states in meV."),
        Feature("highest_phonon_mev", "phonons", "meV", "Highest frequency of the phonon density of states in meV."),
        Feature("lambda", "alpha2f", "", "Electron-phonon coupling at the chosen smearing."),
        Feature("omega_log_mev", "alpha2f", "meV", "Logarithmic frequency in meV; none if lambda is 0."),
        Feature("omega_2_mev", "alpha2f", "meV", "Root mean square frequency in meV; none if lambda is 0."),
        Feature("tc_kelvin", "alpha2f", "K", "Tc of Allen and Dynes at the first mu* of the campaign in K."),
        Feature(
            "tc_eliashberg_kelvin",
            "alpha2f",
            "K",
            "Tc of the Eliashberg equations at the first mu* in K; under the lowest temperature searched, that bound.",
        ),
    )
}
"""Every feature by name."""

DOS_SHARE: Final = 1e-6
"""Part of the largest phonon density of states that counts as none, where the highest frequency is looked for."""


def known_after(stage: Stage) -> tuple[str, ...]:
    """Names of the features that are known after a stage.

    Parameters
    ----------
    stage
        The stage.
    """
    last = STAGES.index(stage)
    return tuple(name for name, feature in FEATURES.items() if STAGES.index(feature.stage) <= last)


def electron_features(
    structure: StructureDocument,
    dense: ScfDocument,
    *,
    dos_per_ev_spin_cell: float | None,
    no_dos_reason: str | None,
    moment: MomentDocument | None,
) -> tuple[FeatureValue, ...]:
    """Features of composition, cell and electrons.

    Parameters
    ----------
    structure
        The relaxed structure.
    dense
        Self-consistency on the dense mesh.
    dos_per_ev_spin_cell
        N(E_F) in states/eV/spin/cell; None if it could not be computed.
    no_dos_reason
        Why not; None if it was.
    moment
        The moment; None if the campaign does not ask for it.
    """
    n_atoms = len(structure.structure)
    total = None if moment is None else moment.total_magnetization_bohr_magneton
    absolute = None if moment is None else moment.absolute_magnetization_bohr_magneton
    no_moment = "not asked for: moment = true in [funnel]" if moment is None else moment.reason
    return (
        *_composition(structure.structure),
        _value("volume_per_atom_angstrom3", structure.structure.volume / n_atoms),
        _value("pressure_gpa", structure.pressure_gpa),
        _value("band_gap_ev", dense.band_gap_ev),
        _value("dos_per_ev_spin_cell", dos_per_ev_spin_cell, no_dos_reason),
        _value("dos_per_ev_spin_atom", _per(dos_per_ev_spin_cell, n_atoms), no_dos_reason),
        _value("moment_bohr_magneton_per_atom", _per(None if total is None else abs(total), n_atoms), no_moment),
        _value("abs_moment_bohr_magneton_per_atom", _per(absolute, n_atoms), no_moment),
    )


def phonon_features(phonon: PhononDocument) -> tuple[FeatureValue, ...]:
    """Features of interpolated phonons.

    Parameters
    ----------
    phonon
        The phonons.
    """
    omega_mev, dos = np.asarray(phonon.omega_mev), np.asarray(phonon.dos_per_mev)
    some = dos > DOS_SHARE * dos.max(initial=0.0)
    no_dos = "the phonon density of states is empty"
    return (
        _value("lowest_phonon_mev", phonon.lowest_frequency_mev),
        _value("mean_phonon_mev", float(omega_mev @ dos / dos.sum()) if some.any() else None, no_dos),
        _value("highest_phonon_mev", float(omega_mev[some].max()) if some.any() else None, no_dos),
    )


def tc_features(tc: TcDocument, phonon: PhononDocument | None = None) -> tuple[FeatureValue, ...]:
    """Features of the coupling and of Tc.

    Parameters
    ----------
    tc
        Critical temperatures; the first mu* is that of the first entry.
    phonon
        The phonons of the spectrum, which bound a Tc under the lowest temperature searched where mu* does not belong
        to the highest frequency; None: such a Tc has no bound then.
    """
    no_lambda = "lambda is 0"
    return (
        _value("lambda", tc.lambda_),
        _value("omega_log_mev", tc.omega_log_mev, no_lambda),
        _value("omega_2_mev", tc.omega_2_mev, no_lambda),
        _temperature("tc_kelvin", tc, "allen_dynes"),
        _temperature("tc_eliashberg_kelvin", tc, "eliashberg", _lowest_kelvin(tc, phonon)),
    )


def joined_features(
    before: GateDecisionDocument | None, new: Iterable[FeatureValue], stage: Stage
) -> tuple[FeatureValue, ...]:
    """Features of an earlier decision and new ones, in the order of the list.

    Parameters
    ----------
    before
        The decision of an earlier stage; None if there is none.
    new
        Features that have been computed since.
    stage
        The stage that was just finished.
    """
    found = {entry.name: entry for entry in (*(before.features if before else ()), *new)}
    return tuple(found.get(name) or _value(name, None, "it was not computed") for name in known_after(stage))


def _composition(structure: Structure) -> tuple[FeatureValue, ...]:
    elements = [site.specie for site in structure]
    masses = [float(element.atomic_mass) for element in elements]
    # X warns where Pauling has no value
    pauling = [_number(element.data.get("X")) for element in elements]
    known = [value for value in pauling if value is not None]
    nameless = sorted({element.symbol for element, value in zip(elements, pauling, strict=True) if value is None})
    return (
        _value("n_atoms", len(structure)),
        _value("n_elements", len({element.symbol for element in elements})),
        _value("mean_atomic_mass_u", float(np.mean(masses))),
        _value("lightest_atomic_mass_u", min(masses)),
        _value("mean_atomic_number", float(np.mean([element.Z for element in elements]))),
        _value(
            "mean_electronegativity",
            None if nameless else float(np.mean(known)),
            f"{', '.join(nameless)} has no electronegativity of Pauling",
        ),
    )


def _number(given: object) -> float | None:
    return float(given) if isinstance(given, int | float) and math.isfinite(given) else None


def _lowest_kelvin(tc: TcDocument, phonon: PhononDocument | None) -> float | None:
    """Temperature in K that a search did not go below, or one a little above; None if it is not known."""
    highest_mev = tc.mu_star_reference_mev if tc.mu_star_reference == "omega_max" else None
    if highest_mev is None and phonon is not None:
        # the spectrum lies on the frequencies of the density of states
        highest_mev = max(phonon.omega_mev, default=None)
    return None if highest_mev is None else LOWEST_TEMPERATURE * highest_mev / KELVIN_MEV


def _temperature(name: str, tc: TcDocument, method: Method, lowest_kelvin: float | None = None) -> FeatureValue:
    mu_star = tc.critical_temperatures[0].mu_star if tc.critical_temperatures else math.nan
    entry = tc.find(method, mu_star)
    if entry is None:
        return _value(name, None, f"no Tc by {method} was computed at mu* {mu_star:g}")
    said = {"below_range": "under the lowest temperature searched", "invalid": "the method has no meaning here"}
    found = _value(name, entry.tc_kelvin, f"Tc by {method}: {said.get(entry.status, entry.status)}")
    return found.model_copy(update={"at_most": lowest_kelvin}) if entry.status == "below_range" else found


def _per(total: float | None, n_atoms: int) -> float | None:
    return None if total is None else total / n_atoms


def _value(name: str, value: float | None, reason: str | None = None) -> FeatureValue:
    if value is None or not math.isfinite(value):
        return FeatureValue(name=name, value=None, reason=reason or "it could not be computed")
    return FeatureValue(name=name, value=float(value), reason=None)
