"""The results of a campaign as one page that stands alone: no script, nothing fetched."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from pymatgen.core import Structure

from hightc.analysis.critical_temperature import spectrum_sha256
from hightc.analysis.documents import (
    Alpha2FDocument,
    Document,
    PhononBandsDocument,
    PhononDocument,
    Pseudopotential,
    StructureDocument,
    TcDocument,
    TcSensitivity,
)
from hightc.analysis.files import write_text
from hightc.analysis.plots.wording import (
    MEANINGS,
    METHODS,
    TcKind,
    coupling_range,
    frequency,
    numerical_error,
    plateau_text,
    tc_kind,
    tc_range,
    tc_text,
)
from hightc.launch.report_table import gate_number, next_step, provenances, ranked, redact, run_folder, warnings_of
from hightc.launch.results import MaterialResult, Outcome
from hightc.makers.programs import PROGRAMS
from hightc.makers.qe.failures import FAILURES
from hightc.makers.qe.recipe import Recipe, load_protocol

DASH: Final = "–"  # noqa: RUF001 - typographers' dash between the ends of an interval
MOST_FIGURES: Final = 100
"""Materials that are shown with figures, the highest Tc first: each adds about 0.1 MB and half a second."""

PIECES: Final = re.compile(r"\([^)]*\)|[^(\s][^(]*[^(\s]|\S")
"""A number and its interval in brackets: a narrow page may put the interval on the next line."""

SHOWN_APART: Final = frozenset({"protocol", "pseudopotential_family", "pseudopotentials"})


@dataclass(frozen=True)
class Stage:
    """One stage of the way to a Tc.

    Attributes
    ----------
    name
        What a material has reached there.
    count
        How many materials have.
    dropped
        Position on the page, and result, of those that came no further than the stage before.
    """

    name: str
    count: int
    dropped: tuple[tuple[int, MaterialResult], ...]


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
    environment = Environment(autoescape=True, undefined=StrictUndefined, finalize=_redacted, trim_blocks=True)
    environment.filters.update(_filters(campaign_file))
    template = environment.from_string(files("hightc.launch").joinpath("report.html.j2").read_text(encoding="utf-8"))
    page = template.render(
        campaign=campaign,
        written=f"{datetime.now().astimezone():%Y-%m-%d %H:%M %Z}",
        elapsed=None if elapsed_seconds is None else duration(elapsed_seconds),
        results=ordered,
        figures=[_figures(result, index) for index, result in enumerate(ordered)],
        stages=funnel(ordered),
        references=sorted({result.tc.mu_star_reference for result in ordered if result.tc}),
        versions={**versions, **_program_versions(ordered)},
        methods=METHODS,
        meanings=MEANINGS,
        Outcome=Outcome,
        dash=DASH,
        most_figures=MOST_FIGURES,
    )
    write_text(path, page)


def funnel(results: Sequence[MaterialResult]) -> tuple[Stage, ...]:
    """Count how far the materials came.

    Parameters
    ----------
    results
        What became of each material.
    """
    stages: list[Stage] = []
    left = list(enumerate(results))
    for name, reached in STAGES:
        passed = [entry for entry in left if reached(entry[1])]
        stages.append(Stage(name, len(passed), tuple(entry for entry in left if entry not in passed)))
        left = passed
    return tuple(stages)


def _has(kind: str) -> Callable[[MaterialResult], bool]:
    return lambda result: bool(result.documents.get(kind))


def _relaxed(result: MaterialResult) -> bool:
    """Whether there is a structure that only the gap may stop."""
    found = result.documents.get("structure", ())
    return bool(found) and all(gate.passed for gate in found[-1].gates if gate.name != "metal")


def _passed(*kinds: str) -> Callable[[MaterialResult], bool]:
    return lambda result: all(kind in result.documents and result.documents[kind][-1].passed for kind in kinds)


STAGES: Final[tuple[tuple[str, Callable[[MaterialResult], bool]], ...]] = (
    ("submitted", lambda _: True),
    ("relaxed", _relaxed),
    ("metal", _passed("structure")),
    ("stable", _passed("coupling", "phonon")),
    ("alpha2F", _has("alpha2f")),
    ("Tc", _has("tc")),
)
"""What a material must have for each stage of the funnel."""


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


def _redacted(value: object) -> object:
    """Let nothing onto the page that looks like the address of a database."""
    return redact(value) if type(value) is str else value


def _filters(campaign_file: Path | None) -> dict[str, Callable[..., Any]]:
    return {
        "conventional": conventional_cell,
        "corrections": lambda result: [item for run in provenances(result) for item in run.corrections],
        "coupling_range": lambda document: coupling_range(document, DASH),
        "duration": duration,
        "errors_shown": lambda document, mu_star: any(
            numerical_error(document.find(method, mu)) for method in METHODS for mu in mu_star
        ),
        "folder": run_folder,
        "frequency": frequency,
        "gate_number": gate_number,
        "last": _last,
        "lattice": lattice_text,
        "mesh": mesh_text,
        "next_step": lambda result: next_step(result, campaign_file),
        "notes": warnings_of,
        "numbers": _numbers,
        "numerical_error": numerical_error,
        "pieces": PIECES.findall,
        "physics": lambda codes: "; ".join(item.physics or "nothing" for item in FAILURES if item.code in codes),
        "plateau": _plateau,
        "programs": lambda result: _program_versions([result]),
        "protocol": lambda recipe: load_protocol(recipe.protocol).description,
        "pseudopotentials": _pseudopotentials,
        "seconds": lambda result: sum(run.wall_seconds or 0.0 for run in provenances(result)),
        "sensitivity": _sensitivity,
        "structure": _structure,
        "tc_kind": tc_kind,
        "tc_range": lambda document, method: tc_range(document, method, DASH),
        "tc_text": lambda entry: tc_text(entry, DASH),
        "words_used": _words_used,
    }


def _last(result: MaterialResult, kind: str) -> Document | None:
    found = result.documents.get(kind, ())
    return found[-1] if found else None


def _structure(result: MaterialResult) -> Structure:
    """Relaxed structure, or the one of the campaign where it was not relaxed."""
    relaxed = _last(result, "structure")
    return relaxed.structure if isinstance(relaxed, StructureDocument) else result.submission.material.structure


def _sensitivity(result: MaterialResult) -> TcSensitivity | None:
    """Derivatives of Tc, if they belong to the spectrum that is shown."""
    if result.tc is None or result.alpha2f is None or result.tc.alpha2f_sha256 != spectrum_sha256(result.alpha2f):
        return None
    return result.tc.sensitivity


def mesh_text(mesh: Sequence[int]) -> str:
    """Write a mesh of points.

    Parameters
    ----------
    mesh
        Points along each reciprocal lattice vector.
    """
    return " × ".join(str(number) for number in mesh)  # noqa: RUF001 - a mesh is a product


def _numbers(recipe: Recipe) -> list[tuple[str, str, str]]:
    """Name, value and meaning of each number of a recipe; its name is what a campaign file may set."""
    fields = Recipe.model_fields.items()
    return [
        (name, _value_text(getattr(recipe, name)), field.description or "")
        for name, field in fields
        if name not in SHOWN_APART
    ]


def _value_text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return mesh_text(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _pseudopotentials(recipe: Recipe) -> tuple[Pseudopotential, ...]:
    return tuple(sorted(recipe.pseudopotentials, key=lambda item: item.element))


def _plateau(result: MaterialResult) -> str:
    document = result.alpha2f
    spread = document.plateau.relative_spread if document else None
    return plateau_text(result.tc, spread, DASH) if result.tc else MEANINGS["missing"][0]


def _words_used(document: TcDocument, mu_star: Sequence[float]) -> list[TcKind]:
    """Kinds of answers without a positive number that stand in a table."""
    kinds = {tc_kind(document.find(method, mu)) for method in METHODS for mu in mu_star}
    return [kind for kind in MEANINGS if kind in kinds]


def lattice_text(structure: Structure) -> str:
    """Write lattice parameters and volume.

    Parameters
    ----------
    structure
        Any cell, Angstrom.
    """
    lattice = structure.lattice
    lengths = ", ".join(f"{name} = {value:.4f}" for name, value in zip("abc", lattice.abc, strict=True))
    angles = ", ".join(f"{name} = {value:.2f}°" for name, value in zip("αβγ", lattice.angles, strict=True))
    atoms = "1 atom" if len(structure) == 1 else f"{len(structure)} atoms"
    return f"{lengths} Å; {angles}; V = {structure.volume:.3f} Å³; {atoms}"


def conventional_cell(structure: Structure) -> Structure:
    """Conventional standard cell, the one that handbooks tabulate.

    Parameters
    ----------
    structure
        Primitive cell, Angstrom.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return structure.to_conventional()


def _program_versions(results: Sequence[MaterialResult]) -> dict[str, str]:
    """Versions of the programs; several are joined."""
    found: dict[str, dict[str, None]] = {f"{name}.x": {} for name in PROGRAMS}
    for result in results:
        for run in provenances(result):
            for name, version in run.codes.items():
                found.setdefault(name, {})[version] = None
    return {name: ", ".join(versions) for name, versions in found.items() if versions}


def _figures(result: MaterialResult, index: int) -> dict[str, Markup]:
    """Figures of a material as SVG elements by name; what it does not have is left out."""
    if index >= MOST_FIGURES:
        return {}
    # matplotlib takes most of a second to import, and whoever asks for help does not need it
    from hightc.analysis.plots.alpha2f import plot_alpha2f, plot_lambda_smearing  # noqa: PLC0415
    from hightc.analysis.plots.phonons import plot_phonon_bands, plot_phonon_dos  # noqa: PLC0415
    from hightc.analysis.plots.style import figure_svg  # noqa: PLC0415

    figures: dict[str, Markup] = {}
    spectrum: Alpha2FDocument | None = result.alpha2f
    phonon: PhononDocument | None = result.phonon
    moved = _sensitivity(result)
    if spectrum is not None:
        figures["alpha2f"] = Markup(figure_svg(plot_alpha2f(spectrum, moved), prefix=f"m{index}-alpha2f"))  # noqa: S704
        figures["smearing"] = Markup(  # noqa: S704
            figure_svg(plot_lambda_smearing(spectrum), prefix=f"m{index}-smearing")
        )
    bands = _last(result, "phonon_bands")
    if isinstance(bands, PhononBandsDocument):
        figures["bands"] = Markup(  # noqa: S704
            figure_svg(plot_phonon_bands(bands, phonon), prefix=f"m{index}-bands")
        )
    elif phonon is not None:
        figures["phonons"] = Markup(figure_svg(plot_phonon_dos(phonon), prefix=f"m{index}-phonons"))  # noqa: S704
    return figures
