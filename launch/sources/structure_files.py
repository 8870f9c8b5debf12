"""Files of structures and folders of them: CIF, POSCAR, pymatgen JSON, extended XYZ and other formats of ASE."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from hightc.launch.sources.cif_text import crystal_of_cif
from hightc.launch.sources.errors import SourceError
from hightc.launch.sources.labels import plain_formula
from hightc.launch.sources.ordering import DisorderedSiteError, ordered_parent
from hightc.launch.sources.plain_structure import plain_structure
from hightc.launch.sources.records import Candidate, RefusalCode, RefusedEntry, Sourced, SourceRecord

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from hightc.launch.sources.table import FilesSource

PymatgenFormat = Literal["cif", "poscar", "xsf"]
PYMATGEN_FORMATS: Final[dict[str, PymatgenFormat]] = {
    "*.cif": "cif",
    "*.mcif": "cif",
    "*poscar*": "poscar",
    "*contcar*": "poscar",
    "*.vasp": "poscar",
    "*.xsf": "xsf",
}
VASP_NAMES: Final = ("POSCAR", "CONTCAR")
JSON_PATTERNS: Final = ("*.json",)
ASE_FORMATS: Final = {
    "*.extxyz": "extxyz",
    "*.xyz": "extxyz",
    "*.res": "res",
    "*.gen": "gen",
    "*.pwi": "espresso-in",
    "*.pwo": "espresso-out",
}
"""Formats of text that hold a cell; those that can carry code, as pickles do, are not read."""

PATTERNS: Final = (*PYMATGEN_FORMATS, *JSON_PATTERNS, *ASE_FORMATS)
LARGEST_BYTES: Final = 100_000_000
"""Of a file that may hold many structures."""

LARGEST_CRYSTAL_BYTES: Final = 2_000_000
"""Of a file that holds one: some 20,000 atoms."""


class _FileError(ValueError):
    """A file that gives no structure."""

    def __init__(self, code: RefusalCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def file_structures(source: FilesSource, folder: Path) -> Sourced:
    """Read every structure of the files and folders.

    Parameters
    ----------
    source
        Their names; of a folder every file is read whose name says that it holds a structure, in order of the names.
    folder
        Folder that names are relative to.

    Returns
    -------
    Sourced
        A candidate for each structure (a file may hold several), and files that could not be read.

    Raises
    ------
    SourceError
        If a file or folder is missing, or a folder has no file of structures.
    """
    candidates: list[Candidate] = []
    refused: list[RefusedEntry] = []
    for name in source.paths:
        for path, shown in _files(folder, name):
            try:
                structures = read_structures(path)
            except _FileError as error:
                refused.append(_refusal(shown, path.name, error.code, str(error)))
                continue
            for number, structure in enumerate(structures, 1):
                many = len(structures) > 1
                identifier = f"{path.name} number {number}" if many else path.name
                try:
                    ordered = ordered_parent(structure, source.max_doping)
                except DisorderedSiteError as error:
                    refused.append(_refusal(shown, identifier, "doping_beyond_tolerance", str(error)))
                    continue
                doped = None if structure.is_ordered else _share_replaced(structure)
                stem = plain_formula(ordered.composition) if path.stem.upper() in VASP_NAMES else path.stem
                record = SourceRecord(
                    kind="files",
                    id=identifier,
                    location=shown,
                    composition=None if doped is None else structure.composition.reduced_formula,
                    doping_fraction=doped,
                )
                label = f"{stem}_{number}" if many else stem
                candidates.append(Candidate(label, ordered, (record,), source.pressures_gpa, source.max_atoms))
    return Sourced(tuple(candidates), tuple(refused))


def _share_replaced(structure: Structure) -> float:
    return round(float(max(1 - max(site.species.values()) for site in structure)), 4)


def _files(folder: Path, name: str) -> Iterator[tuple[Path, str]]:
    """Files of one name with how to show them; a folder's own files alone, hidden ones left."""
    path = folder / Path(name).expanduser()
    try:
        if path.is_dir():
            inside = sorted(item for item in path.iterdir() if item.is_file() and not item.name.startswith("."))
            wanted = [item for item in inside if _pattern(item.name, PATTERNS)]
            if not wanted:
                msg = f"sources: {name}: expected files of structures ({', '.join(PATTERNS)}), found none"
                raise SourceError(msg)
            yield from ((item, f"{name.rstrip('/')}/{item.name}") for item in wanted)
        elif path.is_file():
            yield path, name
        else:
            msg = f"sources: {name!r}: no such file or folder: expected one, its name relative to the campaign file"
            raise SourceError(msg)
    except (OSError, ValueError) as error:
        msg = f"sources: {name!r}: cannot be looked at ({error}): expected a file or folder"
        raise SourceError(msg) from None


def _pattern(name: str, patterns: tuple[str, ...]) -> str | None:
    return next((pattern for pattern in patterns if fnmatch(name.lower(), pattern)), None)


def read_structures(path: Path) -> list[Structure]:
    """Read every structure of a file, by the format that its name says.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    list of Structure
        One or more; partly occupied sites are kept.

    Raises
    ------
    ValueError
        If the format is not known, or the file is too large or cannot be read. Packed files are not unpacked.
    """
    pattern = _pattern(path.name, PATTERNS)
    if pattern is None:
        msg = f"expected a name like {', '.join(PATTERNS)}, found {path.name!r}"
        raise _FileError("unknown_format", msg)
    try:
        text = _text(path, LARGEST_CRYSTAL_BYTES if pattern in PYMATGEN_FORMATS else LARGEST_BYTES)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if pattern in ASE_FORMATS:
                structures = _from_ase(text, ASE_FORMATS[pattern])
            else:
                known = pattern in PYMATGEN_FORMATS
                structures = _from_pymatgen(text, PYMATGEN_FORMATS[pattern]) if known else _from_json(text)
    except _FileError:
        raise
    except Exception as error:  # noqa: BLE001 - readers of other people raise whatever a file makes them stumble on
        msg = f"cannot be read as {pattern} ({type(error).__name__}: {error}): expected a whole file of that format"
        raise _FileError("unreadable_structure", msg) from None
    if not structures:
        msg = "expected a structure, found none"
        raise _FileError("unreadable_structure", msg)
    return structures


def _text(path: Path, largest: int) -> str:
    with path.open("rb") as stream:
        content = stream.read(largest + 1)
    if len(content) > largest:
        msg = f"expected at most {largest / 1e6:g} MB, found more: give one crystal a file"
        raise _FileError("unreadable_structure", msg)
    return content.decode("utf-8")


def _from_pymatgen(text: str, name: PymatgenFormat) -> list[Structure]:
    from pymatgen.core import Structure  # noqa: PLC0415 - a help text must not wait for pymatgen

    return [crystal_of_cif(text) if name == "cif" else Structure.from_str(text, fmt=name)]


def _from_json(text: str) -> list[Structure]:
    """One structure or a list; each as pymatgen writes it, or an entry with one under ``structure``."""
    content: Any = json.loads(text)
    items = content if isinstance(content, list) else [content]
    return [plain_structure(item.get("structure", item)) for item in items]


def _from_ase(text: str, name: str) -> list[Structure]:
    from ase.io import read  # noqa: PLC0415
    from pymatgen.io.ase import AseAtomsAdaptor  # noqa: PLC0415

    # a stream, since ASE reads more into names of files than names: '@' and '-' mean something there
    frames: Any = read(io.StringIO(text), index=":", format=name)
    for atoms in frames:
        if not atoms.pbc.all() or atoms.cell.rank < 3:
            msg = "expected a crystal, periodic in three directions, found a molecule or slab: give its cell"
            raise _FileError("unreadable_structure", msg)
    return [AseAtomsAdaptor.get_structure(atoms) for atoms in frames]


def _refusal(shown: str, value: str, code: RefusalCode, reason: str) -> RefusedEntry:
    return RefusedEntry(kind="files", where=shown, value=value, code=code, reason=reason)
