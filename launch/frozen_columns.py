"""Documents as columns of Parquet: records become columns with dotted names, by the class and not by the data."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import BaseModel

from hightc.analysis.documents import Document
from hightc.launch.document_fields import FieldType, field_type, unit_of
from hightc.launch.errors import LaunchError
from hightc.launch.frozen_reading import INSTALL_PYARROW, ROWS_AT_A_TIME

Column = tuple[str, FieldType, str, str | None]
"""Dotted name, type, meaning, unit."""


def columns(model: type[BaseModel], prefix: str = "") -> list[Column]:
    """Columns of a class of documents.

    Parameters
    ----------
    model
        The class, or that of a record in it.
    prefix
        Dotted name of the record with a dot at its end; empty for a document.
    """
    found: list[Column] = []
    for name, info in model.model_fields.items():
        kind = field_type(info.annotation)
        if kind.record is not None and not kind.list_depth:
            found += columns(kind.record, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", kind, info.description or "", unit_of(name)))
    return found


def flattened(row: dict[str, Any], asked: list[Column]) -> dict[str, Any]:
    """Take the columns out of a stored document.

    Parameters
    ----------
    row
        The document as it is stored.
    asked
        Columns of its class.

    Returns
    -------
    dict
        By dotted name. Maps and structures are text in JSON; None where there is no value.
    """
    return {path: _cell(_at(row, path), kind, kind.list_depth) for path, kind, _, _ in asked}


def _at(row: Any, path: str) -> Any:
    for part in path.split("."):
        row = None if row is None else row.get(part)
    return row


def _cell(value: Any, kind: FieldType, depth: int) -> Any:
    if value is None:
        return None
    if depth:
        return [_cell(part, kind, depth - 1) for part in value]
    if kind.record is not None:
        parts = {name: field_type(info.annotation) for name, info in kind.record.model_fields.items()}
        return {name: _cell(value.get(name), part, part.list_depth) for name, part in parts.items()}
    if kind.value in ("map", "structure", "any"):
        return json.dumps(value, sort_keys=True, allow_nan=False)
    return value


class ParquetRows:
    """A Parquet file that stored documents are written to, some at a time.

    Parameters
    ----------
    path
        The file.
    model
        Class of the documents.

    Raises
    ------
    LaunchError
        If pyarrow is not installed.
    """

    def __init__(self, path: Path, model: type[Document]) -> None:
        try:
            import pyarrow as pa  # noqa: PLC0415 - only where it is installed
            from pyarrow import parquet  # noqa: PLC0415
        except ImportError:
            raise LaunchError(INSTALL_PYARROW) from None
        self._columns = columns(model)
        self._pa = pa
        self._schema = pa.schema(
            [
                pa.field(
                    path, self._arrow(kind, kind.list_depth), metadata={"description": meaning, "unit": unit or ""}
                )
                for path, kind, meaning, unit in self._columns
            ]
        )
        self._writer = parquet.ParquetWriter(str(path), self._schema)
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._flush()
        finally:
            self._writer.close()

    def write(self, row: dict[str, Any]) -> None:
        """Add a document.

        Parameters
        ----------
        row
            As it is stored.
        """
        self._rows.append(flattened(row, self._columns))
        if len(self._rows) == ROWS_AT_A_TIME:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_batch(self._pa.RecordBatch.from_pylist(self._rows, schema=self._schema))
        self._rows = []

    def _arrow(self, kind: FieldType, depth: int) -> Any:
        if depth:
            return self._pa.list_(self._arrow(kind, depth - 1))
        if kind.record is not None:
            parts = [(name, field_type(info.annotation)) for name, info in kind.record.model_fields.items()]
            return self._pa.struct([(name, self._arrow(part, part.list_depth)) for name, part in parts])
        plain = {float: self._pa.float64(), int: self._pa.int64(), bool: self._pa.bool_()}
        return plain.get(kind.leaf, self._pa.string()) if kind.leaf is not None else self._pa.string()
