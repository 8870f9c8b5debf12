from __future__ import annotations

from pathlib import Path

import pytest

from hightc.analysis.documents import Document
from hightc.analysis.parsers.matdyn import read_frequencies
from hightc.analysis.parsers.ph import read_dynamical_matrices
from hightc.analysis.stability import find_imaginary_modes
from hightc.makers.gates import (
    METAL_GAP_EV,
    PRESSURE_ERROR_GPA,
    force_gate,
    metal_gate,
    pressure_gate,
    respond,
    stability_gate,
)

RECORDED = Path(__file__).parents[1] / "data" / "qe"


@pytest.mark.parametrize(("gap", "passed"), [(0.0, True), (0.0999, True), (METAL_GAP_EV, False), (1.1, False)])
def test_metal_passes_and_insulator_stops(gap, passed):
    gate = metal_gate(gap)
    assert (gate.passed, gate.value, gate.threshold, gate.unit) == (passed, gap, METAL_GAP_EV, "eV")
    assert gate.message.startswith("metal:" if passed else "insulator:")


@pytest.mark.parametrize(("pressure", "passed"), [(10.5, True), (11.99, True), (12.0, False), (7.5, False)])
def test_pressure_that_came_back_stops_the_material_with_advice(pressure, passed):
    gate = pressure_gate(pressure, 10.0)
    assert (gate.passed, gate.threshold) == (passed, PRESSURE_ERROR_GPA)
    assert gate.value == pytest.approx(abs(pressure - 10))
    assert ("raise relax_ecutwfc_ry" in gate.message) is not passed


# 1e-3 Ry/bohr is 0.025711 eV/Angstrom (13.605693 eV / 0.529177 Angstrom), of which ten are allowed
@pytest.mark.parametrize(("force", "passed"), [(0.0, True), (0.257, True), (0.2572, False)])
def test_force_that_is_left_stops_the_material_with_advice(force, passed):
    gate = force_gate(force, 1e-3)
    assert (gate.name, gate.passed, gate.value, gate.unit) == ("forces", passed, force, "eV/Angstrom")
    assert gate.threshold == pytest.approx(0.257110, rel=1e-5)
    assert ("set relax = false" in gate.message) is not passed


@pytest.mark.parametrize(("case", "passed"), [("al_linear_response", True), ("al_bcc", False)])
def test_imaginary_mode_on_the_computed_mesh_stops_the_material(case, passed):
    gate = stability_gate(find_imaginary_modes(read_dynamical_matrices(RECORDED / case, "al.dyn")))
    assert gate.passed is passed
    assert gate.message.startswith("stable" if passed else "unstable")
    assert (gate.value > gate.threshold) is passed


def test_imaginary_mode_off_the_computed_mesh_goes_on_as_marginal():
    gate = stability_gate(find_imaginary_modes(read_frequencies(RECORDED / "al_bcc" / "al.freq")))
    assert gate.passed
    assert gate.message.startswith("marginal")
    assert "a finer q mesh must decide" in gate.message


@pytest.mark.parametrize("verdicts", [(), (0.0,), (0.0, 0.0), (0.0, 2.0), (2.0,)])
def test_children_stop_unless_every_gate_passed(verdicts):
    gates = tuple(metal_gate(gap) for gap in verdicts)
    document = Document(campaign="c", material="Al", formula="Al", elements=("Al",), gates=gates)
    response = respond(document)
    assert response.output is document
    assert response.stop_children is any(gap > METAL_GAP_EV for gap in verdicts)
    assert not response.stop_jobflow
