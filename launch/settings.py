"""Settings of the machine that campaigns are started on."""

from __future__ import annotations

import shlex
import stat
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import SettingsConfigDict

from hightc.launch.errors import SettingsError
from hightc.makers.settings import ComputeSettings, settings_file

LOOPBACK = ("localhost", "127.0.0.1", "::1")

SECRETS = ("mongo_uri", "gui_password", "notify_webhook")
"""Settings for which the file must be its owner's alone."""


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
    gui_user: str = Field("hightc", pattern=r"^[^:\s]+$", description="User that `hightc gui` asks for.")
    gui_password: SecretStr | None = Field(
        None, description="Password that `hightc gui` asks for; None: it asks for none, and stays on loopback."
    )
    notify_command: str | None = Field(
        None,
        description="Command that hightc run starts once for each material above notify_tc_kelvin, with JSON on its "
        "standard input and no shell; None: none.",
    )
    notify_webhook: SecretStr | None = Field(
        None,
        description="Address that the same JSON is posted to: https, or http on this machine; None: none.",
    )
    notify_tc_kelvin: float = Field(
        10.0, ge=0, allow_inf_nan=False, description="Tc in K above which notify_command and notify_webhook are told."
    )
    cores: int | None = Field(None, ge=1, description="Cores of this machine to use; None: all this process may use.")
    workers: int | None = Field(None, ge=1, description="Materials side by side; None: cores divided by processes.")

    database_patience_seconds: float = Field(
        600.0, ge=0, description="Time that workers and hightc run wait while the database is away; 0: none."
    )

    @field_validator("pw_command", "ph_command", "q2r_command", "matdyn_command", "mpi_command", "notify_command")
    @classmethod
    def _is_command(cls, text: str | None) -> str | None:
        if text is not None and not shlex.split(text):
            msg = "expected a command, found nothing"
            raise ValueError(msg)
        return text

    @field_validator("notify_webhook")
    @classmethod
    def _is_safe_address(cls, address: SecretStr | None) -> SecretStr | None:
        parts = urlsplit(address.get_secret_value()) if address is not None else None
        if parts is not None and not (
            parts.hostname and (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK))
        ):
            msg = "expected an address that starts with https://, or http:// on this machine"
            raise ValueError(msg)
        return address


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
    held = [name for name in SECRETS if path.is_file() and name in path.read_text(encoding="utf-8")]
    if held:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            msg = f"settings {path}: holds {' and '.join(held)} but has mode {mode:04o}: run: chmod 600 {path}"
            raise SettingsError(msg)
    return settings
