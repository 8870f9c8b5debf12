"""A protocol resolved for one structure: every number that goes into an input."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Annotated, Any, Literal, NoReturn

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pymatgen.core import Structure

from hightc.analysis.documents.base import JobArgument, Pseudopotential
from hightc.analysis.reciprocal_symmetry import mesh_is_symmetric, point_group
from hightc.makers.errors import RecipeError
from hightc.makers.qe.electronic_options import resolve_options
from hightc.makers.qe.meshes import Mesh, Meshes, commensurate_meshes, require_commensurate

PROTOCOL_NAMES = ("draft", "screen", "precise")
Smearing = Literal["marzari-vanderbilt", "methfessel-paxton", "gaussian", "fermi-dirac"]


class Protocol(BaseModel):
    """Accuracy without a structure: spacings, widths and thresholds."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    description: str = Field(description="What the protocol is for, as a sentence.")
    k_spacing: float = Field(gt=0, description="Largest spacing of k points in 1/Angstrom, with 2 pi.")
    q_spacing: float = Field(gt=0, description="Largest spacing of q points in 1/Angstrom, with 2 pi.")
    dense_factor: int = Field(ge=1, description="Dense k mesh over k mesh.")
    smearing: Smearing = Field(description="Kind of smearing of the occupations.")
    degauss_ry: float = Field(gt=0, description="Smearing of the occupations in Ry.")
    sigma_step_ry: float = Field(gt=0, description="Step of the ten double-delta widths in Ry.")
    tr2_ph: float = Field(gt=0, description="Threshold of the self-consistent response.")
    scf_threshold_ry_per_atom: float = Field(gt=0, description="Threshold of self-consistency in Ry per atom.")
    ecutwfc_ry: float = Field(gt=0, description="Cutoff in Ry where the pseudopotentials do not suggest one.")
    relax_cutoff_factor: float = Field(ge=1, description="Cutoff of the relaxation over that of everything else.")
    interpolation_factor: int = Field(ge=1, description="matdyn.x mesh over q mesh.")
    n_dos: int = Field(ge=50, description="Points of the spectra.")
    force_threshold_ry_bohr: float = Field(gt=0, description="Force below which a relaxation ends, Ry/bohr.")
    pressure_threshold_kbar: float = Field(gt=0, description="Pressure error below which a relaxation ends, kbar.")


@cache
def load_protocol(name: str) -> Protocol:
    """Read one of the protocols that come with hightc.

    Parameters
    ----------
    name
        draft, screen or precise.

    Raises
    ------
    RecipeError
        If there is no such protocol.
    """
    if name not in PROTOCOL_NAMES:
        msg = f"protocol: expected one of {', '.join(PROTOCOL_NAMES)}, found {name!r}"
        raise RecipeError(msg)
    text = files("hightc.makers.qe").joinpath("protocols", f"{name}.yaml").read_text(encoding="utf-8")
    return Protocol(**yaml.safe_load(text))


class Recipe(JobArgument):
    """Every number of the calculations of one material.

    Fields with a default came later: at its default such a field changes no key of a campaign.
    """

    model_config = ConfigDict(allow_inf_nan=False)

    protocol: str = Field(description="Name of the protocol the numbers started from.")
    pseudopotential_family: str = Field(description="Folder or name of the family.")
    pseudopotentials: tuple[Pseudopotential, ...] = Field(description="One file an element.")
    ecutwfc_ry: float = Field(gt=0, description="Plane-wave cutoff of the wavefunctions in Ry.")
    ecutrho_ry: float = Field(gt=0, description="Plane-wave cutoff of the density in Ry.")
    relax_ecutwfc_ry: float = Field(gt=0, description="Cutoff of the relaxation in Ry; the stress needs more.")
    k_mesh: Mesh = Field(description="Gamma-centred k mesh of the linear response.")
    k_mesh_dense: Mesh = Field(description="Gamma-centred k mesh of the double-delta sum.")
    q_mesh: Mesh = Field(description="Gamma-centred q mesh.")
    smearing: Smearing = Field(description="Kind of smearing of the occupations.")
    degauss_ry: float = Field(gt=0, description="Smearing of the occupations in Ry.")
    sigma_step_ry: float = Field(gt=0, description="Step of the ten double-delta widths in Ry.")
    tr2_ph: float = Field(gt=0, description="Threshold of the self-consistent response.")
    scf_threshold_ry: float = Field(gt=0, description="Threshold of self-consistency in Ry per cell.")
    interpolation_mesh: Mesh = Field(description="Mesh of matdyn.x.")
    n_dos: int = Field(ge=50, description="Points of the spectra.")
    relax: bool = Field(description="Whether cell and atoms are relaxed first.")
    pressure_gpa: float = Field(description="Target pressure in GPa.")
    force_threshold_ry_bohr: float = Field(gt=0, description="Force below which a relaxation ends, Ry/bohr.")
    pressure_threshold_kbar: float = Field(gt=0, description="Pressure error below which a relaxation ends, kbar.")
    spin_orbit: bool = Field(False, description="Whether spin-orbit coupling is computed, without magnetism.")
    spin_polarized: bool = Field(False, description="Whether the two spins have their own bands (collinear).")
    starting_magnetization: dict[str, Annotated[float, Field(ge=-1, le=1)]] = Field(
        {}, description="Spin polarisation that an element starts from, -1 to 1; elements not named start from 0."
    )
    hubbard_u_ev: dict[str, Annotated[float, Field(gt=0)]] = Field(
        {}, description="Hubbard U of an element in eV on atomic orbitals; input syntax of pw.x before 7.1."
    )

    @property
    def meshes(self) -> Meshes:
        """q, k and dense k mesh."""
        return Meshes(q=self.q_mesh, k=self.k_mesh, k_dense=self.k_mesh_dense)


RULES = frozenset(Protocol.model_fields) - frozenset(Recipe.model_fields) - {"description"}
"""Numbers of a protocol from which those of a recipe follow."""

OVERRIDES = RULES | (frozenset(Recipe.model_fields) - {"protocol", "pseudopotential_family", "pseudopotentials"})
"""Numbers of a protocol and of a recipe that a campaign may set itself."""


def make_recipe(
    structure: Structure,
    *,
    protocol: str,
    family: str,
    pseudopotentials: tuple[Pseudopotential, ...],
    suggested_ecutwfc_ry: float | None,
    norm_conserving: bool,
    overrides: dict[str, Any],
) -> Recipe:
    """Resolve a protocol for one structure.

    Parameters
    ----------
    structure
        Primitive standard cell; its lattice fixes the meshes.
    protocol
        draft, screen or precise.
    family
        Name or folder of the pseudopotential family.
    pseudopotentials
        One an element of the structure.
    suggested_ecutwfc_ry
        Largest cutoff that the files suggest; None if they suggest none.
    norm_conserving
        Whether all are norm-conserving: the density cutoff is then 4, otherwise 10 times ``ecutwfc_ry``.
    overrides
        Numbers that the campaign sets itself, among :data:`OVERRIDES`: those of :data:`RULES` replace the protocol's,
        and a mesh or cutoff that is named wins over what follows from them.

    Raises
    ------
    RecipeError
        If an override is unknown or the numbers do not fit together.
    """
    unknown = sorted(set(overrides) - OVERRIDES)
    if unknown:
        msg = f"unknown setting {unknown[0]!r}: expected one of {', '.join(sorted(OVERRIDES))}"
        raise RecipeError(msg)
    rules = _changed_protocol(protocol, {name: value for name, value in overrides.items() if name in RULES})
    overrides = {name: value for name, value in overrides.items() if name not in RULES}
    _require_valid(overrides)
    meshes = commensurate_meshes(
        structure.lattice,
        k_spacing_per_angstrom=rules.k_spacing,
        q_spacing_per_angstrom=rules.q_spacing,
        dense_factor=rules.dense_factor,
        rotations=point_group(structure),
    )
    k_mesh = overrides.get("k_mesh", meshes.k)
    q_mesh = overrides.get("q_mesh", meshes.q)
    ecutwfc_ry = overrides.get("ecutwfc_ry", suggested_ecutwfc_ry or rules.ecutwfc_ry)
    values: dict[str, Any] = {
        **rules.model_dump(include=set(Recipe.model_fields)),
        "protocol": protocol,
        "pseudopotential_family": family,
        "pseudopotentials": pseudopotentials,
        "ecutwfc_ry": ecutwfc_ry,
        "relax_ecutwfc_ry": rules.relax_cutoff_factor * ecutwfc_ry,
        "ecutrho_ry": (4 if norm_conserving else 10) * ecutwfc_ry,
        "k_mesh": k_mesh,
        "k_mesh_dense": tuple(rules.dense_factor * n for n in k_mesh),
        "q_mesh": q_mesh,
        "scf_threshold_ry": rules.scf_threshold_ry_per_atom * len(structure),
        "interpolation_mesh": tuple(rules.interpolation_factor * n for n in q_mesh),
        "relax": True,
        "pressure_gpa": 0.0,
        **overrides,
        **resolve_options([element.symbol for element in structure.composition.elements], overrides),
    }
    try:
        recipe = Recipe(**values)
    except ValidationError as error:
        _refuse(error)
    require_commensurate(recipe.meshes)
    return recipe


def require_electron_phonon(recipe: Recipe, structure: Structure) -> None:
    """Refuse what ph.x cannot take into its matrix elements of the electron-phonon coupling, before anything runs.

    Quantum ESPRESSO 6.7 stops at Hubbard U ("Electron-phonon with Hubbard U is not supported"). Spin polarisation and
    spin-orbit coupling are summed right: elphsum counts the bands of each spin, or of each spinor, once. On a q mesh
    with less symmetry than the crystal it stops too ("This q-mesh breaks symmetry!").

    Parameters
    ----------
    recipe
        Numbers of the calculation.
    structure
        Primitive standard cell.

    Raises
    ------
    RecipeError
        If the recipe has a Hubbard U, or a q mesh that the crystal's symmetry does not map onto itself.
    """
    if recipe.hubbard_u_ev:
        elements = ", ".join(sorted(recipe.hubbard_u_ev))
        msg = f"hubbard_u_ev: expected none where ph.x computes the coupling, found one of {elements}: remove it"
        raise RecipeError(msg)
    if not mesh_is_symmetric(recipe.q_mesh, point_group(structure)):
        msg = (
            f"q_mesh: expected one with the symmetry of the crystal, found {list(recipe.q_mesh)}: give equal numbers "
            "along reciprocal lattice vectors of equal length, or leave q_mesh out"
        )
        raise RecipeError(msg)


def _changed_protocol(name: str, changes: dict[str, Any]) -> Protocol:
    try:
        return Protocol(**{**load_protocol(name).model_dump(), **changes})
    except ValidationError as error:
        _refuse(error)


def _require_valid(overrides: dict[str, Any]) -> None:
    """Refuse values of the wrong kind before other numbers are computed from them."""
    for name, value in overrides.items():
        field = Recipe.model_fields[name]
        annotation: Any = Annotated[field.annotation, field]
        try:
            TypeAdapter(annotation).validate_python(value)
        except ValidationError as error:
            _refuse(error, name)


def _refuse(error: ValidationError, *outer: str) -> NoReturn:
    first = error.errors()[0]
    field = ".".join(str(part) for part in (*outer, *first["loc"]))
    msg = f"{field}: {first['msg']}, found {first['input']!r}"
    raise RecipeError(msg) from None
