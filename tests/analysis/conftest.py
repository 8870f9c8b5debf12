"""Documents of fcc aluminium, built from a recorded run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes.magnetic_ladder import magnetic_document
from fakes.square_lattice import square_document
from pymatgen.core import Lattice, Structure

from hightc.analysis.critical_temperature import tc_document
from hightc.analysis.documents import (
    Alpha2FDocument,
    Correction,
    CouplingDocument,
    Document,
    FeatureValue,
    FineMesh,
    FineMeshConvergence,
    ForceConstantsDocument,
    GapDocument,
    Gate,
    GateDecisionDocument,
    MomentDocument,
    PathSegment,
    PhononBandsDocument,
    PhononDocument,
    Provenance,
    Pseudopotential,
    QPointRecord,
    ScfDocument,
    StoredArray,
    StructureDocument,
    TemperatureGap,
    VertexDocument,
    WannierDocument,
    WindowTrial,
)
from hightc.analysis.funnel_rules import FunnelGate, gates_of, judge, parse_rule
from hightc.analysis.parsers.matdyn import CouplingTable, SpectrumFile, read_a2f_dos, read_lambda
from hightc.analysis.spectral_function import alpha2f_document

RECORDED = Path(__file__).parents[1] / "data" / "qe"
IDENTITY: dict[str, Any] = {"campaign": "test", "material": "Al", "formula": "Al", "elements": ("Al",)}


@pytest.fixture(scope="session")
def provenance() -> Provenance:
    """Provenance with every part filled."""
    return Provenance(
        input_sha256="0" * 64,
        codes={"pw.x": "6.7MaX"},
        pseudopotentials=(Pseudopotential(element="Al", filename="Al.upf", sha256="1" * 64),),
        corrections=(Correction(handler="KilledHandler", errors=("killed",), actions=("started again",)),),
        directory="/scratch/al",
        wall_seconds=1.5,
    )


@pytest.fixture(scope="session")
def structure_document(provenance: Provenance) -> StructureDocument:
    """A relaxed structure."""
    aluminium = Structure(Lattice(1.985 * (np.ones((3, 3)) - np.eye(3))), ["Al"], [[0, 0, 0]])
    return StructureDocument(
        **IDENTITY,
        structure=aluminium,
        initial_structure=aluminium,
        relaxed=True,
        energy_ev=-57.0,
        fermi_ev=8.2,
        band_gap_ev=0.0,
        total_magnetization_bohr_magneton=None,
        k_mesh=(8, 8, 8),
        target_pressure_gpa=0.0,
        pressure_gpa=0.1,
        max_force_ev_per_angstrom=0.0,
        volume_change=-0.01,
        space_group="Fm-3m",
        protocol="draft",
        gates=(Gate(name="metal", passed=True, value=0.0, threshold=0.1, unit="eV", message="metal: gap 0.000 eV"),),
        warnings=("a warning",),
        provenance=provenance,
    )


@pytest.fixture(scope="session")
def make_coupling(structure_document: StructureDocument, provenance: Provenance) -> Callable[..., CouplingDocument]:
    """Make a coupling document with the smearings and lambdas of a test."""

    def make(smearing_ev: tuple[float, ...], lambda_q_sum: tuple[float, ...]) -> CouplingDocument:
        return CouplingDocument(
            **IDENTITY,
            structure=structure_document.structure,
            q_mesh=(2, 2, 2),
            q_points=(QPointRecord(q_fractional=(0.0, 0.0, 0.0), weight=1.0, frequencies_mev=(0.0, 0.0, 0.0)),),
            smearing_ev=smearing_ev,
            dos_per_ev_spin_cell=tuple(0.2 for _ in smearing_ev),
            lambda_q_sum=lambda_q_sum,
            omega_log_q_sum_mev=tuple(25.0 for _ in smearing_ev),
            lowest_frequency_mev=0.0,
            protocol="draft",
            provenance=provenance,
        )

    return make


def spectrum_file(omega_mev: Any, alpha2f: Any, lambda_printed: float = 0.4) -> SpectrumFile:
    """One file a2F.dosN."""
    values = np.asarray(alpha2f, dtype=float)
    return SpectrumFile(np.asarray(omega_mev, dtype=float), values, values[None], lambda_printed)


@pytest.fixture(scope="session")
def make_alpha2f(
    structure_document: StructureDocument, make_coupling: Callable[..., CouplingDocument], provenance: Provenance
) -> Callable[..., Alpha2FDocument]:
    """Make a spectral function of Debye shape whose lambda of each smearing a test names."""

    def make(
        lambdas: tuple[float, ...],
        *,
        printed: tuple[float, ...] | None = None,
        q_sum: tuple[float, ...] | None = None,
        dip: float = 0.0,
        inherited: tuple[str, ...] = (),
        tetrahedra: float | None = None,
    ) -> Alpha2FDocument:
        omega = np.linspace(0.0, 40.0, 401)
        # 2 int a2F/w dw of c (w/40)^2 is c
        shape = (omega / 40.0) ** 2
        spectra = []
        for value in lambdas:
            spectrum = value * shape
            spectrum[(omega > 2) & (omega < 6)] -= dip
            spectra.append(spectrum_file(omega, spectrum))
        smearing = tuple(0.1 * (index + 1) for index in range(len(lambdas)))
        table = CouplingTable(
            np.array(smearing),
            np.array(printed or lambdas),
            np.full(len(lambdas), 0.2),
            np.full(len(lambdas), 25.0),
        )
        return alpha2f_document(
            structure_document,
            make_coupling(smearing, q_sum or lambdas),
            spectra,
            table,
            k_mesh=(8, 8, 8),
            k_mesh_dense=(16, 16, 16),
            provenance=provenance,
            inherited_warnings=inherited,
            dos_tetrahedra_per_ev_spin_cell=tetrahedra,
        )

    return make


@pytest.fixture(scope="session")
def wannier_document(structure_document: StructureDocument, provenance: Provenance) -> WannierDocument:
    """Wannier functions after an attempt that failed and one that is used."""
    failed = WindowTrial(
        projections=("Al:s;p",),
        n_wannier=4,
        frozen_max_ev=10.2,
        outer_max_ev=23.2,
        eta_mev=None,
        near_fermi_mev=None,
        largest_mev=None,
        spread_angstrom2=None,
        reason="epw.x failed",
    )
    numbers = {"eta_mev": 5.2, "near_fermi_mev": 4.0, "largest_mev": 20.0, "spread_angstrom2": 7.6, "reason": None}
    return WannierDocument(
        **IDENTITY,
        structure=structure_document.structure,
        k_mesh=(8, 8, 8),
        n_bands=6,
        n_excluded=0,
        n_wannier=4,
        n_check_points=32,
        fermi_ev=8.2,
        trials=(failed, failed.model_copy(update=numbers)),
        chosen=1,
        protocol="draft",
        gates=(Gate(name="wannier", passed=True, value=5.2, threshold=10.0, unit="meV", message="5.2 meV off"),),
        warnings=("a warning",),
        provenance=provenance,
    )


def fine_mesh(n_q: int, lambda_: float, tc_kelvin: float | None = 1.5) -> FineMesh:
    """The coupling on one pair of fine meshes."""
    return FineMesh(
        k_mesh=(2 * n_q, 2 * n_q, 2 * n_q),
        q_mesh=(n_q, n_q, n_q),
        electron_smearing_ev=0.1,
        phonon_smearing_mev=0.4,
        lambda_=lambda_,
        omega_log_mev=25.0,
        tc_kelvin=tc_kelvin,
        dos_per_ev_spin_cell=0.2,
        fermi_ev=8.22,
        lambda_change=None,
        tc_change_kelvin=None,
        wall_seconds=1.0,
    )


@pytest.fixture(scope="session")
def make_fine_mesh() -> Callable[..., FineMesh]:
    """Make the coupling on a pair of fine meshes."""
    return fine_mesh


@pytest.fixture(scope="session")
def documents(
    structure_document: StructureDocument,
    make_coupling: Callable[..., CouplingDocument],
    make_alpha2f: Callable[..., Alpha2FDocument],
    wannier_document: WannierDocument,
    provenance: Provenance,
) -> dict[str, Document]:
    """One document of each kind."""
    spectrum = make_alpha2f((0.9, 0.41, 0.40, 0.40, 0.39)).model_copy(
        update={
            "convergence": FineMeshConvergence(
                status="not_converged",
                lambda_tolerance=0.03,
                tc_relative_tolerance=0.05,
                tc_tolerance_kelvin=0.5,
                meshes=(fine_mesh(8, 0.4),),
            )
        }
    )
    parts = {**IDENTITY, "structure": structure_document.structure, "protocol": "draft", "provenance": provenance}
    features = (FeatureValue(name="dos_per_ev_spin_atom", value=0.2, reason=None),)
    verdict = judge(
        FunnelGate(name="states", after="electrons", require=(parse_rule("dos_per_ev_spin_atom > 1", "electrons"),)),
        features,
    )
    return {
        "moment": MomentDocument(
            **parts,
            starting_magnetization={"Al": 0.5},
            total_magnetization_bohr_magneton=0.0,
            absolute_magnetization_bohr_magneton=0.001,
            energy_ev=-57.0,
            reason=None,
            k_mesh=(8, 8, 8),
        ),
        "decision": GateDecisionDocument(
            **IDENTITY,
            after="electrons",
            decision="stopped",
            score=None,
            features=features,
            verdicts=(verdict,),
            reasons=verdict.reasons,
            gates=gates_of((verdict,)),
        ),
        "structure": structure_document,
        "scf": ScfDocument(
            **parts,
            purpose="dense",
            energy_ev=-57.0,
            fermi_ev=8.2,
            band_gap_ev=0.0,
            total_magnetization_bohr_magneton=None,
            k_mesh=(16, 16, 16),
        ),
        "coupling": make_coupling((0.1, 0.2), (0.4, 0.39)),
        "force_constants": ForceConstantsDocument(
            **parts,
            q_mesh=(2, 2, 2),
            force_constants=StoredArray.from_array(np.arange(72.0).reshape(2, 2, 2, 1, 1, 3, 3)),
        ),
        "phonon": PhononDocument(
            **parts,
            q_mesh=(2, 2, 2),
            interpolation_mesh=(16, 16, 16),
            omega_mev=(1.0, 2.0),
            dos_per_mev=(1.0, 2.0),
            lowest_frequency_mev=-0.1,
            lowest_frequency_q=(0.0, 0.0, 0.0),
            stability="stable",
        ),
        "phonon_bands": PhononBandsDocument(
            **parts,
            q_mesh=(2, 2, 2),
            q_fractional=((0.0, 0.0, 0.0), (0.5, 0.0, 0.5)),
            distance_per_angstrom=(0.0, 1.5),
            segments=(PathSegment(start=0, stop=2, start_label="GAMMA", stop_label="X"),),
            frequencies_mev=((0.0, 0.0, 0.0), (25.0, 25.0, 40.0)),
            lowest_frequency_mev=0.0,
        ),
        "alpha2f": spectrum,
        "tc": tc_document(spectrum, mu_star=(0.1,), reference="omega_2"),
        "wannier": wannier_document,
        "magnetism": magnetic_document(),
        "fermi": square_document(),
        "vertex": VertexDocument(
            **parts,
            k_mesh=(8, 8, 8),
            q_mesh=(2, 2, 2),
            n_wannier=4,
            n_excluded=0,
            fermi_ev=8.2,
            highest_frequency_mev=40.0,
        ),
        "gap": GapDocument(
            **IDENTITY,
            mu_star=0.1,
            cutoff_ev=0.4,
            convention="mu* at the cutoff",
            lambda_=0.44,
            isotropic=(
                TemperatureGap(
                    temperature_kelvin=1.0,
                    gap_mev=0.2,
                    renormalization=1.44,
                    lowest_mev=None,
                    highest_mev=None,
                    own_gap_mev=0.2,
                    converged=True,
                ),
            ),
            anisotropic=(),
            anisotropic_reason="Tc is below 5 K",
            tc_kelvin=1.5,
            tc_status="found",
            largest_difference=1e-5,
            provenance=provenance,
        ),
    }


@pytest.fixture(scope="session")
def recorded_spectra() -> Callable[[str, int], tuple[SpectrumFile, CouplingTable]]:
    """A recorded spectrum and the table that matdyn.x wrote beside it."""

    def read(case: str, number: int) -> tuple[SpectrumFile, CouplingTable]:
        return read_a2f_dos(RECORDED / case / f"a2F.dos{number}"), read_lambda(RECORDED / case / "lambda")

    return read
