"""Families of pseudopotentials: any folder of UPF files, checked before anything runs."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pymatgen.core import Element

from hightc.analysis.documents.base import Pseudopotential
from hightc.makers.errors import PseudopotentialError

DEBIAN_DIRECTORY = Path("/usr/share/espresso/pseudo")
"""Where Debian's package quantum-espresso-data puts its pseudopotentials."""

PSEUDO_DOJO = "pseudo-dojo"
DEFAULT_PSEUDO_DOJO = "pseudo-dojo-0.4-pbesol-sr-standard"
"""The table that the plain name pseudo-dojo stands for: scalar-relativistic PBEsol, standard accuracy."""

HEADER_BYTES = 65536
"""PP_HEADER follows PP_INFO, whose longest known case (ONCVPSP input echoed) is 4 kB."""

FILES_REMEMBERED = 4096
"""Files whose header and checksum are kept in memory: campaigns of thousands of materials share some tens."""

UNREADABLE = frozenset("/\\'\"!,")
"""Letters that end a word of an input, or begin a comment."""

UPF_HEADER = re.compile(r"<PP_HEADER\s+(\w+\s*=.*?)/?>", re.DOTALL)
"""Header of version 2, with its attributes; that of version 1 holds lines between two tags."""

UPF_ATTRIBUTE = re.compile(r"""(\w+)\s*=\s*["']\s*(.*?)\s*["']""")


@dataclass(frozen=True)
class PseudopotentialFile:
    """What the header of a UPF file says.

    Attributes
    ----------
    path
        The file.
    element
        Chemical symbol.
    norm_conserving
        False for ultrasoft and projector-augmented waves.
    functional
        As written in the header.
    ecutwfc_ry
        Suggested cutoff in Ry; None if the file suggests none.
    fully_relativistic
        Whether the file tells the spin-orbit coupling (``has_so``).
    """

    path: Path
    element: str
    norm_conserving: bool
    functional: str
    ecutwfc_ry: float | None
    fully_relativistic: bool


def read_upf_header(path: Path) -> PseudopotentialFile:
    """Read element, type and suggested cutoff of a UPF file.

    Parameters
    ----------
    path
        A UPF file of version 2.

    Raises
    ------
    PseudopotentialError
        If the file cannot be read or has no header of version 2.
    """
    try:
        return _read_header(path, _content_mark(path))
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}): check the folder of the family"
        raise PseudopotentialError(msg) from None


ContentMark = tuple[int, int, int]
"""Inode, size in bytes and time of change in ns: a file with the same three is read once."""


def _content_mark(path: Path) -> ContentMark:
    stat = path.stat()
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=FILES_REMEMBERED)
def _read_header(path: Path, _: ContentMark) -> PseudopotentialFile:
    with path.open("rb") as stream:
        head = stream.read(HEADER_BYTES).decode("latin-1")
    match = UPF_HEADER.search(head)
    attributes = dict(UPF_ATTRIBUTE.findall(match.group(1))) if match else {}
    element = attributes.get("element", "").strip()
    if not Element.is_valid_symbol(element):
        msg = (
            f"{path}: expected a UPF header of version 2 with an element, found {element or 'none'!r}: "
            "convert it with QE's upfconv.x or choose another file"
        )
        raise PseudopotentialError(msg)
    cutoff = _positive_float(attributes.get("wfc_cutoff"))
    return PseudopotentialFile(
        path=path,
        element=element,
        norm_conserving=attributes.get("pseudo_type", "NC") in {"NC", "SL"},
        functional=attributes.get("functional", ""),
        ecutwfc_ry=cutoff,
        fully_relativistic=attributes.get("has_so", "F").strip(".").lower().startswith("t"),
    )


def _positive_float(text: str | None) -> float | None:
    """Parse a number that some generators write as 0 or not at all."""
    try:
        value = float((text or "").replace("d", "e").replace("D", "e"))
    except ValueError:
        return None
    return value if value > 0 else None


def family_directory(family: str, pseudopotentials_directory: Path) -> Path:
    """Folder of a family.

    Parameters
    ----------
    family
        A folder, ``debian``, the name of an installed family, or ``pseudo-dojo`` for :data:`DEFAULT_PSEUDO_DOJO`.
    pseudopotentials_directory
        Folder that holds installed families.

    Raises
    ------
    PseudopotentialError
        If there is no such folder.
    """
    if family == "debian":
        candidate, advice = DEBIAN_DIRECTORY, "apt-get install quantum-espresso-data"
    elif "/" in family or family.startswith(("~", ".")):
        candidate, advice = Path(family).expanduser(), "check the path"
    else:
        candidate = pseudopotentials_directory / (DEFAULT_PSEUDO_DOJO if family == PSEUDO_DOJO else family)
        advice = _install_advice(family)
    if not os.path.isdir(candidate):  # noqa: PTH112 - also of names that no system takes
        msg = f"pseudopotential family {family!r}: no folder {candidate}: {advice}"
        raise PseudopotentialError(msg)
    return candidate


def _install_advice(family: str) -> str:
    if family == PSEUDO_DOJO:
        return f"run: hightc pseudos install {PSEUDO_DOJO}"
    if family.startswith(PSEUDO_DOJO):
        return f"run: hightc pseudos install {PSEUDO_DOJO} --table {family}"
    return "name a folder of UPF files, debian, or a family that hightc pseudos list shows"


def find_pseudopotentials(directory: Path, element: str) -> list[Path]:
    """UPF files of one element in a folder, by name first and then by header.

    Parameters
    ----------
    directory
        Folder of a family.
    element
        Chemical symbol.
    """
    pattern = re.compile(rf"{element}(?![a-z]).*\.upf$", re.IGNORECASE | re.DOTALL)
    named = sorted(name for name in os.listdir(directory) if pattern.match(name))  # noqa: PTH208 - 72 names, 10,000 times
    found = []
    for path in (directory / name for name in named):
        try:
            if read_upf_header(path).element == element:
                found.append(path)
        except PseudopotentialError:
            continue
    return found


def select_pseudopotentials(
    directory: Path, elements: Iterable[str], chosen: Mapping[str, str]
) -> tuple[PseudopotentialFile, ...]:
    """One file an element.

    Parameters
    ----------
    directory
        Folder of the family.
    elements
        Chemical symbols.
    chosen
        File names the campaign names itself, by element.

    Returns
    -------
    tuple of PseudopotentialFile
        Sorted by element.

    Raises
    ------
    PseudopotentialError
        If an element has no file, several, or a file of another element.
    """
    selected = []
    for element in sorted(set(elements)):
        if element in chosen:
            path = directory / chosen[element]
            if not os.path.isfile(path):  # noqa: PTH113 - as above
                msg = f"pseudopotential of {element}: no file {path}: {_known(directory, element)}"
                raise PseudopotentialError(msg)
        else:
            candidates = find_pseudopotentials(directory, element)
            if not candidates:
                msg = (
                    f"pseudopotential of {element}: none in {directory}: add a UPF file of {element} to that folder, "
                    "or use another family (hightc pseudos install pseudo-dojo has 72 elements)"
                )
                raise PseudopotentialError(msg)
            if len(candidates) > 1:
                known = _known(directory, element)
                msg = f"pseudopotential of {element}: {len(candidates)} files in {directory}: {known}"
                raise PseudopotentialError(msg)
            path = candidates[0]
        _require_plain_name(element, chosen.get(element, path.name))
        header = read_upf_header(path)
        if header.element != element:
            msg = f"pseudopotential of {element}: {path} is for {header.element}: name a file of {element}"
            raise PseudopotentialError(msg)
        selected.append(header)
    return tuple(selected)


def _require_plain_name(element: str, name: str) -> None:
    """Refuse names that would not be one word of an input, or lie in another folder than the family's."""
    if not name.isprintable() or any(letter.isspace() or letter in UNREADABLE for letter in name):
        msg = (
            f"pseudopotential of {element}: expected a file of the family's folder, its name without blanks, quotes, "
            f"'/', '!' and ',', found {name!r}: give it another name"
        )
        raise PseudopotentialError(msg)


def _known(directory: Path, element: str) -> str:
    names = [path.name for path in find_pseudopotentials(directory, element)]
    return f"name one in [pseudopotentials.files]: {', '.join(names)}" if names else f"the folder has none of {element}"


@lru_cache(maxsize=FILES_REMEMBERED)
def _digest(path: Path, _: ContentMark) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def identify(file: PseudopotentialFile) -> Pseudopotential:
    """Identity of a file by its content.

    Parameters
    ----------
    file
        A file whose header was read.
    """
    return Pseudopotential(
        element=file.element,
        filename=file.path.name,
        sha256=_digest(file.path, _content_mark(file.path)),
    )


def require_unchanged(directory: Path, pseudopotentials: Iterable[Pseudopotential]) -> None:
    """Refuse files that are gone or are not those the recipe was made with.

    Parameters
    ----------
    directory
        Folder of the family on this machine.
    pseudopotentials
        Files of the recipe.

    Raises
    ------
    PseudopotentialError
        If a file is missing or has another checksum.
    """
    for expected in pseudopotentials:
        path = directory / expected.filename
        if not path.is_file():
            msg = f"pseudopotential of {expected.element}: no file {path}: install the same family on this machine"
            raise PseudopotentialError(msg)
        found = identify(read_upf_header(path))
        if found.sha256 != expected.sha256:
            msg = (
                f"{path}: expected sha256 {expected.sha256[:12]}..., found {found.sha256[:12]}...: the file changed "
                "since the campaign was submitted; restore it or submit the campaign again"
            )
            raise PseudopotentialError(msg)
