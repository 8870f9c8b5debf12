"""The results of a campaign as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from hightc.analysis.documents import StructureDocument, TcDocument
from hightc.analysis.plots.wording import (
    MEANINGS,
    METHODS,
    ROUTES,
    TcKind,
    coupling_range,
    frequency,
    plateau_text,
    tc_kind,
    tc_range,
    tc_text,
)
from hightc.launch.report_facts import gate_number, next_step, ranked, run_folder, shortfall, warnings_of
from hightc.launch.report_studies import fluctuation_lines, nesting_lines, softness_lines, verdict_text
from hightc.launch.results import MaterialResult, Outcome
from hightc.launch.route_comparison import ComparisonRow, Quantity, comparison, wannier_lines
from hightc.launch.stored_words import redact

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

QUANTITIES: Final[dict[Quantity, str]] = {
    "lambda": "lambda",
    "omega_log": "omega_log",
    "omega_2": "omega_2",
    "dos": "N(E_F) per eV, spin, cell",
    "smearing": "sigma",
    "k_mesh": "k mesh of the sum",
    "q_mesh": "q mesh of the sum",
}
"""Name of each compared quantity."""

MOST_BLOCKS: Final = 25
"""Materials of a campaign that are each shown in full; a larger one is a ranking, one line a material."""


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
        parts.append(ranking(results))
    return Group(*parts, *_legend(results, kinds))


def _header(result: MaterialResult) -> Text:
    text = Text(result.label, style="bold")
    text.append(f"  {result.outcome.value}", style=OUTCOME_STYLES[result.outcome])
    for document in result.documents.get("structure", ())[-1:]:
        if isinstance(document, StructureDocument):
            pressure_gpa = round(document.pressure_gpa, 2) + 0.0  # no -0.00
            facts = f"{document.formula}, {document.space_group}, {pressure_gpa:.2f} GPa, {document.protocol}"
            text.append(f"  {facts}", style="dim")
    return text


def _block(result: MaterialResult, campaign_file: Path | None, mu_star: Sequence[float]) -> RenderableType:
    parts: list[RenderableType] = []
    compared = comparison(result, mu_star)
    if compared:
        parts.append(_comparison_table(compared))
    elif result.tc is not None:
        omega_2 = "undefined" if result.tc.omega_2_mev is None else f"{result.tc.omega_2_mev:.3g} meV"
        means = f"omega_log {frequency(result.tc.omega_log_mev)}, omega_2 {omega_2}"
        spread = result.alpha2f.plateau.relative_spread if result.alpha2f else None
        parts.append(Text(f"lambda {coupling_range(result.tc)}, {means}"))
        parts.append(Text(f"sigma {plateau_text(result.tc, spread)}"))
        parts.append(_tc_table(result.tc, mu_star))
    parts += _lines([*wannier_lines(result), *fluctuation_lines(result.tc)])
    if result.magnetism is not None:
        parts += _lines(softness_lines(result.magnetism))
    if result.fermi is not None:
        parts += _lines(nesting_lines(result.fermi))
    step, missing = next_step(result, campaign_file), shortfall(result, campaign_file)
    if step is not None:
        stop = {"reason": result.reason, "number": gate_number(result), "folder": run_folder(result), "next": step}
        parts += _lines((name, value) for name, value in stop.items() if value is not None)
    if missing is not None:
        parts.append(Text(f"! {redact(missing.message)}", style="yellow", overflow="fold"))
        parts += _lines([("next", missing.next_step)])
    parts += [Text(f"! {note}", style="yellow") for note in warnings_of(result)]
    return Group(*parts)


def _lines(lines: Iterable[tuple[str, str]]) -> list[RenderableType]:
    """Names and texts in two columns; nothing if there are none."""
    grid = Table.grid(padding=(0, 2))
    for name, value in lines:
        grid.add_row(Text(name, style="dim"), Text(redact(value), overflow="fold"))
    return [grid] if grid.row_count else []


def _comparison_table(rows: Sequence[ComparisonRow]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("", no_wrap=True)
    for name in ROUTES.values():
        table.add_column(name, overflow="fold")
    for row in rows:
        name = QUANTITIES[row.quantity] if row.method is None else f"Tc {row.method}, mu* {row.mu_star:.2f}"
        styles = [STYLES[kind] if row.method else "" for kind in row.kinds]
        table.add_row(name, *(Text(value, style=style) for value, style in zip(row.values, styles, strict=True)))
    return table


def _tc_table(document: TcDocument, mu_star: Sequence[float]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("Tc in K", no_wrap=True)
    for mu in mu_star:
        table.add_column(f"mu* {mu:.2f}", overflow="fold")
    for method, name in METHODS.items():
        entries = [document.find(method, mu) for mu in mu_star]
        table.add_row(
            name, *(Text(tc_text(entry, route=document.route), style=STYLES[tc_kind(entry)]) for entry in entries)
        )
    return table


def ranking(results: Sequence[MaterialResult]) -> Table:
    """One line a material, the highest Tc first.

    Parameters
    ----------
    results
        The materials.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for name in ("material", "outcome", "lambda", "omega_log", "Tc Eliashberg, all mu*"):
        table.add_column(name, overflow="fold")
    for result in ranked(results):
        outcome = Text(result.outcome.value, style=OUTCOME_STYLES[result.outcome])
        if result.tc is None:
            said = result.reason or verdict_text(result.magnetism, result.fermi)
            table.add_row(result.label, outcome, "", "", Text(redact(said), style="dim"))
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
    if any(document.route == "wannier" for document in documents):
        lines.append("Wannier: one smearing on the finest meshes; the last changes stand in place of a range.")
    if documents:
        reference = ", ".join(sorted({document.mu_star_reference for document in documents}))
        lines.append("Tc at the chosen smearing (range over the smearing plateau); 'no interval': without a plateau.")
        lines.append(
            f"mu* belongs to {reference} in the Eliashberg equations; the formulas take it as their authors fitted it."
        )
    lines += [f"{word}: {meaning}." for kind, (word, meaning) in MEANINGS.items() if kind in kinds]
    return [Text(line, style="dim") for line in lines]
