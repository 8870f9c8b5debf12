"""The command ``hightc campaign``: a file to begin with, and what a campaign would take."""

# ruff: noqa: PLC0415 - a help text must not wait for pymatgen
from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hightc.launch.command_parser import CommandParser, add_command
from hightc.launch.errors import CampaignError, DatabaseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hightc.launch.campaign_survey import CampaignSurvey
    from hightc.launch.cost_learning import LearnedFactor
    from hightc.launch.settings import Settings
    from hightc.makers.cost import CostedProgram

SUMMARY: Final = "write a campaign file to begin with; say what a campaign would take"
EPILOG: Final = """\
examples:
  hightc campaign new hydrides.toml         every key with its description; [materials.Al] to be replaced
  hightc campaign check hydrides.toml       materials, jobs, core-hours, disk; nothing is submitted"""

CHECK_EPILOG: Final = """\
Core-hours are an estimate from counts of k points, q points, bands and plane waves, right within a factor of 2 for fcc
Al and Pb on the machine it was measured on; for other materials and machines it is a guide. Runs that this database
has finished correct it, from five of a program on.

exit codes: 0 every material can be computed; 1 something cannot, or its cost is unknown; 2 the file cannot be used"""

DEAREST_SHOWN: Final = 5
REASONS_SHOWN: Final = 10
LABELS_SHOWN: Final = 5


def add_campaign(commands: argparse._SubParsersAction[CommandParser]) -> None:
    """Add the command.

    Parameters
    ----------
    commands
        Sub-commands of ``hightc``.
    """
    parser = add_command(commands, "campaign", None, SUMMARY, epilog=EPILOG)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    new = add_command(
        actions,
        "new",
        new_campaign,
        "write a commented campaign file",
        description="Writes a campaign file that names every key.",
    )
    new.add_argument("file", metavar="FILE", type=Path, nargs="?", default=Path("campaign.toml"), help="where to write")
    check = add_command(
        actions,
        "check",
        check_campaign,
        "materials, jobs, core-hours and disk of a campaign; what cannot be computed",
        description="Reads a campaign file with all its sources and says what it would take. Nothing is submitted.",
        epilog=CHECK_EPILOG,
    )
    check.add_argument("file", metavar="FILE", type=Path, help="campaign file")


def new_campaign(options: argparse.Namespace) -> int:
    """Write a campaign file to begin with.

    Parameters
    ----------
    options
        Options of the command.

    Returns
    -------
    int
        Exit code, always 0.

    Raises
    ------
    CampaignError
        If there is such a file, or it cannot be written.
    """
    from hightc.launch.campaign_template import campaign_template

    try:
        with options.file.open("x", encoding="utf-8") as stream:
            stream.write(campaign_template())
    except FileExistsError:
        msg = f"{options.file}: expected a new file, found one: give another name, nothing was written"
        raise CampaignError(msg) from None
    except OSError as error:
        msg = f"{options.file}: cannot be written ({error.strerror}): give another name"
        raise CampaignError(msg) from None
    print(f"{options.file}: replace [materials.Al], then: hightc campaign check {options.file}")
    return 0


def check_campaign(options: argparse.Namespace) -> int:
    """Print what a campaign would take.

    Parameters
    ----------
    options
        Options of the command.

    Returns
    -------
    int
        Exit code: 1 if a material cannot be computed or its cost is unknown, else 0.

    Raises
    ------
    LaunchError
        If the file or a source of it cannot be used.
    """
    from hightc.launch.campaign_survey import survey_campaign
    from hightc.launch.settings import load_settings

    settings = load_settings()
    survey = survey_campaign(options.file, settings, tell=lambda line: print(line, file=sys.stderr, flush=True))
    for line in survey_lines(survey, _learned(settings), keep=settings.keep):
        print(line)
    return 1 if survey.campaign.refused or survey.unknown or not survey.materials else 0


def _learned(settings: Settings) -> dict[CostedProgram, LearnedFactor]:
    """Factors of the database's finished runs; none where there is no database to be asked."""
    if settings.mongo_uri is None and not (settings.data_directory / "mongo").is_dir():
        return {}
    from hightc.launch.cost_learning import learned_factors
    from hightc.launch.store import open_database

    try:
        database = open_database(settings)
    except DatabaseError as error:
        print(f"hightc: nothing learned from finished runs: {error}", file=sys.stderr)
        return {}
    try:
        return learned_factors(database, settings)
    finally:
        database.close()


def survey_lines(
    survey: CampaignSurvey, learned: Mapping[CostedProgram, LearnedFactor], *, keep: str = "restart"
) -> list[str]:
    """Write what a campaign takes.

    Parameters
    ----------
    survey
        What it takes.
    learned
        Factors of finished runs by program.
    keep
        What stays on disk of a finished material.
    """
    lines = [f"campaign {survey.campaign.name}: {len(survey.materials)} materials"]
    if survey.materials:
        jobs = survey.jobs
        kinds = ", ".join(f"{count} {name}" for name, count in jobs.most_common())
        lines.append(f"jobs: {jobs.total()}: {kinds}; running jobs may add others")
        lines += [*_cost_lines(survey, learned), *_disk_lines(survey, keep)]
    if survey.missing_elements:
        elements = ", ".join(survey.missing_elements)
        lines.append(
            f"elements without a pseudopotential: {elements}: hightc pseudos install pseudo-dojo has 72 elements"
        )
    if survey.campaign.refused:
        lines.append(f"cannot be computed: {len(survey.campaign.refused)}")
        for reason, count in survey.refused.most_common(REASONS_SHOWN):
            lines += [f"  {count:6d}  {reason}", f"          for example {survey.example(reason)}"]
        others = len(survey.refused) - REASONS_SHOWN
        lines += [f"  and {others} other reasons"] if others > 0 else []
    return lines


def _cost_lines(survey: CampaignSurvey, learned: Mapping[CostedProgram, LearnedFactor]) -> list[str]:
    factors = {str(program): found.factor for program, found in learned.items()}
    hours = {item.label: item.cost.core_hours(factors) for item in survey.materials if item.cost}
    lines = []
    if hours:
        cheap = [item.electrons.core_hours(factors) for item in survey.materials if item.electrons]
        funnel = f" at most, {sum(cheap):.3g} of it before the first gate of the funnel" if cheap else ""
        lines.append(f"core-hours: about {sum(hours.values()):.3g}{funnel}; the dearest: {_dearest(hours)}")
    for program, found in sorted(learned.items()):
        lines.append(f"  {program}: {found.factor:.2g} times the estimate, the median of {found.runs} finished runs")
    if not learned:
        lines.append("  by measured times of fcc Al and Pb on another machine; nothing to learn from here yet")
    left_out = sorted({part for item in survey.materials if item.cost for part in item.cost.left_out})
    if left_out:
        lines.append(f"  not estimated: {', '.join(left_out)}")
    if survey.unknown:
        lines.append(f"unknown cost: {_few(survey.unknown)} (no valence in a pseudopotential)")
    return lines


def _disk_lines(survey: CampaignSurvey, keep: str) -> list[str]:
    needs = {item.label: item.disk.peak / 1e9 for item in survey.materials if item.disk}
    if not needs:
        return []
    kept = f"{survey.kept_gb:.3g} GB in the end (HIGHTC_KEEP={keep})"
    return [f"disk: about {survey.peak_gb:.3g} GB at most, {kept}; the largest, in GB: {_dearest(needs)}"]


def _dearest(amounts: Mapping[str, float]) -> str:
    first = sorted(amounts.items(), key=lambda item: -item[1])[:DEAREST_SHOWN]
    return ", ".join(f"{label} {amount:.2g}" for label, amount in first)


def _few(labels: Sequence[str]) -> str:
    shown = ", ".join(labels[:LABELS_SHOWN])
    return f"{shown} and {len(labels) - LABELS_SHOWN} others" if len(labels) > LABELS_SHOWN else shown
