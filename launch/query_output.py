"""Found documents as a table, as CSV and as JSON, with the same column names."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from operator import attrgetter
from typing import Any, Literal, TextIO

from pymongo.errors import PyMongoError
from rich.console import Console
from rich.table import Table

from hightc.analysis.documents import DOCUMENTS, Document, SusceptibilityPeak, TcDocument, TemperatureGap
from hightc.analysis.documents.tc import Method
from hightc.launch.document_fields import stored_fields
from hightc.launch.errors import DatabaseError
from hightc.launch.families import print_table
from hightc.launch.queries import DEFAULT_METHOD, DEFAULT_MU_STAR, documents
from hightc.launch.store import Database
from hightc.launch.stored_form import stored_form

Layout = Literal["table", "csv", "json", "documents"]
Row = dict[str, Any]

COLUMNS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "alpha2f": {
        "pressure_gpa": attrgetter("pressure_gpa"),
        "smearing_ev": lambda document: document.smearing_ev[document.chosen_smearing],
        "lambda": attrgetter("chosen.lambda_"),
        "omega_log_mev": attrgetter("chosen.omega_log_mev"),
        "omega_2_mev": attrgetter("chosen.omega_2_mev"),
        "dos_per_ev_spin_cell": lambda document: document.dos_per_ev_spin_cell[document.chosen_smearing],
        "plateau_relative_spread": attrgetter("plateau.relative_spread"),
        "k_mesh_dense": attrgetter("k_mesh_dense"),
        "q_mesh": attrgetter("q_mesh"),
        "route": attrgetter("route"),
        "protocol": attrgetter("protocol"),
    },
    "gap": {
        "lambda": attrgetter("lambda_"),
        "mu_star": attrgetter("mu_star"),
        "tc_status": attrgetter("tc_status"),
        "tc_kelvin": attrgetter("tc_kelvin"),
        "gap_mev": lambda document: _coldest(document.isotropic, "gap_mev"),
        "lowest_gap_mev": lambda document: _coldest(document.anisotropic, "lowest_mev"),
        "highest_gap_mev": lambda document: _coldest(document.anisotropic, "highest_mev"),
        "largest_difference": attrgetter("largest_difference"),
    },
    "vertex": {
        "k_mesh": attrgetter("k_mesh"),
        "q_mesh": attrgetter("q_mesh"),
        "n_wannier": attrgetter("n_wannier"),
        "highest_frequency_mev": attrgetter("highest_frequency_mev"),
        "protocol": attrgetter("protocol"),
    },
    "wannier": {
        "k_mesh": attrgetter("k_mesh"),
        "n_wannier": attrgetter("n_wannier"),
        "n_excluded": attrgetter("n_excluded"),
        "n_trials": lambda document: len(document.trials),
        "band_distance_mev": lambda document: None if document.best is None else document.best.eta_mev,
        "fermi_ev": attrgetter("fermi_ev"),
        "protocol": attrgetter("protocol"),
    },
    "phonon": {
        "q_mesh": attrgetter("q_mesh"),
        "stability": attrgetter("stability"),
        "lowest_frequency_mev": attrgetter("lowest_frequency_mev"),
        "protocol": attrgetter("protocol"),
    },
    "phonon_bands": {
        "q_mesh": attrgetter("q_mesh"),
        "n_q_points": lambda document: len(document.q_fractional),
        "lowest_frequency_mev": attrgetter("lowest_frequency_mev"),
        "protocol": attrgetter("protocol"),
    },
    "coupling": {
        "q_mesh": attrgetter("q_mesh"),
        "n_q_points": lambda document: len(document.q_points),
        "lowest_frequency_mev": attrgetter("lowest_frequency_mev"),
        "protocol": attrgetter("protocol"),
    },
    "force_constants": {
        "q_mesh": attrgetter("q_mesh"),
        "shape": attrgetter("force_constants.shape"),
        "sha256": attrgetter("force_constants.sha256"),
        "protocol": attrgetter("protocol"),
    },
    "magnetism": {
        "softness_class": attrgetter("softness_class"),
        "order": lambda document: getattr(document.ambient_state, "order", None),
        "moment_bohr_magneton_per_atom": lambda document: getattr(
            document.ambient_state, "moment_bohr_magneton_per_atom", None
        ),
        "softness_per_gpa": lambda document: document.softness[0].value_per_gpa if document.softness else None,
        "softness_error_per_gpa": lambda document: document.softness[0].error_per_gpa if document.softness else None,
        "stoner_product": attrgetter("stoner_product"),
        "protocol": attrgetter("protocol"),
    },
    "fermi": {
        "dos_per_ev_spin_cell": attrgetter("dos_per_ev_spin_cell"),
        "nesting_q": lambda document: _wave_vector(document.nesting_peaks),
        "nesting_over_mean": lambda document: document.nesting_peaks[0].over_mean if document.nesting_peaks else None,
        "chi0_q": lambda document: _wave_vector(document.chi0_peaks),
        "stoner_product_peak": lambda document: document.stoner[0].product_peak if document.stoner else None,
        "lambda_sf_low": lambda document: document.stoner[0].lambda_sf_low if document.stoner else None,
        "lambda_sf_high": lambda document: document.stoner[0].lambda_sf_high if document.stoner else None,
        "k_mesh": attrgetter("k_mesh"),
        "converged": attrgetter("converged"),
        "protocol": attrgetter("protocol"),
    },
    "structure": {
        "space_group": attrgetter("space_group"),
        "n_atoms": lambda document: len(document.structure),
        "volume_angstrom3": attrgetter("structure.volume"),
        "pressure_gpa": attrgetter("pressure_gpa"),
        "energy_ev": attrgetter("energy_ev"),
        "band_gap_ev": attrgetter("band_gap_ev"),
        "max_force_ev_per_angstrom": attrgetter("max_force_ev_per_angstrom"),
        "protocol": attrgetter("protocol"),
    },
    "scf": {
        "purpose": attrgetter("purpose"),
        "k_mesh": attrgetter("k_mesh"),
        "energy_ev": attrgetter("energy_ev"),
        "fermi_ev": attrgetter("fermi_ev"),
        "band_gap_ev": attrgetter("band_gap_ev"),
        "total_magnetization_bohr_magneton": attrgetter("total_magnetization_bohr_magneton"),
        "protocol": attrgetter("protocol"),
    },
    "moment": {
        "total_magnetization_bohr_magneton": attrgetter("total_magnetization_bohr_magneton"),
        "absolute_magnetization_bohr_magneton": attrgetter("absolute_magnetization_bohr_magneton"),
        "k_mesh": attrgetter("k_mesh"),
        "energy_ev": attrgetter("energy_ev"),
        "protocol": attrgetter("protocol"),
    },
    "decision": {
        "after": attrgetter("after"),
        "decision": attrgetter("decision"),
        "score": attrgetter("score"),
        "band_gap_ev": lambda document: document.feature("band_gap_ev"),
        "dos_per_ev_spin_atom": lambda document: document.feature("dos_per_ev_spin_atom"),
        "reasons": lambda document: "; ".join(document.reasons),
    },
}
"""Columns of each kind but tc."""

TC_COLUMNS = (
    "route",
    "lambda",
    "lambda_low",
    "lambda_high",
    "omega_log_mev",
    "omega_2_mev",
    "method",
    "mu_star",
    "mu_star_reference",
    "tc_status",
    "tc_kelvin",
    "tc_low_kelvin",
    "tc_high_kelvin",
)

WIDEST_TABLE = 10_000
BESIDE_TABLE = frozenset(
    {"lambda_low", "lambda_high", "omega_2_mev", "method", "mu_star", "mu_star_reference", "passed", "protocol"}
)
"""Columns that a table leaves out, so that it fits a terminal; its caption says the convention of Tc."""


def _wave_vector(peaks: Sequence[SusceptibilityPeak]) -> str | None:
    """Place of the strongest peak in reciprocal lattice vectors; None without peaks."""
    return " ".join(f"{value:.4f}" for value in peaks[0].q_fractional) if peaks else None


def _coldest(gaps: Sequence[TemperatureGap], name: str) -> float | None:
    """A number of the lowest temperature; None without gaps."""
    if not gaps:
        return None
    value: float | None = getattr(min(gaps, key=attrgetter("temperature_kelvin")), name)
    return value


def write_query(
    database: Database,
    kind: str,
    filters: Mapping[str, Any],
    *,
    layout: Layout,
    limit: int | None,
    stream: TextIO,
) -> None:
    """Write the documents that meet the filters.

    Parameters
    ----------
    database
        The database.
    kind
        Kind of the documents.
    filters
        Keywords of :func:`hightc.launch.queries.documents`.
    layout
        ``table`` for people, ``csv``, ``json`` for one array with a row a line, ``documents`` for the same with whole
        documents.
    limit
        No more than so many; None for all.
    stream
        Where CSV and JSON go.

    Raises
    ------
    LaunchError
        If a filter has no meaning.
    DatabaseError
        If the database stops answering.
    """
    method: Method = filters.get("method", DEFAULT_METHOD)
    mu_star: float = filters.get("mu_star", DEFAULT_MU_STAR)
    try:
        found = islice(documents(database, DOCUMENTS[kind], **filters), limit)
        if layout == "documents":
            _write_array((stored_form(document) for document in found), stream)
            return
        rows = (row(document, method, mu_star) for document in found)
        if layout == "json":
            _write_array(rows, stream)
        elif layout == "csv":
            _write_csv(rows, column_names(kind), stream)
        else:
            _show(list(rows), f"Tc by {method} at mu* = {mu_star:g}" if kind == "tc" else None)
    except PyMongoError as error:
        msg = f"the database at {database.address} stopped answering ({type(error).__name__}): try again"
        raise DatabaseError(msg) from None


def show_fields(kind: str) -> None:
    """Print every field of a kind of document that can be asked for.

    Parameters
    ----------
    kind
        Kind of document.
    """
    table = Table("field", "type", "unit", "meaning")
    for field in stored_fields(DOCUMENTS[kind]).values():
        table.add_row(field.path, field.type_name, field.unit or "-", field.description)
    print_table(table)


def column_names(kind: str) -> tuple[str, ...]:
    """Names of the columns of a kind of document; they carry the unit and do not change.

    Parameters
    ----------
    kind
        Kind of document.
    """
    numbers = TC_COLUMNS if kind == "tc" else tuple(COLUMNS[kind])
    return ("campaign", "material", "formula", *numbers, "passed", "n_warnings")


def row(document: Document, method: Method = DEFAULT_METHOD, mu_star: float = DEFAULT_MU_STAR) -> Row:
    """One document as a flat row.

    Parameters
    ----------
    document
        Any stored document.
    method, mu_star
        Which Tc of a TcDocument.

    Returns
    -------
    dict
        By column name; None means that a number was not computed.
    """
    kind = str(type(document).model_fields["kind"].default)
    numbers = (
        _tc_values(document, method, mu_star)
        if isinstance(document, TcDocument)
        else tuple(value(document) for value in COLUMNS[kind].values())
    )
    identity = (document.campaign, document.material, document.formula)
    return dict(zip(column_names(kind), (*identity, *numbers, document.passed, len(document.warnings)), strict=True))


def _tc_values(document: TcDocument, method: Method, mu_star: float) -> tuple[Any, ...]:
    entry = document.find(method, mu_star)
    return (
        document.route or "linear_response",
        document.lambda_,
        document.lambda_low,
        document.lambda_high,
        document.omega_log_mev,
        document.omega_2_mev,
        method,
        mu_star,
        document.mu_star_reference,
        entry.status if entry else "not_computed",
        entry.tc_kelvin if entry else None,
        entry.low_kelvin if entry else None,
        entry.high_kelvin if entry else None,
    )


def _write_array(entries: Iterable[Any], stream: TextIO) -> None:
    """Write one JSON array with an entry a line, without holding it."""
    stream.write("[")
    separator = "\n"
    for entry in entries:
        stream.write(separator + json.dumps(entry, allow_nan=False))
        separator = ",\n"
    stream.write("\n]\n")


def _write_csv(rows: Iterable[Row], names: Sequence[str], stream: TextIO) -> None:
    writer = csv.DictWriter(stream, fieldnames=names, lineterminator="\n")
    writer.writeheader()
    for entry in rows:
        writer.writerow({name: _joined(value) for name, value in entry.items()})


def _joined(value: object) -> object:
    return "x".join(str(part) for part in value) if isinstance(value, tuple) else value


def _show(rows: list[Row], caption: str | None) -> None:
    if not rows:
        print("no document meets the filters (of the kind tc, unless --kind names another)", file=sys.stderr)
        return
    names = [name for name in rows[0] if name not in BESIDE_TABLE]
    table = Table(*names, caption=caption)
    cells = [[_cell(entry[name]) for name in names] for entry in rows]
    for row in cells:
        table.add_row(*row)
    console = Console()
    wanted = console.measure(table, options=console.options.update(width=WIDEST_TABLE)).maximum
    if console.is_terminal and wanted > console.width:
        # a number that is cut is another number: where columns are too many, each document has lines of its own
        widest = max(map(len, names))
        blocks = [
            "\n".join(f"{name:<{widest}}  {cell}" for name, cell in zip(names, one, strict=True)) for one in cells
        ]
        print("\n\n".join((*blocks, *((caption,) if caption else ()))))
        return
    print_table(table)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(_joined(value))
