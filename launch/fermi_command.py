"""The command ``hightc fermi``: a stored Fermi surface as a file that other programs draw."""

# ruff: noqa: PLC0415 - a help text must not wait for numpy and pymatgen
from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hightc.launch.command_parser import CommandParser, add_command
from hightc.launch.errors import LaunchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hightc.analysis.documents import FermiDocument

FORMATS: Final = ("frmsf", "bxsf")
SUMMARY: Final = "write a computed Fermi surface for FermiSurfer or XCrySDen"
EPILOG: Final = """\
examples:
  hightc query --kind fermi                              which materials have a Fermi surface
  hightc fermi export Cr --campaign magnets -o cr.frmsf  for FermiSurfer, coloured by speed
  hightc fermi export Cr --format bxsf -o cr.bxsf        for XCrySDen

exit codes: 0 done; 2 no such Fermi surface, or the file cannot be written (one line says why)"""

DETAILS = "The study nesting of a campaign computes them."


def add_fermi(commands: argparse._SubParsersAction[CommandParser]) -> None:
    """Add the command.

    Parameters
    ----------
    commands
        The commands of the program.
    """
    parser = add_command(commands, "fermi", None, SUMMARY, details=DETAILS, epilog=EPILOG)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    export = add_command(actions, "export", export_fermi_surface, SUMMARY, details=DETAILS, epilog=EPILOG)
    export.add_argument("material", metavar="MATERIAL", help="label of the material in its campaign")
    export.add_argument("--campaign", metavar="NAME", help="name of the campaign, where several have the material")
    export.add_argument(
        "--format", choices=FORMATS, help="frmsf: FermiSurfer; bxsf: XCrySDen (default: the ending of FILE)"
    )
    export.add_argument("-o", "--output", metavar="FILE", type=Path, required=True, help="file to write")


def export_fermi_surface(options: argparse.Namespace) -> int:
    """Write the newest Fermi surface of a material.

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
        If the format is not known, the material has none or several in different campaigns, or nothing can be written.
    """
    from hightc.analysis.documents import FermiDocument
    from hightc.analysis.fermi_files import write_bxsf, write_frmsf
    from hightc.launch.queries import documents
    from hightc.launch.settings import load_settings
    from hightc.launch.store import open_database

    kind = options.format or options.output.suffix.removeprefix(".")
    if kind not in FORMATS:
        msg = f"{options.output}: expected a name that ends with .frmsf or .bxsf, or --format {' or '.join(FORMATS)}"
        raise LaunchError(msg)
    database = open_database(load_settings())
    with closing(database.client):
        asked = documents(
            database, FermiDocument, load_arrays=True, material=options.material, campaign=options.campaign
        )
        found = list(asked)
    document = _only(found, options.material)
    try:
        {"frmsf": write_frmsf, "bxsf": write_bxsf}[kind](document, options.output)
    except ValueError as error:
        raise LaunchError(str(error)) from None
    except OSError as error:
        msg = f"{options.output}: cannot be written: {error.strerror}: name a file in a folder that exists"
        raise LaunchError(msg) from None
    print(f"{options.output}: {document.formula}, {len(document.bands)} bands on {document.k_mesh} k points")
    return 0


def _only(found: Sequence[FermiDocument], material: str) -> FermiDocument:
    """The Fermi surface that is meant, where there is one."""
    if len(found) == 1:
        return found[0]
    if not found:
        msg = (
            f"{material}: expected a stored Fermi surface, found none: hightc query --kind fermi lists them, and "
            'studies = ["nesting"] in a campaign computes them'
        )
    else:
        campaigns = ", ".join(document.campaign for document in found)
        msg = f"{material}: expected one Fermi surface, found one in each of {campaigns}: choose with --campaign"
    raise LaunchError(msg)
