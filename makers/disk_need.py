"""Disk that the flow of one material fills, estimated before anything runs.

Of the linear response; what the Wannier route adds is in :mod:`hightc.makers.disk_need_wannier`, what other studies
fill in :mod:`hightc.makers.disk_need_studies`.

With the cell's volume V in bohr^3, cutoffs in Ry (so that k = sqrt(E) in 1/bohr) and n the number of bands:

* plane waves of a k point: the sphere of radius sqrt(ecutwfc), V ecutwfc^(3/2) / (6 pi^2);
* wavefunctions of a k point: w = 16 bytes x plane waves x n (complex double precision);
* density: 28 bytes a plane wave of the sphere of radius sqrt(ecutrho), a complex number and three Miller indices;
* dvscf of a q point: 16 bytes x points of the FFT mesh x 3 modes an atom;
* matrix elements of a q point: 49 bytes (two numbers of 24 characters) x n^2 x k points x 3 modes an atom.

ph.x copies the self-consistent wavefunctions once, and computes them anew at k and k+q for all k that the symmetry of
each q point leaves. While it works on a q point it holds two more sets for each mode of a representation.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import spglib
from numpy.typing import NDArray
from pymatgen.core import Structure

from hightc.analysis.parsers.units import BOHR_ANGSTROM
from hightc.analysis.reciprocal_symmetry import SYMMETRY_PRECISION_ANGSTROM
from hightc.makers.disk import Keep
from hightc.makers.disk_need_wannier import WannierDiskNeed, estimate_wannier_need
from hightc.makers.errors import RecipeError
from hightc.makers.qe.meshes import Mesh
from hightc.makers.qe.pseudopotentials import HEADER_BYTES, UPF_ATTRIBUTE, UPF_HEADER
from hightc.makers.qe.recipe import Recipe
from hightc.makers.qe.wannier_recipe import WannierRecipe

BYTES_COMPLEX = 16
BYTES_DENSITY = 28
BYTES_MATRIX_ELEMENT = 49
MOST_MODES_AT_ONCE = 3
"""Largest representation of the little groups of most crystals: its modes are computed together."""

SMALL_FILES_BYTES = 1_000_000
"""Texts of all steps, for which 0.6 MB were measured with fcc Al."""


@dataclass(frozen=True)
class DiskNeed:
    """Bytes that one material fills.

    Attributes
    ----------
    relax, scf_dense, scf, ph
        What each step leaves, in bytes.
    dvscf
        The part of ``ph`` that later steps start from, in bytes.
    working
        What ph.x holds only while it works on a q point, in bytes.
    wannier
        What the Wannier route fills; None where it is not asked for.
    studies, studies_kept
        What every other study fills, and what is kept of that, in bytes.
    """

    relax: float = 0.0
    scf_dense: float = 0.0
    scf: float = 0.0
    ph: float = 0.0
    dvscf: float = 0.0
    working: float = 0.0
    wannier: WannierDiskNeed | None = None
    studies: float = 0.0
    studies_kept: float = 0.0

    @property
    def written(self) -> float:
        """What is left where nothing is dropped, in bytes."""
        steps = self.relax + self.scf_dense + self.scf + self.ph + self.studies + SMALL_FILES_BYTES
        return steps + (self.wannier.written if self.wannier else 0)

    @property
    def peak(self) -> float:
        """Most that is on disk at any time, in bytes; the Wannier route comes last."""
        if self.wannier is None:
            return self.written + self.working
        return max(self.written + self.wannier.working, self.written - self.wannier.written + self.working)

    def kept(self, keep: Keep) -> float:
        """What stays once the material has its answer, in bytes.

        Parameters
        ----------
        keep
            What the settings keep.
        """
        if keep == "everything":
            return self.written
        if keep == "results":
            return SMALL_FILES_BYTES + self.studies_kept + (self.wannier.texts if self.wannier else 0)
        restart = self.scf + self.dvscf + (self.wannier.restart if self.wannier else 0)
        return SMALL_FILES_BYTES + self.studies_kept + restart


@dataclass(frozen=True)
class PwFiles:
    """What decides how large the files of pw.x are.

    Attributes
    ----------
    volume_bohr3
        Volume of the cell in bohr^3.
    electrons
        Valence electrons of the cell.
    spinors
        2 with spin-orbit coupling, else 1.
    cutoff_ratio
        Cutoff of the density over that of wavefunctions.
    copied
        Bytes of the pseudopotentials, which pw.x copies.
    """

    volume_bohr3: float
    electrons: float
    spinors: int
    cutoff_ratio: float
    copied: float

    @property
    def bands(self) -> int:
        """Bands as pw.x chooses them."""
        return band_count(self.electrons) * self.spinors

    def wavefunctions(self, ecutwfc_ry: float, spins: int, bands: int | None = None) -> float:
        """Bytes of the wavefunctions of one k point.

        Parameters
        ----------
        ecutwfc_ry
            Cutoff in Ry.
        spins
            2 for two sets of bands, else 1.
        bands
            How many; None: as pw.x chooses.
        """
        return BYTES_COMPLEX * plane_waves(self.volume_bohr3, ecutwfc_ry) * self.spinors * (bands or self.bands) * spins

    def run(self, n_k: int, ecutwfc_ry: float, spins: int, bands: int | None = None) -> float:
        """Bytes that one run leaves.

        Parameters
        ----------
        n_k
            Irreducible k points.
        ecutwfc_ry, spins, bands
            As for :meth:`wavefunctions`.
        """
        density = BYTES_DENSITY * plane_waves(self.volume_bohr3, self.cutoff_ratio * ecutwfc_ry) * spins
        waves = n_k * self.wavefunctions(ecutwfc_ry, spins, bands)
        return waves + density + 2 * summary_bytes(n_k * spins, bands or self.bands) + self.copied


def pw_files(structure: Structure, recipe: Recipe, pseudo_dir: Path) -> PwFiles | None:
    """Read what decides how large the files of pw.x are; None where a pseudopotential does not tell its electrons.

    Parameters
    ----------
    structure
        Primitive standard cell, Angstrom.
    recipe
        Numbers of the calculation.
    pseudo_dir
        Folder of its pseudopotentials.
    """
    electrons = valence_electrons(structure, recipe, pseudo_dir)
    if electrons is None:
        return None
    return PwFiles(
        volume_bohr3=structure.volume / BOHR_ANGSTROM**3,
        electrons=electrons,
        spinors=2 if recipe.spin_orbit else 1,
        cutoff_ratio=recipe.ecutrho_ry / recipe.ecutwfc_ry,
        copied=sum((pseudo_dir / item.filename).stat().st_size for item in recipe.pseudopotentials),
    )


def estimate_disk_need(
    structure: Structure, recipe: Recipe, pseudo_dir: Path, wannier: WannierRecipe | None = None
) -> DiskNeed | None:
    """Estimate what one material fills; None where a pseudopotential does not tell its electrons.

    Parameters
    ----------
    structure
        Primitive standard cell, Angstrom.
    recipe
        Numbers of the calculation.
    pseudo_dir
        Folder of its pseudopotentials.
    wannier
        Numbers of the Wannier route; None where it is not asked for.
    """
    pw = pw_files(structure, recipe, pseudo_dir)
    if pw is None:
        return None
    spins, spinors, bands, volume = (2 if recipe.spin_polarized else 1), pw.spinors, pw.bands, pw.volume_bohr3
    n_k, n_dense = (n_irreducible(structure, mesh) for mesh in (recipe.k_mesh, recipe.k_mesh_dense))
    weights = 30 * n_dense * bands * spins + 5 * math.prod(recipe.k_mesh_dense)
    scf = pw.run(n_k, recipe.ecutwfc_ry, spins) + weights
    modes, w = 3 * len(structure), pw.wavefunctions(recipe.ecutwfc_ry, spins)
    star = [n_irreducible(structure, recipe.k_mesh, q) for q in irreducible_q(structure, recipe.q_mesh)]
    dvscf = len(star) * BYTES_COMPLEX * math.prod(fft_mesh(structure, recipe.ecutrho_ry)) * modes * spins * spinors**2
    elements = BYTES_MATRIX_ELEMENT * bands**2 * sum(star) * modes * spins
    at_q = sum(pw.run(2 * n, recipe.ecutwfc_ry, spins) - pw.copied for n in star[1:])
    route = (
        None
        if wannier is None
        else estimate_wannier_need(
            structure,
            recipe,
            wannier,
            pseudo_dir,
            plane_waves=(plane_waves(volume, recipe.ecutwfc_ry), plane_waves(volume, recipe.ecutrho_ry)),
            potentials=dvscf,
            n_fine_k=tuple(n_irreducible(structure, wannier.fine_k_mesh(i)) for i in range(len(wannier.fine_q_meshes))),
        )
    )
    return DiskNeed(
        relax=pw.run(n_k, recipe.relax_ecutwfc_ry, spins),
        scf_dense=pw.run(n_dense, recipe.ecutwfc_ry, spins) + weights,
        scf=scf,
        ph=scf + n_k * w + at_q + dvscf + elements,
        dvscf=dvscf,
        working=2 * min(MOST_MODES_AT_ONCE, modes) * max(star) * w,
        wannier=route,
    )


def valence_electrons(structure: Structure, recipe: Recipe, pseudo_dir: Path) -> float | None:
    """Valence electrons of a cell; None where a pseudopotential does not tell its own.

    Parameters
    ----------
    structure
        The cell.
    recipe
        Numbers of the calculation.
    pseudo_dir
        Folder of its pseudopotentials.
    """
    valences = {item.element: read_valence(pseudo_dir / item.filename) for item in recipe.pseudopotentials}
    charges = [valences[site.specie.symbol] for site in structure]
    known = [charge for charge in charges if charge is not None]
    return sum(known) if len(known) == len(charges) else None


def read_valence(path: Path) -> float | None:
    """Valence electrons of a pseudopotential; None if its header does not say.

    Parameters
    ----------
    path
        A UPF file of version 2.
    """
    with path.open("rb") as stream:
        match = UPF_HEADER.search(stream.read(HEADER_BYTES).decode("latin-1"))
    attributes = dict(UPF_ATTRIBUTE.findall(match.group(1))) if match else {}
    try:
        return float(attributes.get("z_valence", "").replace("D", "e").replace("d", "e"))
    except ValueError:
        return None


def band_count(electrons: float) -> int:
    """Bands of a metal as pw.x chooses them: a fifth more than are filled, at least four more.

    Parameters
    ----------
    electrons
        Valence electrons of the cell.
    """
    return math.ceil(max(1.2 * electrons / 2, electrons / 2 + 4))


def plane_waves(volume_bohr3: float, cutoff_ry: float) -> float:
    """Plane waves below a cutoff, the volume of the sphere over that of a reciprocal cell.

    Parameters
    ----------
    volume_bohr3
        Volume of the cell in bohr^3.
    cutoff_ry
        Cutoff in Ry.
    """
    return float(volume_bohr3 * cutoff_ry**1.5 / (6 * math.pi**2))


def fft_mesh(structure: Structure, ecutrho_ry: float) -> Mesh:
    """Smallest FFT mesh that holds all plane waves of the density; pw.x takes the next with small prime factors.

    Parameters
    ----------
    structure
        The cell, Angstrom.
    ecutrho_ry
        Cutoff of the density in Ry.
    """
    counts = [
        2 * int(math.sqrt(ecutrho_ry) * length / BOHR_ANGSTROM / (2 * math.pi)) + 1 for length in structure.lattice.abc
    ]
    return counts[0], counts[1], counts[2]


def n_irreducible(structure: Structure, mesh: Mesh, q: Sequence[float] = (0.0, 0.0, 0.0)) -> int:
    """Points of a Gamma-centred k mesh that the symmetries which keep q leave.

    Parameters
    ----------
    structure
        Primitive standard cell.
    mesh
        The mesh.
    q
        The q point in units of the reciprocal lattice.
    """
    return _n_reduced(_rotations(structure), mesh, tuple(q))


def irreducible_q(structure: Structure, mesh: Mesh) -> list[tuple[float, float, float]]:
    """Irreducible points of a Gamma-centred q mesh in units of the reciprocal lattice, Gamma first.

    Parameters
    ----------
    structure
        Primitive standard cell.
    mesh
        The mesh.
    """
    mapping, addresses = _reduced(_rotations(structure), mesh, (0.0, 0.0, 0.0))
    points = addresses[np.unique(mapping)] / np.array(mesh)
    return [(float(x), float(y), float(z)) for x, y, z in points]


def _rotations(structure: Structure) -> bytes:
    """Rotations of the crystal as bytes; they are kept, as every q point and every estimate asks for them."""
    lattice, positions = structure.lattice.matrix, structure.frac_coords
    return _rotations_of(lattice.tobytes(), positions.tobytes(), tuple(int(site.specie.Z) for site in structure))


@lru_cache(maxsize=20_000)
def _rotations_of(lattice: bytes, positions: bytes, numbers: tuple[int, ...]) -> bytes:
    cell = (np.frombuffer(lattice).reshape(3, 3).tolist(), np.frombuffer(positions).reshape(-1, 3).tolist(), numbers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a switch that spglib sets itself
        symmetry = spglib.get_symmetry(cell, symprec=SYMMETRY_PRECISION_ANGSTROM)
    return np.ascontiguousarray(symmetry["rotations"], dtype=np.int32).tobytes() if symmetry else b""


@lru_cache(maxsize=100_000)
def _n_reduced(rotations: bytes, mesh: Mesh, q: tuple[float, ...]) -> int:
    """Points that stay; crystals of one symmetry share them, so thousands of materials need few."""
    return len(np.unique(_reduced(rotations, mesh, q)[0]))


def _reduced(rotations: bytes, mesh: Mesh, q: Sequence[float]) -> tuple[NDArray[Any], NDArray[Any]]:
    """For each point of a mesh the one that stands for it, and all points in steps of the mesh."""
    matrices = np.frombuffer(rotations, dtype=np.int32).reshape(-1, 3, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found = len(matrices) and spglib.get_stabilized_reciprocal_mesh(list(mesh), matrices, qpoints=[list(q)])
    if not found:
        msg = f"spglib finds no irreducible points of the mesh {list(mesh)}: check the structure"
        raise RecipeError(msg)
    return found[0], found[1]


def summary_bytes(n_k: int, bands: int) -> float:
    """Bytes of data-file-schema.xml: 25 kB, and eigenvalue and occupation of each band, 24 characters each.

    Parameters
    ----------
    n_k
        k points, those of each spin counted.
    bands
        Bands of a k point.
    """
    return 25_000 + n_k * (48 * bands + 400)
