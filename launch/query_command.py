"""The command ``hightc query``, and the filters that it shares with ``hightc export``."""

# ruff: noqa: PLC0415 - a help text must not wait for pymatgen and pymongo
from __future__ import annotations

import argparse
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from hightc.launch.command_parser import CommandParser, add_command
from hightc.launch.errors import LaunchError

if TYPE_CHECKING:
    from hightc.launch.query_output import Layout

KINDS = (
    *("tc", "gap", "alpha2f", "vertex", "wannier"),
    *("magnetism", "fermi", "phonon", "phonon_bands", "coupling", "force_constants", "structure", "scf"),
    *("moment", "decision"),
)
"""Kinds of documents, as in ``hightc.analysis.documents.DOCUMENTS``, which is too heavy to import for a help text."""

METHODS = ("allen_dynes", "mcmillan", "xie_2019", "xie_2022", "eliashberg")
"""Methods of Tc, as in ``hightc.analysis.documents.tc.Method``."""

FILTERS: Final = (
    *("formula", "campaign", "material", "only", "lambda_range", "tc_range", "mu_star", "method", "history"),
    *("where", "sort", "descending"),
)
"""Options that are keywords of ``hightc.launch.queries.documents`` under the same name."""

SUMMARY: Final = "list what has been computed"

QUERY_EPILOG: Final = """\
examples:
  hightc query --elements Nb --tc 5:20               Tc from 5 to 20 K by Allen-Dynes at mu* = 0.10
  hightc query --formula PbO2 --kind phonon          the order of the elements does not matter
  hightc query --lambda 1: --kind alpha2f            spectra of the materials whose lambda is at least 1
  hightc query --kind magnetism --where 'softness_class = soft' --where 'stoner_product > 1'
  hightc query --sort tc_kelvin --descending --limit 10
  hightc query --kind magnetism --fields             every field that can be asked for, with its unit
  hightc query --format csv > tc.csv                 units are in the names of the columns
  hightc query --format json --documents | jq ...    documents as they are stored, large arrays by reference

conditions (--where 'FIELD OPERATOR VALUE', in quotes, as often as needed):
  operators: = != < <= > >=, 'in' with values as a,b,c, 'exists' (or 'exists no'), which takes what is not null
  nested fields have dots: provenance.wall_seconds, plateau.status, structure.lattice.volume, k_mesh.0 (by position)
  A list meets a condition if one of its entries does (with !=, if none is equal). Two conditions on entries of a list
  may be met by two different entries: critical_temperatures.method with critical_temperatures.tc_kelvin does not
  say which Tc; --tc with --method and --mu-star does. != also takes documents without a value: add 'exists'.

Only the newest document of a campaign, material and kind is shown, unless --history. From Python, with arrays:
  hightc.launch.queries.documents(database, Alpha2FDocument, elements=["Nb"], load_arrays=True)
hightc export writes what the same filters find to a file with a checksum."""


def add_query(commands: argparse._SubParsersAction[CommandParser]) -> None:
    """Add the command.

    Parameters
    ----------
    commands
        The commands of the program.
    """
    parser = add_command(commands, "query", query, SUMMARY, details="Filters are joined by 'and'.", epilog=QUERY_EPILOG)
    add_filters(parser)
    parser.add_argument("--format", choices=("table", "json", "csv"), default="table", help="json: one array of rows")
    parser.add_argument("--documents", action="store_true", help="with --format json: whole documents, not rows")
    parser.add_argument("--fields", action="store_true", help="list the fields of the kind instead of documents")


def add_filters(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose documents.

    Parameters
    ----------
    parser
        Parser of the command.
    """
    parser.add_argument(
        "--kind",
        choices=KINDS,
        default="tc",
        help="kind of document (default: tc); the study magnetic_softness makes magnetism, nesting makes fermi",
    )
    parser.add_argument("--formula", metavar="F", help="formula, such as MgB2")
    parser.add_argument("--elements", metavar="A,B", help="materials that contain all of these elements")
    parser.add_argument("--only", action="store_true", help="and no element but those of --elements")
    parser.add_argument("--campaign", metavar="NAME", help="name of the campaign")
    parser.add_argument("--material", metavar="LABEL", help="label of the material in its campaign")
    parser.add_argument("--lambda", dest="lambda_range", metavar="MIN:MAX", type=_range, help="coupling constant")
    parser.add_argument("--tc", dest="tc_range", metavar="MIN:MAX", type=_range, help="Tc in K; 5: is 5 and above")
    parser.add_argument("--mu-star", metavar="MU", type=float, default=0.10, help="mu* of Tc (default: 0.10)")
    parser.add_argument("--method", choices=METHODS, default=METHODS[0], help="method of Tc (default: allen_dynes)")
    parser.add_argument(
        "--where", metavar="'F OP V'", action="append", help="condition on any field, such as 'lambda > 1'"
    )
    parser.add_argument("--history", action="store_true", help="older documents of the same material too")
    parser.add_argument("--sort", metavar="FIELD", help="order by a field; tc_kelvin is Tc by --method at --mu-star")
    parser.add_argument("--descending", action="store_true", help="with --sort: largest first")
    parser.add_argument("--limit", metavar="N", type=positive, help="no more than so many")


def given_filters(options: argparse.Namespace) -> dict[str, Any]:
    """Filters as keywords of ``hightc.launch.queries.documents``.

    Parameters
    ----------
    options
        Options of the command.
    """
    filters = {name: value for name in FILTERS if (value := getattr(options, name)) is not None}
    if options.elements is not None:
        filters["elements"] = [symbol.strip() for symbol in options.elements.split(",")]
    return filters


def positive(text: str) -> int:
    """Whole number above 0 of the command line.

    Parameters
    ----------
    text
        As it was given.
    """
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        msg = f"expected a whole number above 0, found {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return value


def _range(text: str) -> tuple[float | None, float | None]:
    low, colon, high = text.partition(":")
    try:
        if not colon:
            raise ValueError
        return (float(low) if low else None, float(high) if high else None)
    except ValueError:
        msg = f"expected MIN:MAX such as 0.5:2, 5: or :10, found {text!r}"
        raise argparse.ArgumentTypeError(msg) from None


def query(options: argparse.Namespace) -> int:
    """List documents, or the fields that they have.

    Parameters
    ----------
    options
        Options of the command.

    Returns
    -------
    int
        Exit code, always 0.

    Raises
    ------
    LaunchError
        If a filter has no meaning or the database does not answer.
    """
    from hightc.launch.query_output import show_fields, write_query
    from hightc.launch.settings import load_settings
    from hightc.launch.store import open_database

    if options.documents and options.format != "json":
        msg = "--documents: whole documents come as JSON only: add --format json"
        raise LaunchError(msg)
    if options.fields:
        show_fields(options.kind)
        return 0
    layout: Layout = "documents" if options.documents else options.format
    database = open_database(load_settings())
    with closing(database.client):
        write_query(
            database, options.kind, given_filters(options), layout=layout, limit=options.limit, stream=sys.stdout
        )
    return 0
