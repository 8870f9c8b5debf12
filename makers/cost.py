"""Time that the flow of one material takes, estimated before anything runs.

With n bands, p plane waves of a k point, m modes, and k points counted as symmetry leaves them:

* a self-consistency of pw.x: 6.1e-7 s x k points x n x p x (log2 p + 0.2 n);
* the response of ph.x: 6.3e-7 s x (sum over q points of the k points that keep q) x m x n x p^1.5 x (-log10 tr2_ph)/15;
* its sum of the double delta, a q point: 9e-7 s x m x n^2 x dense k points + 2e-8 s x (dense k points)^2.

The constants are fits of CPU times that Quantum ESPRESSO 6.7 (Debian) printed on one core of one machine for fcc Al
(16 Ry, norm-conserving; k 8 to 24, K 8 to 24, q 2 to 6) and fcc Pb (40 Ry; k 8 and 12, q 2 and 3), each of which they
meet within a factor of 2: the response of Pb took 103 s (k 8, q 2) and 795 s (k 12, K 24, q 3), of Al 11 s (k 8, q 4)
and 104 s (k 12, q 6). p^1.5 stands between the p log p of Fourier transforms and the p n of orthogonalisation.
Ultrasoft files take 2.5 times as much in pw.x (Cr 3.8, Ni 1.6); of ph.x with them, and of cells of several atoms,
nothing was measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pymatgen.core import Structure

from hightc.analysis.parsers.units import BOHR_ANGSTROM
from hightc.makers.disk_need import band_count, irreducible_q, n_irreducible, plane_waves, valence_electrons
from hightc.makers.qe.magnetic_recipe import MagneticRecipe
from hightc.makers.qe.nesting_recipe import NestingRecipe
from hightc.makers.qe.recipe import Recipe
from hightc.makers.qe.wannier_recipe import WannierRecipe

CostedProgram = Literal["pw.x", "ph.x"]
COSTED_PROGRAMS: tuple[CostedProgram, ...] = ("pw.x", "ph.x")

PW_SECONDS = 6.1e-7
BANDS_IN_PW = 0.2
PH_SECONDS = 6.3e-7
PH_TR2_DIGITS = 15
SUM_LINEAR_SECONDS = 9e-7
SUM_PAIR_SECONDS = 2e-8

AUGMENTED = 2.5
"""pw.x with ultrasoft or projector-augmented files, recognised by a density cutoff above four times that of waves."""

RELAXATION_RUNS = 4.0
"""Self-consistencies that a relaxation is worth: fcc Al 4, Pb 2.3; several atoms that are free to move take more."""

FIXED_POTENTIAL = 0.5
"""Bands in a potential that is known over a self-consistency: Cr 0.5."""


@dataclass(frozen=True)
class Cost:
    """Core-seconds of one material by step.

    Attributes
    ----------
    relax, scf_dense, scf
        Of pw.x, in s.
    other_pw
        Of pw.x for the Wannier route, magnetic softness and nesting, in s.
    response, double_delta
        Of ph.x, in s.
    left_out
        What is computed and not estimated.
    """

    relax: float = 0.0
    scf_dense: float = 0.0
    scf: float = 0.0
    other_pw: float = 0.0
    response: float = 0.0
    double_delta: float = 0.0
    left_out: tuple[str, ...] = ()

    def seconds(self, program: CostedProgram) -> float:
        """Core-seconds of one program.

        Parameters
        ----------
        program
            pw.x or ph.x.
        """
        if program == "pw.x":
            return self.relax + self.scf_dense + self.scf + self.other_pw
        return self.response + self.double_delta

    def core_hours(self, factors: Mapping[str, float] | None = None) -> float:
        """Core-hours of all programs.

        Parameters
        ----------
        factors
            What each program takes over the estimate, as measured elsewhere; 1 where it is not named.
        """
        known = factors or {}
        return sum(known.get(program, 1.0) * self.seconds(program) for program in COSTED_PROGRAMS) / 3600


@dataclass(frozen=True)
class Studied:
    """What is computed of one material beside, or instead of, the linear response.

    Attributes
    ----------
    electron_phonon
        Whether phonons and coupling are computed.
    wannier, nesting, magnetism
        Numbers of these; None where they are not asked for.
    magnetic_runs
        Runs of pw.x of the magnetic softness that are known beforehand.
    """

    electron_phonon: bool = True
    wannier: WannierRecipe | None = None
    nesting: NestingRecipe | None = None
    magnetism: MagneticRecipe | None = None
    magnetic_runs: int = 0


ELECTRON_PHONON = Studied()


@dataclass(frozen=True)
class CellSize:
    """What decides how long one k point takes.

    Attributes
    ----------
    volume_bohr3
        Volume of the cell in bohr^3.
    bands
        Bands, those of both spinor components.
    spins, spinors
        2 for two sets of bands, and 2 for bands of two components; else 1.
    augmented
        What ultrasoft or projector-augmented files take over norm-conserving ones.
    """

    volume_bohr3: float
    bands: int
    spins: int
    spinors: int
    augmented: float

    def waves(self, ecutwfc_ry: float) -> float:
        """Plane waves of a k point, those of both spinor components.

        Parameters
        ----------
        ecutwfc_ry
            Cutoff in Ry.
        """
        return plane_waves(self.volume_bohr3, ecutwfc_ry) * self.spinors

    def pw_seconds(self, n_k: int, ecutwfc_ry: float, n_spins: int | None = None) -> float:
        """Core-seconds of a self-consistency of pw.x.

        Parameters
        ----------
        n_k
            k points that symmetry leaves.
        ecutwfc_ry
            Cutoff in Ry.
        n_spins
            2 for two sets of bands, else 1; None: as the recipe has it.
        """
        waves = self.waves(ecutwfc_ry)
        per_band = waves * (math.log2(max(waves, 2)) + BANDS_IN_PW * self.bands)
        return PW_SECONDS * self.augmented * n_k * (n_spins or self.spins) * self.bands * per_band


def cell_size(structure: Structure, recipe: Recipe, pseudo_dir: Path) -> CellSize | None:
    """Read what decides how long a k point takes; None where a pseudopotential does not tell its electrons.

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
    spinors = 2 if recipe.spin_orbit else 1
    return CellSize(
        volume_bohr3=structure.volume / BOHR_ANGSTROM**3,
        bands=band_count(electrons) * spinors,
        spins=2 if recipe.spin_polarized else 1,
        spinors=spinors,
        augmented=AUGMENTED if recipe.ecutrho_ry > 4.01 * recipe.ecutwfc_ry else 1.0,
    )


def estimate_cost(
    structure: Structure, recipe: Recipe, pseudo_dir: Path, studied: Studied = ELECTRON_PHONON
) -> Cost | None:
    """Estimate what one material takes; None where a pseudopotential does not tell its electrons.

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
    """
    size = cell_size(structure, recipe, pseudo_dir)
    if size is None:
        return None
    n_k, cutoff = n_irreducible(structure, recipe.k_mesh), recipe.ecutwfc_ry
    left_out = (*(("epw.x",) if studied.wannier else ()), *(("larger magnetic cells",) if studied.magnetism else ()))
    other = 0.0
    if studied.wannier is not None:
        other += FIXED_POTENTIAL * size.pw_seconds(math.prod(studied.wannier.k_mesh), cutoff)
    if studied.magnetism is not None:
        n_magnetic = n_irreducible(structure, studied.magnetism.k_mesh)
        other += studied.magnetic_runs * size.pw_seconds(n_magnetic, cutoff, n_spins=2)
    if studied.nesting is not None:
        other += size.pw_seconds(n_k, cutoff) + nesting_seconds(structure, size, studied.nesting, cutoff)
    known = Cost(relax=relax_seconds(size, recipe, n_k), other_pw=other, left_out=left_out)
    if not studied.electron_phonon:
        return known if studied.nesting else replace(known, relax=0.0)
    response, double_delta = _phonon_seconds(structure, recipe, size)
    return replace(
        known,
        scf_dense=size.pw_seconds(n_irreducible(structure, recipe.k_mesh_dense), cutoff),
        scf=size.pw_seconds(n_k, cutoff),
        response=response,
        double_delta=double_delta,
    )


def relax_seconds(size: CellSize, recipe: Recipe, n_k: int) -> float:
    """Core-seconds of the first step: a relaxation, or one self-consistency where none is asked for.

    Parameters
    ----------
    size
        The cell.
    recipe
        Numbers of the calculation.
    n_k
        k points that symmetry leaves.
    """
    return (RELAXATION_RUNS if recipe.relax else 1.0) * size.pw_seconds(n_k, recipe.relax_ecutwfc_ry)


def nesting_seconds(structure: Structure, size: CellSize, nesting: NestingRecipe, ecutwfc_ry: float) -> float:
    """Core-seconds of the bands that nesting is computed from.

    Parameters
    ----------
    structure
        Primitive standard cell.
    size
        The same cell.
    nesting
        Numbers of nesting.
    ecutwfc_ry
        Cutoff in Ry.
    """
    return FIXED_POTENTIAL * size.pw_seconds(n_irreducible(structure, nesting.k_mesh), ecutwfc_ry)


def _phonon_seconds(structure: Structure, recipe: Recipe, size: CellSize) -> tuple[float, float]:
    """Core-seconds of the response and of the double-delta sum."""
    modes, dense = 3 * len(structure), math.prod(recipe.k_mesh_dense)
    star = [n_irreducible(structure, recipe.k_mesh, q) for q in irreducible_q(structure, recipe.q_mesh)]
    iterations = max(-math.log10(recipe.tr2_ph) / PH_TR2_DIGITS, 0.1)
    per_k = modes * size.bands * size.waves(recipe.ecutwfc_ry) ** 1.5
    at_q = SUM_LINEAR_SECONDS * modes * size.bands**2 * dense + SUM_PAIR_SECONDS * dense**2
    return PH_SECONDS * sum(star) * size.spins * per_k * iterations, len(star) * size.spins * at_q
