"""What terminal and page say of a material: what it took, why it stopped, what can be done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hightc.analysis.documents import (
    Alpha2FDocument,
    CouplingDocument,
    Document,
    FermiDocument,
    ForceConstantsDocument,
    GapDocument,
    MagnetismDocument,
    PhononBandsDocument,
    PhononDocument,
    Provenance,
    ScfDocument,
    StructureDocument,
    VertexDocument,
    WannierDocument,
)
from hightc.launch.results import MaterialResult, Outcome
from hightc.launch.stored_words import redact
from hightc.makers.base import correction_warnings

CALCULATED: Final = (
    StructureDocument,
    ScfDocument,
    CouplingDocument,
    ForceConstantsDocument,
    PhononDocument,
    PhononBandsDocument,
    WannierDocument,
    VertexDocument,
    FermiDocument,
)
"""Documents of one calculation each; alpha2F of the linear response and Tc are made of them."""

BEFORE_FINE_MESHES: Final = ("structure", "wannier", "vertex")
"""Documents whose corrections the spectrum of the fine meshes repeats, in that order, before its own."""

GATE_ADVICE: Final = {
    "metal": "nothing is wrong: without a Fermi surface there is no Tc, but another pressure_gpa may close the gap",
    "pressure": "raise relax_ecutwfc_ry, start from a volume nearer to that of pressure_gpa, or set relax = false",
    "forces": "lower scf_threshold_ry, raise relax_ecutwfc_ry, or set relax = false",
    "wannier": "set a denser k_mesh or a larger band_distance_mev in [wannier], or route = 'linear_response'",
    "fermi_energy": "set a denser k_mesh or finer fine_q_meshes in [wannier], or route = 'linear_response'",
    "stable": "another structure or pressure_gpa may be stable, or a denser q_mesh may mend a marginal mode",
}
"""What can be done about a material that a gate stopped."""


def all_documents(result: MaterialResult) -> list[Document]:
    """Every document of a material.

    Parameters
    ----------
    result
        The material.
    """
    return [document for group in result.documents.values() for document in group]


def provenances(result: MaterialResult) -> list[Provenance]:
    """Provenance of each calculation of a material, each once: documents made of others repeat theirs.

    Parameters
    ----------
    result
        The material.
    """
    found = []
    for document in all_documents(result):
        if isinstance(document, MagnetismDocument):
            found += [state.provenance for state in document.states if state.provenance is not None]
        elif isinstance(document, CALCULATED):
            found.append(document.provenance)
        elif isinstance(document, Alpha2FDocument) and document.route == "wannier":
            found.append(_of_fine_meshes(document, result))
        elif isinstance(document, GapDocument) and not _is_of_a_spectrum(document, result):
            found.append(document.provenance)
    return found


def _of_fine_meshes(spectrum: Alpha2FDocument, result: MaterialResult) -> Provenance:
    """Provenance of the runs on the fine meshes alone, without that of the steps before them."""
    before = [result.documents.get(kind, ())[-1:] for kind in BEFORE_FINE_MESHES]
    repeated = sum(len(part.provenance.corrections) for part in sum(before, ()) if isinstance(part, CALCULATED))
    meshes = spectrum.convergence.meshes if spectrum.convergence else ()
    seconds = [mesh.wall_seconds for mesh in meshes if mesh.wall_seconds is not None]
    corrections = spectrum.provenance.corrections[repeated:]
    return spectrum.provenance.model_copy(
        update={"corrections": corrections, "wall_seconds": sum(seconds) if seconds else None}
    )


def _is_of_a_spectrum(gaps: GapDocument, result: MaterialResult) -> bool:
    """Whether no program ran for the gaps, because there are none: they then name the run of the spectrum."""
    folders = {
        item.provenance.directory for item in result.documents.get("alpha2f", ()) if isinstance(item, Alpha2FDocument)
    }
    return gaps.provenance.directory in folders


def warnings_of(result: MaterialResult) -> list[str]:
    """What a reader should know, each once, without the corrections by handlers.

    Parameters
    ----------
    result
        The material.
    """
    notes = dict.fromkeys(note for document in all_documents(result) for note in document.warnings)
    corrections = set(correction_warnings(provenances(result)))
    return [redact(note) for note in notes if note not in corrections]


def run_folder(result: MaterialResult) -> str | None:
    """Folder of the run: of the step that failed, or the one above all steps; None if nothing ran.

    Parameters
    ----------
    result
        The material.
    """
    if result.failure is not None and result.failure.directory:
        return result.failure.directory
    steps = provenances(result)
    return str(Path(steps[0].directory).parent) if steps else None


def next_step(result: MaterialResult, campaign_file: Path | None = None) -> str | None:
    """Say what the user can do about a material without an answer; None if it has one.

    Parameters
    ----------
    result
        The material.
    campaign_file
        The campaign file, where it is known.
    """
    if result.outcome is Outcome.ANSWERED:
        return None
    if result.outcome is Outcome.UNFINISHED and result.held:
        return f"mend the cause, or set missing = 'carry_on' in that gate of [funnel]; then: {_again(campaign_file)}"
    if result.outcome is Outcome.UNFINISHED:
        return f"go on with: {_again(campaign_file)} (finished steps are kept)"
    return _way_on(result, campaign_file, gated=result.outcome is Outcome.GATED)


def _again(campaign_file: Path | None) -> str:
    return f"hightc run {campaign_file or '<campaign file>'}"


def _way_on(result: MaterialResult, campaign_file: Path | None, *, gated: bool) -> str:
    again = _again(campaign_file)
    if not gated or result.gate is None:
        return f"mend the cause, then: {again} (finished steps are kept)"
    changed = "[funnel]" if result.submission.material.funnel else "the material"
    return f"{GATE_ADVICE.get(result.gate.name, f'change {changed} in the campaign file')}; then: {again}"


@dataclass(frozen=True)
class Shortfall:
    """What an answered material lacks.

    Attributes
    ----------
    message
        What is missing and why.
    next_step
        What the user can do about it.
    """

    message: str
    next_step: str


def shortfall(result: MaterialResult, campaign_file: Path | None = None) -> Shortfall | None:
    """Say what an answered material lacks of what was asked for; None if nothing or without an answer.

    Parameters
    ----------
    result
        The material.
    campaign_file
        The campaign file, where it is known.
    """
    if result.outcome is not Outcome.ANSWERED:
        return None
    lost = missing_answers(result)
    if result.reason is None and not lost:
        return None
    what = f"no {', no '.join(lost)}" if lost else "a step beside the answer has no result"
    reason = result.reason or "its steps did not run"
    return Shortfall(f"{what}: {reason}", _way_on(result, campaign_file, gated=result.gate is not None))


def missing_answers(result: MaterialResult) -> list[str]:
    """Name what was asked of a material and has no document.

    Parameters
    ----------
    result
        The material.
    """
    material = result.submission.material
    missing = []
    if "electron_phonon" in material.studies and result.tc is None:
        missing.append("Tc")
    elif material.wannier is not None and result.tc_of("wannier") is None:
        missing.append("Tc by Wannier functions")
    if "magnetic_softness" in material.studies and result.magnetism is None:
        missing.append("magnetic softness")
    if "nesting" in material.studies and result.fermi is None:
        missing.append("susceptibility")
    return missing


def reuse_line(result: MaterialResult) -> str | None:
    """Say how many calculations of a material were taken over from where; None if none was.

    Parameters
    ----------
    result
        The material.
    """
    steps = provenances(result)
    folders = dict.fromkeys(str(Path(step.reused_from).parent) for step in steps if step.reused_from)
    count = sum(step.reused_from is not None for step in steps)
    return f"{count} of {len(steps)} calculations reused from {', '.join(folders)}" if count else None


def reuse_lines(results: Sequence[MaterialResult]) -> list[str]:
    """Say of each material how many of its calculations were taken over from where.

    Parameters
    ----------
    results
        What became of each material.
    """
    return [f"{result.label}: {line}" for result in results if (line := reuse_line(result)) is not None]


def gate_number(result: MaterialResult) -> str | None:
    """Write the number that stopped a material; None if no gate did or it has no number.

    Parameters
    ----------
    result
        The material.
    """
    gate = result.gate
    if gate is None or gate.value is None:
        return None
    threshold = "" if gate.threshold is None else f", threshold {gate.threshold:.4g} {gate.unit}"
    return f"gate '{gate.name}': {gate.value:.4g} {gate.unit}{threshold}"


def ranked(results: Iterable[MaterialResult]) -> list[MaterialResult]:
    """Sort by the Tc of the Eliashberg equations at the first mu*, answers before the others.

    Parameters
    ----------
    results
        The materials.
    """

    def key(result: MaterialResult) -> tuple[bool, float]:
        entries = result.tc.critical_temperatures if result.tc else ()
        values = [entry.tc_kelvin for entry in entries if entry.method == "eliashberg"]
        return result.tc is None, -(values[0] or 0.0) if values else 0.0

    return sorted(results, key=key)
