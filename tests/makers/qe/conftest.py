"""Recorded runs, and handlers that correct them as often as they may."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from custodian.custodian import ErrorHandler

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture
def recorded(tmp_path: Path) -> Callable[[str, str], Path]:
    """Copy the files of a recorded run into a folder of its own."""

    def copy(case: str, stem: str) -> Path:
        folder = tmp_path / case
        folder.mkdir(exist_ok=True, parents=True)
        files = [DATA / case / f"{stem}{suffix}" for suffix in (".in", ".out", ".err")]
        for source in [*files, *(DATA / case).glob("*.wout"), DATA / case / "phonon_dos"]:
            if source.is_file():
                shutil.copy(source, folder)
        return folder

    return copy


@pytest.fixture
def climb() -> Callable[[ErrorHandler, Path], list[dict[str, Any]]]:
    """Correct as often as the table allows, and hand back what was told."""

    def correct(handler: ErrorHandler, folder: Path) -> list[dict[str, Any]]:
        told = []
        for tried in range(handler.max_num_corrections):
            handler.n_applied_corrections = tried
            told.append(handler.correct(str(folder)))
        return told

    return correct
