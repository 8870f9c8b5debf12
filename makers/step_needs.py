"""What each step of a material needs of a machine: core-seconds, processes that are of use, memory.

Memory, by what pw.x 6.7 prints as "Estimated max dynamical RAM" for fcc Al (16 and 60 Ry) and Pb (40 Ry; 29 and 145 k
points), which is met within a quarter: with n bands, p plane waves of a k point and N points of the FFT mesh,
16 bytes x (n p (k points of a pool + 10) + 12 N); ultrasoft files add 16 bytes x plane waves of the density x 171, the
pairs of 18 projectors (Ni prints 20.8 MB, of which these are 12). The process is 31 MB larger: pw.x took 40 MB where it
printed 9, and 57 where it printed 26. ph.x (37 MB with Pb, k 8) keeps no bands but those of one k point, and the matrix
elements of all, 16 bytes x n^2 x k points x modes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pymatgen.core import Structure

from hightc.makers.cost import CellSize, Cost, CostedProgram, Studied, cell_size, estimate_cost, nesting_seconds
from hightc.makers.disk_need import fft_mesh, n_irreducible, plane_waves
from hightc.makers.qe.meshes import Mesh
from hightc.makers.qe.recipe import Recipe

Load = Literal["serial", "program", "epw"]
"""Whether a step runs on one core for seconds, as a parallel program, or as epw.x, whose cost is not estimated."""

SERIAL_STEPS = frozenset(
    (
        *("ForceConstantsMaker", "PhononBandsMaker", "Alpha2FMaker", "TcMaker", "QMergeMaker", "MagnetismMaker"),
        "StageGateMaker",
    )
)
EPW_STEPS = frozenset(("WannierMaker", "VertexMaker", "FineMeshMaker", "GapMaker", "WannierFermiMaker"))

BYTES_COMPLEX = 16
MEGABYTE = 2**20
PROCESS_MB = 31.0
WORK_SETS_PW, WORK_SETS_PH = 10, 30
FFT_MESHES = 12
PROJECTOR_PAIRS = 171

WAVES_A_PROCESS = 500
"""Plane waves below which another process for the same k point is of no use."""

SERIAL_SECONDS = 30.0
"""Core-seconds of a step that is not estimated because it takes next to nothing; starting Python is most of it."""


@dataclass(frozen=True)
class StepNeed:
    """What one step needs.

    Attributes
    ----------
    load
        How it runs.
    core_seconds
        Estimate; None where there is none.
    program
        Whose measured times correct the estimate; None for steps without one.
    n_k
        k points that can be shared among pools of processes.
    waves
        Plane waves of each, which can be shared among the processes of a pool.
    fixed_mb, shared_mb
        Memory that every process has, and memory that the pools share, in MB.
    """

    load: Load
    core_seconds: float | None = None
    program: CostedProgram | None = None
    n_k: int = 1
    waves: float = 0.0
    fixed_mb: float = PROCESS_MB
    shared_mb: float = 0.0

    def processes(self, wanted: int) -> int:
        """As many processes as are wanted, but no more than are of use, in pools that are all alike.

        Parameters
        ----------
        wanted
            How many would do it in the time that is aimed at.
        """
        if wanted <= self.n_k:
            return max(wanted, 1)
        a_pool = max(1, min(wanted // self.n_k, int(self.waves / WAVES_A_PROCESS)))
        return self.n_k * a_pool

    def memory_mb(self, processes: int) -> float:
        """Memory of one process in MB.

        Parameters
        ----------
        processes
            How many share the k points.
        """
        return self.fixed_mb + self.shared_mb / min(processes, self.n_k)


SERIAL = StepNeed("serial", core_seconds=SERIAL_SECONDS)


def load_of(step: str) -> Load:
    """How a step runs.

    Parameters
    ----------
    step
        Name of the class of its Maker.
    """
    return "serial" if step in SERIAL_STEPS else "epw" if step in EPW_STEPS else "program"


def step_needs(
    structure: Structure, recipe: Recipe, pseudo_dir: Path, studied: Studied, *, groups: int = 1
) -> Mapping[str, StepNeed]:
    """Estimate every step that is not magnetic; none where a pseudopotential does not tell its electrons.

    Parameters
    ----------
    structure
        Primitive standard cell, Angstrom.
    recipe
        Numbers of the calculation.
    pseudo_dir
        Folder of its pseudopotentials.
    studied
        What is computed.
    groups
        Runs of ph.x that share the q points, of which each is one.

    Returns
    -------
    mapping
        By the name of the class of the Maker.
    """
    size, cost = cell_size(structure, recipe, pseudo_dir), estimate_cost(structure, recipe, pseudo_dir, studied)
    moment = _cell(structure, _with_two_spins(recipe), pseudo_dir)
    if size is None or cost is None or moment is None:
        return {}
    cell = _Cell(structure, recipe, size)
    needs = dict.fromkeys(SERIAL_STEPS, SERIAL)
    needs |= {
        "RelaxMaker": cell.pw(cost.relax or cell.scf_seconds, recipe.k_mesh, recipe.relax_ecutwfc_ry),
        "DenseScfMaker": cell.pw(cost.scf_dense, recipe.k_mesh_dense),
        "ScfMaker": cell.pw(cost.scf, recipe.k_mesh),
        "DensityMaker": cell.pw(cell.scf_seconds, recipe.k_mesh),
        "MomentMaker": moment.pw(moment.scf_seconds, recipe.k_mesh),
        "InterpolationMaker": StepNeed("program", core_seconds=SERIAL_SECONDS * len(structure)),
        **cell.phonons(cost, groups),
    }
    if studied.nesting is not None:
        bands = nesting_seconds(structure, size, studied.nesting, recipe.ecutwfc_ry)
        needs["FermiSurfaceMaker"] = cell.pw(bands, studied.nesting.k_mesh)
    return needs


def magnetic_need(
    structure: Structure, recipe: Recipe, pseudo_dir: Path, mesh: Mesh, runs: float, *, polarized: bool = True
) -> StepNeed | None:
    """Estimate a run of one magnetic order; None where a pseudopotential does not tell its electrons.

    Parameters
    ----------
    structure
        The cell that holds the order.
    recipe
        Numbers of the calculation.
    pseudo_dir
        Folder of its pseudopotentials.
    mesh
        The k mesh of that cell.
    runs
        Self-consistencies that it is worth.
    polarized
        Whether it has two spins; the nonmagnetic order has none.
    """
    spins = {"spin_polarized": polarized}
    cell = _cell(structure, _with_two_spins(recipe).model_copy(update=spins), pseudo_dir)
    if cell is None:
        return None
    seconds = runs * cell.size.pw_seconds(n_irreducible(structure, mesh), recipe.relax_ecutwfc_ry)
    return cell.pw(seconds, mesh, recipe.relax_ecutwfc_ry)


def _with_two_spins(recipe: Recipe) -> Recipe:
    """Collinear spins, which leave spin-orbit coupling out."""
    return recipe.model_copy(update={"spin_orbit": False, "spin_polarized": True})


def _cell(structure: Structure, recipe: Recipe, pseudo_dir: Path) -> _Cell | None:
    size = cell_size(structure, recipe, pseudo_dir)
    return None if size is None else _Cell(structure, recipe, size)


@dataclass(frozen=True)
class _Cell:
    structure: Structure
    recipe: Recipe
    size: CellSize

    @property
    def scf_seconds(self) -> float:
        return self.size.pw_seconds(n_irreducible(self.structure, self.recipe.k_mesh), self.recipe.ecutwfc_ry)

    def pw(self, core_seconds: float, mesh: Mesh, ecutwfc_ry: float | None = None) -> StepNeed:
        """A run of pw.x."""
        n_k = n_irreducible(self.structure, mesh) * self.size.spins
        cutoff = ecutwfc_ry or self.recipe.ecutwfc_ry
        one_k = self._one_k_mb(cutoff)
        fixed = PROCESS_MB + WORK_SETS_PW * one_k + self._density_mb(cutoff)
        return StepNeed("program", core_seconds, "pw.x", n_k, self.size.waves(cutoff), fixed, n_k * one_k)

    def phonons(self, cost: Cost, groups: int) -> dict[str, StepNeed]:
        """Runs of ph.x: all q points, or a group of them each."""
        cutoff, modes = self.recipe.ecutwfc_ry, 3 * len(self.structure)
        n_k = n_irreducible(self.structure, self.recipe.k_mesh) * self.size.spins
        fixed = PROCESS_MB + WORK_SETS_PH * self._one_k_mb(cutoff) + self._density_mb(cutoff)
        all_k = math.prod(self.recipe.k_mesh)
        elements = BYTES_COMPLEX * self.size.bands**2 * all_k * self.size.spins * modes / MEGABYTE
        one = StepNeed("program", cost.seconds("ph.x") / groups, "ph.x", n_k, self.size.waves(cutoff), fixed, elements)
        return {"CouplingMaker": one, "QGroupMaker": one}

    def _one_k_mb(self, ecutwfc_ry: float) -> float:
        return BYTES_COMPLEX * self.size.bands * self.size.waves(ecutwfc_ry) / MEGABYTE

    def _density_mb(self, ecutwfc_ry: float) -> float:
        ecutrho_ry = self.recipe.ecutrho_ry / self.recipe.ecutwfc_ry * ecutwfc_ry
        points = FFT_MESHES * math.prod(fft_mesh(self.structure, ecutrho_ry)) * self.size.spins * self.size.spinors**2
        pairs = PROJECTOR_PAIRS * plane_waves(self.size.volume_bohr3, ecutrho_ry) if self.size.augmented > 1 else 0.0
        return BYTES_COMPLEX * (points + pairs) / MEGABYTE
