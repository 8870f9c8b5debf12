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
from hightc.launch.dispatch import Submission, in_order, nodes_of
from hightc.launch.recovery import utc
from hightc.launch.store import Database

BAR_WIDTH = 8
MOST_LABEL_CHARACTERS = 16


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
    """Progress of each material, read from the LaunchPad.

    Parameters
    ----------
    submissions
        The campaign's materials.
    database
        The database.
    """
    return tuple(_progress(submission, database) for submission in submissions)


def _progress(submission: Submission, database: Database) -> Progress:
    label = submission.material.tag.material
    fields = {"fw_id": 1, "name": 1, "state": 1, "launches": 1, "spec._priority": 1}
    found = database.launchpad.fireworks.find({"fw_id": {"$in": nodes_of(submission, database)}}, fields)
    fireworks = in_order(found)
    states = [str(firework["state"]) for firework in fireworks]
    current = next((fw for fw in fireworks if fw["state"] in ("RUNNING", "RESERVED")), None)
    if current is None and "READY" not in states:
        current = next((fw for fw in fireworks if fw["state"] == "FIZZLED"), None)
    last = current or next((fw for fw in reversed(fireworks) if fw["state"] in ("COMPLETED", "READY")), fireworks[0])
    running = last["state"] == "RUNNING"
    launches = _launches([last] if running else fireworks, database)
    return Progress(
        label=label,
        state=_state(states),
        step=str(last["name"]).removeprefix(f"{label} "),
        done=states.count("COMPLETED"),
        total=len(states),
        elapsed_seconds=sum(_seconds(launch) for launch in launches),
        detail=_detail(launches) if running else "",
    )


def _state(states: Sequence[str]) -> str:
    if any(state in ("RUNNING", "RESERVED") for state in states):
        return "running"
    if "READY" in states:
        return "waiting"
    if "FIZZLED" in states:
        return "failed"
    return "finished" if all(state == "COMPLETED" for state in states) else "stopped"


def _launches(fireworks: Iterable[Mapping[str, Any]], database: Database) -> list[dict[str, Any]]:
    ids = [firework["launches"][-1] for firework in fireworks if firework["launches"]]
    fields = {"launch_dir": 1, "state": 1, "state_history": 1}
    return list(database.launchpad.launches.find({"launch_id": {"$in": ids}}, fields))


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


def is_active(progress: Iterable[Progress]) -> bool:
    """Whether anything still happens by itself.

    Parameters
    ----------
    progress
        Progress of each material.
    """
    return any(entry.state in ("running", "waiting") for entry in progress)


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

    def __enter__(self) -> ProgressDisplay:
        """Start the live table."""
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as it was."""
        if self._live:
            self._live.stop()

    def show(self, progress: Sequence[Progress], elapsed_seconds: float) -> None:
        """Draw the progress.

        Parameters
        ----------
        progress
            Progress of each material.
        elapsed_seconds
            Wall time of the run in s.
        """
        if self._live:
            self._live.update(progress_table(progress, elapsed_seconds))
            return
        for entry in progress:
            now = (entry.state, entry.step)
            if self._printed.get(entry.label) != now:
                self._printed[entry.label] = now
                line = f"{entry.label}: {entry.state}, {entry.step} ({entry.done}/{entry.total})"
                self.console.print(f"[{clock(elapsed_seconds)}] {line}", markup=False, highlight=False, soft_wrap=True)


def progress_table(progress: Sequence[Progress], elapsed_seconds: float) -> Table:
    """Progress as a table.

    Parameters
    ----------
    progress
        Progress of each material.
    elapsed_seconds
        Wall time of the run in s.
    """
    title = f"hightc run, {clock(elapsed_seconds)} elapsed"
    # no frame: at 80 columns there is just room for what the program says now
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("material", no_wrap=True, max_width=MOST_LABEL_CHARACTERS)
    for heading in ("state", "steps", "step"):
        table.add_column(heading, no_wrap=True)
    table.add_column("time", no_wrap=True, justify="right")
    table.add_column("now")
    colours = {"running": "cyan", "finished": "green", "failed": "red", "stopped": "yellow", "waiting": "dim"}
    for entry in progress:
        filled = round(BAR_WIDTH * entry.done / max(entry.total, 1))
        bar = "█" * filled + "░" * (BAR_WIDTH - filled)
        table.add_row(
            entry.label,
            f"[{colours[entry.state]}]{entry.state}[/]",
            f"{bar} {entry.done}/{entry.total}",
            entry.step,
            clock(entry.elapsed_seconds),
            entry.detail,
        )
    return table
