"""Frequencies at Gamma with the acoustic sum rule: a translation of the whole crystal costs nothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.parsers.dynamical_matrix import GammaMatrix
from hightc.analysis.parsers.units import AMU_RYDBERG_MASS, PER_CM_MEV, RYDBERG_MEV


@dataclass(frozen=True, slots=True, eq=False)
class GammaModes:
    """Modes at Gamma before and after the sum rule. Negative frequencies are imaginary.

    Attributes
    ----------
    frequencies_mev : ndarray (n_modes,)
        As computed, increasing.
    corrected_mev : ndarray (n_modes,)
        With the sum rule, increasing.
    acoustic_mev : ndarray (3,)
        The three of `frequencies_mev` whose motion is most nearly a translation.
    acoustic_corrected_mev : ndarray (3,)
        The same of `corrected_mev`: zero but for rounding.
    """

    frequencies_mev: NDArray[np.float64]
    corrected_mev: NDArray[np.float64]
    acoustic_mev: NDArray[np.float64]
    acoustic_corrected_mev: NDArray[np.float64]

    @property
    def message(self) -> str:
        """The acoustic frequencies in one phrase."""
        raw, corrected = (
            " ".join(f"{value / PER_CM_MEV:.1f}" for value in values.round(4) + 0.0)
            for values in (self.acoustic_mev, self.acoustic_corrected_mev)
        )
        return f"acoustic modes at Gamma {raw} cm^-1 as computed, {corrected} cm^-1 with the sum rule"


def apply_sum_rule(gamma: GammaMatrix) -> GammaModes:
    """Impose the sum rule on the dynamical matrix at Gamma, as q2r.x and matdyn.x do with ``asr = 'simple'``.

    Parameters
    ----------
    gamma
        The computed matrix.

    Notes
    -----
    D_ii -> D_ii - sum_j D_ij for each atom i and each pair of directions (Quantum ESPRESSO 6.7, PHonon/PH/rigid.f90
    and matdyn.f90), then the symmetric part.
    """
    corrected = gamma.matrix_ry_per_bohr2.copy()
    excess = corrected.sum(axis=1)
    for atom, correction in enumerate(excess):
        corrected[atom, atom] -= correction
    raw_mev, raw_acoustic = _modes(gamma.matrix_ry_per_bohr2, gamma.masses_amu)
    corrected_mev, corrected_acoustic = _modes(corrected, gamma.masses_amu)
    return GammaModes(raw_mev, corrected_mev, raw_acoustic, corrected_acoustic)


def _modes(
    matrix_ry_per_bohr2: NDArray[np.float64], masses_amu: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies in meV, increasing, and those of the three modes nearest to translations."""
    n = len(masses_amu)
    roots = np.sqrt(np.repeat(masses_amu * AMU_RYDBERG_MASS, 3))
    dynamical = matrix_ry_per_bohr2.transpose(0, 2, 1, 3).reshape(3 * n, 3 * n) / np.outer(roots, roots)
    squares, vectors = np.linalg.eigh((dynamical + dynamical.T) / 2)
    frequencies = np.sign(squares) * np.sqrt(np.abs(squares)) * RYDBERG_MEV
    translations = (roots / np.sqrt((roots[::3] ** 2).sum()))[:, None] * np.tile(np.eye(3), (n, 1))
    overlap = ((translations.T @ vectors) ** 2).sum(axis=0)
    acoustic = np.sort(np.argsort(overlap)[-3:])
    return frequencies, frequencies[acoustic]
