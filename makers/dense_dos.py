"""The density of states at the Fermi energy of a finished self-consistent run."""

from __future__ import annotations

from pathlib import Path

from hightc.analysis.documents import ScfDocument
from hightc.analysis.parsers.pw import read_pw_xml
from hightc.analysis.tetrahedra import fermi_dos
from hightc.makers.relax import XML


def tetrahedron_dos_of(dense: ScfDocument) -> tuple[float | None, str | None]:
    """Compute N(E_F) without smearing from the bands that a run left in its folder.

    It is information beside the spectrum, so what stands in its way is told and stops nothing.

    Parameters
    ----------
    dense
        The calculation on the dense mesh.

    Returns
    -------
    float or None
        Density of states in states/eV/spin/cell; None if it could not be computed.
    str or None
        Why not; None if it was.
    """
    try:
        found = fermi_dos(read_pw_xml(Path(dense.provenance.directory) / XML))
    except ValueError as error:
        return None, f"N(E_F) by tetrahedra is not known: {error}"
    return found.dos_per_ev_spin_cell, None
