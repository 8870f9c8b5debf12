"""Synthetic documents of one material: two phonon peaks, five smearings, the narrowest of them wild."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import Alpha2FDocument, PhononDocument, Plateau, Provenance, SmearingMoments
from hightc.analysis.spectral_function import clipped_spectrum

STRUCTURE = Structure(Lattice.cubic(3.3), ["Po"], [[0, 0, 0]])
OMEGA_MEV = np.linspace(0.2, 20, 100)
TWO_PEAKS = np.exp(-(((OMEGA_MEV - 8) / 1.5) ** 2)) + 0.7 * np.exp(-(((OMEGA_MEV - 16) / 1.2) ** 2))
COMMON: dict[str, Any] = {
    "campaign": "test",
    "material": "Po",
    "formula": "Po",
    "elements": ("Po",),
    "structure": STRUCTURE,
    "protocol": "draft",
    "provenance": Provenance(
        input_sha256="0" * 64,
        codes={"matdyn.x": "6.7"},
        pseudopotentials=(),
        corrections=(),
        directory="/runs/test/Po/06-matdyn",
        wall_seconds=1.0,
    ),
}


@pytest.fixture
def alpha2f_document() -> Callable[..., Alpha2FDocument]:
    """Factory of spectral functions; ``scales`` multiply the two peaks, one scale a smearing."""

    def make(
        scales: tuple[float, ...] = (4.0, 1.05, 1.0, 0.97, 0.95), dip: float = 0.0, **changes: Any
    ) -> Alpha2FDocument:
        spectra = [scale * TWO_PEAKS - dip * np.exp(-((OMEGA_MEV - 3) ** 2)) for scale in scales]
        clipped = [clipped_spectrum(OMEGA_MEV, spectrum) for spectrum in spectra]
        fields: dict[str, Any] = {
            **COMMON,
            "pressure_gpa": 0.0,
            "route": "linear_response",
            "omega_mev": tuple(OMEGA_MEV.tolist()),
            "alpha2f": tuple(tuple(spectrum.tolist()) for spectrum in spectra),
            "smearing_ev": tuple(0.1 * (index + 1) for index in range(len(scales))),
            "moments": tuple(
                SmearingMoments(
                    lambda_=spectrum.lam,
                    omega_log_mev=spectrum.omega_log_mev,
                    omega_2_mev=spectrum.omega_2_mev,
                    lambda_printed=spectrum.lam * 1.001,
                    omega_log_printed_mev=None,
                    lambda_q_sum=spectrum.lam * 0.93,
                    lambda_clipped=-spectrum.clipped_lambda,
                )
                for spectrum in clipped
            ),
            "plateau": Plateau(status="plateau", indices=(1, 2, 3), relative_spread=0.08),
            "chosen_smearing": 2,
            "dos_per_ev_spin_cell": (0.5,) * len(scales),
            "k_mesh": (8, 8, 8),
            "k_mesh_dense": (16, 16, 16),
            "q_mesh": (2, 2, 2),
        }
        return Alpha2FDocument(**{**fields, **changes})

    return make


@pytest.fixture
def phonon_document() -> Callable[..., PhononDocument]:
    """Factory of phonons whose frequencies are shifted by ``shift_mev``."""

    def make(shift_mev: float = 0.0) -> PhononDocument:
        return PhononDocument(
            **COMMON,
            q_mesh=(2, 2, 2),
            interpolation_mesh=(16, 16, 16),
            omega_mev=tuple((OMEGA_MEV + shift_mev).tolist()),
            dos_per_mev=tuple(TWO_PEAKS.tolist()),
            lowest_frequency_mev=0.2 + shift_mev,
            lowest_frequency_q=(0.5, 0.5, 0.0),
            stability="stable" if shift_mev >= 0 else "unstable",
        )

    return make
