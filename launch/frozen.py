"""Frozen data sets: what a query finds, in one order, with a checksum and all that is needed to understand it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

from pymongo.errors import PyMongoError

from hightc.analysis.documents import DOCUMENTS, Document
from hightc.analysis.files import write_text
from hightc.launch.document_fields import stored_fields
from hightc.launch.errors import DatabaseError, LaunchError
from hightc.launch.frozen_columns import ParquetRows
from hightc.launch.frozen_reading import FieldAbout, FrozenAbout, about_path, layout_of
from hightc.launch.queries import documents
from hightc.launch.store import Database
from hightc.launch.stored_form import stored_form


def write_frozen(
    database: Database,
    kind: str,
    filters: Mapping[str, Any],
    path: Path,
    *,
    limit: int | None = None,
    load_arrays: bool = False,
) -> FrozenAbout:
    """Write the documents that meet the filters to a file, and what they are to another beside it.

    Memory holds the place of each document, and a few hundred documents at a time.

    Parameters
    ----------
    database
        The database.
    kind
        Kind of the documents.
    filters
        Keywords of :func:`hightc.launch.queries.documents`.
    path
        A name that ends with .jsonl (a document a line, as stored) or .parquet (a document a row).
    limit
        No more than so many; None for all.
    load_arrays
        Whether large arrays are written too, and not only their references.

    Returns
    -------
    FrozenAbout
        What was written beside it. The same documents in the same order give the same checksum.

    Raises
    ------
    LaunchError
        If a filter has no meaning, the name has another ending, the file exists or cannot be written, or pyarrow is
        needed and not installed.
    DatabaseError
        If the database stops answering.
    """
    layout = layout_of(path)
    for taken in (path, about_path(path)):
        if taken.exists():
            msg = f"{taken}: exists, and a frozen data set is not written over: name another file, or remove it"
            raise LaunchError(msg)
    model = DOCUMENTS[kind]
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        found = islice(documents(database, model, load_arrays=load_arrays, **filters), limit)
        write = _write_jsonl if layout == "jsonl" else _write_parquet
        count = write(found, temporary, model)
        about = FrozenAbout(
            file=path.name,
            kind=kind,
            query=dict(filters),
            limit=limit,
            arrays=load_arrays,
            count=count,
            sha256=_digest(temporary),
            size_bytes=temporary.stat().st_size,
            hightc=version("hightc"),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            fields=_fields_about(model),
        )
        temporary.replace(path)
        write_text(about_path(path), about.model_dump_json(indent=2) + "\n")
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror or error}): name a file in a folder that exists, with room"
        raise LaunchError(msg) from None
    except PyMongoError as error:
        msg = f"the database at {database.address} stopped answering ({type(error).__name__}): try again"
        raise DatabaseError(msg) from None
    finally:
        temporary.unlink(missing_ok=True)
    return about


def _write_jsonl(found: Iterable[Document], path: Path, _model: type[Document]) -> int:
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for count, row in enumerate(_rows(found), 1):  # noqa: B007 - the last number is the count
            stream.write(json.dumps(row, sort_keys=True, allow_nan=False, separators=(",", ":")) + "\n")
    return count


def _write_parquet(found: Iterable[Document], path: Path, model: type[Document]) -> int:
    count = 0
    with ParquetRows(path, model) as file:
        for count, row in enumerate(_rows(found), 1):  # noqa: B007 - the last number is the count
            file.write(row)
    return count


def _rows(found: Iterable[Document]) -> Iterator[dict[str, Any]]:
    return (stored_form(document) for document in found)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())  # what is named by its checksum is on the disk
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _fields_about(model: type[Document]) -> dict[str, FieldAbout]:
    return {
        path: FieldAbout(type=field.type_name, unit=field.unit, description=field.description)
        for path, field in stored_fields(model).items()
    }
