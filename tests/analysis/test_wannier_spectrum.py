from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.fine_meshes import compared, mesh_convergence
from hightc.analysis.parsers.alpha2f import read_alpha2f
from hightc.analysis.wannier_spectrum import FERMI_AGREEMENT_EV, fermi_gate, wannier_alpha2f_document

TOLERANCES = {"lambda_tolerance": 0.03, "tc_relative_tolerance": 0.05, "tc_tolerance_kelvin": 0.5}
RECORDED = Path(__file__).parents[1] / "data" / "epw" / "pb"


@pytest.mark.parametrize(("fine", "passed"), [(8.29, True), (8.11, True), (8.31, False), (7.5, False)])
def test_fermi_energies_must_agree_within_a_tenth_of_an_ev(fine, passed):
    gate = fermi_gate(fine, 8.2)
    assert gate.passed is passed
    assert gate.value == pytest.approx(abs(fine - 8.2))
    assert (gate.threshold, gate.unit) == (FERMI_AGREEMENT_EV, "eV")
    assert ("choose a denser k_mesh in [wannier]" in gate.message) is not passed


@pytest.fixture
def join(structure_document, wannier_document, provenance, make_fine_mesh):
    """The document of a spectrum after meshes with these lambdas."""

    def make(*lambdas, printed=None, fermi_ev=8.22):
        meshes = []
        for number, value in enumerate(lambdas):
            mesh = make_fine_mesh(4 * (number + 1), value).model_copy(update={"fermi_ev": fermi_ev})
            meshes.append(compared(mesh, meshes[-1] if meshes else None))
        omega = np.linspace(0.08, 40.0, 500)
        # 2 int c (w/40)^2/w dw is c
        spectrum = replace(
            read_alpha2f(RECORDED / "pb.a2f"),
            omega_mev=omega,
            alpha2f=lambdas[-1] * (omega / 40.0) ** 2,
            lambda_printed=printed or lambdas[-1],
        )
        return wannier_alpha2f_document(
            structure_document,
            wannier_document,
            spectrum,
            mesh_convergence(meshes, **TOLERANCES),
            q_mesh=(2, 2, 2),
            provenance=provenance,
            inherited_warnings=("a warning",),
        )

    return make


def test_document_says_its_route_its_meshes_and_how_good_its_functions_are(join, wannier_document):
    document = join(0.4, 0.4, 0.4)
    assert document.route == "wannier"
    assert (document.k_mesh, document.q_mesh) == ((8, 8, 8), (2, 2, 2))
    assert (document.k_mesh_dense, document.q_mesh_fine) == ((24, 24, 24), (12, 12, 12))
    assert document.band_distance_mev == wannier_document.best.eta_mev
    # the sum over 500 points leaves out half a step at the end
    assert document.chosen.lambda_ == pytest.approx(0.4, rel=1e-2)
    assert document.passed
    assert document.warnings == ("a warning",)


def test_meshes_that_did_not_converge_are_told_with_their_changes(join):
    (own,) = set(join(0.3, 0.4, 0.5).warnings) - {"a warning"}
    assert own.startswith(
        "lambda is not converged with the fine meshes: it changed by +25.0 %, +20.0 % up to k 24x24x24"
    )
    (first,) = set(join(0.3).warnings) - {"a warning"}
    assert "by an unknown amount up to k 8x8x8" in first


def test_spectrum_of_other_electrons_is_stopped(join):
    assert not join(0.4, 0.4, 0.4, fermi_ev=8.7).passed


def test_lambda_that_the_code_sums_otherwise_is_told(join):
    assert any("the code's own sum differs" in note for note in join(0.4, 0.4, 0.4, printed=0.5).warnings)
