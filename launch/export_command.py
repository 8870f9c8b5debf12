"""The command ``hightc export``: what a query finds, as a file with a checksum."""

# ruff: noqa: PLC0415 - a help text must not wait for pymatgen and pymongo
from __future__ import annotations

import argparse
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

from hightc.launch.command_parser import CommandParser, add_command
from hightc.launch.query_command import add_filters, given_filters

SUMMARY: Final = "write what a query finds to a file with a checksum, for learning"

EPILOG: Final = """\
examples:
  hightc export --kind alpha2f -o spectra.jsonl                documents as they are stored, one a line
  hightc export --kind tc --where 'lambda > 0.5' -o tc.parquet nested fields as columns (pip install 'hightc[export]')
  hightc export --verify tc.parquet                            is it still what was written?

Beside data.jsonl comes data.jsonl.json: the query, the number of documents, the SHA-256 of the file, the version of
hightc, the time, and unit and meaning of each field. The order of the documents is that of campaign and material, or
of --sort, so that the same documents give the same checksum; that of Parquet holds for one version of pyarrow.
Conditions (--where) are those of hightc query; see its help. Files that exist are not written over. From Python:
  from hightc.launch.frozen_reading import read_frozen
  for row in read_frozen("data.jsonl").rows(): ...             refuses a file that was changed

exit codes: 0 done; 1 --verify found that the file was changed; 2 could not start (one line says why)"""


def add_export(commands: argparse._SubParsersAction[CommandParser]) -> None:
    """Add the command.

    Parameters
    ----------
    commands
        The commands of the program.
    """
    parser = add_command(commands, "export", export, SUMMARY, details="Filters are joined by 'and'.", epilog=EPILOG)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("-o", "--output", metavar="FILE", type=Path, help="file to write: data.jsonl or data.parquet")
    what.add_argument("--verify", metavar="FILE", type=Path, help="check a file that was written before")
    add_filters(parser)
    parser.add_argument("--arrays", action="store_true", help="large arrays too (npy in base64), not their reference")


def export(options: argparse.Namespace) -> int:
    """Write a frozen data set, or check one.

    Parameters
    ----------
    options
        Options of the command.

    Returns
    -------
    int
        0, or 1 if a file is not what was written.

    Raises
    ------
    LaunchError
        If a filter has no meaning, the file cannot be written or read, or the database does not answer.
    """
    if options.verify is not None:
        return _verify(options.verify)
    from hightc.launch.frozen import write_frozen
    from hightc.launch.settings import load_settings
    from hightc.launch.store import open_database

    database = open_database(load_settings())
    with closing(database.client):
        about = write_frozen(
            database,
            options.kind,
            given_filters(options),
            options.output,
            limit=options.limit,
            load_arrays=options.arrays,
        )
    print(f"{options.output}: {about.count} documents, sha256 {about.sha256}")
    return 0


def _verify(path: Path) -> int:
    from hightc.launch.frozen_reading import ChangedFileError, read_frozen

    try:
        about = read_frozen(path).about
    except ChangedFileError as error:
        print(f"hightc: {error}", file=sys.stderr)
        return 1
    print(f"{path}: {about.count} documents, sha256 {about.sha256}: as it was written")
    return 0
