"""What every stored document shares: identity, provenance, gates and large arrays.

A stored field is never respelt: a change of meaning raises ``schema_version`` of that document.
"""

from __future__ import annotations

import base64
import hashlib
import io
from typing import Any, Literal, Self

import numpy as np
from monty.json import jsanitize
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pymatgen.core import Composition, Structure

MONTY_KEYS = ("@module", "@class", "@version")


class Record(BaseModel):
    """A frozen part of a document that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_monty_keys(cls, data: Any) -> Any:
        """Job stores add the class of each object; a record knows its own."""
        if isinstance(data, dict):
            return {key: value for key, value in data.items() if key not in MONTY_KEYS}
        return data


class JobArgument(Record):
    """A record that a job or a Maker holds: it travels as the JSON of its fields and its class."""

    def as_dict(self) -> dict[str, Any]:
        """Fields and class, as monty's JSON wants them."""
        own = type(self)
        return {"@module": own.__module__, "@class": own.__qualname__, **jsanitize(self.model_dump(), strict=True)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Make the record anew.

        Parameters
        ----------
        data
            What ``as_dict`` gave.
        """
        return cls.model_validate(data)


class StoredArray(Record):
    """An array kept in the blob store; the document keeps what identifies it.

    Makers name the field ``blob`` as data of the job, and jobflow replaces it by a reference to the blob store.
    """

    shape: tuple[int, ...] = Field(description="Shape of the array.")
    dtype: str = Field(description="numpy dtype of the array, for example float64.")
    sha256: str = Field(description="SHA-256 of the array's bytes in C order.")
    blob: str | dict[str, Any] = Field(
        description="The array as base64 of numpy's npy format, or where the blob store keeps it.", repr=False
    )

    @classmethod
    def from_array(cls, array: NDArray[Any]) -> Self:
        """Pack an array.

        Parameters
        ----------
        array
            Any shape, any numeric dtype.
        """
        contiguous = np.ascontiguousarray(array)
        buffer = io.BytesIO()
        np.save(buffer, contiguous, allow_pickle=False)
        return cls(
            shape=contiguous.shape,
            dtype=str(contiguous.dtype),
            sha256=hashlib.sha256(contiguous.tobytes()).hexdigest(),
            blob=base64.b64encode(buffer.getvalue()).decode("ascii"),
        )

    def to_array(self) -> NDArray[Any]:
        """Unpack the array and check it against its digest.

        Raises
        ------
        ValueError
            If the blob was not loaded from the blob store, or does not match the digest.
        """
        if not isinstance(self.blob, str):
            msg = (
                f"the array of shape {self.shape} is still in the blob store: read the document with load=True, "
                "for example hightc.launch.queries.documents(..., load_arrays=True)"
            )
            raise ValueError(msg)
        array: NDArray[Any] = np.load(io.BytesIO(base64.b64decode(self.blob)), allow_pickle=False)
        found = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
        if found != self.sha256:
            msg = f"array of shape {self.shape}: expected sha256 {self.sha256}, found {found}: the blob was damaged"
            raise ValueError(msg)
        return array


class Pseudopotential(Record):
    """One pseudopotential file, identified by its content."""

    element: str = Field(description="Chemical symbol.")
    filename: str = Field(description="Name of the UPF file.")
    sha256: str = Field(description="SHA-256 of the file.")


class Correction(Record):
    """What an error handler did to a calculation before it succeeded."""

    handler: str = Field(description="Name of the handler.")
    errors: tuple[str, ...] = Field(description="What it saw, as codes of the failure table.")
    actions: tuple[str, ...] = Field(description="What it changed, one change an entry.")
    physics: str = Field(default="", description="What that changed in the result; empty if nothing.")


class Provenance(Record):
    """Where a number comes from."""

    input_sha256: str = Field(description="SHA-256 of the inputs of the calculation, as written.")
    codes: dict[str, str] = Field(description="Version of each program that took part, by name.")
    pseudopotentials: tuple[Pseudopotential, ...] = Field(description="The pseudopotentials used.")
    corrections: tuple[Correction, ...] = Field(description="What error handlers changed, in order.")
    directory: str = Field(description="Folder of the run on the machine that ran it.")
    wall_seconds: float | None = Field(description="Wall time of the programs in s; None if they did not say.")
    content_sha256: str | None = Field(
        default=None, description="Key of everything the calculation depends on; None if it was not determined."
    )
    reused_from: str | None = Field(
        default=None, description="Folder of the run whose outputs were taken over; None if the program ran here."
    )


class Gate(Record):
    """A verdict that lets a material pass or stops it, with the number behind it."""

    name: str = Field(description="What is asked, for example metal or stable.")
    passed: bool = Field(description="Whether the material goes on.")
    value: float | None = Field(description="The number judged; None if it could not be computed.")
    threshold: float | None = Field(description="The number it is held against.")
    unit: str = Field(description="Unit of value and threshold.")
    message: str = Field(description="The verdict as a sentence.")


class SourceReference(Record):
    """One place that a material is from, and what was reported of it there."""

    kind: str = Field(
        description="Kind of the source: materials_project, supercon, files, optimade or prototype.",
    )
    database: str = Field(
        description="Database, table or file: its path as written in the campaign, or its address without a password."
    )
    identifier: str = Field(
        description="Identifier of the structure: mp-75, the name of a file, the line of a prototype."
    )
    entry: str | None = Field(
        default=None, description="Line of the table whose composition it was given to; None if there is no table."
    )
    composition: str | None = Field(
        default=None, description="Composition as reported, where it is not simply that of the structure."
    )
    tc_kelvin: float | None = Field(
        default=None, description="Reported Tc in K of that composition; None: see tc_meaning."
    )
    tc_meaning: Literal["measured", "none_reported", "withheld", "not_given"] = Field(
        default="not_given",
        description="measured; none_reported: the table has 0, no measured absence; withheld: blank; not_given: no Tc.",
    )
    doping_fraction: float | None = Field(
        default=None,
        description="How far the composition is from this ordered parent of it; None: it is the structure's own.",
    )
    choice: str | None = Field(
        default=None, description="Why this structure, where the source had several; None if there was no choice."
    )
    doi: str | None = Field(default=None, description="DOI to be cited; None if it is not known.")
    licence: str | None = Field(default=None, description="Licence of the data; None if it is not known.")


class MaterialTag(JobArgument):
    """Which material of which campaign a document belongs to, and where that is from, which no key of a run counts."""

    campaign: str = Field(description="Name of the campaign.")
    material: str = Field(description="Label of the material in the campaign, for example Pb or mp-20483.")
    sources: tuple[SourceReference, ...] = Field(default=(), description="The first places that it is from.")
    source_count: int = Field(default=0, description="Number of all places that it is from.")


class Document(Record):
    """What every stored document has."""

    campaign: str = Field(description="Name of the campaign that computed it.")
    material: str = Field(description="Label of the material in that campaign.")
    formula: str = Field(description="Reduced formula.")
    elements: tuple[str, ...] = Field(description="Chemical symbols, sorted.")
    sources: tuple[SourceReference, ...] = Field(
        default=(), description="The first few places that the material is from."
    )
    source_count: int = Field(default=0, description="Number of all places that the material is from.")
    gates: tuple[Gate, ...] = Field(default=(), description="Verdicts drawn from this document.")
    warnings: tuple[str, ...] = Field(default=(), description="What a reader should know before using it.")

    @property
    def passed(self) -> bool:
        """Whether every gate lets the material pass."""
        return all(gate.passed for gate in self.gates)

    @property
    def tag(self) -> MaterialTag:
        """Campaign and material of the document, and where the material is from."""
        return MaterialTag(
            campaign=self.campaign, material=self.material, sources=self.sources, source_count=self.source_count
        )


IDENTITY = {"campaign", "material", "formula", "elements", "sources", "source_count"}
"""Fields that say which material a document describes; one document hands them on to the next."""


def identity(tag: MaterialTag, structure: Structure) -> dict[str, Any]:
    """Fields that say which material a document describes.

    Parameters
    ----------
    tag
        Campaign, label and sources.
    structure
        The structure, for its composition.

    Returns
    -------
    dict
        The fields named in ``IDENTITY``.
    """
    composition: Composition = structure.composition
    return {
        "campaign": tag.campaign,
        "material": tag.material,
        "formula": composition.reduced_formula,
        "elements": tuple(sorted(element.symbol for element in composition.elements)),
        "sources": tag.sources,
        "source_count": tag.source_count,
    }
