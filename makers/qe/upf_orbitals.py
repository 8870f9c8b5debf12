"""Atomic orbitals and valence charge of a UPF file: what Wannier functions start from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from pymatgen.core import Structure

from hightc.makers.errors import PseudopotentialError
from hightc.makers.qe.pseudopotentials import UPF_ATTRIBUTE, UPF_HEADER
from hightc.makers.qe.recipe import Recipe

CHI = re.compile(r"<PP_CHI\.\d+\s([^>]*)>")
RELATIVISTIC = re.compile(r"<PP_RELWFC\.\d+\s([^>]*?)/?>")
OLD_CHI = re.compile(r"^\s*(\d?[A-Za-z])\s+(\d)\s+(-?[\d.]+)\s+Wavefunction", re.MULTILINE)
OLD_RELATIVISTIC = re.compile(r"^\s*\d?[A-Za-z]\s+\d+\s+\d\s+(\d\.\d+)\s+-?[\d.]+\s*$", re.MULTILINE)
OLD_CHARGE = re.compile(r"^\s*([\d.]+)\s+Z valence", re.MULTILINE)


@dataclass(frozen=True)
class AtomicOrbital:
    """A pseudo atomic orbital (PP_CHI) of a UPF file.

    Attributes
    ----------
    label
        For example 6S.
    l
        Angular momentum.
    occupation
        Electrons in the generated atom; negative where it was not bound. pw.x and projwfc.x use those from 0 up.
    j
        Total angular momentum in a fully relativistic file, else None.
    """

    label: str
    l: int  # noqa: E741 - the name of the quantum number
    occupation: float
    j: float | None


def atomic_orbitals(path: Path) -> tuple[AtomicOrbital, ...]:
    """Atomic orbitals of a UPF file, in its order.

    Parameters
    ----------
    path
        A UPF file of version 1 or 2.

    Returns
    -------
    tuple of AtomicOrbital
        Empty where the file holds none.

    Raises
    ------
    PseudopotentialError
        If the file cannot be read or an orbital is incomplete.
    """
    text = _read(path)
    if UPF_HEADER.search(text) is None:
        orbitals = [(label, momentum, occupation) for label, momentum, occupation in OLD_CHI.findall(text)]
        totals = OLD_RELATIVISTIC.findall(_section(text, "PP_ADDINFO"))
    else:
        entries = [dict(UPF_ATTRIBUTE.findall(entry)) for entry in CHI.findall(text)]
        orbitals = [(entry.get("label", ""), entry.get("l", ""), entry.get("occupation", "")) for entry in entries]
        totals = [dict(UPF_ATTRIBUTE.findall(entry)).get("jchi", "") for entry in RELATIVISTIC.findall(text)]
    if totals and len(totals) != len(orbitals):
        _refuse(path, f"{len(orbitals)} atomic orbitals with a total angular momentum", str(len(totals)))
    return tuple(
        AtomicOrbital(
            label=label.strip().upper(),
            l=int(_number(path, "l", momentum)),
            occupation=_number(path, "occupation", occupation),
            j=_number(path, "jchi", totals[index]) if totals else None,
        )
        for index, (label, momentum, occupation) in enumerate(orbitals)
    )


def valence_charge(path: Path) -> float:
    """Valence electrons of one atom.

    Parameters
    ----------
    path
        A UPF file of version 1 or 2.

    Raises
    ------
    PseudopotentialError
        If the file cannot be read or does not say.
    """
    text = _read(path)
    header = UPF_HEADER.search(text)
    if header is not None:
        return _number(path, "z_valence", dict(UPF_ATTRIBUTE.findall(header.group(1))).get("z_valence", ""))
    old = OLD_CHARGE.search(text)
    return _number(path, "Z valence", old.group(1) if old else "")


def valence_electrons(structure: Structure, recipe: Recipe, directory: Path) -> float:
    """Valence electrons of a cell.

    Parameters
    ----------
    structure
        The cell.
    recipe
        Names the file of each element.
    directory
        Folder of the pseudopotentials on this machine.

    Raises
    ------
    PseudopotentialError
        If a file cannot be read, or the recipe has none of an element.
    """
    charges = {item.element: valence_charge(directory / item.filename) for item in recipe.pseudopotentials}
    missing = sorted({site.specie.symbol for site in structure} - set(charges))
    if missing:
        msg = f"pseudopotential of {missing[0]}: the recipe has none: it was made for another structure"
        raise PseudopotentialError(msg)
    return sum(charges[site.specie.symbol] for site in structure)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="latin-1")
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}): check the folder of the family"
        raise PseudopotentialError(msg) from None


def _section(text: str, name: str) -> str:
    start, stop = text.find(f"<{name}>"), text.find(f"</{name}>")
    return text[start:stop] if 0 <= start < stop else ""


def _number(path: Path, name: str, text: str) -> float:
    try:
        return float(text.replace("D", "e").replace("d", "e"))
    except ValueError:
        _refuse(path, f"a number for {name}", repr(text))


def _refuse(path: Path, expected: str, found: str) -> NoReturn:
    msg = f"{path}: expected {expected}, found {found}: the file was cut or is no UPF; choose another"
    raise PseudopotentialError(msg)
