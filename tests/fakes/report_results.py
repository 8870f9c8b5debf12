"""Results of materials as a report gets them, made of synthetic documents."""

from __future__ import annotations

from typing import Any

import numpy as np
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import (
    Alpha2FDocument,
    Correction,
    Document,
    FeatureValue,
    GateDecisionDocument,
    MaterialTag,
    Plateau,
    Provenance,
    Pseudopotential,
    SmearingMoments,
    StructureDocument,
)
from hightc.analysis.documents.base import identity
from hightc.analysis.spectral_function import clipped_spectrum
from hightc.launch.campaign import Material
from hightc.launch.dispatch import Submission
from hightc.launch.results import MaterialResult, Outcome
from hightc.makers.gates import metal_gate
from hightc.makers.qe.recipe import make_recipe

STRUCTURE = Structure(Lattice.cubic(3.3), ["Po"], [[0, 0, 0]])
PSEUDOPOTENTIAL = Pseudopotential(element="Po", filename="Po.UPF", sha256="ab" * 32)
MU_STAR = (0.10, 0.13, 0.16)
CORRECTION = Correction(handler="ScfHandler", errors=("scf_not_converged",), actions=("mixing_beta 0.7 -> 0.3",))


def make_material(label: str) -> Material:
    recipe = make_recipe(
        STRUCTURE,
        protocol="draft",
        family="test-family",
        pseudopotentials=(PSEUDOPOTENTIAL,),
        suggested_ecutwfc_ry=40,
        norm_conserving=True,
        overrides={"k_mesh": (8, 8, 8), "q_mesh": (2, 2, 2)},
    )
    tag = MaterialTag(campaign="test", material=label)
    return Material(tag=tag, structure=STRUCTURE, recipe=recipe, mu_star=MU_STAR, key="0123456789" * 6)


def make_provenance(step: str, corrections: tuple[Correction, ...] = ()) -> Provenance:
    return Provenance(
        input_sha256="0" * 64,
        codes={"pw.x": "6.7MaX"},
        pseudopotentials=(PSEUDOPOTENTIAL,),
        corrections=corrections,
        directory=f"/runs/test/Po-012345/{step}",
        wall_seconds=1.5,
    )


def make_structure(label: str, gap_ev: float = 0.0, **changes: Any) -> StructureDocument:
    fields: dict[str, Any] = {
        **identity(MaterialTag(campaign="test", material=label), STRUCTURE),
        "structure": STRUCTURE,
        "initial_structure": STRUCTURE,
        "relaxed": True,
        "energy_ev": -1.0,
        "fermi_ev": 5.0,
        "band_gap_ev": gap_ev,
        "total_magnetization_bohr_magneton": None,
        "k_mesh": (8, 8, 8),
        "protocol": "draft",
        "target_pressure_gpa": 0.0,
        "pressure_gpa": 0.04,
        "max_force_ev_per_angstrom": 0.0,
        "volume_change": -0.01,
        "space_group": "Pm-3m",
        "gates": (metal_gate(gap_ev),),
        "provenance": make_provenance("01-relax", (CORRECTION,)),
    }
    return StructureDocument(**{**fields, **changes})


def make_alpha2f(label: str) -> Alpha2FDocument:
    omega = np.linspace(0.2, 20, 60)
    spectra = [scale * np.exp(-(((omega - 10) / 2) ** 2)) for scale in (2.1, 2.0, 1.95)]
    return Alpha2FDocument(
        **identity(MaterialTag(campaign="test", material=label), STRUCTURE),
        structure=STRUCTURE,
        pressure_gpa=0.04,
        protocol="draft",
        route="linear_response",
        omega_mev=tuple(omega.tolist()),
        alpha2f=tuple(tuple(spectrum.tolist()) for spectrum in spectra),
        smearing_ev=(0.1, 0.2, 0.3),
        moments=tuple(
            SmearingMoments(
                lambda_=spectrum.lam,
                omega_log_mev=spectrum.omega_log_mev,
                omega_2_mev=spectrum.omega_2_mev,
                lambda_printed=spectrum.lam,
                omega_log_printed_mev=None,
                lambda_q_sum=None,
                lambda_clipped=0.0,
            )
            for spectrum in (clipped_spectrum(omega, values) for values in spectra)
        ),
        plateau=Plateau(status="plateau", indices=(0, 1, 2), relative_spread=0.07),
        chosen_smearing=1,
        dos_per_ev_spin_cell=(0.5, 0.5, 0.5),
        k_mesh=(8, 8, 8),
        k_mesh_dense=(16, 16, 16),
        q_mesh=(2, 2, 2),
        warnings=("the q mesh is too coarse & <b>noisy</b>",),
        provenance=make_provenance("06-matdyn"),
    )


def make_decision(label: str, decision: str, reasons: tuple[str, ...] = (), **features: float) -> GateDecisionDocument:
    """What the gates behind the electrons decided, from some features."""
    return GateDecisionDocument(
        **identity(MaterialTag(campaign="test", material=label), STRUCTURE),
        after="electrons",
        decision=decision,
        score=None,
        features=tuple(FeatureValue(name=name, value=value, reason=None) for name, value in features.items()),
        verdicts=(),
        reasons=reasons,
    )


def make_result(label: str, outcome: Outcome, *documents: Document, **why: Any) -> MaterialResult:
    kinds = {document.model_dump(include={"kind"})["kind"]: (document,) for document in documents}
    submission = Submission(material=make_material(label), fw_ids=(1,), reused=False)
    return MaterialResult(submission, outcome, kinds, why.get("gate"), why.get("failure"))
