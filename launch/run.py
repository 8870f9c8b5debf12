"""``hightc run``: from a campaign file to a table and a page, resuming whatever was interrupted."""

from __future__ import annotations

import csv
import io
import platform
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

from pymongo.errors import ConnectionFailure
from rich.console import Console

from hightc.analysis.files import write_text
from hightc.launch.campaign import Campaign, read_campaign
from hightc.launch.campaign_summary import KINDS as SUMMARY_KINDS
from hightc.launch.campaign_summary import MOST_ON_A_PAGE, SETTLED, is_over, summarize, summary_lines
from hightc.launch.campaign_watch import CampaignWatch, Look
from hightc.launch.crew import Crew, available_cores
from hightc.launch.disk_space import campaign_need, drop_finished, require_room
from hightc.launch.dispatch import Submission, hold_campaign, submit
from hightc.launch.errors import DatabaseError, LaunchError
from hightc.launch.monitor import ProgressDisplay, clock
from hightc.launch.notify import notify_hits
from hightc.launch.patience import Patience
from hightc.launch.recovery import recover_interrupted, set_aside
from hightc.launch.report import MOST_FIGURES, write_report
from hightc.launch.report_facts import ranked, reuse_lines
from hightc.launch.report_table import ranking, result_table
from hightc.launch.results import MaterialResult, collect_results, iterate_results, with_arrays
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
POLL_SECONDS, MOST_POLL_SECONDS = 0.5, 10.0
"""Time between two looks at the progress: at least, and at most, after which a dead worker is not replaced late."""

LOOK_SPACING = 9.0
"""Pause after a look, in units of the time it took."""

MOST_LABELS = 10
"""Materials that one line names."""

CORES_OF_A_Q_JOB = 4
"""Cores below which ph.x shares its k points among processes rather than its q points among jobs: that wastes less."""


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
            end = CampaignEnd(campaign.name, path, directory, settings, console)
            submissions, fault, worked = _compute(campaign, database, directory, settings, console)
            code = conclude(end, submissions, database, fault=fault, started=started if worked else None)
    except ConnectionFailure as error:
        msg = (
            f"MongoDB at {database.address} was lost ({type(error).__name__}): what ran was stopped; mend it, then: "
            f"hightc run {path} (finished steps are kept); workers' logs: {directory / 'workers'}"
        )
        raise DatabaseError(msg) from None
    finally:
        database.close()
    console.print(f"elapsed: {clock(time.monotonic() - started)}", highlight=False)
    return code


@dataclass(frozen=True)
class CampaignEnd:
    """Where it is told what a campaign came to.

    Attributes
    ----------
    campaign
        Name of the campaign.
    campaign_file
        Its file, named in the next step of materials without an answer.
    directory
        Folder of the campaign, which gets its page.
    settings
        Settings of this machine.
    console
        Where to print.
    """

    campaign: str
    campaign_file: Path
    directory: Path
    settings: Settings
    console: Console


def conclude(
    end: CampaignEnd,
    submissions: Sequence[Submission],
    database: Database,
    *,
    fault: str | None = None,
    started: float | None = None,
) -> int:
    """Tell what became of each material, send word of hits, and drop scratch files of what has finished.

    Of more than `MOST_ON_A_PAGE` materials, the best are shown and the others counted.

    Parameters
    ----------
    end
        Where it is told.
    submissions
        The campaign's materials.
    database
        The database.
    fault
        How workers died, for what they left without a reason; None if none did.
    started
        Monotonic time at which the work began, in s; None if none was done.

    Returns
    -------
    int
        0 if every material has its answer or was stopped by a gate whose verdict is stored; 1 otherwise.
    """
    console, settings, directory = end.console, end.settings, end.directory
    if len(submissions) > MOST_ON_A_PAGE:
        results = iterate_results(submissions, database, fault=fault, kinds=SUMMARY_KINDS)
        summary = summarize(results, settings.notify_tc_kelvin)
        notify_hits(summary.hits, settings, directory, console)
        _let_go(summary.over, directory, settings, console)
        if summary.best:
            console.print(ranking(summary.best))
        for line in summary_lines(summary, end.campaign, end.campaign_file):
            tell(console, line)
        return 0 if summary.outcomes.keys() <= SETTLED else 1
    collected = collect_results(submissions, database, fault=fault)
    notify_hits(collected, settings, directory, console)
    illustrated = with_figures(collected, database)
    over = [result.submission for result in collected if is_over(result)]
    _let_go(over, directory, settings, console)
    console.print(result_table(collected, campaign_file=end.campaign_file))
    report = directory / "report.html"
    write_report(
        illustrated,
        report,
        campaign=end.campaign,
        versions=package_versions(),
        elapsed_seconds=None if started is None else time.monotonic() - started,
        campaign_file=end.campaign_file,
    )
    for line in reuse_lines(collected):
        tell(console, line)
    tell(console, f"report: {report}")
    return exit_code(collected)


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
) -> tuple[tuple[Submission, ...], str | None, bool]:
    """Submit and run a campaign: its materials, how workers died, and whether anything was left to do."""
    need = campaign_need(campaign.materials, database, directory, settings)
    if need.message:
        tell(console, need.message)
    require_room(need, directory, settings)
    q_jobs = q_jobs_for(len(campaign.materials), settings)
    submissions = submit(campaign, database, directory, q_jobs=q_jobs, tell=partial(tell, console))
    _announce(console, campaign, submissions, database, directory)
    crew = Crew(campaign.name, submissions, database, directory, settings)
    worked = _work(crew, database, console)
    return submissions, crew.fault, worked


def _work(crew: Crew, database: Database, console: Console) -> bool:
    """Run workers until nothing is left to do; False if nothing was."""
    crew.require_alone()
    recovered = recover_interrupted(crew.submissions, database, held=crew.directory)
    if recovered:
        console.print(f"taking up {len(recovered)} interrupted or failed steps", highlight=False)
    aside = set_aside(crew.campaign, crew.submissions, database)
    if aside:
        console.print(f"set aside {aside} steps that the campaign no longer asks for", highlight=False)
    watch = CampaignWatch(crew.submissions, database)
    if not watch.look().active:
        return False
    started = time.monotonic()
    by_label = {entry.material.tag.material: entry for entry in crew.submissions}
    try:
        crew.start()
        with ProgressDisplay(console) as display:
            while crew.tend():
                began = time.monotonic()
                look = watch.look()
                _show(display, look, began - started)
                ended = iterate_results([by_label[label] for label in look.finished], database, kinds=SUMMARY_KINDS)
                done = [result.submission for result in ended if is_over(result)]
                _let_go(done, crew.directory, crew.settings, console)
                time.sleep(pause_after(time.monotonic() - began))
            _show(display, watch.look(full=True), time.monotonic() - started)
    finally:
        crew.dismiss()
    return True


def _show(display: ProgressDisplay, look: Look, elapsed_seconds: float) -> None:
    display.show(look.progress, elapsed_seconds, counts=None if look.whole else look.counts, changed=look.changed)


def pause_after(look_seconds: float) -> float:
    """Time to wait before the next look at the progress, in s: looks take no more than a tenth of it.

    Parameters
    ----------
    look_seconds
        How long the last look took, in s.
    """
    return min(max(POLL_SECONDS, LOOK_SPACING * look_seconds), MOST_POLL_SECONDS)


def _let_go(submissions: Sequence[Submission], directory: Path, settings: Settings, console: Console) -> None:
    """Drop scratch files of materials on which nothing is left to do."""
    freed = drop_finished([entry.material for entry in submissions], directory, settings.keep)
    if freed:
        labels = ", ".join(entry.material.tag.material for entry in submissions[:MOST_LABELS])
        if len(submissions) > MOST_LABELS:
            labels = f"{len(submissions)} materials"
        line = f"freed {freed / 1e6:.3g} MB of scratch files of {labels} (HIGHTC_KEEP={settings.keep})"
        tell(console, line)
