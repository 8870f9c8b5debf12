from __future__ import annotations

import pytest

from hightc.analysis.documents import WindowTrial
from hightc.analysis.wannier_windows import Shell
from hightc.makers.wannier import band_count, commensurate, wannier_gate


def trial(eta_mev, reason=None):
    return WindowTrial(
        projections=("Al:s;p",),
        n_wannier=4,
        frozen_max_ev=10.0,
        outer_max_ev=20.0,
        eta_mev=eta_mev,
        near_fermi_mev=eta_mev,
        largest_mev=eta_mev,
        spread_angstrom2=None,
        reason=reason,
    )


@pytest.mark.parametrize(("eta_mev", "passed"), [(9.9, True), (10.0, True), (10.1, False)])
def test_functions_pass_up_to_the_distance_asked_for(eta_mev, passed):
    gate = wannier_gate([trial(None, "epw.x failed"), trial(eta_mev)], 1, 10.0)
    assert (gate.passed, gate.value, gate.threshold, gate.unit) == (passed, eta_mev, 10.0, "meV")
    assert gate.message.startswith(f"Wannier bands {eta_mev:.1f} meV off, expected at most 10 meV")
    assert ("choose a denser k_mesh" in gate.message) is not passed


def test_attempts_that_all_failed_stop_the_route_with_the_last_reason():
    gate = wannier_gate([trial(None, "first"), trial(None, "epw.x failed in /a")], None, 10.0)
    assert (gate.passed, gate.value) == (False, None)
    assert gate.message == "no Wannier functions: epw.x failed in /a"


def test_no_window_stops_the_route_with_the_way_out():
    gate = wannier_gate([], None, 10.0)
    assert (gate.passed, gate.value) == (False, None)
    assert gate.message.endswith("take pseudopotentials with more orbitals (PP_PSWFC)")


@pytest.mark.parametrize(
    ("k_mesh", "q_mesh", "expected"),
    [((8, 8, 8), (4, 4, 4), (8, 8, 8)), ((8, 8, 6), (3, 3, 2), (9, 9, 6)), ((4, 4, 4), (8, 8, 8), (8, 8, 8))],
)
def test_finer_q_mesh_brings_the_next_multiple(k_mesh, q_mesh, expected):
    assert commensurate(k_mesh, q_mesh) == expected


@pytest.mark.parametrize(("n_functions", "n_bands"), [(1, 3), (4, 6), (9, 14)])
def test_half_as_many_bands_again_are_computed_and_two_at_least(n_functions, n_bands):
    assert band_count([Shell("Al", 3, 0, n_functions, full=False)]) == n_bands
