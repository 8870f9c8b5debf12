"""What submitting many materials costs: ``python tests/benchmarks/bench_submission.py --materials 100 1000``.

Synthetic materials (fcc, bcc and rocksalt, each with a lattice constant of its own, pseudopotentials of headers alone)
are read from a campaign file and submitted to an embedded server of its own; no program of Quantum ESPRESSO runs. Then
the same materials are submitted again, which adds nothing, and ``hightc status`` is asked. "disk" is the estimate that
``hightc run`` begins with, "first look" its first look how far every material is, "look" another one while
`N_RUNNING` materials are under way. Memory and sizes are taken then. "summary" is what a large campaign ends with, from
`N_FINISHED` finished materials with documents as large as real ones; "documents" validates all of these, as pages need
them. Of more than ``--read`` materials only so many are read; the others are these with other lattice constants,
labels and keys.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).parents[1]))

from fakes.finished_materials import finish, template
from fireworks import FWorker

from hightc.launch import embedded_mongo
from hightc.launch.campaign import Campaign, read_campaign
from hightc.launch.campaign_summary import KINDS, summarize
from hightc.launch.campaign_watch import CampaignWatch
from hightc.launch.disk_space import campaign_need
from hightc.launch.dispatch import Submission, submit
from hightc.launch.results import iterate_results
from hightc.launch.settings import Settings, load_settings
from hightc.launch.status import read_status
from hightc.launch.store import Database, open_database

N_RUNNING, N_FINISHED = 20, 1000
ELEMENTS = ("Al", "Cu", "Nb", "Pb", "V", "Ta", "Mo", "Re")
Result = TypeVar("Result")


@dataclass
class Times:
    """Seconds of each step, by name."""

    seconds: dict[str, float] = field(default_factory=dict)

    def of(self, name: str, work: Callable[[], Result]) -> Result:
        """Do the work, keep how long it took and say so."""
        start = time.perf_counter()
        result = work()
        self.seconds[name] = time.perf_counter() - start
        print(f"{name}: {self.seconds[name]:.2f} s", file=sys.stderr, flush=True)
        return result


def prototype(number: int) -> str:
    """A structure that no other number has."""
    element, other = ELEMENTS[number % len(ELEMENTS)], ELEMENTS[(number + 1) % len(ELEMENTS)]
    length = 3.8 + 0.0001 * number
    return (f"fcc {element} {length:.4f}", f"bcc {element} {length:.4f}", f"rocksalt {element} {other} {length:.4f}")[
        number % 3
    ]


def write_campaign(folder: Path, n_materials: int) -> Path:
    """Write a campaign file and its pseudopotentials."""
    (folder / "pseudo").mkdir()
    for element in ELEMENTS:
        header = f'<PP_HEADER element="{element}" pseudo_type="NC" wfc_cutoff="40.0" z_valence="11.0"/>'
        # as large as a real file: its checksum is part of the key of each material
        text = f'<UPF version="2.0.1">\n{header}\n{"<!-- padding -->" * 20_000}\n</UPF>\n'
        (folder / "pseudo" / f"{element}.upf").write_text(text)
    lines = ['name = "bulk"', 'protocol = "screen"', "[pseudopotentials]", 'family = "./pseudo"']
    for number in range(n_materials):
        lines += [f"[materials.M{number:05d}]", f'prototype = "{prototype(number)}"']
    path = folder / "bulk.toml"
    path.write_text("\n".join(lines))
    return path


@contextmanager
def machine(folder: Path) -> Iterator[Settings]:
    """Settings of nobody's machine, in this process and its children."""
    os.environ |= {
        "HIGHTC_SETTINGS_FILE": str(folder / "settings.toml"),
        "HIGHTC_DATA_DIRECTORY": str(folder / "data"),
        "HIGHTC_WORK_DIRECTORY": str(folder / "runs"),
    }
    try:
        yield load_settings()
    finally:
        embedded_mongo.stop(folder / "data" / "mongo")


def peak_mb(pid: int) -> float:
    """Most memory that a process has held, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1e3


def enlarged(campaign: Campaign, n_materials: int) -> Campaign:
    """Add materials like those that were read, each with its own lattice constant, label and key."""
    materials = list(campaign.materials)
    for number in range(len(materials), n_materials):
        like, label = campaign.materials[number % len(campaign.materials)], f"M{number:05d}"
        structure = like.structure.copy()
        structure.scale_lattice(like.structure.volume * (1 + 1e-5 * number))
        key = hashlib.sha256(label.encode()).hexdigest()
        tag = like.tag.model_copy(update={"material": label})
        materials.append(replace(like, structure=structure, tag=tag, key=key))
    return replace(campaign, materials=tuple(materials))


def look(submissions: Sequence[Submission], database: Database, times: Times) -> None:
    """Look at the progress first of all, then while some materials are under way."""
    watch = CampaignWatch(submissions, database)
    times.of("first look", watch.look)
    for number in range(N_RUNNING):
        database.launchpad.checkout_fw(FWorker(), f"/nowhere/{number}")
    counts = times.of("look", watch.look).counts
    assert counts["running"] == min(N_RUNNING, len(submissions))


def measure(folder: Path, n_materials: int, n_read: int) -> None:
    """Submit a campaign twice and print one line of the table."""
    n_read = min(n_read, n_materials)
    path = write_campaign(folder, n_read)
    times = Times()
    with machine(folder) as settings:
        database: Database = open_database(settings)
        database.prepare()
        campaign = enlarged(times.of("read", lambda: read_campaign(path, settings, tell=print)), n_materials)
        directory = settings.work_directory / "bulk"
        directory.mkdir(parents=True)
        times.of("disk", lambda: campaign_need(campaign.materials, database, directory, settings))
        first = times.of("submit", lambda: submit(campaign, database, directory, tell=print))
        again = times.of("again", lambda: submit(campaign, database, directory, tell=print))
        assert not any(entry.reused for entry in first)
        assert all(entry.reused for entry in again)
        assert [entry.fw_ids for entry in first] == [entry.fw_ids for entry in again]
        look(first, database, times)
        status = times.of("status", lambda: read_status(database))
        steps = sum(status.campaigns[0].steps.values())
        command = [sys.executable, "-m", "hightc.launch.cli", "status"]
        times.of("hightc status", lambda: subprocess.run(command, check=False, stdout=subprocess.DEVNULL))
        server = embedded_mongo.status(folder / "data" / "mongo")
        own, servers = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, peak_mb(server.pid or os.getpid())
        finished = first[:N_FINISHED]
        finish(finished, database, template())
        times.of("summary", lambda: summarize(iterate_results(finished, database, kinds=KINDS), 10.0))
        times.of(
            "documents",
            lambda: sum(len(group) for one in iterate_results(finished, database) for group in one.documents.values()),
        )
        database.close()
        shown = " | ".join(f"{seconds:.2f}" for seconds in times.seconds.values())
        memory = f"{own:.0f} | {servers:.0f}"
        size = f"{(server.data_bytes or 0) / 1e6:.0f} | {server.journal_bytes / 1e6:.0f}"
        print(
            f"| {n_materials} | {n_read} | {steps} | {shown} | {memory} | {server.n_documents} | {size} |", flush=True
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--materials", type=int, nargs="+", default=[100], help="how many, one line of the table each")
    parser.add_argument("--read", type=int, default=1000, help="materials that are read from a file at most")
    options = parser.parse_args()
    steps = "read s | disk s | submit s | again s | first look s | look s | read_status s | hightc status s"
    steps += f" | summary of {N_FINISHED} s | documents of {N_FINISHED} s"
    print(f"| materials | of them read | steps | {steps} | own MB | server MB | documents | data MB | journal MB |")
    print(f"|--:{'|--:' * 17}|")
    for n_materials in options.materials:
        with tempfile.TemporaryDirectory(prefix="bench_submission_") as folder:
            measure(Path(folder), n_materials, options.read)


if __name__ == "__main__":
    main()
