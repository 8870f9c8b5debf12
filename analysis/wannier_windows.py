"""Which bands and which atomic orbitals Wannier functions are made of, and in which energy windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

ISOLATION_EV = 0.5
"""Gap that sets deep bands apart from those above them."""

DEEP_EV = 10.0
"""Depth below the Fermi energy from which an isolated group of bands may be left out: 5d of Pb lies 17 eV deep and
means nothing; its 6s, 6.5 eV deep and isolated too, belongs to the sp functions."""

FROZEN_MARGIN_EV = 0.05
"""Distance of the frozen window from the first state that would be one too many in it."""

LEAST_FROZEN_EV = 0.3
"""Height above the Fermi energy that must at least be frozen: phonon energies move electrons by less."""

LETTERS = "spdf"
HIGHEST_L = 3
"""Angular momentum beyond which Wannier90 has no projections."""

TIGHT_EV, LOOSE_EV = 0.1, 2.0
"""Distance of the outer window from the highest band that becomes a function."""

HEIGHTS_EV = (2.0, 4.0, 4.0, 2.0, 1.0)
OUTER = ("loose", "all", "loose", "tight", "loose")
"""Frozen height above the Fermi energy and kind of outer window of each attempt. In order of what was best: four
functions of Pb (8 meV: 2 eV, loose), nine of Al (5 meV: 4 eV, all bands)."""


@dataclass(frozen=True, slots=True)
class Shell:
    """Atomic orbitals of one angular momentum on every atom of an element.

    Attributes
    ----------
    element
        Chemical symbol.
    n
        Principal quantum number.
    l
        Angular momentum.
    n_functions
        Functions in the cell: (2l+1) times the atoms.
    full
        Whether the free atom fills it.
    """

    element: str
    n: int
    l: int  # noqa: E741 - the name of the quantum number
    n_functions: int
    full: bool


@dataclass(frozen=True, slots=True)
class Window:
    """Energy windows of a disentanglement.

    Attributes
    ----------
    frozen_max_ev
        States below it are kept as they are.
    outer_max_ev
        States above it take no part.
    """

    frozen_max_ev: float
    outer_max_ev: float


def isolated_groups(energies_ev: NDArray[np.float64], fermi_ev: float) -> tuple[int, ...]:
    """Numbers of bands at which the spectrum can be cut below the valence bands.

    Parameters
    ----------
    energies_ev : ndarray (n_k, n_bands)
        Increasing at each k.
    fermi_ev : float
        Fermi energy.

    Returns
    -------
    tuple of int
        How many of the lowest bands lie below a gap, for each deep gap, largest first; 0 is always the last.
    """
    top, bottom = energies_ev.max(axis=0), energies_ev.min(axis=0)
    cuts = [
        n
        for n in range(1, energies_ev.shape[1])
        if bottom[n] - top[n - 1] > ISOLATION_EV and top[n - 1] < fermi_ev - DEEP_EV
    ]
    return (*reversed(cuts), 0)


def deep_shells(shells: Sequence[Shell], n_bands: int) -> tuple[Shell, ...] | None:
    """Shells that make up the lowest bands: full ones whose functions are as many.

    Parameters
    ----------
    shells
        All shells of the cell.
    n_bands
        Isolated deep bands.

    Returns
    -------
    tuple of Shell or None
        Those farthest below the valence shell of their atom where several choices have the right number; None if
        none has.
    """
    valence = {shell.element: max(other.n for other in shells if other.element == shell.element) for shell in shells}
    full = [shell for shell in shells if shell.full]
    choices = [
        chosen
        for size in range(len(full) + 1)
        for chosen in combinations(full, size)
        if sum(shell.n_functions for shell in chosen) == n_bands
    ]
    if not choices:
        return None
    return min(choices, key=lambda chosen: sum(shell.n - valence[shell.element] + 0.1 * shell.l for shell in chosen))


def candidate_windows(
    energies_ev: NDArray[np.float64],
    n_wannier: int,
    fermi_ev: float,
    *,
    least_frozen_ev: float = LEAST_FROZEN_EV,
) -> tuple[Window, ...]:
    """Windows worth trying, the likeliest first.

    Parameters
    ----------
    energies_ev : ndarray (n_k, n_bands)
        Energies on the mesh of the Wannier functions, without the excluded bands, increasing at each k.
    n_wannier : int
        Number of Wannier functions.
    fermi_ev : float
        Fermi energy.
    least_frozen_ev : float
        Height above the Fermi energy that every window must freeze.

    Returns
    -------
    tuple of Window
        Empty where no window can freeze the states around the Fermi energy: there are too few functions.

    Raises
    ------
    ValueError
        If there are fewer bands than functions.

    Notes
    -----
    A frozen window may nowhere hold more states than there are functions, and the outer window nowhere fewer. The
    outer window ends just above the highest of the `n_wannier` lowest bands, or a little farther: the more bands mix
    in, the more freely the functions choose, and the farther they reach.
    """
    n_bands = energies_ev.shape[1]
    if n_bands < n_wannier:
        msg = f"expected at least {n_wannier} bands for as many Wannier functions, found {n_bands}: compute more bands"
        raise ValueError(msg)
    top = float(energies_ev[:, n_wannier - 1].max())
    if n_bands == n_wannier:
        return (Window(frozen_max_ev=top + FROZEN_MARGIN_EV, outer_max_ev=top + 2 * FROZEN_MARGIN_EV),)
    highest = float(energies_ev[:, n_wannier].min()) - FROZEN_MARGIN_EV
    if highest < fermi_ev + least_frozen_ev:
        return ()
    ends = {"loose": top + LOOSE_EV, "tight": top + TIGHT_EV, "all": float(energies_ev.max()) + TIGHT_EV}
    frozen = [round(min(fermi_ev + max(height, least_frozen_ev), highest), 4) for height in HEIGHTS_EV]
    windows = [Window(low, round(ends[kind], 4)) for low, kind in zip(frozen, OUTER, strict=True) if low < ends[kind]]
    return tuple(dict.fromkeys(windows))


def with_polarization(shells: Sequence[Shell]) -> tuple[Shell, ...]:
    """Shells with one more angular momentum on each element, the lowest that it lacks.

    Bands of simple metals are free electrons: four functions of an sp metal reach far, nine of s, p and d do not.

    Parameters
    ----------
    shells
        Shells around the Fermi energy.
    """
    added = []
    for element in dict.fromkeys(shell.element for shell in shells):
        own = [shell for shell in shells if shell.element == element]
        momentum = min(set(range(len(own) + 1)) - {shell.l for shell in own})
        n_functions = (2 * momentum + 1) * (own[0].n_functions // (2 * own[0].l + 1))
        outermost = max(shell.n for shell in own)
        added.append(Shell(element, max(outermost, momentum + 1), momentum, n_functions, full=False))
    return (*shells, *(shell for shell in added if shell.l <= HIGHEST_L))


def projections(shells: Sequence[Shell]) -> tuple[str, ...]:
    """Lines of projections in the notation of Wannier90, which has one radial function a line.

    Parameters
    ----------
    shells
        Atomic orbitals that the functions start from.
    """
    lines: dict[tuple[str, int], list[str]] = {}
    for shell in sorted(shells, key=lambda shell: (shell.n, shell.l)):
        letter = LETTERS[shell.l]
        radial = 1 + sum(letter in found for (element, _), found in lines.items() if element == shell.element)
        lines.setdefault((shell.element, radial), []).append(letter)
    return tuple(
        f"{element}:{';'.join(letters)}{f':r={radial}' if radial > 1 else ''}"
        for (element, radial), letters in lines.items()
    )
