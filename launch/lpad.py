"""FireWorks' own commands on the campaigns' database: its web page, its queries, its repairs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from hightc.analysis.files import write_text
from hightc.launch.errors import InstallError
from hightc.launch.settings import Settings
from hightc.launch.store import Database, open_database

OWNER_ONLY = 0o600


def write_launchpad_file(database: Database, path: Path) -> None:
    """Write the file by which FireWorks' commands find the database; only its owner can read it.

    Parameters
    ----------
    database
        The database; its password goes into the file.
    path
        Where to write.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"host": database.uri, "name": database.name, "uri_mode": True, "logdir": None, "strm_lvl": "INFO"}
    write_text(path, yaml.safe_dump(content), mode=OWNER_ONLY)


def run_lpad(arguments: Sequence[str], settings: Settings) -> int:
    """Become FireWorks' ``lpad`` on the campaigns' database.

    Parameters
    ----------
    arguments
        Arguments of lpad, for example ``webgui`` or ``get_wflows``.
    settings
        Settings of this machine.

    Returns
    -------
    int
        Never: the process is replaced.

    Raises
    ------
    InstallError
        If lpad is not installed beside hightc.
    """
    beside = str(Path(sys.executable).parent)
    lpad = shutil.which("lpad", path=os.pathsep.join((beside, os.environ.get("PATH", ""))))
    if lpad is None:
        msg = "lpad is not installed: it comes with FireWorks; install hightc again (pip install -e .)"
        raise InstallError(msg)
    database = open_database(settings)
    database.prepare()
    database.close()
    path = settings.data_directory / "launchpad.yaml"
    write_launchpad_file(database, path)
    os.execv(lpad, [lpad, "-l", str(path), *arguments])  # noqa: S606 - a program and its arguments, no shell
