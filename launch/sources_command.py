"""The command ``hightc sources``: what the sources of a campaign give, before anything runs."""

# ruff: noqa: PLC0415 - a help text must not wait for pymatgen
from __future__ import annotations

import argparse
import csv
import io
import json
import math
from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from hightc.launch.command_parser import CommandParser, add_command
from hightc.launch.errors import LaunchError
from hightc.launch.plain_text import plain_text
from hightc.launch.toml_file import read_toml

if TYPE_CHECKING:
    from hightc.launch.sources.records import RefusedEntry, ResolvedSources
    from hightc.launch.sources.table import SourceEntry

SUMMARY: Final = "what the sources of a campaign give: structures, and what is refused and why"
EPILOG: Final = """\
examples:
  hightc sources check campaign.toml                 every [[sources]] of a campaign file
  hightc sources check --supercon supercon.csv --3dsc 3dsc_mp.csv cifs.tar.gz
  hightc sources check campaign.toml --materials materials.csv --refused refused.csv

a table [[sources]] has a kind (materials_project, supercon, files, optimade, prototype) and the keys of that kind:
  [[sources]]
  kind = "materials_project"
  chemical_systems = ["Nb-N"]
  max_energy_above_hull_ev = 0.05
  pressures_gpa = [0, 20, 50]

exit codes: 0 done; 2 a source cannot be used, or none gives a structure (one line says where and why)"""

EXAMPLES_SHOWN: Final = 3
LONGEST_SHOWN: Final = 200


def add_sources(commands: argparse._SubParsersAction[CommandParser]) -> None:
    """Add the command.

    Parameters
    ----------
    commands
        The commands of the program.
    """
    parser = add_command(commands, "sources", None, SUMMARY)
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    check = add_command(
        actions,
        "check",
        check_sources,
        "find every structure, count what is refused",
        description="Finds every structure of the sources, merges duplicates, and counts what is refused and why.",
        epilog=EPILOG,
    )
    check.add_argument("file", metavar="FILE", type=Path, nargs="?", help="campaign file with [[sources]]")
    check.add_argument("--supercon", metavar="CSV", type=Path, help="table with the columns name and Tc (K)")
    check.add_argument(
        "--3dsc",
        dest="structures",
        metavar=("TABLE", "ARCHIVE"),
        nargs=2,
        help="structures of the compositions: a table with formula_sc, material_id, cif, and a tar archive of CIFs",
    )
    check.add_argument("--max-doping", metavar="X", type=_doping, help="with --supercon: largest doping (default: 0.1)")
    check.add_argument("--refused", metavar="OUT", type=Path, help="write every refused entry with its reason as CSV")
    check.add_argument("--materials", metavar="OUT", type=Path, help="write every material with its sources as CSV")


def _doping(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 0.5:
        msg = f"expected a number from 0 to below 0.5, found {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return value


def check_sources(options: argparse.Namespace) -> int:
    """Find every structure and print what was found.

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
        If a source cannot be used or none gives a structure.
    """
    from hightc.launch.sources.resolve import resolve_sources

    entries, folder = _entries(options)
    start = perf_counter()
    resolved = resolve_sources(entries, folder)
    _print(resolved, perf_counter() - start)
    if options.materials is not None:
        _write(options.materials, _material_rows(resolved))
    if options.refused is not None:
        _write(options.refused, _refused_rows(resolved.refused))
    return 0


def _entries(options: argparse.Namespace) -> tuple[tuple[SourceEntry, ...], Path]:
    from hightc.launch.sources.table import parse_sources

    if (options.file is None) == (options.supercon is None):
        msg = "sources check: expected a campaign file, or --supercon CSV with --3dsc TABLE ARCHIVE: give one of them"
        raise LaunchError(msg)
    if options.file is not None:
        if options.structures or options.max_doping is not None:
            msg = "sources check: expected --3dsc and --max-doping with --supercon alone: write them in the file"
            raise LaunchError(msg)
        return parse_sources(_tables(options.file), where=str(options.file)), options.file.parent
    if options.structures is None:
        msg = "sources check: --supercon: expected --3dsc TABLE ARCHIVE with it, found none: add it"
        raise LaunchError(msg)
    table, archive = options.structures
    entry: dict[str, Any] = {"kind": "supercon", "file": str(options.supercon), "structures": table, "archive": archive}
    if options.max_doping is not None:
        entry["max_doping"] = options.max_doping
    return parse_sources([entry], where="--supercon"), Path()


def _tables(path: Path) -> Any:
    try:
        content = read_toml(path)
    except (OSError, ValueError) as error:
        msg = f"{path}: cannot be read ({error}): expected a campaign file, TOML in UTF-8"
        raise LaunchError(msg) from None
    if "sources" not in content:
        msg = f"{path}: expected a table [[sources]], found none: see hightc sources check --help"
        raise LaunchError(msg)
    return content["sources"]


def _print(resolved: ResolvedSources, seconds: float) -> None:
    crystals = len({id(material.structure) for material in resolved.materials})
    records = {record for material in resolved.materials for record in material.sources}
    tc = Counter(record.tc_meaning for record in records)
    print(f"{resolved.found} structures found in {seconds:.0f} s, {crystals} different ones")
    print(f"{len(resolved.materials)} materials, each pressure one")
    if set(tc) - {"not_given"}:
        doped = sum(bool(record.doping_fraction) for record in records)
        print(f"{len(records)} entries stand behind them, {doped} of them doped compositions of an ordered parent")
        print(
            f"Tc of these: {tc['measured']} measured, {tc['none_reported']} none reported, {tc['withheld']} withheld, "
            f"{tc['not_given']} not given"
        )
    print(f"{len(resolved.refused)} entries refused")
    counts = Counter(item.code for item in resolved.refused)
    for code, count in counts.most_common():
        print(f"  {count:6d}  {code.replace('_', ' ')}")
        for item in [item for item in resolved.refused if item.code == code][:EXAMPLES_SHOWN]:
            print(f"          {_plain(item.where)}: {_plain(item.value)}: {_plain(item.reason)}")


def _plain(text: str) -> str:
    """Text of a file or server, safe for a terminal."""
    return plain_text(text, LONGEST_SHOWN).replace("\n", "\\n")


def _material_rows(resolved: ResolvedSources) -> list[list[object]]:
    rows: list[list[object]] = [["label", "formula", "atoms", "pressure_gpa", "sources"]]
    for material in resolved.materials:
        sources = json.dumps([record.model_dump(exclude_none=True) for record in material.sources])
        formula = material.structure.composition.reduced_formula
        rows.append([material.label, formula, len(material.structure), material.pressure_gpa, sources])
    return rows


def _refused_rows(refused: tuple[RefusedEntry, ...]) -> list[list[object]]:
    rows: list[list[object]] = [["kind", "where", "value", "code", "reason"]]
    return rows + [[item.kind, item.where, item.value, item.code, item.reason] for item in refused]


def _write(path: Path, rows: list[list[object]]) -> None:
    from hightc.analysis.files import write_bytes

    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerows(rows)
    try:
        write_bytes(path, stream.getvalue().encode("utf-8", errors="backslashreplace"))
    except OSError as error:
        msg = f"{path}: expected a place to write a table, found {str(error.strerror).lower()}: give another name"
        raise LaunchError(msg) from None
    print(f"{path}: {len(rows) - 1} lines")
