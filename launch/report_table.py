"""The results of a campaign as tables for the terminal, and what tables and pages say of a material."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hightc.analysis.documents import (
    CouplingDocument,
    Document,
    ForceConstantsDocument,
    PhononDocument,
    Provenance,
    ScfDocument,
    StructureDocument,
    TcDocument,
)
from hightc.analysis.plots.wording import (
    MEANINGS,
    METHODS,
    TcKind,
    coupling_range,
    frequency,
    plateau_text,
    tc_kind,
    tc_range,
    tc_text,
)
from hightc.launch.results import MaterialResult, Outcome
from hightc.makers.base import correction_warnings

STYLES: Final[dict[TcKind, str]] = {
    "number": "bold",
    "zero": "cyan",
    "below-range": "yellow",
    "undefined": "magenta",
    "missing": "dim",
}
OUTCOME_STYLES: Final = {
    Outcome.ANSWERED: "green",
    Outcome.GATED: "yellow",
    Outcome.FAILED: "red",
    Outcome.UNFINISHED: "blue",
}

CALCULATED: Final = (StructureDocument, ScfDocument, CouplingDocument, ForceConstantsDocument, PhononDocument)
"""Documents of one calculation each; alpha2F and Tc are made of them."""

GATE_ADVICE: Final = {
    "metal": "nothing is wrong: without a Fermi surface there is no Tc, but another pressure_gpa may close the gap",
    "pressure": "raise relax_ecutwfc_ry, start from a volume nearer to that of pressure_gpa, or set relax = false",
    "forces": "lower scf_threshold_ry, raise relax_ecutwfc_ry, or set relax = false",
    "stable": "another structure or pressure_gpa may be stable, or a denser q_mesh may mend a marginal mode",
}
"""What can be done about a material that a gate stopped."""

MOST_BLOCKS: Final = 25
"""Materials of a campaign that are each shown in full; a larger one is a ranking, one line a material."""

DATABASE_ADDRESS: Final = re.compile(r"mongodb(?:\+srv)?://[^\s'\"]+|(?<=://)[^\s/@]+:[^\s/@]*@")


def redact(text: str) -> str:
    """Hide database addresses and passwords that an error message may hold.

    Parameters
    ----------
    text
        Any text.
    """
    return DATABASE_ADDRESS.sub("(hidden)", text)


def all_documents(result: MaterialResult) -> list[Document]:
    """Every document of a material.

    Parameters
    ----------
    result
        The material.
    """
    return [document for group in result.documents.values() for document in group]


def provenances(result: MaterialResult) -> list[Provenance]:
    """Provenance of each calculation of a material; the spectra repeat those they were made of.

    Parameters
    ----------
    result
        The material.
    """
    return [document.provenance for document in all_documents(result) if isinstance(document, CALCULATED)]


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
    return str(Path(steps[-1].directory).parent) if steps else None


def next_step(result: MaterialResult, campaign_file: Path | None = None) -> str | None:
    """Say what the user can do about a material without an answer; None if it has one.

    Parameters
    ----------
    result
        The material.
    campaign_file
        The campaign file, where it is known.
    """
    again = f"hightc run {campaign_file or '<campaign file>'}"
    if result.outcome is Outcome.ANSWERED:
        return None
    if result.outcome is Outcome.UNFINISHED:
        return f"go on with: {again} (finished steps are kept)"
    if result.outcome is Outcome.FAILED or result.gate is None:
        return f"mend the cause, then: {again} (finished steps are kept)"
    return f"{GATE_ADVICE.get(result.gate.name, 'change the material in the campaign file')}; then: {again}"


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


def result_table(
    results: Sequence[MaterialResult],
    *,
    mu_star: Sequence[float] | None = None,
    campaign_file: Path | None = None,
) -> RenderableType:
    """Final table of a campaign: a block a material, or a ranking where there are very many.

    Parameters
    ----------
    results
        The materials, in the order to be shown.
    mu_star
        Coulomb pseudopotentials to show; those of the campaign if None.
    campaign_file
        The campaign file, named in the next step of those without an answer.
    """
    parts: list[RenderableType] = []
    kinds: set[TcKind] = set()
    for result in results:
        shown = result.submission.material.mu_star if mu_star is None else mu_star
        if len(results) <= MOST_BLOCKS:
            parts += [_header(result), Padding(_block(result, campaign_file, shown), (0, 0, 1, 2))]
        if result.tc is not None:
            kinds |= {tc_kind(result.tc.find(method, mu)) for method in METHODS for mu in shown}
    if len(results) > MOST_BLOCKS:
        parts.append(_ranking(results))
    return Group(*parts, *_legend(results, kinds))


def _header(result: MaterialResult) -> Text:
    text = Text(result.label, style="bold")
    text.append(f"  {result.outcome.value}", style=OUTCOME_STYLES[result.outcome])
    for document in result.documents.get("structure", ())[-1:]:
        if isinstance(document, StructureDocument):
            facts = f"{document.formula}, {document.space_group}, {document.pressure_gpa:.2f} GPa, {document.protocol}"
            text.append(f"  {facts}", style="dim")
    return text


def _block(result: MaterialResult, campaign_file: Path | None, mu_star: Sequence[float]) -> RenderableType:
    parts: list[RenderableType] = []
    if result.tc is not None:
        omega_2 = "undefined" if result.tc.omega_2_mev is None else f"{result.tc.omega_2_mev:.3g} meV"
        means = f"omega_log {frequency(result.tc.omega_log_mev)}, omega_2 {omega_2}"
        spread = result.alpha2f.plateau.relative_spread if result.alpha2f else None
        parts.append(Text(f"lambda {coupling_range(result.tc)}, {means}"))
        parts.append(Text(f"sigma {plateau_text(result.tc, spread)}"))
        parts.append(_tc_table(result.tc, mu_star))
    reason, step = result.reason, next_step(result, campaign_file)
    lines = (("reason", reason), ("number", gate_number(result)), ("folder", run_folder(result)), ("next", step))
    if step is not None:
        grid = Table.grid(padding=(0, 2))
        for name, value in lines:
            if value is not None:
                grid.add_row(Text(name, style="dim"), Text(redact(value), overflow="fold"))
        parts.append(grid)
    parts += [Text(f"! {note}", style="yellow") for note in warnings_of(result)]
    return Group(*parts)


def _tc_table(document: TcDocument, mu_star: Sequence[float]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("Tc in K", no_wrap=True)
    for mu in mu_star:
        table.add_column(f"mu* {mu:.2f}", overflow="fold")
    for method, name in METHODS.items():
        entries = [document.find(method, mu) for mu in mu_star]
        table.add_row(name, *(Text(tc_text(entry), style=STYLES[tc_kind(entry)]) for entry in entries))
    return table


def _ranking(results: Sequence[MaterialResult]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in ("material", "outcome", "lambda", "omega_log", "Tc Eliashberg, all mu*"):
        table.add_column(name, overflow="fold")
    for result in ranked(results):
        outcome = Text(result.outcome.value, style=OUTCOME_STYLES[result.outcome])
        if result.tc is None:
            table.add_row(result.label, outcome, "", "", Text(redact(result.reason or ""), style="dim"))
        else:
            numbers = coupling_range(result.tc), frequency(result.tc.omega_log_mev)
            table.add_row(result.label, outcome, *numbers, tc_range(result.tc, "eliashberg"))
    return table


def _legend(results: Sequence[MaterialResult], kinds: set[TcKind]) -> list[RenderableType]:
    """Explain what stands in the tables, as far as it occurs."""
    documents = [result.tc for result in results if result.tc is not None]
    counts = [(sum(result.outcome is outcome for result in results), outcome.value) for outcome in Outcome]
    noun = "material" if len(results) == 1 else "materials"
    lines = [f"{len(results)} {noun}: " + ", ".join(f"{count} {name}" for count, name in counts if count)]
    if documents:
        reference = ", ".join(sorted({document.mu_star_reference for document in documents}))
        lines.append("Tc at the chosen smearing (range over the smearing plateau); 'no interval': without a plateau.")
        lines.append(
            f"mu* belongs to {reference} in the Eliashberg equations; the formulas take it as their authors fitted it."
        )
    lines += [f"{word}: {meaning}." for kind, (word, meaning) in MEANINGS.items() if kind in kinds]
    return [Text(line, style="dim") for line in lines]
