"""Ordered parents of doped and disordered materials, and how far a composition is from one.

How far is near enough was read from SuperCon (Stanev et al., npj Comput. Mater. 4, 29 (2018)) itself: of 2,849 pairs of
a doped composition and its parent without copper oxides and iron, both with a reported Tc, half differ in Tc by less
than 13 to 17 % of the larger one up to a doping of 0.1, by 23 to 28 % from there to 0.2 and by 33 % beyond. Hence 0.1,
unless the campaign says otherwise. Copper oxides are another matter: there the parent is an insulator, and the Tc
beside it is the doped material's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pymatgen.core import Composition, Structure

LARGEST_CELL: Final = 12
"""Largest amount of the most frequent element that an ordered formula is looked for with."""

FULL: Final = 1e-3
"""Occupancies are written with three or more decimals; what is this close to one is full."""


class DisorderedSiteError(ValueError):
    """A site on which no species is clearly the majority."""


def ordered_parent(structure: Structure, max_doping: float) -> Structure:
    """Put the majority species on each partly occupied site.

    Parameters
    ----------
    structure
        Any cell, Angstrom; sites may be shared or partly empty.
    max_doping
        Largest share of a site that may be another species or empty, from 0 to below 0.5.

    Returns
    -------
    Structure
        The same cell with one whole atom a site, and no oxidation states.

    Raises
    ------
    DisorderedSiteError
        If a larger share of a site is something else; the message names the site and the share.
    """
    parent: Structure = structure.copy()
    parent.remove_oxidation_states()
    for index, site in enumerate(parent):
        species, occupancy = max(site.species.items(), key=lambda item: (item[1], item[0].symbol))
        if 1 - occupancy > max(max_doping, FULL):
            msg = (
                f"site {index + 1} is {_percent(occupancy)} {species.symbol} ({site.species_string}): expected "
                f"{_percent(1 - max_doping)} of one species: give an ordered cell or approximant"
            )
            raise DisorderedSiteError(msg)
        parent.replace(index, species)
    return parent


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def doping_fraction(composition: Composition, parent: Composition) -> float:
    """How far a composition is from that of its ordered parent: 0 for equal ones.

    The largest relative change of the amount of any of the parent's elements, which on one kind of site is the share
    of the sites that hold something else; or, if larger, the atoms of elements that the parent has not, for each of
    its atoms. La1.85Sr0.15CuO4 is 0.075 from La2CuO4 and YBa2Cu3O6.5 is 0.071 from YBa2Cu3O7, though 2 and 4 % of
    all atoms differ. The formulas are put on one scale so that the relative changes sum to the least.

    Parameters
    ----------
    composition
        Composition to be held against the parent.
    parent
        Composition of the ordered structure.

    Returns
    -------
    float
        Doping fraction, 1 or more where an element of the parent is missing.
    """
    amounts = {element.symbol: float(amount) for element, amount in composition.items()}
    ordered = {element.symbol: float(amount) for element, amount in parent.items()}
    shared = [symbol for symbol in ordered if amounts.get(symbol)]
    if not shared:
        return 1.0

    def moved(scale: float) -> float:
        return sum(abs(scale * amounts.get(symbol, 0) / ordered[symbol] - 1) for symbol in ordered)

    # a sum of moduli, linear between the scales at which one of them vanishes, is least at one of those
    scale = min((ordered[symbol] / amounts[symbol] for symbol in sorted(shared)), key=moved)
    changed = max(abs(scale * amounts.get(symbol, 0) / ordered[symbol] - 1) for symbol in ordered)
    foreign = scale * sum(amount for symbol, amount in amounts.items() if symbol not in ordered)
    return max(changed, foreign / sum(ordered.values()))


def parent_formulas(composition: Composition, max_doping: float) -> tuple[str, ...]:
    """Ordered formulas within a doping of a composition, the closest first, of equal ones the smallest.

    Parameters
    ----------
    composition
        Any composition, integers or not.
    max_doping
        Largest `doping_fraction`.

    Returns
    -------
    tuple of str
        Reduced formulas; none where the composition is near no formula of few atoms.
    """
    found: dict[str, tuple[float, float]] = {}
    for parent in _rounded(composition):
        fraction = doping_fraction(composition, parent)
        formula = parent.reduced_formula
        if fraction <= max_doping + FULL and formula not in found:
            found[formula] = (round(fraction, 4), parent.num_atoms)
    return tuple(sorted(found, key=lambda formula: (*found[formula], formula)))


def _rounded(composition: Composition) -> Iterator[Composition]:
    """The composition as it stands and with one to some atoms of its most frequent element, in whole numbers."""
    from pymatgen.core import Composition as Formula  # noqa: PLC0415 - a help text must not wait for pymatgen

    amounts = {element.symbol: float(amount) for element, amount in composition.items()}
    most = max(amounts.values())
    scales = [1.0, *(count / most for count in range(1, LARGEST_CELL + 1))]
    for scale in scales:
        whole = {symbol: round(scale * amount) for symbol, amount in amounts.items()}
        if any(whole.values()) and max(whole.values()) <= LARGEST_CELL * 4:
            yield Formula({symbol: count for symbol, count in whole.items() if count})
