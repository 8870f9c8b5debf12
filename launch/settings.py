"""Settings of the machine that campaigns are started on."""

from __future__ import annotations

import shlex
import stat
import tomllib
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import SettingsConfigDict

from hightc.launch.errors import SettingsError
from hightc.makers.settings import ComputeSettings, settings_file


class Settings(ComputeSettings):
    """Everything that can be set; fields of the compute settings included."""

    model_config = SettingsConfigDict(env_prefix="HIGHTC_", extra="forbid", frozen=True)

    mongo_uri: SecretStr | None = Field(
        None,
        description="MongoDB as mongodb://user:password@host/database; None: the embedded single-machine server.",
    )
    work_directory: Path = Field(
        Path("hightc-runs"), description="Folder of the calculations, one sub-folder a campaign and material."
    )
    cores: int | None = Field(None, ge=1, description="Cores of this machine to use; None: all this process may use.")
    workers: int | None = Field(None, ge=1, description="Materials side by side; None: cores divided by processes.")

    @field_validator("pw_command", "ph_command", "q2r_command", "matdyn_command", "mpi_command")
    @classmethod
    def _is_command(cls, text: str) -> str:
        if not shlex.split(text):
            msg = "expected a command, found nothing"
            raise ValueError(msg)
        return text


def load_settings(**overrides: Any) -> Settings:
    """Read and check the settings.

    Parameters
    ----------
    **overrides
        Fields to set regardless of environment and file.

    Raises
    ------
    SettingsError
        If a setting is unknown or has a wrong value, or a password lies in a file that others can read.
    """
    path = settings_file()
    try:
        settings = Settings(**overrides)
    except tomllib.TOMLDecodeError as error:
        msg = f"settings {path}: not valid TOML: {error}: correct that line"
        raise SettingsError(msg) from None
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            msg = f"settings {path}: unknown setting {name!r}: expected one of {', '.join(Settings.model_fields)}"
            raise SettingsError(msg) from None
        fault = first["msg"].removeprefix("Value error, ")
        msg = f"setting {name!r}: {fault}: correct HIGHTC_{name.upper()} in the environment or {name} in {path}"
        raise SettingsError(msg) from None
    if path.is_file() and "mongo_uri" in path.read_text(encoding="utf-8"):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            msg = f"settings {path}: holds mongo_uri but has mode {mode:04o}: run: chmod 600 {path}"
            raise SettingsError(msg)
    return settings
