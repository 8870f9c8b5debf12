"""Kill a part of a running campaign, run the campaign again, and compare with one that nobody disturbed."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import psutil
from fakes.campaign_machine import Machine

from hightc.launch import embedded_mongo

Target = Literal["worker", "run", "database", "program", "everything"]
TARGETS: tuple[Target, ...] = ("worker", "program", "database", "run", "everything")
PROGRAMS = ("pw", "ph", "q2r", "matdyn")
MOST_ATTEMPTS = 5
PATIENCE_SECONDS = 1800.0
WRAPPER = """\
#!/bin/sh
case "$*" in */dev/null*) ;; *) echo "$PWD {name}" >> {log} ;; esac
exec {program} "$@"
"""
"""Writes down where a program starts; a start that only asks for the version does not count."""


@dataclass(frozen=True)
class Kill:
    """What was killed, and in which folders programs ran at that moment."""

    target: Target
    after_seconds: float
    folders: tuple[str, ...]


@dataclass(frozen=True)
class Trial:
    """A campaign that ran to its end.

    Attributes
    ----------
    kills
        What was killed.
    attempts
        How often ``hightc run`` was started.
    seconds
        Wall time of all attempts in s.
    starts
        Starts of programs by folder, relative to the work folder, and name.
    numbers
        Every number of the stored documents by its place, without those of time and folders.
    corrected
        Corrections by folder of error handlers that saw another failure than a kill; each starts the program once more.
    """

    kills: tuple[Kill, ...]
    attempts: int
    seconds: float
    starts: Mapping[str, int]
    numbers: Mapping[str, float]
    corrected: Mapping[str, int]

    @property
    def repeated(self) -> dict[str, int]:
        """Starts beyond the first of each program in each folder."""
        return {place: count - 1 for place, count in self.starts.items() if count > 1}

    @property
    def wasted(self) -> dict[str, int]:
        """Starts that nothing explains: neither a kill of what ran in that folder nor an error handler."""
        explained = Counter(folder for kill in self.kills for folder in kill.folders) + Counter(self.corrected)
        return {
            place: count - explained[place.partition(" ")[0]]
            for place, count in self.repeated.items()
            if count > explained[place.partition(" ")[0]]
        }

    def resumed(self, program: str) -> bool:
        """Whether a program was started more than once in its folder."""
        return any(place.endswith(f" {program}") for place in self.repeated)


@dataclass
class Killer:
    """A campaign on a machine of its own, and what kills its parts."""

    root: Path
    campaign: Path
    cores: int = 1
    seed: int = 0
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def run(self, name: str, kills: Sequence[tuple[Target, float]] = ()) -> Trial:
        """Run the campaign on a fresh machine, kill after the seconds told, and run again until it has finished."""
        machine = counting_machine(self.root / name, self.campaign, self.cores)
        started, done, attempts = time.monotonic(), [], 0
        waiting = sorted(kills, key=lambda kill: kill[1])
        try:
            while True:
                attempts += 1
                process = machine.start("run", self.campaign.name)
                while waiting and (hit := self._disturb(machine, process, *waiting[0], started)):
                    done.append(hit)
                    del waiting[0]
                text, _ = process.communicate(timeout=PATIENCE_SECONDS)
                if process.returncode == 0:
                    break
                if attempts > MOST_ATTEMPTS + len(kills):
                    raise RuntimeError(f"{name}: not finished after {attempts} attempts: {text}")
            seconds = time.monotonic() - started
            starts, numbers = program_starts(machine), _numbers(machine)
            return Trial(tuple(done), attempts, seconds, starts, numbers, _corrections(machine))
        finally:
            machine.stop()
            for left in _processes(machine):
                left.kill()

    def _disturb(
        self, machine: Machine, run: subprocess.Popen[str], target: Target, after_seconds: float, started: float
    ) -> Kill | None:
        """Wait for the moment and kill; None if the run ended before."""
        while time.monotonic() - started < after_seconds or (target == "program" and not _programs(machine)):
            if run.poll() is not None:
                return None
            time.sleep(0.02)
        if run.poll() is not None:
            return None
        programs = _programs(machine)
        kill = Kill(target, time.monotonic() - started, tuple(sorted({_folder(machine, one) for one in programs})))
        victims = {
            "worker": [one for one in _processes(machine) if "hightc.launch.worker" in _words(one)][:1],
            "program": programs[:1],
            "database": [psutil.Process(pid)] if (pid := embedded_mongo.status(machine.data / "mongo").pid) else [],
            "run": [psutil.Process(run.pid)] if run.poll() is None else [],
            "everything": _processes(machine),
        }[target]
        self._random.shuffle(victims)
        for victim in victims:
            _kill(victim)
        return kill


def counting_machine(root: Path, campaign: Path, cores: int = 1) -> Machine:
    """A machine whose programs write down where they start."""
    machine = Machine(root)
    (root / "bin").mkdir(parents=True)
    lines = [f"cores = {cores}", "workers = 1"]
    for name in PROGRAMS:
        wrapper = root / "bin" / f"{name}.x"
        found = shutil.which(f"{name}.x")
        wrapper.write_text(WRAPPER.format(name=name, log=root / "starts", program=found))
        wrapper.chmod(0o755)
        lines.append(f'{name}_command = "{wrapper}"')
    settings = root / ".config" / "hightc" / "settings.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text("\n".join(lines) + "\n")
    shutil.copy(campaign, root / campaign.name)
    return machine


def _processes(machine: Machine) -> list[psutil.Process]:
    """Living processes of a machine's campaign: they carry its home folder in their environment."""
    found = []
    for process in psutil.process_iter(["environ", "status"]):
        home = (process.info["environ"] or {}).get("HOME")
        if home == str(machine.root) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def _programs(machine: Machine) -> list[psutil.Process]:
    names = {f"{name}.x" for name in PROGRAMS}
    found = []
    for process in _processes(machine):
        try:
            if process.name() in names and "/dev/null" not in process.cmdline():
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def _folder(machine: Machine, process: psutil.Process) -> str:
    try:
        return str(Path(process.cwd()).relative_to(machine.work))
    except (psutil.NoSuchProcess, ValueError):
        return ""


def _kill(process: psutil.Process) -> None:
    try:
        os.kill(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def program_starts(machine: Machine) -> dict[str, int]:
    """Starts of programs by folder, relative to the work folder, and name."""
    lines = (machine.root / "starts").read_text().splitlines()
    return dict(Counter(line.removeprefix(f"{machine.work}/") for line in lines))


def _corrections(machine: Machine) -> dict[str, int]:
    found: Counter[str] = Counter()
    for entry in machine.collection("outputs"):
        provenance = entry["output"].get("provenance") or {}
        if others := [one for one in provenance.get("corrections", ()) if "killed" not in one["errors"]]:
            # several documents may stem from one run
            found |= Counter({str(Path(provenance["directory"]).relative_to(machine.work)): len(others)})
    return dict(found)


def _numbers(machine: Machine) -> dict[str, float]:
    found: dict[str, float] = {}
    for entry in machine.collection("outputs"):
        output = entry["output"]
        kind = f"{output['kind']}.{output.get('purpose', '')}".rstrip(".")
        name = f"{output['material']} {kind}"
        if f"{name}.count" in found:
            raise RuntimeError(f"{name} was stored twice")
        found[f"{name}.count"] = 1.0
        content = json.loads(json.dumps(output, default=str))
        content.pop("provenance", None)
        found |= dict(_flat(content, name))
    return found


def _flat(value: Any, place: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield place, float(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not str(key).startswith("@"):
                yield from _flat(item, f"{place}.{key}")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, item in enumerate(value):
            yield from _flat(item, f"{place}[{index}]")


def deviation(trial: Trial, reference: Trial, part: str) -> float:
    """Largest relative deviation of the numbers whose place holds a text; inf if some are missing.

    Numbers are compared on the scale of the largest of their list, because small ones of a list may be noise.
    """
    names = {place for place in reference.numbers if part in place}
    if names != {place for place in trial.numbers if part in place}:
        return float("inf")
    scales: dict[str, float] = {}
    for place in names:
        group = place.partition("[")[0]
        scales[group] = max(scales.get(group, 0.0), abs(reference.numbers[place]))
    return max(
        (
            abs(trial.numbers[place] - reference.numbers[place]) / (scales[place.partition("[")[0]] or 1.0)
            for place in names
        ),
        default=0.0,
    )
