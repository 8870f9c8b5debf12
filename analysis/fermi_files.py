"""The Fermi surface in the formats that other programs draw: FermiSurfer and XCrySDen."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.documents.fermi import FermiDocument
from hightc.analysis.fermi_surface import band_gradients
from hightc.analysis.files import write_text

VALUES_PER_LINE = 6


def write_frmsf(document: FermiDocument, path: Path) -> None:
    """Write a file for FermiSurfer, with the speed as the colour.

    Parameters
    ----------
    document
        Its energies loaded from the blob store.
    path
        Where the file shall stand, usually ``*.frmsf``.

    Raises
    ------
    ValueError
        If the energies are still in the blob store, or no band crosses the Fermi energy.

    Notes
    -----
    Format: M. Kawamura, Comput. Phys. Commun. 239, 197 (2019) and FermiSurfer's manual: mesh, kind of mesh (1 starts
    at Gamma), bands, three reciprocal vectors (here in 1/Angstrom), then for each band all energies less the Fermi
    energy and then for each band the colour, the third index of the mesh running fastest. Energies in eV, speeds
    |dE/dk| in eV Angstrom by central differences.
    """
    energies = _energies(document)
    reciprocal = document.structure.lattice.reciprocal_lattice.matrix
    stream = io.StringIO()
    stream.write(f"{_numbers(energies.shape[:3])}\n1\n{energies.shape[3]}\n")
    stream.writelines(_line(vector) for vector in reciprocal)
    speeds = [_speed(energies[..., band], reciprocal) for band in range(energies.shape[3])]
    for values in (*np.moveaxis(energies, 3, 0), *speeds):
        np.savetxt(stream, values.ravel(), fmt="%.8e")
    write_text(path, stream.getvalue())


def write_bxsf(document: FermiDocument, path: Path) -> None:
    """Write a file for XCrySDen.

    Parameters
    ----------
    document
        Its energies loaded from the blob store.
    path
        Where the file shall stand, usually ``*.bxsf``.

    Raises
    ------
    ValueError
        As :func:`write_frmsf`.

    Notes
    -----
    Format: the band grid of A. Kokalj's XCrySDen, http://www.xcrysden.org/doc/XSF.html. A general grid, whose last
    point along each axis repeats the first; energies in eV as the program computed them, reciprocal vectors in
    1/Angstrom with 2 pi, bands by their numbers.
    """
    energies = _energies(document)
    closed = np.pad(energies, ((0, 1), (0, 1), (0, 1), (0, 0)), mode="wrap") + document.fermi_ev
    stream = io.StringIO()
    stream.write(f"BEGIN_INFO\n  Fermi Energy: {document.fermi_ev:.8f}\nEND_INFO\n\n")
    stream.write(f"BEGIN_BLOCK_BANDGRID_3D\n  {document.formula}\n  BEGIN_BANDGRID_3D_fermi\n")
    stream.write(f"  {closed.shape[3]}\n  {_numbers(closed.shape[:3])}\n  0.0 0.0 0.0\n")
    stream.writelines(_line(vector) for vector in document.structure.lattice.reciprocal_lattice.matrix)
    for number, values in zip(document.bands, np.moveaxis(closed, 3, 0), strict=True):
        stream.write(f"  BAND: {number}\n")
        flat = values.ravel()
        stream.writelines(_line(flat[i : i + VALUES_PER_LINE]) for i in range(0, flat.size, VALUES_PER_LINE))
    stream.write("  END_BANDGRID_3D\nEND_BLOCK_BANDGRID_3D\n")
    write_text(path, stream.getvalue())


def _energies(document: FermiDocument) -> NDArray[np.float64]:
    energies: NDArray[np.float64] = document.energies_ev.to_array()
    if not document.bands:
        msg = f"{document.material}: expected bands that cross the Fermi energy, found none: there is no Fermi surface"
        raise ValueError(msg)
    return energies


def _speed(energies_ev: NDArray[np.float64], reciprocal: NDArray[np.float64]) -> NDArray[np.float64]:
    speed: NDArray[np.float64] = np.linalg.norm(band_gradients(energies_ev, reciprocal), axis=-1)
    return speed


def _numbers(values: tuple[int, ...]) -> str:
    return " ".join(str(value) for value in values)


def _line(values: NDArray[np.float64]) -> str:
    return "  " + " ".join(f"{value:.8e}" for value in values) + "\n"
