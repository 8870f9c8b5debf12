"""Settings of the machine a calculation runs on, read when it runs.

Each can be set in the environment (``HIGHTC_PW_COMMAND``) or in one TOML file (``pw_command = "..."``): the file that
``HIGHTC_SETTINGS_FILE`` names, else ``~/.config/hightc/settings.toml``. The environment wins.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)


def settings_file() -> Path:
    """Where the settings file is looked for."""
    named = os.environ.get("HIGHTC_SETTINGS_FILE")
    if named:
        return Path(named).expanduser()
    config_home = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(config_home).expanduser() / "hightc" / "settings.toml"


def default_data_directory() -> Path:
    """Where pseudopotentials and the embedded database live unless the settings say otherwise."""
    data_home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data_home).expanduser() / "hightc"


class ComputeSettings(BaseSettings):
    """Programs, processes and folders of the machine that runs a job."""

    model_config = SettingsConfigDict(env_prefix="HIGHTC_", extra="ignore", frozen=True)

    pw_command: str = Field("pw.x", description="pw.x of Quantum ESPRESSO, a name on PATH or a full path.")
    ph_command: str = Field("ph.x", description="ph.x of Quantum ESPRESSO.")
    q2r_command: str = Field("q2r.x", description="q2r.x of Quantum ESPRESSO.")
    matdyn_command: str = Field("matdyn.x", description="matdyn.x of Quantum ESPRESSO.")
    epw_command: str = Field("epw.x", description="epw.x of Quantum ESPRESSO, for the Wannier route alone.")
    mpi_command: str = Field(
        "mpirun -np {processes}",
        description="Start of a parallel command; {processes} is replaced. Not used for one process.",
    )
    processes: int = Field(1, ge=1, description="MPI processes of one calculation, at least; idle cores are added.")
    threads: int = Field(1, ge=1, description="OpenMP threads of each process.")
    walltime_seconds: float | None = Field(
        None,
        gt=60,
        description="Time a program may take; it is asked to stop cleanly before. None: no limit.",
    )
    pseudopotential_family: str = Field(
        "pseudo-dojo", description="Family of campaigns that name none: installed, debian, or a folder of UPF files."
    )
    data_directory: Path = Field(
        default_factory=default_data_directory,
        description="Folder of pseudopotentials and the embedded database.",
    )
    reuse: bool = Field(
        True, description="Take over finished runs of equal content, of any campaign, instead of computing again."
    )
    keep: Literal["results", "restart", "everything"] = Field(
        "restart",
        description="What stays on disk of a finished material: its results, also what later steps start from, or all.",
    )
    scratch_minimum_gb: float = Field(
        1.0, ge=0, description="Free space in GB below which no program is started in a scratch folder."
    )

    @field_validator("data_directory", "work_directory", mode="after", check_fields=False)
    @classmethod
    def _expand_home(cls, folder: Path) -> Path:
        return folder.expanduser()

    @property
    def pseudopotentials_directory(self) -> Path:
        """Folder whose sub-folders are families of pseudopotentials."""
        return self.data_directory / "pseudopotentials"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment, the environment over the file."""
        return (
            init_settings,
            env_settings,
            TomlConfigSettingsSource(settings_cls, toml_file=settings_file()),
        )


def compute_settings(**overrides: Any) -> ComputeSettings:
    """Read the settings of this machine now.

    Parameters
    ----------
    **overrides
        Fields to set regardless of environment and file.
    """
    return ComputeSettings(**overrides)
