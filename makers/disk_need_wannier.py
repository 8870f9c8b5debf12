"""Disk that the Wannier route of one material fills beside the linear response, estimated before anything runs.

With f functions, m = 3 modes an atom, K and Q the lattice vectors in the Wigner-Seitz supercells of the coarse k and q
mesh, and the numbers of :mod:`hightc.makers.disk_need`:

* wavefunctions of the uniform k mesh: all its points, none left out by symmetry, 12 more bytes a plane wave for its
  Miller indices; epw.x copies them while it runs, and Wannier90 writes overlaps of 8 neighbours, 55 bytes an element;
* coupling between functions (epmatwp): 16 bytes x f^2 x K x m x Q;
* matrix elements of the fine meshes (ephmat): 8 bytes x m x s^2 x q points x irreducible k points, where s is the mean
  number of states of a k point that lie near enough to the Fermi energy;
* texts, 55 bytes a complex number: rotations, dipoles, Hamiltonian, which every step has a copy of.

The density of states that s needs is that of free electrons, three times that where a d or f shell is open.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pymatgen.core import Structure

from hightc.analysis.parsers.units import BOHR_ANGSTROM, RYDBERG_EV
from hightc.analysis.wannier_windows import Shell
from hightc.makers.errors import PseudopotentialError
from hightc.makers.qe.epw_inputs import fermi_window_ev
from hightc.makers.qe.meshes import Mesh
from hightc.makers.qe.recipe import Recipe
from hightc.makers.qe.upf_orbitals import atomic_orbitals
from hightc.makers.qe.wannier_recipe import WannierRecipe
from hightc.makers.wannier import band_count

BYTES_COMPLEX = 16
BYTES_REAL = 8
BYTES_MILLER = 12
BYTES_TEXT = 55
BYTES_MAP = 258
"""Of the file kgmap for each plane wave of the density, as measured with Al and Pb."""

NEIGHBOURS = 8
D_SHELL = 2
OPEN_D_SHELL = 3.0
SPECTRA_BYTES = 1_500_000
"""Spectra and lambda of each pair of fine meshes: 1.0 to 2.9 MB were measured with Pb."""

COPIES = 2
"""Rotations and Hamiltonian of the chosen attempt, and of the last."""


@dataclass(frozen=True)
class WannierDiskNeed:
    """Bytes that the Wannier route of one material fills.

    Attributes
    ----------
    wavefunctions
        Of the uniform k mesh, in bytes.
    working
        Copies of them and overlaps, only while epw.x makes functions, in bytes.
    vertex
        The coupling between functions, in bytes.
    potentials
        Copies of the potentials of ph.x, in bytes.
    matrix_elements
        Of each pair of fine meshes, in bytes.
    texts
        Everything else, in bytes.
    """

    wavefunctions: float
    working: float
    vertex: float
    potentials: float
    matrix_elements: tuple[float, ...]
    texts: float

    @property
    def restart(self) -> float:
        """What later steps start from, in bytes."""
        return self.texts + self.wavefunctions + self.vertex + sum(self.matrix_elements)

    @property
    def written(self) -> float:
        """What is left where nothing is dropped, in bytes."""
        return self.restart + self.potentials


def estimate_wannier_need(
    structure: Structure,
    recipe: Recipe,
    wannier: WannierRecipe,
    pseudo_dir: Path,
    *,
    plane_waves: tuple[float, float],
    potentials: float,
    n_fine_k: tuple[int, ...],
) -> WannierDiskNeed | None:
    """Estimate what the Wannier route fills; None where no orbitals are known to start functions from.

    Parameters
    ----------
    structure
        Primitive standard cell, Angstrom.
    recipe, wannier
        Numbers of the calculation.
    pseudo_dir
        Folder of its pseudopotentials.
    plane_waves
        Of wavefunctions and of the density.
    potentials
        Bytes of the potentials of ph.x.
    n_fine_k
        Irreducible points of each fine k mesh.
    """
    kept, deep, electrons = _shells(structure, recipe, pseudo_dir)
    if not kept:
        return None
    functions, bands = sum(shell.n_functions for shell in kept), band_count(kept)
    every_band = bands + sum(shell.n_functions for shell in deep)
    modes, n_k = 3 * len(structure), math.prod(wannier.k_mesh)
    k_vectors, q_vectors = (wigner_seitz_count(structure, mesh) for mesh in (wannier.k_mesh, recipe.q_mesh))
    rotations = BYTES_TEXT * n_k * bands * functions
    hamiltonian = BYTES_TEXT * functions**2 * k_vectors
    maps = BYTES_MAP * plane_waves[1]
    staged = rotations + 4 * hamiltonian + BYTES_TEXT * modes**2 * q_vectors + maps  # dipoles are three Hamiltonians
    checkpoint = BYTES_COMPLEX * n_k * functions * (bands + (NEIGHBOURS + 1) * functions)
    summary = 25_000 + n_k * (48 * every_band + 400)
    open_d = any(shell.l >= D_SHELL and not shell.full for shell in kept)
    states = states_near_fermi(structure, electrons, fermi_window_ev(wannier, 0.0), open_d=open_d)
    states = min(states, functions)
    elements = tuple(
        BYTES_REAL * modes * states**2 * math.prod(mesh) * n
        for mesh, n in zip(wannier.fine_q_meshes, n_fine_k, strict=True)
    )
    copied = BYTES_COMPLEX * every_band * plane_waves[0] * n_k
    return WannierDiskNeed(
        wavefunctions=copied + BYTES_MILLER * plane_waves[0] * n_k,
        working=copied + BYTES_TEXT * n_k * NEIGHBOURS * bands**2,
        vertex=BYTES_COMPLEX * functions**2 * k_vectors * modes * q_vectors,
        potentials=potentials,
        matrix_elements=elements,
        texts=COPIES * (rotations + 2 * hamiltonian)
        + checkpoint
        + 3 * summary
        + (1 + len(elements)) * staged
        + len(elements) * SPECTRA_BYTES,
    )


def wigner_seitz_count(structure: Structure, mesh: Mesh) -> int:
    """Lattice vectors in the Wigner-Seitz cell of a supercell, with all that lie on its surface.

    Parameters
    ----------
    structure
        The cell.
    mesh
        How many cells the supercell is long in each direction.
    """
    metric = structure.lattice.metric_tensor
    vectors = np.stack(np.meshgrid(*(np.arange(-2 * n, 2 * n + 1) for n in mesh), indexing="ij"), -1).reshape(-1, 3)
    images = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3, indexing="ij"), -1).reshape(-1, 3) * np.array(mesh)
    lengths = np.einsum("ni,ij,nj->n", vectors, metric, vectors)
    inside = np.ones(len(vectors), dtype=bool)
    for image in images:
        away = vectors - image
        inside &= lengths <= np.einsum("ni,ij,nj->n", away, metric, away) + 1e-6
    return int(inside.sum())


def states_near_fermi(structure: Structure, electrons: float, half_width_ev: float, *, open_d: bool) -> float:
    """States of one spin and k point within a window around the Fermi energy, as of free electrons.

    Parameters
    ----------
    structure
        The cell, Angstrom.
    electrons
        Electrons in it above the deep shells.
    half_width_ev
        Half width of the window in eV.
    open_d
        Whether a d or f shell is open.
    """
    bohr3 = structure.volume / BOHR_ANGSTROM**3
    fermi_ev = RYDBERG_EV * (3 * math.pi**2 * electrons / bohr3) ** (2 / 3)
    dos_per_ev_spin_cell = 0.75 * electrons / fermi_ev
    return float(2 * half_width_ev * dos_per_ev_spin_cell * (OPEN_D_SHELL if open_d else 1.0))


def _shells(structure: Structure, recipe: Recipe, pseudo_dir: Path) -> tuple[list[Shell], list[Shell], float]:
    """Shells that functions are made of, full ones below the valence shell, and electrons in the former."""
    kept: list[Shell] = []
    deep: list[Shell] = []
    total = 0.0
    for item in recipe.pseudopotentials:
        try:
            orbitals = atomic_orbitals(pseudo_dir / item.filename)
        except PseudopotentialError:
            return [], [], 0.0
        electrons: dict[tuple[int, int], float] = {}
        for orbital in orbitals:
            if orbital.occupation >= 0 and orbital.label[:1].isdigit():
                key = int(orbital.label[0]), orbital.l
                electrons[key] = electrons.get(key, 0.0) + orbital.occupation
        n_atoms = sum(site.specie.symbol == item.element for site in structure)
        for (n, momentum), occupation in electrons.items():
            states = 2 * momentum + 1
            full = occupation > 2 * states - 1e-6
            below = full and n < max(other for other, _ in electrons)
            (deep if below else kept).append(Shell(item.element, n, momentum, states * n_atoms, full=full))
            total += 0.0 if below else occupation * n_atoms
    return kept, deep, total
