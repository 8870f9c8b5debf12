"""Campaign files: which materials, how accurately, by which route."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from hightc.analysis.documents import MaterialTag
from hightc.analysis.funnel_rules import Funnel
from hightc.launch.campaign_file import LABEL, CampaignFile, MaterialEntry, Study, parse_campaign_file
from hightc.launch.errors import CampaignError
from hightc.launch.funnel_file import make_funnel
from hightc.launch.plain_text import plain_text
from hightc.launch.progress_line import ProgressLine, Tell
from hightc.launch.sources.records import ResolvedSources, SourcedStructure, SourceKind, SourceRecord
from hightc.launch.sources.references import sourced_tag
from hightc.launch.structures import read_structure
from hightc.makers.errors import CalculationError
from hightc.makers.qe.magnetic_recipe import MagneticRecipe, make_magnetic_recipe
from hightc.makers.qe.nesting_recipe import NestingRecipe, make_nesting_recipe
from hightc.makers.qe.pseudopotentials import family_directory, identify, select_pseudopotentials
from hightc.makers.qe.recipe import Recipe, make_recipe, require_electron_phonon
from hightc.makers.qe.relativity import require_moment_files, require_relativity
from hightc.makers.qe.wannier_recipe import WannierRecipe, make_wannier_recipe
from hightc.makers.settings import ComputeSettings

NOT_COMPUTABLE = "not_computable"
"""Code of a material whose structure is known but which cannot be computed as the file says."""

KEY_DIGITS = 6
LATTICE_DECIMALS = 8


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
        Digest of everything else but q_jobs, and mu_star where only the last step depends on it, not a gate.
    wannier
        Numbers of the Wannier route; None where only the linear response is asked for.
    q_jobs
        Runs of ph.x side by side; None: as many as there are cores for.
    finer_q_passes
        Finer q meshes tried where modes are marginal.
    studies
        What is computed: each is a workflow of its own.
    magnetism, nesting
        Numbers of those studies; None where they are not asked for.
    sources
        Where its structure is from, and what was reported of it.
    funnel
        Gates between the stages of its way to a Tc; None: all are computed without asking.
    """

    tag: MaterialTag
    structure: Structure
    recipe: Recipe
    mu_star: tuple[float, ...]
    key: str
    wannier: WannierRecipe | None = None
    q_jobs: int | None = None
    finer_q_passes: int = 1
    studies: tuple[Study, ...] = ("electron_phonon",)
    magnetism: MagneticRecipe | None = None
    nesting: NestingRecipe | None = None
    sources: tuple[SourceRecord, ...] = ()
    funnel: Funnel | None = None

    @property
    def folder(self) -> str:
        """Name of its folder: label and the start of its key."""
        return f"{self.tag.material}-{self.key[:KEY_DIGITS]}"


@dataclass(frozen=True)
class Refusal:
    """An entry of a source that gives no material.

    Attributes
    ----------
    entry
        Where it stands and what it says, or the label of its material.
    code
        Reason, to be counted.
    reason
        Reason in words.
    """

    entry: str
    code: str
    reason: str


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
        In the order of the file, named ones before those of its sources.
    refused
        Entries of its sources that give no material.
    """

    name: str
    path: Path
    materials: tuple[Material, ...]
    refused: tuple[Refusal, ...] = ()


def read_campaign(
    path: Path, settings: ComputeSettings, *, tell: Tell | None = None, refuse_all: bool = False
) -> Campaign:
    """Read a campaign file and resolve every material, before anything runs.

    Parameters
    ----------
    path
        A TOML file.
    settings
        Settings of this machine, for the pseudopotentials.
    tell
        Where a line of progress goes now and then; None says nothing.
    refuse_all
        Count a material of the file itself that cannot be computed among the refused, as one of a source, and go on.

    Raises
    ------
    CampaignError
        If anything in it cannot be used; the message names the file, the key and the next step.
    """
    entries = parse_campaign_file(path)
    name = entries.name or path.stem
    if not LABEL.fullmatch(name):
        msg = f"{path}: name: expected letters, digits, '_', '.', '+' or '-', found {name!r}"
        raise CampaignError(msg)
    to_wannier = "wannier" in (entries.route, *(entry.route for entry in entries.materials.values()))
    funnel = make_funnel(entries.funnel, path, to_wannier=to_wannier) if entries.funnel else None
    resolver = _Resolver(path, name, entries, settings, funnel)
    sourced = _sourced(path, entries)
    labels = {found.label for found in sourced.materials}
    line = ProgressLine(tell, "reading", len(labels | entries.materials.keys()))
    refused = [
        Refusal(plain_text(f"{item.where}: {item.value}"), item.code, plain_text(item.reason))
        for item in sourced.refused
    ]
    materials: list[Material] = []
    named = {
        label: entry
        for label, entry in entries.materials.items()
        if label not in labels or entry.prototype or entry.file
    }
    for label, entry in named.items():
        line.show(len(materials))
        try:
            materials.append(resolver.named(label, entry))
        except CampaignError as error:
            if not refuse_all:
                raise
            refused.append(Refusal(label, NOT_COMPUTABLE, str(error)))
    for found in sourced.materials:
        if found.label in named:
            continue
        line.show(len(materials))
        try:
            materials.append(resolver.sourced(found))
        except CampaignError as error:
            refused.append(Refusal(found.label, NOT_COMPUTABLE, str(error)))
    if not materials and not refuse_all:
        msg = f"{path}: none of {len(refused)} materials can be computed; the first: {refused[0].reason}"
        raise CampaignError(msg)
    return Campaign(name=name, path=path, materials=tuple(materials), refused=tuple(refused))


def _sourced(path: Path, entries: CampaignFile) -> ResolvedSources:
    if not entries.sources:
        return ResolvedSources(materials=(), refused=(), found=0)
    # what reads tables and asks servers is imported by those who need it
    from hightc.launch.sources.resolve import resolve_sources  # noqa: PLC0415

    return resolve_sources(entries.sources, path.parent)


@dataclass(frozen=True)
class _Resolver:
    """What the materials of one campaign file have in common."""

    path: Path
    campaign: str
    entries: CampaignFile
    settings: ComputeSettings
    funnel: Funnel | None = None

    def named(self, label: str, entry: MaterialEntry) -> Material:
        """Resolve a table ``[materials.LABEL]``."""
        where = f"{self.path}: material {label!r}"
        if not LABEL.fullmatch(label):
            msg = f"{where}: expected letters, digits, '_', '.', '+' or '-' in the label"
            raise CampaignError(msg)
        structure = read_structure(entry.model_dump(exclude_none=True), self.path.parent, where=where)
        kind: SourceKind = "prototype" if entry.prototype else "files"
        record = SourceRecord(kind=kind, id=str(entry.prototype or entry.file), location=self.path.name)
        return _from(_resolve(where, self, label, entry, structure), (record,))

    def sourced(self, found: SourcedStructure) -> Material:
        """Resolve a material of a source, with the settings that the file has for its label."""
        entry = self.entries.materials.get(found.label, MaterialEntry())
        if found.pressure_gpa:
            entry = entry.model_copy(update={"recipe": {"pressure_gpa": found.pressure_gpa, **entry.recipe}})
        material = _resolve(f"{self.path}: material {found.label!r}", self, found.label, entry, found.structure)
        return _from(material, found.sources)


def _from(material: Material, sources: tuple[SourceRecord, ...]) -> Material:
    return replace(material, sources=sources, tag=sourced_tag(material.tag, sources))


def _resolve(where: str, resolver: _Resolver, label: str, entry: MaterialEntry, structure: Structure) -> Material:
    entries, settings, path = resolver.entries, resolver.settings, resolver.path
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
        studies = entry.studies or entries.studies
        if "electron_phonon" in studies:
            require_electron_phonon(recipe, structure)
            if resolver.funnel is not None and resolver.funnel.moment and recipe.spin_orbit:
                # the moment is computed without the coupling
                require_moment_files(files)
        wannier = _wannier(structure, recipe, entries, entry)
        numbers = {**entries.magnetism, **entry.magnetism}
        magnetism = make_magnetic_recipe(structure, recipe, numbers) if "magnetic_softness" in studies else None
        numbers = {**entries.nesting, **entry.nesting}
        nesting = make_nesting_recipe(structure, recipe, numbers) if "nesting" in studies else None
    except CalculationError as error:
        msg = f"{where}: {error}"
        raise CampaignError(msg) from None
    material = Material(
        tag=MaterialTag(campaign=resolver.campaign, material=label),
        structure=structure,
        recipe=recipe,
        mu_star=entries.mu_star,
        key="",
        wannier=wannier if "electron_phonon" in studies else None,
        q_jobs=entries.q_jobs,
        finer_q_passes=entries.finer_q_passes,
        studies=studies,
        magnetism=magnetism,
        nesting=nesting,
        funnel=resolver.funnel if "electron_phonon" in studies else None,
    )
    return replace(material, key=_digest(material))


def _wannier(structure: Structure, recipe: Recipe, entries: CampaignFile, entry: MaterialEntry) -> WannierRecipe | None:
    """Numbers of the Wannier route, where it is asked for; they are checked either way."""
    made = make_wannier_recipe(structure, recipe, {**entries.wannier, **entry.wannier})
    return made if (entry.route or entries.route) == "wannier" else None


def _family(family: str, folder: Path) -> str:
    """Folders are relative to the campaign file, names are kept."""
    if "/" in family or family.startswith((".", "~")):
        return str((folder / Path(family).expanduser()).resolve())
    return family


def _digest(material: Material) -> str:
    """Digest of the inputs; pseudopotentials count by their content, and options that came later where they are set."""
    recipe = material.recipe
    content: dict[str, Any] = {
        "tag": material.tag.model_dump(include={"campaign", "material"}),
        "lattice": _rounded(material.structure.lattice.matrix),
        "species": [site.specie.symbol for site in material.structure],
        "positions": _rounded(material.structure.frac_coords),
        "recipe": recipe.model_dump(exclude={"pseudopotential_family", "pseudopotentials"}, exclude_defaults=True),
        "pseudopotentials": {item.element: item.sha256 for item in recipe.pseudopotentials},
        "route": "linear_response",
    }
    if material.finer_q_passes != CampaignFile.model_fields["finer_q_passes"].default:
        content["finer_q_passes"] = material.finer_q_passes
    if material.wannier is not None:
        content |= {"route": "wannier", "wannier": material.wannier.model_dump()}
    if material.studies != CampaignFile.model_fields["studies"].default:
        content["studies"] = list(material.studies)
    for study, numbers in (("magnetism", material.magnetism), ("nesting", material.nesting)):
        if numbers is not None:
            content[study] = numbers.model_dump()
    if material.funnel is not None:
        content["funnel"] = _gates_that_count(material, material.funnel)
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _gates_that_count(material: Material, funnel: Funnel) -> dict[str, Any]:
    """Content of the gates that a material meets; where they judge its Tc, with the mu* of that Tc."""
    gates = tuple(gate for gate in funnel.gates if material.wannier is not None or gate.after != "alpha2f")
    content = funnel.model_copy(update={"gates": gates}).model_dump()
    asked = {
        name
        for gate in gates
        for name in (*(rule.feature for rule in gate.require), *(gate.model.features if gate.model else ()))
    }
    if asked & {"tc_kelvin", "tc_eliashberg_kelvin"}:
        content["mu_star"] = material.mu_star[0]
    return content


def _rounded(array: NDArray[np.float64]) -> list[list[float]]:
    """Numbers that do not change with the last bits of a symmetry operation; -0.0 becomes 0.0."""
    rounded: list[list[float]] = (array.round(LATTICE_DECIMALS) + 0.0).tolist()
    return rounded
