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
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pymatgen.core import Structure

from hightc.analysis.parsers.units import BOHR_ANGSTROM
from hightc.makers.disk_need import band_count, irreducible_q, n_irreducible, plane_waves, read_valence
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
    valences = {item.element: read_valence(pseudo_dir / item.filename) for item in recipe.pseudopotentials}
    charges = [valences[site.specie.symbol] for site in structure]
    electrons = [charge for charge in charges if charge is not None]
    if len(electrons) < len(charges):
        return None
    spinors, spins = (2 if recipe.spin_orbit else 1), (2 if recipe.spin_polarized else 1)
    bands, volume = band_count(sum(electrons)) * spinors, structure.volume / BOHR_ANGSTROM**3
    augmented = AUGMENTED if recipe.ecutrho_ry > 4.01 * recipe.ecutwfc_ry else 1.0

    def pw(n_k: int, ecutwfc_ry: float = recipe.ecutwfc_ry, n_spins: int = spins) -> float:
        waves = plane_waves(volume, ecutwfc_ry) * spinors
        per_band = waves * (math.log2(max(waves, 2)) + BANDS_IN_PW * bands)
        return PW_SECONDS * augmented * n_k * n_spins * bands * per_band

    n_k = n_irreducible(structure, recipe.k_mesh)
    relax = RELAXATION_RUNS * pw(n_k, recipe.relax_ecutwfc_ry) if recipe.relax else 0.0
    other, left_out = 0.0, []
    if studied.wannier is not None:
        other += FIXED_POTENTIAL * pw(math.prod(studied.wannier.k_mesh))
        left_out.append("epw.x")
    if studied.magnetism is not None:
        other += studied.magnetic_runs * pw(n_irreducible(structure, studied.magnetism.k_mesh), n_spins=2)
        left_out.append("larger magnetic cells")
    if studied.nesting is not None:
        other += pw(n_k) + FIXED_POTENTIAL * pw(n_irreducible(structure, studied.nesting.k_mesh))
    if not studied.electron_phonon:
        return Cost(relax=relax if studied.nesting else 0.0, other_pw=other, left_out=tuple(left_out))
    modes, dense = 3 * len(structure), math.prod(recipe.k_mesh_dense)
    star = [n_irreducible(structure, recipe.k_mesh, q) for q in irreducible_q(structure, recipe.q_mesh)]
    waves = plane_waves(volume, recipe.ecutwfc_ry) * spinors
    iterations = -math.log10(recipe.tr2_ph) / PH_TR2_DIGITS
    at_q = SUM_LINEAR_SECONDS * modes * bands**2 * dense + SUM_PAIR_SECONDS * dense**2
    return Cost(
        relax=relax,
        scf_dense=pw(n_irreducible(structure, recipe.k_mesh_dense)),
        scf=pw(n_k),
        other_pw=other,
        response=PH_SECONDS * sum(star) * spins * modes * bands * waves**1.5 * max(iterations, 0.1),
        double_delta=len(star) * spins * at_q,
        left_out=tuple(left_out),
    )
