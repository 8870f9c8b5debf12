"""Live progress of a campaign: what runs, for how long, and how far each material has come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from hightc.analysis.parsers.progress import read_progress
from hightc.launch.bulk_launchpad import find_among
from hightc.launch.dispatch import Submission, in_order, nodes_of_each
from hightc.launch.store import Database
from hightc.launch.stored_words import utc

BAR_WIDTH = 8
MOST_LABEL_CHARACTERS = 16

TOTALS_SECONDS = 60.0
"""Time between two lines with the totals of a large campaign, where there is no terminal."""

COLOURS = {"running": "cyan", "finished": "green", "failed": "red", "stopped": "yellow", "waiting": "dim"}
"""Colour of each state of a material."""


@dataclass(frozen=True)
class Progress:
    """How far one material has come.

    Attributes
    ----------
    label
        Label of the material.
    state
        waiting, running, finished, stopped or failed.
    step
        The step that runs or ran last, without the label.
    done, total
        Finished steps and all steps.
    elapsed_seconds
        Wall time of the running step, or of all steps once none runs, in s.
    detail
        What the running program prints of its own progress.
    """

    label: str
    state: str
    step: str
    done: int
    total: int
    elapsed_seconds: float
    detail: str


def read_campaign_progress(submissions: Iterable[Submission], database: Database) -> tuple[Progress, ...]:
    """Progress of each material, read from the LaunchPad with a few queries for hundreds of them.

    Parameters
    ----------
    submissions
        The campaign's materials.
    database
        The database.
    """
    wanted = tuple(submissions)
    nodes = nodes_of_each(wanted, database)
    fields = {"fw_id": 1, "name": 1, "state": 1, "launches": 1, "spec._priority": 1}
    found = find_among(database.launchpad.fireworks, "fw_id", [node for ids in nodes for node in ids], fields)
    by_id = {int(firework["fw_id"]): firework for firework in found}
    steps = [in_order(by_id[node] for node in ids if node in by_id) for ids in nodes]
    chosen = [_chosen(fireworks) for fireworks in steps]
    timed = [[last] if last["state"] == "RUNNING" else steps[number] for number, last in enumerate(chosen)]
    launches = _launches([firework for fireworks in timed for firework in fireworks], database)
    return tuple(
        _progress(
            entry.material.tag.material,
            fireworks,
            last,
            [launches[_last(step)] for step in counted if _last(step) in launches],
        )
        for entry, fireworks, last, counted in zip(wanted, steps, chosen, timed, strict=True)
    )


def _chosen(fireworks: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The step that runs, or failed, or ran last, or is next."""
    current = next((step for step in fireworks if step["state"] in ("RUNNING", "RESERVED")), None)
    if current is None and not any(step["state"] == "READY" for step in fireworks):
        current = next((step for step in fireworks if step["state"] == "FIZZLED"), None)
    return current or next(
        (step for step in reversed(fireworks) if step["state"] in ("COMPLETED", "READY")), fireworks[0]
    )


def _progress(
    label: str, fireworks: Sequence[Mapping[str, Any]], last: Mapping[str, Any], launches: Sequence[Mapping[str, Any]]
) -> Progress:
    states = [str(firework["state"]) for firework in fireworks]
    return Progress(
        label=label,
        state=state_of(states),
        step=str(last["name"]).removeprefix(f"{label} "),
        done=states.count("COMPLETED"),
        total=len(states),
        elapsed_seconds=sum(_seconds(launch) for launch in launches),
        detail=_detail(launches) if last["state"] == "RUNNING" else "",
    )


def state_of(states: Sequence[str]) -> str:
    """State of a material.

    Parameters
    ----------
    states
        States of its fireworks, as FireWorks names them.

    Returns
    -------
    str
        running, waiting, failed, finished or stopped.
    """
    if any(state in ("RUNNING", "RESERVED") for state in states):
        return "running"
    if "READY" in states:
        return "waiting"
    if "FIZZLED" in states:
        return "failed"
    return "finished" if all(state == "COMPLETED" for state in states) else "stopped"


def _last(firework: Mapping[str, Any]) -> int | None:
    launches = firework["launches"]
    return int(launches[-1]) if launches else None


def _launches(fireworks: Iterable[Mapping[str, Any]], database: Database) -> dict[int | None, dict[str, Any]]:
    """Last launch of each firework that has one, by the launch's id."""
    ids = [launch for firework in fireworks if (launch := _last(firework)) is not None]
    fields = {"launch_id": 1, "launch_dir": 1, "state": 1, "state_history": 1}
    found = find_among(database.launchpad.launches, "launch_id", ids, fields)
    return {int(launch["launch_id"]): launch for launch in found}


def _seconds(launch: Mapping[str, Any]) -> float:
    """Wall time of a launch, up to now if it still runs."""
    history = launch.get("state_history") or []
    start = next((entry["created_on"] for entry in history if entry["state"] == "RUNNING"), None)
    if start is None:
        return 0.0
    over = next((entry["created_on"] for entry in history if entry["state"] in ("COMPLETED", "FIZZLED")), None)
    end = utc(over) if over else datetime.now(UTC)
    return max(0.0, (end - utc(start)).total_seconds())


def _detail(launches: Sequence[Mapping[str, Any]]) -> str:
    """The newest line of progress in the folder of a running launch, where this machine can see it."""
    for launch in launches:
        folder = Path(str(launch.get("launch_dir", "")))
        outputs = sorted(folder.glob("*.out"), key=lambda path: path.stat().st_mtime, reverse=True)
        for output in outputs[:1]:
            return read_progress(output) or ""
    return ""


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds.

    Parameters
    ----------
    seconds
        Duration in s.
    """
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


class ProgressDisplay:
    """A live table on a terminal; a line a change anywhere else."""

    def __init__(self, console: Console) -> None:
        """Keep the console and what was printed last."""
        self.console = console
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        self._printed: dict[str, tuple[str, str]] = {}
        self._totals_from = 0.0

    def __enter__(self) -> ProgressDisplay:
        """Start the live table."""
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was."""
        if self._live:
            self._live.stop()

    def show(
        self,
        progress: Sequence[Progress],
        elapsed_seconds: float,
        *,
        counts: Mapping[str, int] | None = None,
        changed: Sequence[Progress] = (),
    ) -> None:
        """Draw the progress.

        Parameters
        ----------
        progress
            Progress of each material, or of those that run.
        elapsed_seconds
            Wall time of the run in s.
        counts
            Materials by state, where not all are in ``progress``; None: they are.
        changed
            With ``counts``: materials of which a step began or ended.
        """
        if self._live:
            self._live.update(progress_table(progress, elapsed_seconds, counts))
            return
        for entry in progress if counts is None else changed:
            now = (entry.state, entry.step)
            if self._printed.get(entry.label) != now:
                self._printed[entry.label] = now
                self._print(f"{entry.label}: {entry.state}, {entry.step} ({entry.done}/{entry.total})", elapsed_seconds)
        if counts is not None and elapsed_seconds >= self._totals_from:
            self._totals_from = elapsed_seconds + TOTALS_SECONDS
            self._print(totals(counts), elapsed_seconds)

    def _print(self, line: str, elapsed_seconds: float) -> None:
        line = f"[{clock(elapsed_seconds)}] {line}"
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)


def totals(counts: Mapping[str, int]) -> str:
    """Materials by state, in words.

    Parameters
    ----------
    counts
        How many are in each state.
    """
    said = ", ".join(f"{counts[state]} {state}" for state in COLOURS if counts.get(state))
    return f"{sum(counts.values())} materials: {said}"


def progress_table(
    progress: Sequence[Progress], elapsed_seconds: float, counts: Mapping[str, int] | None = None
) -> Table:
    """Progress as a table.

    Parameters
    ----------
    progress
        Progress of each material, or of those that run.
    elapsed_seconds
        Wall time of the run in s.
    counts
        Materials by state, where not all are in ``progress``.
    """
    title = f"hightc run, {clock(elapsed_seconds)} elapsed"
    said = None if counts is None else totals(counts)
    if said is not None:
        title = f"{title}\n{said}"
    # no frame: at 80 columns there is just room for what the program says now; a title is no wider than its table
    table = Table(
        title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), pad_edge=False, min_width=len(said or "")
    )
    table.add_column("material", no_wrap=True, max_width=MOST_LABEL_CHARACTERS)
    for heading in ("state", "steps", "step"):
        table.add_column(heading, no_wrap=True)
    table.add_column("time", no_wrap=True, justify="right")
    table.add_column("now")
    for entry in progress:
        filled = round(BAR_WIDTH * entry.done / max(entry.total, 1))
        bar = "█" * filled + "░" * (BAR_WIDTH - filled)
        table.add_row(
            entry.label,
            f"[{COLOURS[entry.state]}]{entry.state}[/]",
            f"{bar} {entry.done}/{entry.total}",
            entry.step,
            clock(entry.elapsed_seconds),
            entry.detail,
        )
    return table
