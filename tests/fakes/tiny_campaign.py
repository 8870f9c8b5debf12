"""Campaigns without Quantum ESPRESSO: a folder with a pseudopotential's header, and flows of tiny jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fireworks import FWorker
from jobflow import SETTINGS, Flow, Job

from hightc.analysis.documents import MaterialTag
from hightc.launch.campaign import Campaign, read_campaign
from hightc.launch.dispatch import Submission, schedule, worker_name
from hightc.launch.settings import Settings
from hightc.launch.store import Database
from hightc.launch.worker import work

NAME = "tiny"
ALUMINIUM = """\
name = "tiny"
protocol = "draft"

[pseudopotentials]
family = "./pseudo"

[recipe]
k_mesh = [4, 4, 4]
q_mesh = [2, 2, 2]

[materials.Al]
prototype = "fcc Al 4.05"
"""


def write_campaign(folder: Path, text: str = ALUMINIUM, *elements: str) -> Path:
    """Write a campaign file and a family of pseudopotentials that consist of their headers."""
    (folder / "pseudo").mkdir(parents=True, exist_ok=True)
    for element in elements or ("Al",):
        header = f'<PP_HEADER element="{element}" pseudo_type="NC" functional="PBE" wfc_cutoff="20.0"/>'
        (folder / "pseudo" / f"{element}.upf").write_text(f'<UPF version="2.0.1">\n{header}\n</UPF>\n')
    path = folder / "tiny.toml"
    path.write_text(text)
    return path


def tiny_campaign(folder: Path, settings: Settings, text: str = ALUMINIUM, *elements: str) -> Campaign:
    """Read a campaign written into a folder."""
    return read_campaign(write_campaign(folder, text, *elements), settings)


def tag(label: str) -> MaterialTag:
    """Tag of a material of the tiny campaign."""
    return MaterialTag(campaign=NAME, material=label)


def submit_jobs(label: str, jobs: Sequence[Job], database: Database, directory: Path, settings: Settings) -> Submission:
    """Put jobs, one after another, into the LaunchPad in the place of a material's calculation."""
    material = replace(tiny_campaign(directory, settings).materials[0], tag=tag(label), key=f"{label:0>6}")
    workflow = schedule(Flow(jobs, order="linear"), material, directory)
    ids = database.launchpad.add_wf(workflow).values()
    return Submission(material, tuple(sorted(ids, reverse=True)), reused=False)


@dataclass
class TinyRun:
    """Runs the tiny campaign's fireworks in this process."""

    database: Database
    directory: Path
    settings: Settings

    def submit(self, label: str, jobs: Sequence[Job]) -> Submission:
        """Submit jobs as a material."""
        return submit_jobs(label, jobs, self.database, self.directory, self.settings)

    @property
    def fworker(self) -> FWorker:
        """What FireWorks knows of worker 0 of this machine."""
        return FWorker(name=worker_name(0))

    def tag(self, label: str) -> MaterialTag:
        """Tag of a material."""
        return tag(label)

    def __call__(self) -> int:
        """Work until nothing is left; the number of steps that ran."""
        try:
            return work(NAME, self.database, self.directory, worker_name(0), self.settings)
        finally:
            SETTINGS.JOB_STORE.connect()  # only a step connects it, and only what is connected can be closed
            SETTINGS.JOB_STORE.close()
