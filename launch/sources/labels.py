"""Labels of materials: safe as the name of a folder whatever the source calls them."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymatgen.core import Composition

UNSAFE = re.compile(r"[^A-Za-z0-9_.+-]+")
ONE_ATOM = re.compile(r"(?<=[A-Za-z])1(?= |$)")
LONGEST_STEM = 44
"""A label has 64 characters; a digest takes 8 of them and a pressure of two decimals up to 12."""

DIGEST_CHARACTERS = 7


def material_labels(names: Sequence[tuple[str, float]]) -> tuple[str, ...]:
    """Make one label of each name and pressure: ``Nb`` at 0 GPa, ``Nb_50GPa`` at 50.

    A name of letters, digits and ``_.+-`` is its own label. Where anything is replaced or cut, or two labels differ in
    nothing but their case (some file systems see none), a digest of the name is added, so that a label does not depend
    on the order of the materials.

    Parameters
    ----------
    names
        Name, which may hold anything, and pressure in GPa; each pair once.

    Returns
    -------
    tuple of str
        Unique labels, in the order of the names.
    """
    parts = [(_stem(name), f"_{pressure:g}GPa" if pressure else "") for name, pressure in names]
    often = Counter((stem + suffix).casefold() for stem, suffix in parts)
    labels = tuple(
        stem + suffix if stem == name and often[(stem + suffix).casefold()] == 1 else _digested(stem, name, suffix)
        for (stem, suffix), (name, _) in zip(parts, names, strict=True)
    )
    if len({label.casefold() for label in labels}) == len(labels):
        return labels
    # somebody gave a name that ends in the digest of another one
    return tuple(_digested(stem, name, suffix) for (stem, suffix), (name, _) in zip(parts, names, strict=True))


def plain_formula(composition: Composition) -> str:
    """Reduced formula without brackets: ``Ca3P2O8``, fit for a label.

    Parameters
    ----------
    composition
        Composition of an ordered structure.
    """
    return ONE_ATOM.sub("", composition.reduced_composition.formula).replace(" ", "")


def _digested(stem: str, name: str, suffix: str) -> str:
    digest = hashlib.sha256(name.encode("utf-8", errors="surrogateescape")).hexdigest()[:DIGEST_CHARACTERS]
    return f"{stem}-{digest}{suffix}"


def _stem(name: str) -> str:
    safe = UNSAFE.sub("_", name).strip("_.+-")[:LONGEST_STEM].rstrip("_.+-")
    return safe or "material"
