"""Runs a flow job after job, each from the JSON a database would keep and in a folder of its own."""

from __future__ import annotations

import json
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path

from jobflow import Flow, Job, JobStore
from maggma.stores import MemoryStore
from monty.json import MontyDecoder, jsanitize


@dataclass
class FlowRunner:
    """Runs flows with the jobs that their jobs make; what stands behind a stopped job is left out."""

    root: Path
    store: JobStore = field(default_factory=lambda: JobStore(MemoryStore(), additional_stores={"data": MemoryStore()}))
    folders: dict[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store.connect()

    def run(self, flow: Flow) -> bool:
        """Run a flow; False if a job stopped it."""
        return all(self.run_job(job) for job, _ in flow.iterflow())

    def run_job(self, job: Job) -> bool:
        """Run one job and what takes its place; False if it stops what depends on it."""
        folder = self.root / f"{len(self.folders):02d}-{job.name.replace(' ', '-')}"
        folder.mkdir(parents=True)
        self.folders[job.name] = folder
        again = MontyDecoder().process_decoded(json.loads(json.dumps(jsanitize(job.as_dict()))))
        with chdir(folder):
            response = again.run(self.store)
        if response.stop_children:
            return False
        return response.replace is None or self.run(response.replace)

    def outputs(self, kind: str) -> list[dict]:
        """Stored documents of a kind, oldest first."""
        found = [entry["output"] for entry in sorted(self.store.query({}), key=lambda entry: entry["completed_at"])]
        return [output for output in found if isinstance(output, dict) and output.get("kind") == kind]
