"""What this machine has and lacks, each problem with the command that mends it."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from pymongo.errors import PyMongoError

from hightc.launch import embedded_mongo
from hightc.launch.errors import DatabaseError
from hightc.launch.families import find_families
from hightc.launch.findings import Finding, Status
from hightc.launch.program_checks import check_mpi, check_process_death, check_programs
from hightc.launch.pseudos import TABLES
from hightc.launch.settings import Settings
from hightc.launch.settings_listing import unknown_variables
from hightc.launch.store import DEFAULT_DATABASE, Database, open_database
from hightc.makers.errors import CalculationError
from hightc.makers.execution import require_free_space
from hightc.makers.qe.pseudopotentials import DEBIAN_DIRECTORY, DEFAULT_PSEUDO_DOJO, PSEUDO_DOJO
from hightc.makers.settings import settings_file

CLOSE_PACKAGES = ("atomate2", "jobflow", "fireworks", "maggma", "custodian", "pymatgen")
"""Packages whose own requirements are checked too: a later install can move what they depend on."""

IDLE_EXIT_SECONDS = 5.0
"""A database server started for the check ends so soon after it."""

SCRATCH_COLLECTION = "hightc_doctor"


def diagnose(settings: Settings, debian: Path = DEBIAN_DIRECTORY) -> list[Finding]:
    """Look at everything a campaign needs.

    Parameters
    ----------
    settings
        Settings of this machine.
    debian
        Folder of Debian's pseudopotentials.
    """
    return [
        check_packages(),
        *check_settings(),
        *check_programs(settings),
        check_mpi(settings),
        check_process_death(),
        *check_pseudopotentials(settings, debian),
        *check_database(settings),
        check_directory("work directory", settings.work_directory, "HIGHTC_WORK_DIRECTORY", settings),
        check_directory("data directory", settings.data_directory, "HIGHTC_DATA_DIRECTORY", settings),
    ]


def check_packages(packages: Sequence[str] = ("hightc", *CLOSE_PACKAGES)) -> Finding:
    """Whether installed packages are those that they ask each other for.

    Parameters
    ----------
    packages
        Distributions whose requirements are looked at.
    """
    wrong: dict[str, str] = {}
    for package in packages:
        for line in _requirements(package):
            requirement = Requirement(line)
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
                continue
            installed = _version(requirement.name)
            if installed is None or not requirement.specifier.contains(installed, prereleases=True):
                asked = f"{requirement.name}{requirement.specifier}"
                wrong[asked] = f"{package} asks for {asked}, found {installed or 'none'}"
    if wrong:
        commands = " ".join(f"'{asked}'" for asked in wrong)
        return Finding("Python packages", "problem", "; ".join(wrong.values()), f"run: pip install {commands}")
    shown = ("hightc", *CLOSE_PACKAGES, "pymongo", "numpy")
    return Finding("Python packages", "ok", ", ".join(f"{name} {_version(name)}" for name in shown))


def _requirements(package: str) -> list[str]:
    try:
        return requires(package) or []
    except PackageNotFoundError:
        return [package]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def check_settings() -> Iterator[Finding]:
    """Who may change the settings file, and whether each variable is a setting."""
    path = settings_file()
    if not path.is_file():
        yield Finding("settings file", "ok", f"none at {path}: environment and defaults")
    else:
        mode = stat.S_IMODE(path.stat().st_mode)
        safe = not mode & 0o022
        yield Finding(
            "settings file",
            "ok" if safe else "warning",
            f"{path}, mode {mode:04o}",
            "" if safe else f"others can change which programs run: chmod go-w {path}",
        )
    if unknown := unknown_variables(os.environ):
        advice = "correct the name (hightc settings lists them) or unset it"
        yield Finding("environment", "warning", f"no such setting: {', '.join(unknown)}", advice)


def check_pseudopotentials(settings: Settings, debian: Path = DEBIAN_DIRECTORY) -> Iterator[Finding]:
    """Which families there are, and whether they are undamaged.

    Parameters
    ----------
    settings
        Settings of this machine.
    debian
        Folder of Debian's pseudopotentials.
    """
    families = find_families(settings.pseudopotentials_directory, debian)
    for family in families:
        name = f"pseudopotentials {family.name}"
        if family.damaged:
            table = family.name in TABLES
            again = f"run: hightc pseudos install {PSEUDO_DOJO} --table {family.name}" if table else "restore the files"
            yield Finding(name, "problem", f"damaged: {', '.join(family.damaged[:3])} in {family.path}", again)
        else:
            yield Finding(name, "ok", f"{family.n_elements} elements, {family.state} ({family.path})")
    if DEFAULT_PSEUDO_DOJO not in {family.name for family in families}:
        status: Status = "warning" if families else "problem"
        advice = f"run: hightc pseudos install {PSEUDO_DOJO}"
        yield Finding(f"pseudopotentials {PSEUDO_DOJO}", status, "not installed (the default of campaigns)", advice)


def check_database(settings: Settings) -> Iterator[Finding]:
    """Whether the database answers and can be written, and what FireWorks has in it.

    Parameters
    ----------
    settings
        Settings of this machine.
    """
    found = "database"
    try:
        database, found = _reach(settings)
        with closing(database.client):
            _write_and_remove(database)
            yield Finding("database", "ok", f"{found}: answers, can be written")
            yield _check_launchpad(database)
    except (DatabaseError, embedded_mongo.EmbeddedMongoError) as error:
        yield Finding("database", "problem", "cannot be reached", str(error))
    except PyMongoError as error:
        advice = "give the user of HIGHTC_MONGO_URI the role readWrite on its database"
        yield Finding("database", "problem", f"{found}: cannot be written ({error})", advice)


def _reach(settings: Settings) -> tuple[Database, str]:
    if settings.mongo_uri is not None:
        database = open_database(settings)
        return database, f"MongoDB {database.client.server_info()['version']} at {database.address}"
    directory = settings.data_directory / "mongo"
    before = "was running" if embedded_mongo.status(directory).running else "was started"
    uri = embedded_mongo.start(directory, idle_exit_seconds=IDLE_EXIT_SECONDS)
    return Database(uri=uri, name=DEFAULT_DATABASE, embedded=True), f"embedded server of this machine ({before})"


def _write_and_remove(database: Database) -> None:
    scratch = database.collections[SCRATCH_COLLECTION]
    mark = uuid.uuid4().hex
    scratch.insert_one({"_id": mark})
    scratch.delete_one({"_id": mark})


def _check_launchpad(database: Database) -> Finding:
    states = Counter(found["state"] for found in database.collections["fireworks"].find({}, {"state": 1}))
    counters = database.collections["fw_id_assigner"].count_documents({})
    known = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "no fireworks yet"
    name = f"FireWorks {_version('fireworks')}"
    if states and not counters:
        advice = "restore the collection fw_id_assigner from a backup: without it new fireworks overwrite old ones"
        return Finding(name, "problem", f"{known}, but no counters", advice)
    return Finding(name, "ok", known)


def check_directory(name: str, path: Path, variable: str, settings: Settings) -> Finding:
    """Whether a folder, or the nearest one above that exists, can be written and has room.

    Parameters
    ----------
    name
        What the folder is for.
    path
        The folder.
    variable
        Variable that sets it.
    settings
        Settings of this machine.
    """
    path = path.absolute()
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
        require_free_space(existing, settings.scratch_minimum_gb)
    except OSError as error:
        return Finding(name, "problem", f"{existing}: {error.strerror}", f"set {variable} to a folder you can write")
    except CalculationError as error:
        return Finding(name, "problem", f"{existing}: not enough room", f"{error}, or set {variable}")
    free_gb = shutil.disk_usage(existing).free / 1e9
    return Finding(name, "ok", f"{path}: {free_gb:.0f} GB free, at least {settings.scratch_minimum_gb:g} needed")
