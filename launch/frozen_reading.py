"""Frozen data sets: files of documents that are checked against their checksum before anything is read.

LaunchError
└── ChangedFileError    a data set that is not what was written
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hightc.analysis.documents import DOCUMENTS, Document
from hightc.launch.errors import LaunchError

Layout = Literal["jsonl", "parquet"]

INSTALL_PYARROW = "Parquet needs pyarrow, which is not installed: pip install 'hightc[export]', or write .jsonl"
ROWS_AT_A_TIME = 200


class ChangedFileError(LaunchError):
    """A data set that is not what was written."""


class FieldAbout(BaseModel):
    """What a field of the data set means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = Field(description="text, number, flag, record, map, structure or any, or lists of these.")
    unit: str | None = Field(description="Unit; None if it has none.")
    description: str = Field(description="Meaning.")


class FrozenAbout(BaseModel):
    """What stands beside a frozen data set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["hightc-frozen-1"] = Field(default="hightc-frozen-1", description="Layout of this file.")
    file: str = Field(description="Name of the data set when it was written.")
    kind: str = Field(description="Kind of the documents.")
    query: dict[str, Any] = Field(description="Filters that made it, as keywords of hightc.launch.queries.documents.")
    limit: int | None = Field(description="No more documents than so many; None for all.")
    arrays: bool = Field(description="Whether large arrays are in it, as npy in base64, or only their references.")
    count: int = Field(ge=0, description="Documents.")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the data set.")
    size_bytes: int = Field(ge=0, description="Its size in bytes.")
    hightc: str = Field(description="Version of hightc that wrote it.")
    created: str = Field(description="When, in UTC, ISO 8601.")
    fields: dict[str, FieldAbout] = Field(description="Every field by dotted path.")


@dataclass(frozen=True)
class FrozenSet:
    """A data set that was found to be as it was written.

    Attributes
    ----------
    path
        The file.
    about
        What stands beside it.
    """

    path: Path
    about: FrozenAbout

    def rows(self) -> Iterator[dict[str, Any]]:
        """Read one document after the other: as stored from JSONL, with dotted names of columns from Parquet.

        Raises
        ------
        LaunchError
            If it is Parquet and pyarrow is not installed.
        """
        if layout_of(self.path) == "parquet":
            yield from _parquet_rows(self.path)
            return
        with self.path.open(encoding="utf-8") as stream:
            for line in stream:
                yield json.loads(line)

    def documents(self) -> Iterator[Document]:
        """Read the documents of JSONL as objects of their class.

        Raises
        ------
        LaunchError
            If it is Parquet, or another version of hightc wrote it.
        """
        if layout_of(self.path) == "parquet":
            msg = f"{self.path}: Parquet holds rows, not documents: use rows(), or export .jsonl"
            raise LaunchError(msg)
        for number, row in enumerate(self.rows(), 1):
            try:
                yield DOCUMENTS[self.about.kind].model_validate(row)
            except ValidationError as error:
                fault = error.errors(include_input=False)[0]
                where = ".".join(str(part) for part in fault["loc"])
                msg = f"{self.path} line {number}: {where}: {fault['msg']}: hightc {self.about.hightc} wrote it"
                raise LaunchError(msg) from None


def read_frozen(path: Path | str) -> FrozenSet:
    """Check a frozen data set against its checksum, and give access to it.

    Parameters
    ----------
    path
        The data set; what was written beside it must still be there.

    Raises
    ------
    ChangedFileError
        If it is not what was written.
    LaunchError
        If it, or what stands beside it, cannot be read.

    Examples
    --------
    >>> spectra = [row["alpha2f"] for row in read_frozen("spectra.jsonl").rows()]  # doctest: +SKIP
    """
    path = Path(path)
    layout_of(path)
    beside = about_path(path)
    try:
        about = FrozenAbout.model_validate_json(beside.read_bytes())
        size = path.stat().st_size
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest() if size == about.size_bytes else None
    except OSError as error:
        msg = f"{error.filename}: cannot be read ({error.strerror}): a data set is {path.name} with {beside.name}"
        raise LaunchError(msg) from None
    except ValidationError as error:
        fault = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"])
        msg = f"{beside}: expected what hightc export writes, found {where}: {fault['msg']}: export the data set again"
        raise LaunchError(msg) from None
    if about.kind not in DOCUMENTS:
        msg = f"{beside}: expected a kind of {', '.join(DOCUMENTS)}, found {about.kind!r}"
        raise LaunchError(msg)
    if digest is None:
        msg = f"{path}: changed since it was written: expected {about.size_bytes} bytes, found {size}: export it again"
        raise ChangedFileError(msg)
    if digest != about.sha256:
        msg = f"{path}: changed since it was written: expected sha256 {about.sha256}, found {digest}: export it again"
        raise ChangedFileError(msg)
    return FrozenSet(path, about)


def about_path(path: Path) -> Path:
    """Where the description of a data set stands: data.jsonl.json beside data.jsonl.

    Parameters
    ----------
    path
        The data set.
    """
    return path.with_name(f"{path.name}.json")


def layout_of(path: Path) -> Layout:
    """Layout that the ending of a name says.

    Parameters
    ----------
    path
        The data set.

    Raises
    ------
    LaunchError
        If it is neither.
    """
    if path.suffix == ".jsonl":
        return "jsonl"
    if path.suffix == ".parquet":
        return "parquet"
    msg = f"{path}: expected a name that ends with .jsonl or .parquet"
    raise LaunchError(msg)


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        from pyarrow.parquet import ParquetFile  # noqa: PLC0415 - only where it is installed
    except ImportError:
        raise LaunchError(INSTALL_PYARROW) from None
    with ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=ROWS_AT_A_TIME):
            yield from batch.to_pylist()
