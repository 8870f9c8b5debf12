"""Campaign files: which materials, how accurately, by which route."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pymatgen.core import Structure

from hightc.analysis.documents import MaterialTag
from hightc.launch.errors import CampaignError
from hightc.launch.structures import read_structure
from hightc.makers.errors import CalculationError
from hightc.makers.qe.pseudopotentials import family_directory, identify, select_pseudopotentials
from hightc.makers.qe.recipe import PROTOCOL_NAMES, Recipe, make_recipe, require_electron_phonon
from hightc.makers.qe.relativity import require_relativity
from hightc.makers.qe.wannier_recipe import WannierRecipe, make_wannier_recipe
from hightc.makers.settings import ComputeSettings
from hightc.makers.tc import DEFAULT_MU_STAR

Route = Literal["linear_response", "wannier"]

LABEL = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}$")
KEY_DIGITS = 6
LATTICE_DECIMALS = 8


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
    q_jobs: int | None = Field(
        None, ge=1, description="Runs of ph.x side by side for one material; None: as many as there are cores for."
    )
    finer_q_passes: int = Field(1, ge=0, le=2, description="Finer q meshes tried where modes are marginal.")
    materials: dict[str, MaterialEntry] = Field(min_length=1, description="Materials by label.")


@dataclass(frozen=True)
class Material:
    """One material of a campaign, ready to be computed.

    Attributes
    ----------
    tag
        Campaign and label.
    structure
        Primitive standard cell, Angstrom.
    recipe
        Every number of the calculation.
    mu_star
        Coulomb pseudopotentials.
    key
        Digest of everything above but mu_star, which only the last step depends on.
    wannier
        Numbers of the Wannier route; None where only the linear response is asked for.
    q_jobs
        Runs of ph.x side by side; None: as many as there are cores for.
    finer_q_passes
        Finer q meshes tried where modes are marginal.
    """

    tag: MaterialTag
    structure: Structure
    recipe: Recipe
    mu_star: tuple[float, ...]
    key: str
    wannier: WannierRecipe | None = None
    q_jobs: int | None = None
    finer_q_passes: int = 1

    @property
    def folder(self) -> str:
        """Name of its folder: label and the start of its key."""
        return f"{self.tag.material}-{self.key[:KEY_DIGITS]}"


@dataclass(frozen=True)
class Campaign:
    """A campaign whose every input was checked.

    Attributes
    ----------
    name
        Name of the campaign.
    path
        The file it was read from.
    materials
        In the order of the file.
    """

    name: str
    path: Path
    materials: tuple[Material, ...]


def read_campaign(path: Path, settings: ComputeSettings) -> Campaign:
    """Read a campaign file and resolve every material, before anything runs.

    Parameters
    ----------
    path
        A TOML file.
    settings
        Settings of this machine, for the pseudopotentials.

    Raises
    ------
    CampaignError
        If anything in it cannot be used; the message names the file, the key and the next step.
    """
    entries = _parse(path)
    name = entries.name or path.stem
    if not LABEL.match(name):
        msg = f"{path}: name: expected letters, digits, '_', '.', '+' or '-', found {name!r}"
        raise CampaignError(msg)
    materials = tuple(
        _resolve(path, name, entries, label, entry, settings) for label, entry in entries.materials.items()
    )
    return Campaign(name=name, path=path, materials=materials)


def _parse(path: Path) -> CampaignFile:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        msg = f"{path}: no such file: expected a campaign such as launch/examples/quickstart.toml"
        raise CampaignError(msg) from None
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read as text ({error}): expected a TOML file in UTF-8"
        raise CampaignError(msg) from None
    except tomllib.TOMLDecodeError as error:
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
        model = (
            MaterialEntry
            if len(fault["loc"]) > 2 and fault["loc"][0] == "materials"
            else (PseudopotentialChoice if fault["loc"][0] == "pseudopotentials" else CampaignFile)
        )
        return f"{path}: unknown key {key!r}: expected one of {', '.join(model.model_fields)}"
    if key == "materials" and fault["type"] in ("missing", "too_short"):
        return f"{path}: no materials: name at least one material, [materials.Al] with prototype = 'fcc Al 4.05'"
    hint = f" (protocols: {', '.join(PROTOCOL_NAMES)})" if key == "protocol" else ""
    return f"{path}: {key}: {fault['msg']}{hint}, found {fault['input']!r}"


def _resolve(
    path: Path,
    campaign: str,
    entries: CampaignFile,
    label: str,
    entry: MaterialEntry,
    settings: ComputeSettings,
) -> Material:
    where = f"{path}: material {label!r}"
    if not LABEL.match(label):
        msg = f"{where}: expected letters, digits, '_', '.', '+' or '-' in the label"
        raise CampaignError(msg)
    structure = read_structure(entry.model_dump(exclude_none=True), path.parent, where=where)
    choice = entries.pseudopotentials
    try:
        family = _family(choice.family or settings.pseudopotential_family, path.parent)
        directory = family_directory(family, settings.pseudopotentials_directory)
        elements = [element.symbol for element in structure.composition.elements]
        files = select_pseudopotentials(directory, elements, choice.files)
        cutoffs = [file.ecutwfc_ry for file in files if file.ecutwfc_ry is not None]
        recipe = make_recipe(
            structure,
            protocol=entries.protocol,
            family=family,
            pseudopotentials=tuple(identify(file) for file in files),
            suggested_ecutwfc_ry=max(cutoffs) if len(cutoffs) == len(files) else None,
            norm_conserving=all(file.norm_conserving for file in files),
            overrides={**entries.recipe, **entry.recipe},
        )
        require_relativity(files, spin_orbit=recipe.spin_orbit)
        require_electron_phonon(recipe)
        wannier = _wannier(structure, recipe, entries, entry)
    except CalculationError as error:
        msg = f"{where}: {error}"
        raise CampaignError(msg) from None
    tag = MaterialTag(campaign=campaign, material=label)
    return Material(
        tag=tag,
        structure=structure,
        recipe=recipe,
        mu_star=entries.mu_star,
        key=_digest(tag, structure, recipe, wannier, entries.finer_q_passes),
        wannier=wannier,
        q_jobs=entries.q_jobs,
        finer_q_passes=entries.finer_q_passes,
    )


def _wannier(structure: Structure, recipe: Recipe, entries: CampaignFile, entry: MaterialEntry) -> WannierRecipe | None:
    """Numbers of the Wannier route, where it is asked for; they are checked either way."""
    made = make_wannier_recipe(structure, recipe, {**entries.wannier, **entry.wannier})
    return made if (entry.route or entries.route) == "wannier" else None


def _family(family: str, folder: Path) -> str:
    """Folders are relative to the campaign file, names are kept."""
    if "/" in family or family.startswith((".", "~")):
        return str((folder / Path(family).expanduser()).resolve())
    return family


def _digest(
    tag: MaterialTag, structure: Structure, recipe: Recipe, wannier: WannierRecipe | None, finer_q_passes: int
) -> str:
    """Digest of the inputs; pseudopotentials count by their content, and options that came later where they are set."""
    content: dict[str, Any] = {
        "tag": tag.model_dump(),
        "lattice": _rounded(structure.lattice.matrix),
        "species": [site.specie.symbol for site in structure],
        "positions": _rounded(structure.frac_coords),
        "recipe": recipe.model_dump(exclude={"pseudopotential_family", "pseudopotentials"}, exclude_defaults=True),
        "pseudopotentials": {item.element: item.sha256 for item in recipe.pseudopotentials},
        "route": "linear_response",
    }
    if finer_q_passes != CampaignFile.model_fields["finer_q_passes"].default:
        content["finer_q_passes"] = finer_q_passes
    if wannier is not None:
        content |= {"route": "wannier", "wannier": wannier.model_dump()}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _rounded(array: NDArray[np.float64]) -> list[list[float]]:
    """Numbers that do not change with the last bits of a symmetry operation; -0.0 becomes 0.0."""
    rounded: list[list[float]] = (array.round(LATTICE_DECIMALS) + 0.0).tolist()
    return rounded
