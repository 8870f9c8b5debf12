"""Campaign files as they are written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from hightc.launch.errors import CampaignError
from hightc.launch.funnel_file import FunnelTable, GateTable
from hightc.launch.sources.table import SourceEntry, source_fault
from hightc.launch.toml_file import read_toml
from hightc.makers.qe.recipe import PROTOCOL_NAMES
from hightc.makers.tc import DEFAULT_MU_STAR

Route = Literal["linear_response", "wannier"]
Study = Literal["electron_phonon", "magnetic_softness", "nesting"]

LABEL = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}$")


def _each_once(studies: tuple[Study, ...]) -> tuple[Study, ...]:
    """In the order of the type, so that the order of writing changes no key."""
    return tuple(study for study in STUDIES if study in studies)


STUDIES: tuple[Study, ...] = get_args(Study)
Studies = Annotated[tuple[Study, ...], Field(min_length=1), AfterValidator(_each_once)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PseudopotentialChoice(_Part):
    """Table ``[pseudopotentials]`` of a campaign file."""

    family: str | None = Field(
        None, description="Installed family, debian, or a folder of UPF files; None: that of the settings."
    )
    files: dict[str, str] = Field(default_factory=dict, description="File of an element, where the folder has several.")


class MaterialEntry(_Part):
    """Table ``[materials.LABEL]`` of a campaign file."""

    prototype: str | None = Field(None, description="A line such as 'fcc Al 4.05'; lengths in Angstrom.")
    file: str | None = Field(None, description="Structure file, relative to the campaign file.")
    recipe: dict[str, Any] = Field(default_factory=dict, description="Numbers of this material.")
    route: Route | None = Field(None, description="How the coupling of this material is summed.")
    wannier: dict[str, Any] = Field(default_factory=dict, description="Numbers of the Wannier route of this material.")
    studies: Studies | None = Field(None, description="What is computed of this material.")
    magnetism: dict[str, Any] = Field(default_factory=dict, description="Numbers of its magnetic softness.")
    nesting: dict[str, Any] = Field(default_factory=dict, description="Numbers of its nesting.")


class CampaignFile(_Part):
    """A campaign file as written."""

    name: str | None = Field(None, pattern=LABEL.pattern, description="Name of the campaign; the file's by default.")
    protocol: Literal["draft", "screen", "precise"] = Field("screen", description="Accuracy.")
    route: Route = Field(
        "linear_response",
        description="How the coupling is summed; wannier goes on from the phonons of the linear response.",
    )
    mu_star: tuple[Annotated[float, Field(ge=0, lt=1)], ...] = Field(DEFAULT_MU_STAR, min_length=1)
    pseudopotentials: PseudopotentialChoice = PseudopotentialChoice()
    recipe: dict[str, Any] = Field(default_factory=dict, description="Numbers of every material.")
    wannier: dict[str, Any] = Field(default_factory=dict, description="Numbers of the Wannier route.")
    studies: Studies = Field(("electron_phonon",), description="What is computed.")
    magnetism: dict[str, Any] = Field(default_factory=dict, description="Numbers of the magnetic softness.")
    nesting: dict[str, Any] = Field(default_factory=dict, description="Numbers of nesting and susceptibility.")
    funnel: FunnelTable | None = Field(None, description="Gates that choose which materials go on to which stage.")
    q_jobs: int | None = Field(
        None, ge=1, description="Runs of ph.x side by side for one material; None: as many as there are cores for."
    )
    finer_q_passes: int = Field(1, ge=0, le=2, description="Finer q meshes tried where modes are marginal.")
    materials: dict[str, MaterialEntry] = Field(default_factory=dict, description="Materials by label.")
    sources: tuple[SourceEntry, ...] = Field((), description="Where further materials come from.")

    @model_validator(mode="after")
    def _has_materials(self) -> Self:
        if not self.materials and not self.sources:
            raise PydanticCustomError("no_materials", "no materials")
        return self


def parse_campaign_file(path: Path) -> CampaignFile:
    """Read a campaign file and check the type of every key.

    Parameters
    ----------
    path
        A TOML file.

    Raises
    ------
    CampaignError
        If it cannot be read, or a key is unknown or of the wrong type.
    """
    try:
        content = read_toml(path)
    except FileNotFoundError:
        msg = f"{path}: no such file: expected a campaign such as launch/examples/quickstart.toml"
        raise CampaignError(msg) from None
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read as text ({error}): expected a TOML file in UTF-8"
        raise CampaignError(msg) from None
    except ValueError as error:
        msg = f"{path}: not valid TOML: {error}: correct that line"
        raise CampaignError(msg) from None
    try:
        return CampaignFile(**content)
    except ValidationError as error:
        raise CampaignError(_first_fault(path, error)) from None


def _first_fault(path: Path, error: ValidationError) -> str:
    fault = error.errors()[0]
    key = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        model: type[BaseModel] = CampaignFile
        if fault["loc"][0] == "materials" and len(fault["loc"]) > 2:
            model = MaterialEntry
        elif fault["loc"][0] == "funnel" and len(fault["loc"]) > 1:
            model = FunnelTable if len(fault["loc"]) == 2 else GateTable
        elif fault["loc"][0] == "pseudopotentials":
            model = PseudopotentialChoice
        return f"{path}: unknown key {key!r}: expected one of {', '.join(model.model_fields)}"
    if fault["loc"][:1] == ("sources",):
        return f"{path}: {source_fault(fault)}"
    if fault["type"] == "no_materials":
        return f"{path}: no materials: name at least one material, [materials.Al] with prototype = 'fcc Al 4.05'"
    if fault["type"] == "tuple_type":
        return f"{path}: {key}: expected a list in square brackets, found {fault['input']!r}"
    hint = f" (protocols: {', '.join(PROTOCOL_NAMES)})" if key == "protocol" else ""
    return f"{path}: {key}: {fault['msg']}{hint}, found {fault['input']!r}"
