"""The static site of campaigns: a table of all materials, and a page for each, that opens without a server."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment
from markupsafe import Markup
from pydantic import ValidationError

from hightc.analysis.documents import FermiDocument
from hightc.analysis.files import write_text
from hightc.launch.bulk_launchpad import batches
from hightc.launch.errors import LaunchError
from hightc.launch.fermi_pages import fermi_page, write_plotly
from hightc.launch.funnel import read_funnel
from hightc.launch.progress_line import SECONDS_BETWEEN, ProgressLine, Tell
from hightc.launch.report import page_environment
from hightc.launch.report_facts import provenances
from hightc.launch.report_site.funnel_stages import SiteStage, site_stages
from hightc.launch.report_site.materials import StoredMaterial, stored_materials, stored_submissions
from hightc.launch.report_site.page import PagePlace, material_page
from hightc.launch.report_site.row import COLUMNS, row_of
from hightc.launch.report_site.script_data import script_json
from hightc.launch.report_site.state import SiteState, page_name
from hightc.launch.results import MaterialResult, Outcome, iterate_results, with_arrays
from hightc.launch.run import package_versions
from hightc.launch.store import Database

CHUNK: Final = 50
"""Materials whose documents are in memory at once."""

ASSETS: Final = {
    "site.css": ("report.css", "report_site/site.css"),
    "table.js": ("report_site/table.js",),
    "map.js": ("report_site/map.js",),
    "plots.js": ("report_site/plots.js",),
}
"""Files of the site, and what each is made of."""

CHOICES: Final = {"stability": "Phonons", "softness_class": "Magnetism", "route": "Route", "campaign": "Campaign"}
RANGES: Final = {
    name: Markup(text)  # noqa: S704 - our own
    for name, text in {
        "tc_eliashberg_kelvin": "<i>T</i><sub>c</sub> Eliashberg, K",
        "lambda": "λ",
        "dos_per_ev_spin_cell": "<i>N</i>(<i>E</i><sub>F</sub>), states/eV/spin/cell",
        "omega_log_kelvin": "ω<sub>log</sub>, K",
        "pressure_gpa": "<i>P</i>, GPa",
        "softness_per_gpa": "Magnetic softness, 1/GPa",
    }.items()
}
"""Columns that are filtered by their words and by their numbers."""

POINTS: Final = {
    "tc_eliashberg_kelvin": "Tc Eliashberg (K)",
    "tc_allen_dynes_kelvin": "Tc Allen-Dynes (K)",
    "lambda": "λ",
    "omega_log_kelvin": "ω log (K)",
    "dos_per_ev_spin_cell": "N(E_F) (states/eV/spin/cell)",
    "pressure_gpa": "P (GPa)",
    "lowest_frequency_mev": "lowest ω (meV)",
    "softness_per_gpa": "softness (1/GPa)",
    "stoner_product": "I N(E_F)",
    "nesting_over_mean": "nesting, peak over mean",
}
"""Columns that can be drawn against each other."""

AT: Final = {column.key: index for index, column in enumerate(COLUMNS)}


@dataclass(frozen=True)
class SiteSummary:
    """What writing a site did.

    Attributes
    ----------
    index
        The page to open.
    written, kept, removed
        Pages of materials that were written, that were current, and whose materials are gone.
    left_out
        Materials without a page, each with the reason.
    """

    index: Path
    written: int
    kept: int
    removed: int
    left_out: tuple[str, ...]


def write_site(
    database: Database,
    campaigns: Sequence[str],
    directory: Path,
    *,
    name: str,
    campaign_file: str | None = None,
    anew: bool = False,
    tell: Tell | None = None,
    seconds_between_lines: float = SECONDS_BETWEEN,
) -> SiteSummary:
    """Write or renew the site of campaigns; an older one stays usable until the new table is complete.

    Each file is written under a temporary name and renamed. Pages come first, the table after them, and the pages of
    materials that are gone are removed last. Pages of materials of which nothing was stored since are left as they are.

    Parameters
    ----------
    database
        The database.
    campaigns
        Names of the campaigns.
    directory
        Folder of the site; it is made.
    name
        Name of the site.
    campaign_file
        The campaign file as it was named, for the commands on the pages; None if it was not.
    anew
        Write every page, also of materials of which nothing was stored since.
    tell
        Where a line of progress goes now and then; None says nothing.
    seconds_between_lines
        Least time between two of these lines, in s.

    Raises
    ------
    LaunchError
        If the folder holds files of others, or cannot be made.
    """
    state = SiteState(directory, f"{name} {campaign_file}")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"folder {directory} cannot be made ({error.strerror}): name another one with --output"
        raise LaunchError(msg) from None
    state.save(now=True)
    _write_assets(directory / "assets")
    writer = _Writer(database, directory, state, name, len(campaigns) > 1, campaign_file)
    found = [material for campaign in campaigns for material in stored_materials(database, campaign)]
    pages = {writer.page(material): material for material in found}
    changed = [material for page, material in pages.items() if anew or not state.is_current(page, material.digest)]
    line = ProgressLine(tell, "writing pages", len(changed), seconds_between=seconds_between_lines)
    left_out: list[str] = []
    try:
        for number, part in enumerate(batches(changed, CHUNK), start=1):
            left_out += writer.write(part)
            state.save()
            line.show(min(number * CHUNK, len(changed)))
    finally:
        state.save(now=True)
    shown = [page for page in pages if page in state.entries]
    funnels = {campaign: site_stages(read_funnel(database, campaign)) for campaign in campaigns}
    _write_index(directory, [state.entries[page] for page in shown], funnels, name, writer.environment)
    removed = state.drop(shown)
    state.save(now=True)
    written = len(changed) - len(left_out)
    return SiteSummary(directory / "index.html", written, len(shown) - written, removed, tuple(left_out))


@dataclass(frozen=True)
class _Writer:
    """What the pages of one site have in common."""

    database: Database
    directory: Path
    state: SiteState
    name: str
    several: bool
    campaign_file: str | None

    @cached_property
    def environment(self) -> Environment:
        return page_environment(None if self.campaign_file is None else Path(self.campaign_file))

    def page(self, material: StoredMaterial) -> str:
        """Path of the page of a material, relative to the site."""
        folder = f"{page_name(material.campaign)}/" if self.several else ""
        return f"materials/{folder}{page_name(material.label)}.html"

    def write(self, materials: Sequence[StoredMaterial]) -> list[str]:
        """Write pages; return a line on each material that gets none."""
        by_label = {(material.campaign, material.label): material for material in materials}
        submissions = stored_submissions(materials, self.database)
        tags = [submission.material.tag for submission in submissions]
        missing = by_label.keys() - {(tag.campaign, tag.material) for tag in tags}
        left_out = [f"{label} ({campaign}): its workflow holds no recipe of hightc" for campaign, label in missing]
        for result in iterate_results(submissions, self.database):
            material = by_label[result.submission.material.tag.campaign, result.label]
            try:
                self._write_one(result, material)
            except ValidationError as error:
                fault = error.errors(include_input=False)[0]
                where = ".".join(str(part) for part in fault["loc"])
                kind = f"{error.title}: {where}: {fault['msg']}"
                left_out.append(f"{result.label}: {kind}: stored by another version of hightc")
                self.state.entries.pop(self.page(material), None)
        for key in missing:
            self.state.entries.pop(self.page(by_label[key]), None)
        return left_out

    def _write_one(self, result: MaterialResult, material: StoredMaterial) -> None:
        page = self.page(material)
        path = self.directory / page
        path.parent.mkdir(parents=True, exist_ok=True)
        root = "../" * page.count("/")
        fermi = self._write_fermi(result, page, root)
        place = PagePlace(
            root=root,
            file_name=path.stem,
            fermi=fermi,
            site_name=self.name,
            several=self.several,
            campaign_file=self.campaign_file,
            made=self.state.made_with[:8],
            updated=material.updated,
        )
        write_text(path, material_page(result, self.environment, place))
        codes: dict[str, list[str]] = {}
        for run in provenances(result):
            for program, number in run.codes.items():
                codes[program] = sorted({*codes.get(program, []), number})
        self.state.entries[page] = {
            "digest": material.digest,
            "row": row_of(result, quote(page)),
            "codes": codes,
            "reference": result.tc.mu_star_reference if result.tc else None,
        }

    def _write_fermi(self, result: MaterialResult, page: str, root: str) -> str | None:
        """Write the page of a Fermi surface; its address from the page of the material, None without arrays."""
        if result.fermi is None:
            return None
        try:
            (loaded,) = with_arrays([result], self.database)
        except KeyError:  # what maggma and jobflow say where the blob store has lost an array
            return None
        if not isinstance(loaded.fermi, FermiDocument) or not loaded.fermi.has_arrays:
            return None
        own = page.replace("materials/", "fermi/", 1)
        (self.directory / own).parent.mkdir(parents=True, exist_ok=True)
        back, script = f"{root}{quote(page)}", f"{root}assets/plotly.min.js"
        write_text(self.directory / own, fermi_page(loaded.fermi, result.label, back=back, script=script))
        return f"{root}{quote(own)}"


def _write_assets(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    write_plotly(folder / "plotly.min.js")
    for name, parts in ASSETS.items():
        text = "".join(files("hightc.launch").joinpath(part).read_text(encoding="utf-8") for part in parts)
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)


def _write_index(
    directory: Path,
    entries: Sequence[Mapping[str, Any]],
    funnels: Mapping[str, Sequence[SiteStage]],
    name: str,
    environment: Environment,
) -> None:
    rows = [entry["row"] for entry in entries]
    mu_star = {row["cells"][AT["mu_star"]][0] for row in rows if row["cells"][AT["mu_star"]] is not None}
    hidden = [*(["campaign"] if len(funnels) < 2 else []), *(["mu_star"] if len(mu_star) < 2 else [])]
    data = {"name": page_name(name), "keys": list(AT), "rows": rows, "hidden": hidden, "sort": "-tc_eliashberg_kelvin"}
    text = f"window.hightcSite = {script_json(data)};\n"
    known = Counter(row["cells"][AT["outcome"]] for row in rows)
    page = environment.get_template("report_site/index.html.j2").render(
        title=name,
        root="",
        scripts=("materials.js", "plots.js", "table.js", "map.js"),
        made=hashlib.sha256(text.encode()).hexdigest()[:8],
        count=len(rows),
        outcomes={outcome.value: known[outcome.value] for outcome in Outcome if known[outcome.value]},
        written=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        funnels=funnels,
        columns=COLUMNS,
        choices=CHOICES,
        values={key: sorted({row["cells"][AT[key]] for row in rows} - {None}) for key in CHOICES},
        ranges=RANGES,
        points=POINTS,
        mu_star=next(iter(mu_star)) if len(mu_star) == 1 else None,
        references=sorted({entry["reference"] for entry in entries} - {None}),
        versions={**package_versions(), **dict(_programs(entries))},
    )
    # the data first: an old page reads it as well
    write_text(directory / "assets" / "materials.js", text)
    write_text(directory / "index.html", page)


def _programs(entries: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Versions of the programs of all materials, joined."""
    found: dict[str, set[str]] = {}
    for entry in entries:
        for program, numbers in entry["codes"].items():
            found.setdefault(program, set()).update(numbers)
    for program in sorted(found):
        yield program, ", ".join(sorted(found[program]))
