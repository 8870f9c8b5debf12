"""Sources of materials as a campaign file names them: tables ``[[sources]]``."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from hightc.launch.sources.errors import SourceError

MAX_DOPING = 0.1
"""Largest doping whose ordered parent is taken; `hightc.launch.sources.ordering` says what is measured and why."""


def _once(values: tuple[float, ...]) -> tuple[float, ...]:
    """Each pressure once; -0.0 becomes 0.0. A label shows two decimals, so that no two pressures may share one."""
    for value in values:
        if round(value, 2) != value:
            msg = f"expected at most two decimals, found {value!r}"
            raise ValueError(msg)
    return tuple(dict.fromkeys(value + 0.0 for value in values))


Pressure = Annotated[float, Field(ge=-100, le=2000, allow_inf_nan=False)]
Doping = Annotated[float, Field(ge=0, lt=0.5, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]
Reference = Annotated[str, Field(min_length=1, max_length=200)]


class _Source(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    pressures_gpa: Annotated[tuple[Pressure, ...], AfterValidator(_once)] = Field(
        (0.0,), min_length=1, description="Pressures in GPa; each is a material of its own, Nb_50GPa."
    )
    max_atoms: int | None = Field(None, ge=1, description="Largest primitive cell; larger ones are refused and listed.")
    doi: Reference | None = Field(None, description="DOI of the data, kept with every result.")
    licence: Reference | None = Field(
        None, description="Licence of the data such as CC-BY-4.0, kept with every result."
    )


class MaterialsProjectSource(_Source):
    """Structures of the Materials Project, by identifier or by what they are."""

    kind: Literal["materials_project"]
    ids: tuple[Text, ...] = Field((), description="Identifiers such as mp-75.")
    chemical_systems: tuple[Text, ...] = Field((), description="Systems such as Nb-N, or Nb-*.")
    formulas: tuple[Text, ...] = Field((), description="Formulas such as NbN; every phase of each is taken.")
    elements: tuple[Text, ...] = Field((), description="Elements that must all be there.")
    exclude_elements: tuple[Text, ...] = Field((), description="Elements that must not be there.")
    max_energy_above_hull_ev: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="Largest energy above the hull in eV an atom."
    )
    metals_only: bool = Field(False, description="Leave out what has a gap there.")
    num_elements: tuple[int, int] | None = Field(None, description="Fewest and most elements.")
    limit: int = Field(1000, ge=1, le=100_000, description="Most materials; more is an error, nothing is cut silently.")
    key_file: str | None = Field(
        None, description="File of mode 0600 with the API key; None: MP_API_KEY, or mp_api_key beside the settings."
    )
    endpoint: str | None = Field(None, description="Address of the API; None: the Materials Project's.")

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if not (self.ids or self.chemical_systems or self.formulas or self.elements):
            msg = (
                "expected ids, chemical_systems, formulas or elements, found none: the whole database is not asked for"
            )
            raise ValueError(msg)
        filters = self.chemical_systems or self.formulas or self.elements or self.exclude_elements
        if self.ids and filters:
            msg = "expected either ids or filters, found both: write two [[sources]]"
            raise ValueError(msg)
        return self


class SuperconSource(_Source):
    """Compositions of a table ``name,Tc`` in the style of SuperCon, each with the structure that is known for it."""

    kind: Literal["supercon"]
    file: Text = Field(description="CSV with the columns name and Tc (K; 0: none reported, blank: withheld).")
    structures: str | None = Field(
        None, description="CSV in the style of 3DSC: formula_sc, material_id, cif; None: the Materials Project alone."
    )
    archive: str | None = Field(None, description="Tar archive with the CIF files that structures names.")
    materials_project: bool = Field(False, description="Ask the Materials Project for what is not found there.")
    max_doping: Doping = Field(MAX_DOPING, description="Largest doping whose ordered parent is taken.")
    polymorphs: int = Field(1, ge=1, description="Most structures of one composition.")
    min_tc_kelvin: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="Take only what has a Tc reported of at least this."
    )
    key_file: str | None = Field(None, description="As for the Materials Project.")
    endpoint: str | None = Field(None, description="As for the Materials Project.")

    @model_validator(mode="after")
    def _has_structures(self) -> Self:
        if (self.structures is None) != (self.archive is None):
            msg = "expected structures and archive together, found one of them"
            raise ValueError(msg)
        if self.structures is None and not self.materials_project:
            msg = "expected structures with archive, or materials_project = true, found neither"
            raise ValueError(msg)
        return self


class FilesSource(_Source):
    """Files of structures, and folders of them."""

    kind: Literal["files"]
    paths: tuple[Text, ...] = Field(min_length=1, description="Files and folders, relative to the campaign file.")
    max_doping: Doping = Field(0.0, description="Largest share of a site that may be another species or empty.")


class OptimadeSource(_Source):
    """Structures of a provider that speaks OPTIMADE."""

    kind: Literal["optimade"]
    provider: Text = Field(description="Alias such as oqmd or alexandria.pbe, or the base address of a provider.")
    filter: Text = Field(description='Filter such as elements HAS ALL "Nb","N" AND nelements=2.')
    limit: int = Field(1000, ge=1, le=100_000, description="Most structures; more is an error.")
    max_doping: Doping = Field(0.0, description="Largest share of a site that may be another species or empty.")


class PrototypeSource(_Source):
    """Built-in prototypes."""

    kind: Literal["prototype"]
    prototypes: tuple[Text, ...] = Field(min_length=1, description="Lines such as 'fcc Al 4.05', lengths in Angstrom.")


SourceEntry = Annotated[
    MaterialsProjectSource | SuperconSource | FilesSource | OptimadeSource | PrototypeSource,
    Field(discriminator="kind"),
]

SOURCE_MODELS: dict[str, type[_Source]] = {
    "materials_project": MaterialsProjectSource,
    "supercon": SuperconSource,
    "files": FilesSource,
    "optimade": OptimadeSource,
    "prototype": PrototypeSource,
}

_ENTRIES: TypeAdapter[tuple[SourceEntry, ...]] = TypeAdapter(tuple[SourceEntry, ...])


def parse_sources(content: Any, *, where: str) -> tuple[SourceEntry, ...]:
    """Check the tables ``[[sources]]``.

    Parameters
    ----------
    content
        Value of ``sources`` in a campaign file.
    where
        What to name in an error, the campaign file.

    Raises
    ------
    SourceError
        If a key is unknown, missing, or of the wrong type.
    """
    try:
        return _ENTRIES.validate_python(content)
    except ValidationError as error:
        raise SourceError(f"{where}: {source_fault(error.errors()[0])}") from None


def source_fault(fault: Any) -> str:
    """One line about the first fault of ``[[sources]]``: which table and key, expected, found.

    Parameters
    ----------
    fault
        An entry of pydantic's ``errors()``, its location from the list of sources on.
    """
    location = [part for part in fault["loc"] if part != "sources"]
    number = f"[[sources]] number {location[0] + 1}" if location and isinstance(location[0], int) else "sources"
    if fault["type"] in ("union_tag_invalid", "union_tag_not_found"):
        found = fault["input"].get("kind") if isinstance(fault["input"], dict) else fault["input"]
        return f"{number}: kind: expected one of {', '.join(SOURCE_MODELS)}, found {found!r}"
    rest = location[1:]
    model = SOURCE_MODELS.get(str(rest[0])) if rest else None
    key = ".".join(str(part) for part in (rest[1:] if model else rest))
    if fault["type"] == "extra_forbidden" and model:
        return f"{number}: unknown key {key!r}: expected one of {', '.join(model.model_fields)}"
    message = fault["msg"].removeprefix("Value error, ")
    if not key or not _is_plain(fault["input"]):
        return f"{number}: {key + ': ' if key else ''}{message}"
    return f"{number}: {key}: {message}, found {fault['input']!r}"


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int) or (isinstance(value, float) and not math.isnan(value))
