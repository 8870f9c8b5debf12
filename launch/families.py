"""Families of pseudopotentials on this machine: found, checked against their checksums, shown."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pymatgen.core import Element
from rich.console import Console
from rich.table import Table

from hightc.launch.errors import InstallError, LaunchError
from hightc.makers.errors import PseudopotentialError
from hightc.makers.qe.pseudopotentials import (
    DEBIAN_DIRECTORY,
    DEFAULT_PSEUDO_DOJO,
    PSEUDO_DOJO,
    PseudopotentialFile,
    find_pseudopotentials,
    identify,
    read_upf_header,
)

CHECKSUMS = "SHA256SUMS"
"""File of a family that hightc installed, readable by ``sha256sum --check``."""


def verify(folder: Path) -> tuple[int, list[str]]:
    """Check the files of a family against its list of checksums.

    Parameters
    ----------
    folder
        Folder of the family, with a file SHA256SUMS.

    Returns
    -------
    tuple of int and list of str
        How many files are listed, and the names of those that are missing or differ.

    Raises
    ------
    InstallError
        If the list cannot be read or is empty.
    """
    path = folder / CHECKSUMS
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        listed = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except (OSError, ValueError):
        listed = {}
    if not listed:
        msg = f"{path}: expected lines 'sha256  file', found something else: remove {folder} and install it again"
        raise InstallError(msg)
    damaged = [
        name
        for name, digest in listed.items()
        if not (folder / name).is_file() or hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest
    ]
    return len(listed), damaged


@dataclass(frozen=True)
class Family:
    """A folder of pseudopotentials.

    Attributes
    ----------
    name
        What a campaign calls it.
    path
        The folder.
    files
        Its readable files.
    state
        ``verified``: all match their checksums; ``damaged``; ``unlisted``: there are no checksums.
    damaged
        Files that are missing or differ.
    """

    name: str
    path: Path
    files: tuple[PseudopotentialFile, ...]
    state: Literal["verified", "damaged", "unlisted"]
    damaged: tuple[str, ...] = ()

    @property
    def n_elements(self) -> int:
        """Number of different elements."""
        return len({file.element for file in self.files})


def find_families(directory: Path, debian: Path = DEBIAN_DIRECTORY) -> tuple[Family, ...]:
    """Families that a campaign on this machine can name, checked against their checksums.

    Parameters
    ----------
    directory
        Folder that holds installed families.
    debian
        Folder of Debian's package, listed where it exists.
    """
    folders = {path.name: path for path in sorted(directory.glob("[!.]*")) if path.is_dir()}
    if debian.is_dir():
        folders["debian"] = debian
    return tuple(_family(name, path) for name, path in folders.items())


def _family(name: str, path: Path) -> Family:
    files = []
    for file in sorted(path.iterdir()):
        if file.suffix.lower() == ".upf":
            try:
                files.append(read_upf_header(file))
            except PseudopotentialError:
                continue
    if not (path / CHECKSUMS).is_file():
        return Family(name, path, tuple(files), "unlisted")
    try:
        _, damaged = verify(path)
    except InstallError:
        damaged = [CHECKSUMS]
    return Family(name, path, tuple(files), "damaged" if damaged else "verified", tuple(damaged))


def show_families(directory: Path) -> int:
    """Print the families of this machine.

    Parameters
    ----------
    directory
        Folder that holds installed families.

    Returns
    -------
    int
        Exit code: 1 if a family is damaged or there is none.
    """
    families = find_families(directory)
    table = Table("family", "elements", "files", "state", "folder")
    for family in families:
        state = f"damaged: {', '.join(family.damaged[:3])}" if family.damaged else family.state
        name = f"{family.name} (= {PSEUDO_DOJO})" if family.name == DEFAULT_PSEUDO_DOJO else family.name
        table.add_row(name, str(family.n_elements), str(len(family.files)), state, str(family.path))
    if families:
        print_table(table)
    else:
        print(f"no pseudopotentials in {directory}: run: hightc pseudos install {PSEUDO_DOJO}")
    return 0 if families and not any(family.damaged for family in families) else 1


def show_element(element: str, directory: Path) -> int:
    """Print the files of one element in every family.

    Parameters
    ----------
    element
        Chemical symbol.
    directory
        Folder that holds installed families.

    Returns
    -------
    int
        Exit code: 1 if there is none.

    Raises
    ------
    LaunchError
        If there is no such element.
    """
    if not Element.is_valid_symbol(element):
        msg = f"element: expected a chemical symbol such as Pb, found {element!r}"
        raise LaunchError(msg)
    table = Table("family", "file", "type", "relativity", "functional", "cutoff (Ry)", "sha256")
    for family in find_families(directory):
        for path in find_pseudopotentials(family.path, element):
            file = read_upf_header(path)
            table.add_row(
                family.name,
                path.name,
                "norm-conserving" if file.norm_conserving else "ultrasoft or PAW",
                "full" if file.fully_relativistic else "scalar",
                file.functional,
                "not given" if file.ecutwfc_ry is None else f"{file.ecutwfc_ry:g}",
                identify(file).sha256[:12],
            )
    if not table.row_count:
        print(f"no pseudopotential of {element} on this machine: run: hightc pseudos install {PSEUDO_DOJO}")
        return 1
    print_table(table)
    return 0


def print_table(table: Table) -> None:
    """Print a table; a pipe or file gets its full width, so that nothing is cut.

    Parameters
    ----------
    table
        The table.
    """
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = 240
    console.print(table)
