"""A machine of its own for a campaign: home, data and work folders under one temporary folder."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from hightc.launch import embedded_mongo

QUICKSTART = Path(__file__).parents[2] / "launch" / "examples" / "quickstart.toml"
HIGHTC = [sys.executable, "-m", "hightc.launch.cli"]


@dataclass(frozen=True)
class Machine:
    """Where a campaign of a test lives."""

    root: Path

    @property
    def environment(self) -> dict[str, str]:
        """Environment without any setting of the machine that runs the test."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HIGHTC_", "XDG_"))}
        return {**kept, "HOME": str(self.root), "HIGHTC_WORK_DIRECTORY": str(self.work), "COLUMNS": "100"}

    @property
    def data(self) -> Path:
        """Folder of the embedded database."""
        return self.root / ".local" / "share" / "hightc"

    @property
    def work(self) -> Path:
        """Folder of the campaigns."""
        return self.root / "runs"

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start ``hightc`` with arguments, in a session of its own."""
        return subprocess.Popen(
            [*HIGHTC, *map(str, arguments)],
            env=self.environment,
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str | Path, timeout_seconds: float = 900) -> subprocess.CompletedProcess[str]:
        """Run ``hightc`` with arguments to its end."""
        return subprocess.run(
            [*HIGHTC, *map(str, arguments)],
            env=self.environment,
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )

    def collection(self, name: str) -> list[dict[str, Any]]:
        """Every document of a collection of the embedded database."""
        with MongoClient[dict[str, Any]](embedded_mongo.start(self.data / "mongo")) as client:
            return list(client["hightc"][name].find({}))

    def stop(self) -> None:
        """Stop the embedded database."""
        if embedded_mongo.status(self.data / "mongo").running:
            embedded_mongo.stop(self.data / "mongo")
