"""The page of one material in the site of a campaign."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import Environment
from markupsafe import Markup

from hightc.analysis.documents import Document, Gate, MagnetismDocument, Provenance, StructureDocument
from hightc.launch.report_facts import all_documents
from hightc.launch.report_inputs import conventional_cell
from hightc.launch.report_site.crystal import crystal_figure, site_rows, structure_files
from hightc.launch.report_site.figures import site_figures
from hightc.launch.report_site.script_data import script_json
from hightc.launch.results import GATES_THAT_INFORM, MaterialResult

TALL: Final = {"alpha2f": "high", "softness": "high", "nesting": "high", "meshes": "high", "smearing": "middle"}
"""Heights of figures with panels above each other, as classes of the style sheet."""

MADE_OF_OTHERS: Final = frozenset({"tc", "tc linear response", "tc wannier", "alpha2f linear response"})
"""Documents that no program ran for."""

SOURCE_FIELDS: Final = {
    "kind": "Kind",
    "database": "From",
    "identifier": "Identifier",
    "entry": "Entry",
    "composition": "Reported as",
    "tc_kelvin": "Reported Tc (K)",
    "tc_meaning": "What that means",
    "doping_fraction": "Doping left out",
    "choice": "Chosen because",
    "doi": "DOI",
    "licence": "Licence",
}
"""Headings of what is known of a source."""

SCRIPTS: Final = ("plotly.min.js", "plots.js")


@dataclass(frozen=True)
class PagePlace:
    """Where the page of a material stands.

    Attributes
    ----------
    root
        The site's folder as seen from the page, with a slash at the end.
    file_name
        Start of the names of files that the page gives away.
    fermi
        Address of its Fermi surface from the page; None if there is none.
    site_name
        Name of the site.
    several
        Whether the site has several campaigns.
    campaign_file
        The campaign file as it was named; None if it was not.
    made
        Changes with the scripts, so that no browser keeps old ones.
    updated
        When something was stored of the material last.
    """

    root: str
    file_name: str
    fermi: str | None
    site_name: str
    several: bool
    campaign_file: str | None
    made: str
    updated: str


def material_page(result: MaterialResult, environment: Environment, place: PagePlace) -> str:
    """Write the page of a material.

    Parameters
    ----------
    result
        What became of it.
    environment
        Templates, as of :func:`hightc.launch.report.page_environment`.
    place
        Where the page stands.
    """
    relaxed = result.documents.get("structure", ())[-1:]
    primitive = (
        relaxed[0].structure
        if relaxed and isinstance(relaxed[0], StructureDocument)
        else result.submission.material.structure
    )
    figures, conventional = site_figures(result), conventional_cell(primitive)
    sources, source_count = _sources(result)
    return environment.get_template("report_site/material.html.j2").render(
        title=result.label,
        root=place.root,
        scripts=SCRIPTS,
        made=place.made,
        site_name=place.site_name,
        several=place.several,
        result=result,
        index=0,
        figures=[{name: _panel(name) for name in figures}],
        pages={} if place.fermi is None else {0: place.fermi},
        figures_json=Markup(  # noqa: S704 - escaped for a script element
            script_json({**figures, "crystal": crystal_figure(conventional)})
        ),
        standard_cell=conventional,
        sites=site_rows(primitive),
        n_sites=len(primitive),
        downloads=structure_files(primitive, place.file_name),
        sources=sources,
        source_count=source_count,
        gates=[(kind, gate, _verdict(gate)) for kind, gate in dict.fromkeys(_gates(result))],
        decisions=result.documents.get("decision", ()),
        runs=list({(kind, run.directory, run.input_sha256): (kind, run) for kind, run in _runs(result)}.values()),
        commands=list(_commands(result, place.campaign_file)),
        updated=place.updated,
    )


def _panel(name: str) -> Markup:
    """Where the script draws a figure."""
    height = TALL.get(name, "low")
    return Markup('<div class="plot {}" data-figure="{}" role="img" aria-label="{}"></div>').format(height, name, name)


def _kind(document: Document) -> str:
    said = [str(getattr(document, name)) for name in ("kind", "purpose", "route") if getattr(document, name, None)]
    return " ".join(said).replace("_", " ")


def _gates(result: MaterialResult) -> Iterator[tuple[str, Gate]]:
    """Each verdict with what it was drawn from."""
    for document in all_documents(result):
        for gate in document.gates:
            yield _kind(document), gate


def _verdict(gate: Gate) -> str:
    if gate.passed:
        return "passed"
    return "noted" if gate.name in GATES_THAT_INFORM else "stopped"


def _runs(result: MaterialResult) -> Iterator[tuple[str, Provenance]]:
    """Where the numbers of each document come from."""
    for document in all_documents(result):
        if isinstance(document, MagnetismDocument):
            for state in document.states:
                if state.provenance is not None:
                    pressure = "" if state.pressure_gpa is None else f" at {state.pressure_gpa:.3g} GPa"
                    yield f"{state.order}{pressure}", state.provenance
            continue
        provenance = getattr(document, "provenance", None)
        if isinstance(provenance, Provenance) and _kind(document) not in MADE_OF_OTHERS:
            yield _kind(document), provenance


def _sources(result: MaterialResult) -> tuple[Sequence[Mapping[str, Any]], int]:
    """Rows of what is known of the sources, with the fields that any of them has, and how many there are."""
    tags = [result.submission.material.tag, *(document.tag for document in all_documents(result))]
    tag = next((tag for tag in tags if tag.sources), None)
    if tag is None:
        return [], 0
    known = [source.model_dump(exclude_none=True) for source in tag.sources]
    fields = [name for name in SOURCE_FIELDS if any(name in source for source in known)]
    return [
        {SOURCE_FIELDS[name]: str(source.get(name, "")).replace("_", " ") for name in fields} for source in known
    ], max(tag.source_count, len(known))


def _commands(result: MaterialResult, campaign_file: str | None) -> Iterator[tuple[str, str]]:
    """Commands that go on from this material, with what each is for."""
    tag = result.submission.material.tag
    campaign, label = shlex.quote(tag.campaign), shlex.quote(tag.material)
    again = "<campaign file>" if campaign_file is None else shlex.quote(campaign_file)
    yield f"hightc run {again}", "go on, or compute what the file has changed; what is finished is kept"
    yield f"hightc status {campaign}", "what runs, what failed for which cause"
    asked = f"hightc query --campaign {campaign} --material {label}"
    if result.tc is not None:
        yield f"{asked} --format json", "its critical temperatures"
        yield f"hightc export --kind alpha2f --campaign {campaign} --material {label} -o {label}.jsonl", "its spectra"
    if result.magnetism is not None:
        yield f"{asked} --kind magnetism --format json", "its magnetic softness"
    if result.fermi is not None:
        yield f"hightc fermi export {label} --campaign {campaign} -o {label}.frmsf", "its Fermi surface for FermiSurfer"
