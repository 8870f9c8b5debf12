"""Pseudopotentials with and without spin-orbit coupling, held against what a recipe asks for."""

from __future__ import annotations

from collections.abc import Sequence

from hightc.makers.errors import PseudopotentialError
from hightc.makers.qe.pseudopotentials import PSEUDO_DOJO, PseudopotentialFile

FULLY_RELATIVISTIC_PSEUDO_DOJO = "pseudo-dojo-0.4-pbesol-fr-standard"
"""The default table's functional with spin-orbit coupling."""


def require_relativity(files: Sequence[PseudopotentialFile], *, spin_orbit: bool) -> tuple[str, ...]:
    """Refuse files that do not go with what is asked for of spin-orbit coupling.

    With a scalar-relativistic file pw.x would leave the coupling out silently; without the coupling it averages a fully
    relativistic file that is norm-conserving, and stops at others.

    Parameters
    ----------
    files
        One an element.
    spin_orbit
        Whether spin-orbit coupling is asked for.

    Returns
    -------
    tuple of str
        A warning where fully relativistic files are used without spin-orbit coupling.

    Raises
    ------
    PseudopotentialError
        If a file does not tell the coupling that is asked for, or cannot be used without it.
    """
    full = [file for file in files if file.fully_relativistic]
    if not spin_orbit:
        stuck = _not_averaged(files)
        if stuck:
            msg = (
                f"pseudopotential of {stuck[0].element}: expected a scalar-relativistic or norm-conserving file for "
                f"spin_orbit = false, found {stuck[0].path}: choose another, or spin_orbit = true"
            )
            raise PseudopotentialError(msg)
        names = ", ".join(sorted(file.path.name for file in full))
        return (f"spin-orbit coupling of {names} was averaged out: spin_orbit is false",) if names else ()
    scalar = [file for file in files if not file.fully_relativistic]
    if scalar:
        msg = (
            f"pseudopotential of {scalar[0].element}: expected a fully relativistic file for spin_orbit = true, found "
            f"{scalar[0].path} without spin-orbit coupling: use family = {FULLY_RELATIVISTIC_PSEUDO_DOJO!r} (run: "
            f"hightc pseudos install {PSEUDO_DOJO} --table {FULLY_RELATIVISTIC_PSEUDO_DOJO}), or spin_orbit = false"
        )
        raise PseudopotentialError(msg)
    return ()


def require_moment_files(files: Sequence[PseudopotentialFile]) -> None:
    """Refuse files with which the moment, that is computed without spin-orbit coupling, cannot be found.

    Parameters
    ----------
    files
        One an element.

    Raises
    ------
    PseudopotentialError
        If a file is fully relativistic and not norm-conserving: without the coupling pw.x stops at it.
    """
    for file in _not_averaged(files):
        msg = (
            f"pseudopotential of {file.element}: expected a norm-conserving file for moment = true, which is computed "
            f"without spin-orbit coupling, found {file.path}: choose another, or moment = false in [funnel]"
        )
        raise PseudopotentialError(msg)


def _not_averaged(files: Sequence[PseudopotentialFile]) -> list[PseudopotentialFile]:
    """Fully relativistic files whose coupling pw.x cannot average out."""
    return [file for file in files if file.fully_relativistic and not file.norm_conserving]
