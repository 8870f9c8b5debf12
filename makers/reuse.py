"""Runs that have finished, found again by what they depend on, in this folder or in another.

A marker beside the outputs, written last, says which run they are of. An index names the folders that hold the run of
a key. Both are checked against the files before anything is taken over; what does not fit is forgotten, and the program
runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp

from pydantic import TypeAdapter

from hightc.analysis.documents.base import Record
from hightc.analysis.files import write_text
from hightc.makers.content_key import Calculation
from hightc.makers.execution import ProgramRun

HASHED_BYTES = 16_000_000
"""Larger files, which take long to read, are known by size and time alone."""

NEVER_REWRITTEN = "dvscf"
"""In the name of large files that no program changes once they are written: copies share their place on disk."""

SUFFIX = ".finished.json"
MOST_FOLDERS = 8
PROGRAM_RUN = TypeAdapter(ProgramRun)


class FileStamp(Record):
    """What a file was like when its run was over."""

    size: int
    modified_ns: int
    sha256: str | None


class FinishedRun(Record):
    """The marker of a finished run."""

    key: str | None
    computed_in: str
    run: dict[str, object]
    files: dict[str, dict[str, FileStamp]]

    def holds(self, folder: Path, pattern: str) -> bool:
        """Whether all files of a pattern lie in a folder as the run left them."""
        found = self.files.get(pattern)
        return bool(found) and all(_is_intact(folder / name, stamp) for name, stamp in (found or {}).items())


@dataclass(frozen=True)
class FinishedRuns:
    """Index of the finished runs of a machine, or of all that share its data folder.

    Attributes
    ----------
    directory
        Folder of the index: one small file a key.
    """

    directory: Path

    def take(self, key: str, calculation: Calculation, here: Path) -> ProgramRun | None:
        """The finished run of a key, its outputs brought into a folder; None if there is none.

        Parameters
        ----------
        key
            What the run depends on.
        calculation
            The calculation, for the files it needs.
        here
            The folder that shall hold them.
        """
        with suppress(OSError, ValueError):
            own = _matching(here, key, calculation)
            if own is not None:
                self._add(key, here)
                return _program_run(own, here)
        for folder in self._folders(key):
            try:
                found = _matching(folder, key, calculation) if folder != here else None
                if found is not None and _bring(found, calculation, folder, here):
                    self._add(key, here)
                    return _program_run(found, here)
            except (OSError, ValueError):
                continue
            if found is None:
                self._forget(key, folder)
        return None

    def record(self, calculation: Calculation, here: Path, run: ProgramRun) -> None:
        """Note that a run has finished; the disk may be too full for it, which only costs the reuse.

        Parameters
        ----------
        calculation
            The calculation.
        here
            Its folder.
        run
            How it went; without its key it is marked, but never taken over.
        """
        with suppress(OSError):
            _write_marker(here, calculation, run)
            if run.content_sha256 is not None:
                self._add(run.content_sha256, here)

    def _folders(self, key: str) -> list[Path]:
        try:
            return [Path(folder) for folder in json.loads(self._entry(key).read_text(encoding="utf-8"))["directories"]]
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def _add(self, key: str, folder: Path) -> None:
        known = self._folders(key)
        if folder not in known:
            with suppress(OSError):
                self._write(key, [*known[-MOST_FOLDERS + 1 :], folder])

    def _forget(self, key: str, folder: Path) -> None:
        with suppress(OSError):
            self._write(key, [known for known in self._folders(key) if known != folder])

    def _write(self, key: str, folders: list[Path]) -> None:
        entry = self._entry(key)
        if not folders:
            entry.unlink(missing_ok=True)
            return
        entry.parent.mkdir(parents=True, exist_ok=True)
        write_text(entry, json.dumps({"directories": [str(folder) for folder in folders]}))

    def _entry(self, key: str) -> Path:
        return self.directory / key[:2] / f"{key}.json"


def marker(folder: Path, stem: str) -> Path:
    """File that says which finished run the outputs in a folder are of.

    Parameters
    ----------
    folder
        The folder.
    stem
        Stem of the program's files.
    """
    return folder / f"{stem}{SUFFIX}"


def finished_runs(folder: Path) -> tuple[FinishedRun, ...]:
    """Every finished run whose marker lies in a folder.

    Parameters
    ----------
    folder
        Folder of a step.
    """
    found = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        with suppress(OSError, ValueError):
            found.append(FinishedRun.model_validate_json(path.read_text(encoding="utf-8")))
    return tuple(found)


def finished_run(folder: Path, stem: str) -> FinishedRun | None:
    """The finished run whose marker lies in a folder; None if there is none.

    Parameters
    ----------
    folder
        Folder of a step.
    stem
        Stem of the program's files.
    """
    with suppress(OSError, ValueError):
        return FinishedRun.model_validate_json(marker(folder, stem).read_text(encoding="utf-8"))
    return None


def forget_run(folder: Path, stem: str) -> None:
    """Remove the marker before the program runs anew, and what this folder shares with another.

    Parameters
    ----------
    folder
        The folder.
    stem
        Stem of the program's files.
    """
    path = marker(folder, stem)
    if not path.is_file():
        return
    path.unlink()
    for file in folder.rglob(f"*{NEVER_REWRITTEN}*"):
        if file.is_file() and file.stat().st_nlink > 1:
            file.unlink()


def _matching(folder: Path, key: str, calculation: Calculation) -> FinishedRun | None:
    """The marker of a folder if it is of this key and all that is needed is intact."""
    path = marker(folder, calculation.stem)
    if not path.is_file():
        return None
    found = FinishedRun.model_validate_json(path.read_text(encoding="utf-8"))
    fits = found.key == key and all(found.holds(folder, pattern) for pattern in _needed(calculation))
    return found if fits else None


def _needed(calculation: Calculation) -> tuple[str, ...]:
    return f"{calculation.stem}.out", *calculation.outputs


def _program_run(found: FinishedRun, here: Path) -> ProgramRun:
    """The run as it went, its handlers' corrections included, and where it went."""
    elsewhere = None if found.computed_in == str(here) else found.computed_in
    return replace(PROGRAM_RUN.validate_python(found.run), content_sha256=found.key, reused_from=elsewhere)


def _bring(found: FinishedRun, calculation: Calculation, source: Path, here: Path) -> bool:
    """Copy outputs of another folder, and mark them last; False if they changed meanwhile."""
    patterns = [*_needed(calculation), *(name for name in calculation.along if found.holds(source, name))]
    stamps = {name: stamp for pattern in patterns for name, stamp in found.files[pattern].items()}
    forget_run(here, calculation.stem)
    waiting = Path(mkdtemp(prefix=".reused-", dir=here))
    try:
        for name in stamps:
            _copy(source / name, waiting / name)
        copies = {name: _stamp(waiting / name) for name in stamps}
        unchanged = all(_is_intact(source / name, stamp) for name, stamp in stamps.items())
        if not unchanged or any(_content(copies[name]) != _content(stamp) for name, stamp in stamps.items()):
            return False
        for name in stamps:
            (here / name).parent.mkdir(parents=True, exist_ok=True)
            (waiting / name).replace(here / name)
    finally:
        shutil.rmtree(waiting, ignore_errors=True)
    files = {pattern: {name: copies[name] for name in found.files[pattern]} for pattern in patterns}
    marked = found.model_copy(update={"files": files})
    write_text(marker(here, calculation.stem), marked.model_dump_json())
    return True


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if NEVER_REWRITTEN in source.name:
        with suppress(OSError):  # another file system, or one without hard links
            os.link(source, target)
            return
    shutil.copy2(source, target)


def _write_marker(folder: Path, calculation: Calculation, run: ProgramRun) -> None:
    files = {
        pattern: {str(path.relative_to(folder)): _stamp(path) for path in _files(folder, pattern)}
        for pattern in (*_needed(calculation), *calculation.along)
    }
    run_data = PROGRAM_RUN.dump_python(run, mode="json")
    content = FinishedRun(key=run.content_sha256, computed_in=str(folder), run=run_data, files=files)
    write_text(marker(folder, calculation.stem), content.model_dump_json())


def _files(folder: Path, pattern: str) -> Iterator[Path]:
    for match in sorted(folder.glob(pattern)):
        yield from [match] if match.is_file() else sorted(path for path in match.rglob("*") if path.is_file())


def _stamp(path: Path) -> FileStamp:
    stat = path.stat()
    return FileStamp(size=stat.st_size, modified_ns=stat.st_mtime_ns, sha256=_sha256(path, stat.st_size))


def _content(stamp: FileStamp) -> tuple[int, str | None]:
    return stamp.size, stamp.sha256


def _is_intact(path: Path, stamp: FileStamp) -> bool:
    try:
        stat = path.stat()
    except OSError:
        return False
    if stat.st_size != stamp.size:
        return False
    if stamp.sha256 is None:
        return stat.st_mtime_ns == stamp.modified_ns
    return _sha256(path, stat.st_size) == stamp.sha256


def _sha256(path: Path, size: int) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if size <= HASHED_BYTES else None
