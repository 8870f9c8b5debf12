"""``hightc run``: from a campaign file to a table and a page, resuming whatever was interrupted."""

from __future__ import annotations

import csv
import io
import platform
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

from pymongo.errors import ConnectionFailure
from rich.console import Console

from hightc.analysis.files import write_text
from hightc.launch.campaign import Campaign, read_campaign
from hightc.launch.crew import Crew, available_cores
from hightc.launch.disk_space import campaign_need, drop_finished, require_room
from hightc.launch.dispatch import Submission, hold_campaign, submit
from hightc.launch.errors import DatabaseError, LaunchError
from hightc.launch.monitor import ProgressDisplay, clock, is_active, read_campaign_progress
from hightc.launch.notify import notify_hits
from hightc.launch.patience import Patience
from hightc.launch.recovery import recover_interrupted, set_aside
from hightc.launch.report import MOST_FIGURES, write_report
from hightc.launch.report_facts import ranked, reuse_lines
from hightc.launch.report_table import result_table
from hightc.launch.results import MaterialResult, Outcome, collect_results, with_arrays
from hightc.launch.settings import Settings
from hightc.launch.store import Database, open_database
from hightc.makers.execution import require_free_space
from hightc.makers.programs import LINEAR_RESPONSE_PROGRAMS, PROGRAMS, Program, program_command

PACKAGES = (
    "hightc",
    "atomate2",
    "jobflow",
    "fireworks",
    "custodian",
    "pymatgen",
    "ase",
    "numpy",
    "scipy",
    "pymongo",
)
POLL_SECONDS = 0.5
CORES_OF_A_Q_JOB = 4
"""Cores below which ph.x shares its k points among processes rather than its q points among jobs: that wastes less."""
SETTLED = frozenset({Outcome.ANSWERED, Outcome.GATED})
"""Outcomes after which nothing is left to do."""


def run_campaign(path: Path, settings: Settings, console: Console | None = None) -> int:
    """Compute every material of a campaign and report what became of it.

    Parameters
    ----------
    path
        Campaign file.
    settings
        Settings of this machine.
    console
        Where to print; standard output if None.

    Returns
    -------
    int
        0 if every material has its answer or was stopped by a gate whose verdict is stored; 1 otherwise.

    Raises
    ------
    LaunchError, CalculationError
        If the campaign cannot be started; nothing was submitted then.
    """
    console = console or Console()
    started = time.monotonic()
    campaign = read_campaign(path, settings, tell=partial(tell, console))
    directory = (settings.work_directory / campaign.name).absolute()
    _require_programs(campaign, settings)
    _make_directory(directory)
    _tell_refused(console, campaign, directory)
    require_free_space(directory, settings.scratch_minimum_gb)
    patience = Patience(settings.database_patience_seconds, partial(tell, console), _reviver(settings))
    database = replace(open_database(settings), patience=patience)
    try:
        database.prepare()
        # the campaign's name decides what is taken up in the database, wherever its folder is
        with hold_campaign(directory), hold_campaign(settings.data_directory.absolute() / "campaigns" / campaign.name):
            results, worked = _compute(campaign, database, directory, settings, console)
            notify_hits(results, settings, directory, console)
        illustrated = with_figures(results, database)
    except ConnectionFailure as error:
        msg = (
            f"MongoDB at {database.address} was lost ({type(error).__name__}): what ran was stopped; mend it, then: "
            f"hightc run {path} (finished steps are kept); workers' logs: {directory / 'workers'}"
        )
        raise DatabaseError(msg) from None
    elapsed = time.monotonic() - started
    over = [result.submission for result in results if result.outcome in SETTLED and result.settled]
    _let_go(over, directory, settings, console)
    console.print(result_table(results, campaign_file=path))
    report = directory / "report.html"
    write_report(
        illustrated,
        report,
        campaign=campaign.name,
        versions=package_versions(),
        elapsed_seconds=elapsed if worked else None,
        campaign_file=path,
    )
    for line in reuse_lines(results):
        tell(console, line)
    console.print(f"report: {report}", highlight=False, soft_wrap=True)
    console.print(f"elapsed: {clock(elapsed)}", highlight=False)
    return exit_code(results)


def tell(console: Console, line: str) -> None:
    """Print a line as it stands: a path in it is neither wrapped nor coloured.

    Parameters
    ----------
    console
        Where to print.
    line
        The line.
    """
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def with_figures(results: Sequence[MaterialResult], database: Database) -> tuple[MaterialResult, ...]:
    """Rank results for their page, with the arrays that the figures of the first are drawn of.

    Parameters
    ----------
    results
        What became of each material.
    database
        The database.
    """
    ordered = ranked(results)
    return (*with_arrays(ordered[:MOST_FIGURES], database), *ordered[MOST_FIGURES:])


def _reviver(settings: Settings) -> Callable[[], object] | None:
    """What starts the embedded server anew, if it is this machine's to start."""
    return (lambda: open_database(settings)) if settings.mongo_uri is None else None


def exit_code(results: Sequence[MaterialResult]) -> int:
    """0 if every material has its answer or a stored verdict why not, otherwise 1.

    Parameters
    ----------
    results
        What became of each material.
    """
    return 0 if all(result.outcome in SETTLED for result in results) else 1


def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages that a result depends on."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def _tell_refused(console: Console, campaign: Campaign, directory: Path) -> None:
    """Count what its sources refused, and list each with its reason in a file beside the results."""
    if not campaign.refused:
        return
    listing = directory / "refused.csv"
    stream = io.StringIO()
    rows = csv.writer(stream)
    rows.writerow(("entry", "code", "reason"))
    rows.writerows((item.entry, item.code, item.reason) for item in campaign.refused)
    write_text(listing, stream.getvalue())
    counts = Counter(item.code.replace("_", " ") for item in campaign.refused)
    said = ", ".join(f"{count} {code}" for code, count in counts.most_common())
    tell(console, f"refused: {said}; each with its reason in {listing}")


def _require_programs(campaign: Campaign, settings: Settings) -> None:
    needed: tuple[Program, ...] = ("pw",)
    if any("electron_phonon" in material.studies for material in campaign.materials):
        needed = LINEAR_RESPONSE_PROGRAMS
    if any(material.wannier for material in campaign.materials):
        needed = PROGRAMS
    for program in needed:
        program_command(program, settings)


def q_jobs_for(n_materials: int, settings: Settings) -> int:
    """Runs of ph.x side by side for one material, so that each has some cores of its own.

    Parameters
    ----------
    n_materials
        Materials of the campaign.
    settings
        Settings of this machine.
    """
    return max(1, available_cores(settings) // (CORES_OF_A_Q_JOB * max(n_materials, 1)))


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"folder {directory} cannot be made ({error.strerror}): set HIGHTC_WORK_DIRECTORY to a folder of your own"
        raise LaunchError(msg) from None


def _announce(
    console: Console,
    campaign: Campaign,
    submissions: Sequence[Submission],
    database: Database,
    directory: Path,
) -> None:
    new = sum(not submission.reused for submission in submissions)
    console.print(
        f"campaign {campaign.name}: {len(submissions)} materials, {new} new, {len(submissions) - new} known; "
        f"database: {database.address}; folder: {directory}",
        highlight=False,
        soft_wrap=True,
    )


def _compute(
    campaign: Campaign, database: Database, directory: Path, settings: Settings, console: Console
) -> tuple[tuple[MaterialResult, ...], bool]:
    need = campaign_need(campaign.materials, database, directory, settings)
    if need.message:
        tell(console, need.message)
    require_room(need, directory, settings)
    q_jobs = q_jobs_for(len(campaign.materials), settings)
    submissions = submit(campaign, database, directory, q_jobs=q_jobs, tell=partial(tell, console))
    _announce(console, campaign, submissions, database, directory)
    crew = Crew(campaign.name, submissions, database, directory, settings)
    worked = _work(crew, database, console)
    return collect_results(submissions, database, fault=crew.fault), worked


def _work(crew: Crew, database: Database, console: Console) -> bool:
    """Run workers until nothing is left to do; False if nothing was."""
    crew.require_alone()
    recovered = recover_interrupted(crew.submissions, database, held=crew.directory)
    if recovered:
        console.print(f"taking up {len(recovered)} interrupted or failed steps", highlight=False)
    aside = set_aside(crew.campaign, crew.submissions, database)
    if aside:
        console.print(f"set aside {aside} steps that the campaign no longer asks for", highlight=False)
    if not is_active(read_campaign_progress(crew.submissions, database)):
        return False
    started = time.monotonic()
    try:
        crew.start()
        with ProgressDisplay(console) as display:
            tidy: set[str] = set()
            while crew.tend():
                progress = read_campaign_progress(crew.submissions, database)
                display.show(progress, time.monotonic() - started)
                finished = {entry.label for entry in progress if entry.state == "finished"} - tidy
                done = [entry for entry in crew.submissions if entry.material.tag.material in finished]
                _let_go(done, crew.directory, crew.settings, console)
                tidy |= finished
                time.sleep(POLL_SECONDS)
            display.show(read_campaign_progress(crew.submissions, database), time.monotonic() - started)
    finally:
        crew.dismiss()
    return True


def _let_go(submissions: Sequence[Submission], directory: Path, settings: Settings, console: Console) -> None:
    """Drop scratch files of materials on which nothing is left to do."""
    freed = drop_finished([entry.material for entry in submissions], directory, settings.keep)
    if freed:
        labels = ", ".join(entry.material.tag.material for entry in submissions)
        line = f"freed {freed / 1e6:.3g} MB of scratch files of {labels} (HIGHTC_KEEP={settings.keep})"
        tell(console, line)
