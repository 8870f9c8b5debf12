"""The results of a campaign as one page without scripts that fetches nothing; Fermi surfaces have pages beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FunctionLoader, StrictUndefined
from pymatgen.core import Structure

from hightc.analysis.documents import Correction, Document, StructureDocument, TcDocument
from hightc.analysis.documents.fermi import NESTING_CAVEAT
from hightc.analysis.files import write_text
from hightc.analysis.plots.wannier_wording import projections_text
from hightc.analysis.plots.wording import (
    MEANINGS,
    METHODS,
    ROUTES,
    TcKind,
    coupling_range,
    frequency,
    mesh_text,
    numerical_error,
    plateau_text,
    tc_kind,
    tc_range,
    tc_text,
)
from hightc.launch.fermi_pages import write_fermi_pages
from hightc.launch.report_facts import (
    gate_number,
    next_step,
    provenances,
    ranked,
    reuse_line,
    run_folder,
    shortfall,
    warnings_of,
)
from hightc.launch.report_figures import figures_of, sensitivity_of
from hightc.launch.report_funnel import funnel
from hightc.launch.report_inputs import TIMES, conventional_cell, lattice_text, numbers, sorted_pseudopotentials
from hightc.launch.report_studies import (
    Lines,
    fluctuation_lines,
    fluctuation_range,
    nesting_lines,
    nesting_row,
    softness_key,
    softness_lines,
    softness_row,
    verdict_text,
)
from hightc.launch.results import MaterialResult, Outcome
from hightc.launch.route_comparison import comparison, wannier_lines
from hightc.launch.stored_words import redact
from hightc.makers.programs import PROGRAMS
from hightc.makers.qe.failures import FAILURES
from hightc.makers.qe.recipe import load_protocol

DASH: Final = "–"  # noqa: RUF001 - typographers' dash between the ends of an interval
MOST_FIGURES: Final = 100
"""Materials that are shown with figures, the highest Tc first: each adds about 0.1 MB and half a second."""

PIECES: Final = re.compile(r"\([^)]*\)|[^(\s][^(]*[^(\s]|\S")
"""A number and its interval in brackets: a narrow page may put the interval on the next line."""

SYMBOLS: Final = {
    r"\blambda_sf\b": "λ_sf",
    r"\blambda\b": "λ",
    r"\bDelta_0\b": "Δ₀",
    r"\beta\b": "η",
    r"\bmu\*": "μ*",
    r"\bomega_2\b": "ω₂",
    r"\bomega_max\b": "ω_max",
    r"(?<=\d)x(?=\d)": "×",  # noqa: RUF001 - a mesh is a product
    r"(?<= )-(?=\d)": "−",  # noqa: RUF001 - a minus sign, not a hyphen
    r" \+/- ": " ± ",
    r"\bchi0\b": "χ₀",
}
"""What the page writes for words of the terminal."""


def write_report(
    results: Sequence[MaterialResult],
    path: Path,
    *,
    campaign: str,
    versions: Mapping[str, str],
    elapsed_seconds: float | None,
    campaign_file: Path | None = None,
) -> None:
    """Write the page of a campaign; an older page is replaced when the new one is complete.

    Parameters
    ----------
    results
        What became of each material.
    path
        The page; its folder must exist.
    campaign
        Name of the campaign.
    versions
        Version of each package that took part, by name.
    elapsed_seconds
        How long the command that ends with this page took, in s; None if it is not of interest.
    campaign_file
        The campaign file, named in the next step of materials without an answer.
    """
    ordered = ranked(results)
    template = page_environment(campaign_file).get_template("report.html.j2")
    page = template.render(
        campaign=campaign,
        written=f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}",
        elapsed=None if elapsed_seconds is None else duration(elapsed_seconds),
        results=ordered,
        figures=[
            figures_of(result, f"m{index}") if index < MOST_FIGURES else {} for index, result in enumerate(ordered)
        ],
        stages=funnel(ordered),
        references=sorted({result.tc.mu_star_reference for result in ordered if result.tc}),
        versions={**versions, **_program_versions(ordered)},
        asked_tc=any("electron_phonon" in result.submission.material.studies for result in ordered),
        softest=sorted(
            ((index, result) for index, result in enumerate(ordered) if result.magnetism is not None),
            key=lambda entry: softness_key(entry[1].magnetism),
        ),
        nested=[(index, result) for index, result in enumerate(ordered) if result.fermi is not None],
        pages=write_fermi_pages(ordered[:MOST_FIGURES], path),
        asked_wannier=any(result.submission.material.wannier is not None for result in ordered),
    )
    write_text(path, page)


def page_environment(campaign_file: Path | None) -> Environment:
    """Templates of pages: what is not markup of theirs is escaped, and addresses of databases are hidden.

    Parameters
    ----------
    campaign_file
        The campaign file, named in the next step of materials without an answer.
    """
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_redacted,
        trim_blocks=True,
        loader=FunctionLoader(lambda name: files("hightc.launch").joinpath(name).read_text(encoding="utf-8")),
    )
    environment.filters.update(_filters(campaign_file))
    environment.globals.update(
        methods=METHODS,
        routes=ROUTES,
        caveat=NESTING_CAVEAT,
        meanings=MEANINGS,
        Outcome=Outcome,
        dash=DASH,
        most_figures=MOST_FIGURES,
    )
    return environment


def duration(seconds: float) -> str:
    """Write a time span.

    Parameters
    ----------
    seconds
        Its length in s.
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def symbols(text: str) -> str:
    """Write a line of the terminal with the letters of a page.

    Parameters
    ----------
    text
        Any text.
    """
    for pattern, letter in SYMBOLS.items():
        text = re.sub(pattern, letter, text)
    return text


def _redacted(value: object) -> object:
    """Let nothing onto the page that looks like the address of a database."""
    return redact(value) if type(value) is str else value


def _filters(campaign_file: Path | None) -> dict[str, Callable[..., Any]]:
    return {
        "compared": lambda result, mu_star: comparison(result, mu_star, dash=DASH, times="×"),  # noqa: RUF001
        "conventional": conventional_cell,
        "corrections": lambda result: [item for run in provenances(result) for item in run.corrections],
        "coupling_range": lambda document: coupling_range(document, DASH),
        "duration": duration,
        "errors_shown": lambda document, mu_star: any(
            numerical_error(document.find(method, mu)) for method in METHODS for mu in mu_star
        ),
        "fluctuation_range": fluctuation_range,
        "fluctuations": fluctuation_lines,
        "folder": run_folder,
        "frequency": frequency,
        "gate_number": gate_number,
        "last": _last,
        "lattice": lattice_text,
        "mesh": lambda mesh: mesh_text(mesh, TIMES),
        "nesting_row": nesting_row,
        "next_step": lambda result: next_step(result, campaign_file),
        "notes": warnings_of,
        "number": lambda value, layout: MEANINGS["missing"][0] if value is None else layout % value,
        "numbers": numbers,
        "numerical_error": numerical_error,
        "pieces": PIECES.findall,
        "physics": _physics,
        "plateau": _plateau,
        "programs": lambda result: _program_versions([result]),
        "protocol": lambda recipe: load_protocol(recipe.protocol).description,
        "projections": projections_text,
        "pseudopotentials": sorted_pseudopotentials,
        "rescaled": _rescaled,
        "reused": reuse_line,
        "seconds": lambda result: sum(run.wall_seconds or 0.0 for run in provenances(result)),
        "sensitivity": sensitivity_of,
        "shortfall": lambda result: shortfall(result, campaign_file),
        "softness_row": softness_row,
        "structure": _structure,
        "studies": _studies,
        "symbols": symbols,
        "tc_kind": tc_kind,
        "tc_range": lambda document, method: tc_range(document, method, DASH),
        "tc_text": lambda entry, route: tc_text(entry, DASH, route=route),
        "verdict": lambda result: verdict_text(result.magnetism, result.fermi),
        "wannier_lines": wannier_lines,
        "words_used": _words_used,
    }


def _last(result: MaterialResult, kind: str) -> Document | None:
    found = result.documents.get(kind, ())
    return found[-1] if found else None


def _physics(correction: Correction) -> str:
    """What a correction changed in the result; documents that do not say it are looked up by their errors."""
    known = "; ".join(item.physics or "nothing" for item in FAILURES if item.code in correction.errors)
    return correction.physics or known


def _rescaled(result: MaterialResult) -> float | None:
    """Lambda at the chosen smearing of the linear response with the density of states by tetrahedra."""
    spectrum = result.alpha2f_of("linear_response")
    return spectrum.lambda_rescaled[spectrum.chosen_smearing] if spectrum and spectrum.lambda_rescaled else None


def _studies(result: MaterialResult) -> list[tuple[str, Lines]]:
    """Headings and facts of the studies beside Tc."""
    found = []
    if result.magnetism is not None:
        found.append(("Magnetic softness", softness_lines(result.magnetism)))
    if result.fermi is not None:
        found.append(("Nesting and spin susceptibility", nesting_lines(result.fermi)))
    return found


def _structure(result: MaterialResult) -> Structure:
    """Relaxed structure, or the one of the campaign where it was not relaxed."""
    relaxed = _last(result, "structure")
    return relaxed.structure if isinstance(relaxed, StructureDocument) else result.submission.material.structure


def _plateau(result: MaterialResult) -> str:
    document = result.alpha2f
    spread = document.plateau.relative_spread if document else None
    return plateau_text(result.tc, spread, DASH) if result.tc else MEANINGS["missing"][0]


def _words_used(document: TcDocument, mu_star: Sequence[float]) -> list[TcKind]:
    """Kinds of answers without a positive number that stand in a table."""
    kinds = {tc_kind(document.find(method, mu)) for method in METHODS for mu in mu_star}
    return [kind for kind in MEANINGS if kind in kinds]


def _program_versions(results: Sequence[MaterialResult]) -> dict[str, str]:
    """Versions of the programs; several are joined."""
    found: dict[str, dict[str, None]] = {f"{name}.x": {} for name in PROGRAMS}
    for result in results:
        for run in provenances(result):
            for name, version in run.codes.items():
                found.setdefault(name, {})[version] = None
    return {name: ", ".join(versions) for name, versions in found.items() if versions}
