"""Structures as pymatgen writes them in JSON, read as numbers and nothing else."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymatgen.core import Structure


def plain_structure(content: Any) -> Structure:
    """Build a structure from lattice, species and positions alone.

    ``Structure.from_dict`` also decodes what is written beside a site, and that names Python classes to be imported;
    what comes from a server or from somebody's file shall not.

    Parameters
    ----------
    content
        What ``Structure.as_dict`` writes.

    Returns
    -------
    Structure
        The structure, Angstrom, without oxidation states and properties.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is no such dictionary.
    """
    from pymatgen.core import Structure as Cell  # noqa: PLC0415 - a help text must not wait for pymatgen

    sites = []
    for site in content["sites"]:
        shares: dict[str, float] = defaultdict(float)
        for species in site["species"]:
            shares[str(species["element"])] += float(species["occu"])
        sites.append(dict(shares))
    return Cell(content["lattice"]["matrix"], sites, [site["abc"] for site in content["sites"]])
