"""Every setting with its value, where the value comes from and what it means."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr
from rich.table import Table

from hightc.launch.families import print_table
from hightc.launch.settings import Settings
from hightc.makers.settings import settings_file

PREFIX = "HIGHTC_"
OTHER_VARIABLES = frozenset({"HIGHTC_SETTINGS_FILE", "HIGHTC_TEST_MONGO_URI"})
"""Variables that are read but are not settings."""

SECRET = "********"  # noqa: S105 - what is shown in a secret's place


def setting_sources(file: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Where the value of each setting comes from.

    Parameters
    ----------
    file
        The settings file, which need not exist.
    environment
        Environment variables.

    Returns
    -------
    dict
        ``environment``, ``file`` or ``default`` by name of the setting.
    """
    in_file = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    set_here = {name.upper() for name in environment}
    return {
        name: "environment" if f"{PREFIX}{name.upper()}" in set_here else "file" if name in in_file else "default"
        for name in Settings.model_fields
    }


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Environment variables that look like settings but are none, for example misspelt ones.

    Parameters
    ----------
    environment
        Environment variables.
    """
    known = OTHER_VARIABLES | {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    return sorted(name for name in environment if name.upper().startswith(PREFIX) and name.upper() not in known)


def show_settings(settings: Settings) -> int:
    """Print every setting.

    Parameters
    ----------
    settings
        Settings of this machine.

    Returns
    -------
    int
        Exit code: 1 if a variable of the environment is no setting.
    """
    file = settings_file()
    sources = setting_sources(file, os.environ)
    table = Table(
        "setting", "value", "from", "meaning", caption="set as HIGHTC_NAME in the environment or name in the file"
    )
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        shown = SECRET if isinstance(value, SecretStr) else "-" if value is None else str(value)
        table.add_row(name, shown, sources[name], field.description)
    print(f"settings file: {file} ({'exists' if file.is_file() else 'not there'})")
    print_table(table)
    unknown = unknown_variables(os.environ)
    for name in unknown:
        print(f"hightc: {name} is set, but there is no such setting: correct or unset it", file=sys.stderr)
    return 1 if unknown else 0
