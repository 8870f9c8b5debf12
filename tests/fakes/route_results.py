"""What the Wannier route adds to the results of a material, made of synthetic documents."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from fakes.report_results import (
    CORRECTION,
    MU_STAR,
    STRUCTURE,
    make_alpha2f,
    make_provenance,
    make_result,
    make_structure,
)
from jobflow import Response, job

from hightc.analysis.critical_temperature import tc_document
from hightc.analysis.documents import (
    Alpha2FDocument,
    Document,
    FineMesh,
    FineMeshConvergence,
    GapDocument,
    MaterialTag,
    Plateau,
    Provenance,
    TemperatureGap,
    VertexDocument,
    WannierDocument,
    WindowTrial,
)
from hightc.analysis.documents.base import identity
from hightc.analysis.fine_meshes import compared, mesh_convergence
from hightc.analysis.wannier_spectrum import fermi_gate
from hightc.launch.results import MaterialResult, Outcome
from hightc.makers.gates import respond
from hightc.makers.provenance import joined_provenance
from hightc.makers.qe.wannier_recipe import make_wannier_recipe
from hightc.makers.wannier import wannier_gate

TAG = MaterialTag(campaign="test", material="Po")
VERTEX_CORRECTION = CORRECTION.model_copy(
    update={"handler": "VertexHandler", "physics": "bands above are not reproduced exactly"}
)
FINE_CORRECTION = CORRECTION.model_copy(update={"handler": "FineHandler", "errors": ("of another version",)})


def make_wannier(distance_mev: float = 4.2, **changes: Any) -> WannierDocument:
    """Three attempts: one failed, one far off, one whose distance is given."""
    known = WindowTrial(
        projections=("Po:s", "Po:p"),
        n_wannier=4,
        frozen_max_ev=13.5,
        outer_max_ev=21.0,
        eta_mev=distance_mev,
        near_fermi_mev=distance_mev / 2,
        largest_mev=3 * distance_mev,
        spread_angstrom2=12.34,
        reason=None,
    )
    unknown = dict.fromkeys(("eta_mev", "near_fermi_mev", "largest_mev", "spread_angstrom2"))
    trials = (
        known.model_copy(update={**unknown, "reason": "more frozen states than functions <here>"}),
        known.model_copy(update={"eta_mev": 2 * distance_mev, "outer_max_ev": 18.0}),
        known.model_copy(update={"projections": ()}),
    )
    fields: dict[str, Any] = {
        **identity(TAG, STRUCTURE),
        "structure": STRUCTURE,
        "k_mesh": (4, 4, 4),
        "n_bands": 11,
        "n_excluded": 5,
        "n_wannier": 4,
        "n_check_points": 12,
        "fermi_ev": 11.62,
        "trials": trials,
        "chosen": 2,
        "protocol": "draft",
        "gates": (wannier_gate(trials, 2, 20.0),),
        "provenance": make_provenance("10-wannier"),
    }
    return WannierDocument(**{**fields, **changes})


def make_vertex() -> VertexDocument:
    """The coupling between Wannier functions, with a correction."""
    return VertexDocument(
        **identity(TAG, STRUCTURE),
        structure=STRUCTURE,
        k_mesh=(4, 4, 4),
        q_mesh=(2, 2, 2),
        n_wannier=4,
        n_excluded=5,
        fermi_ev=11.62,
        highest_frequency_mev=16.0,
        protocol="draft",
        provenance=make_provenance("11-epw-coarse", (VERTEX_CORRECTION,)),
    )


def make_convergence(couplings: tuple[float, ...] = (1.40, 1.22, 1.20, 1.21)) -> FineMeshConvergence:
    """A coupling on meshes of 8, 12, 16 ... q points along each axis; Tc is eight times the coupling."""
    meshes: list[FineMesh] = []
    for index, value in enumerate(couplings):
        n = 8 + 4 * index
        mesh = FineMesh(
            k_mesh=(2 * n, 2 * n, 2 * n),
            q_mesh=(n, n, n),
            electron_smearing_ev=0.05,
            phonon_smearing_mev=0.1,
            lambda_=value,
            omega_log_mev=9.8,
            tc_kelvin=8 * value,
            dos_per_ev_spin_cell=0.31,
            fermi_ev=11.63,
            lambda_change=None,
            tc_change_kelvin=None,
            wall_seconds=10.0,
        )
        meshes.append(compared(mesh, meshes[-1] if meshes else None))
    return mesh_convergence(meshes, lambda_tolerance=0.03, tc_relative_tolerance=0.05, tc_tolerance_kelvin=0.5)


def make_wannier_alpha2f(before: tuple[Provenance, ...], **changes: Any) -> Alpha2FDocument:
    """The spectrum of the fine meshes: that of the chosen smearing of the linear response, alone."""
    linear = make_alpha2f("Po")
    runs = [*before, *(make_provenance(f"12-epw-fine-{number}") for number in (1, 2, 3))]
    fields: dict[str, Any] = {
        **{name: getattr(linear, name) for name in Alpha2FDocument.model_fields},
        "route": "wannier",
        "alpha2f": (linear.alpha2f[2],),
        "smearing_ev": (0.05,),
        "moments": (linear.moments[2].model_copy(update={"lambda_q_sum": None}),),
        "plateau": Plateau(status="no_plateau", indices=(), relative_spread=None),
        "chosen_smearing": 0,
        "dos_per_ev_spin_cell": (0.31,),
        "k_mesh_dense": (40, 40, 40),
        "q_mesh_fine": (20, 20, 20),
        "convergence": make_convergence(),
        "band_distance_mev": 4.2,
        "gates": (fermi_gate(11.63, 11.62),),
        "warnings": (),
        "provenance": joined_provenance([*runs, make_provenance("12-epw-fine-4", (FINE_CORRECTION,))]),
    }
    return Alpha2FDocument(**{**fields, **changes})


def make_gaps(**changes: Any) -> GapDocument:
    """Gaps of a mean-field shape below 12 K, those over the Fermi surface 10 % wide."""
    tc, largest = 12.0, 1.9
    points = [(share * tc, largest * np.sqrt(1 - share**3)) for share in (0.15, 0.4, 0.6, 0.8, 0.9)]

    def gap(temperature: float, value: float, *, own: bool) -> TemperatureGap:
        return TemperatureGap(
            temperature_kelvin=temperature,
            gap_mev=-value,
            renormalization=2.2,
            lowest_mev=None if own else -1.05 * value,
            highest_mev=None if own else -0.95 * value,
            own_gap_mev=1.001 * value if own else None,
            converged=own or temperature < 10,
        )

    fields: dict[str, Any] = {
        **identity(TAG, STRUCTURE),
        "mu_star": 0.10,
        "cutoff_ev": 0.16,
        "convention": "mu* is the value at wscut, where all sums end",
        "lambda_": 1.21,
        "isotropic": tuple(gap(temperature, value, own=True) for temperature, value in points),
        "anisotropic": tuple(gap(temperature, value, own=False) for temperature, value in points[::2]),
        "anisotropic_reason": None,
        "tc_kelvin": tc,
        "tc_status": "found",
        "largest_difference": 0.001,
        "provenance": make_provenance("13-gap"),
    }
    return GapDocument(**{**fields, **changes})


def asked_for_wannier(result: MaterialResult) -> MaterialResult:
    """The same result of a material whose campaign asks for the Wannier route."""
    material = result.submission.material
    numbers = make_wannier_recipe(material.structure, material.recipe, {"fine_q_meshes": ((8, 8, 8), (12, 12, 12))})
    submission = replace(result.submission, material=replace(material, wannier=numbers))
    return replace(result, submission=submission)


def make_route_result(*wannier_documents: Document, outcome: Outcome = Outcome.ANSWERED, **why: Any) -> MaterialResult:
    """A material with a Tc by linear response, and what is given of the Wannier route."""
    spectrum = make_alpha2f("Po")
    tc = tc_document(spectrum, mu_star=MU_STAR, reference="omega_2")
    linear = make_result("Po", outcome, make_structure("Po"), spectrum, tc, **why)
    documents = dict(linear.documents)
    for document in wannier_documents:
        kind = type(document).model_fields["kind"].default
        documents[kind] = (*documents.get(kind, ()), document)
    return asked_for_wannier(replace(linear, documents=documents))


def make_two_routes(**gaps: Any) -> MaterialResult:
    """A material with a Tc by both routes and gaps."""
    structure, wannier, vertex = make_structure("Po"), make_wannier(), make_vertex()
    spectrum = make_wannier_alpha2f((structure.provenance, wannier.provenance, vertex.provenance))
    tc = tc_document(spectrum, mu_star=MU_STAR, reference="omega_2")
    return make_route_result(wannier, vertex, spectrum, make_gaps(**gaps), tc)


@job
def judge_bands(distance_mev: float) -> Response[Any]:
    """Store Wannier functions whose gate stops what follows where they are too far off."""
    return respond(make_wannier(distance_mev))


@job
def judge_fermi_energy(distance_ev: float) -> Response[Any]:
    """Store a spectrum whose gate stops what follows where the Fermi energy is too far off."""
    return respond(make_wannier_alpha2f((), gates=(fermi_gate(11.62 + distance_ev, 11.62),)))
