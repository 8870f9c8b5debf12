from __future__ import annotations

import numpy as np
import pytest

from hightc.analysis.wannier_windows import (
    DEEP_EV,
    FROZEN_MARGIN_EV,
    LEAST_FROZEN_EV,
    Shell,
    candidate_windows,
    deep_shells,
    isolated_groups,
    projections,
    with_polarization,
)

FERMI_EV = 0.0


def flat(*centres, width=0.5, n_k=9):
    """Bands of a cosine around these energies."""
    return np.array(centres) + width / 2 * np.cos(np.linspace(0, np.pi, n_k))[:, None]


LEAD = (
    Shell("Pb", 5, 2, 5, full=True),
    Shell("Pb", 6, 0, 1, full=True),
    Shell("Pb", 6, 1, 3, full=False),
)


NIOBIUM = (
    Shell("Nb", 4, 0, 1, full=True),
    Shell("Nb", 4, 1, 3, full=True),
    Shell("Nb", 5, 0, 1, full=False),
    Shell("Nb", 4, 2, 5, full=False),
)


def test_d_shell_of_lead_is_left_out_and_sp_is_kept():
    # fcc lead: d around -17 eV, s isolated but no deeper than -6.5 eV, p around the Fermi energy
    energies = np.hstack([flat(*[-17.0] * 5), flat(-9.0, width=5.0), flat(-1.0, 0.5, 2.0, 8.0, width=4.0)])
    assert isolated_groups(energies, FERMI_EV) == (5, 0)
    assert deep_shells(LEAD, 5) == LEAD[:1]


def test_most_bands_that_a_gap_cuts_off_come_first():
    energies = flat(*[-17.0] * 5, -12.0, -1.0, 0.5, 2.0, 8.0)
    assert isolated_groups(energies, FERMI_EV) == (6, 5, 0)
    assert deep_shells(LEAD, 6) == LEAD[:2]


def test_semicore_of_niobium_is_left_out():
    energies = flat(-55.0, *[-31.0] * 3, -3.0, -1.5, -0.5, 0.5, 1.5, 2.5, width=2.0)
    assert isolated_groups(energies, FERMI_EV) == (4, 1, 0)
    assert deep_shells(NIOBIUM, 4) == NIOBIUM[:2]
    assert deep_shells(NIOBIUM, 1) == NIOBIUM[:1]


def test_free_electrons_of_aluminium_are_all_kept():
    shells = (Shell("Al", 3, 0, 1, full=True), Shell("Al", 3, 1, 3, full=False))
    assert isolated_groups(flat(-6.0, -2.0, 1.0, 3.0, width=8.0), FERMI_EV) == (0,)
    assert deep_shells(shells, 0) == ()


@pytest.mark.parametrize(("top", "cuts"), [(-DEEP_EV - 0.1, (2, 0)), (-DEEP_EV + 0.1, (0,))])
def test_isolated_bands_count_as_deep_only_far_below_the_fermi_energy(top, cuts):
    assert isolated_groups(flat(top - 0.25, top - 0.25, -0.5), FERMI_EV) == cuts


def test_bands_that_no_full_shells_make_up_cannot_be_left_out():
    assert deep_shells(LEAD, 3) is None


def test_of_several_choices_the_shell_farthest_from_valence_is_taken():
    shells = (Shell("Y", 4, 0, 1, full=True), Shell("Y", 5, 0, 1, full=True), Shell("Y", 4, 2, 5, full=False))
    assert deep_shells(shells, 1) == shells[:1]


def test_frozen_window_holds_no_more_states_than_functions_and_the_outer_one_no_fewer():
    energies = np.sort(np.random.default_rng(3).uniform(-8, 20, (30, 9)), axis=1)
    energies[:, 4] = np.maximum(energies[:, 4], 1.0)
    energies.sort(axis=1)
    windows = candidate_windows(energies, 4, FERMI_EV)
    assert windows
    for window in windows:
        assert ((energies <= window.frozen_max_ev).sum(axis=1) <= 4).all()
        assert ((energies <= window.outer_max_ev).sum(axis=1) >= 4).all()
        assert FERMI_EV + LEAST_FROZEN_EV <= window.frozen_max_ev < window.outer_max_ev
    assert len(set(windows)) == len(windows)


def test_no_window_is_possible_where_too_few_functions_reach_the_fermi_energy():
    # four functions, and a fifth band that dips to 0.3 eV above E_F: with the margin not enough stays frozen
    dips = LEAST_FROZEN_EV + FROZEN_MARGIN_EV
    possible = flat(-4.0, -2.0, -1.0, 1.0, dips + 0.01 + 0.25, 9.0)
    impossible = flat(-4.0, -2.0, -1.0, 1.0, dips - 0.01 + 0.25, 9.0)
    assert candidate_windows(possible, 4, FERMI_EV)
    assert candidate_windows(impossible, 4, FERMI_EV) == ()


@pytest.mark.parametrize("least_frozen_ev", [LEAST_FROZEN_EV, 0.8, 3.0])
def test_every_window_freezes_the_height_asked_for(least_frozen_ev):
    def fifth_band(height_ev):
        return flat(-4.0, -2.0, -1.0, 1.0, least_frozen_ev + FROZEN_MARGIN_EV + height_ev + 0.25, 9.0)

    windows = candidate_windows(fifth_band(0.01), 4, FERMI_EV, least_frozen_ev=least_frozen_ev)
    assert windows
    # windows are rounded to 1e-4 eV
    assert all(window.frozen_max_ev >= FERMI_EV + least_frozen_ev - 1e-4 for window in windows)
    far = candidate_windows(fifth_band(9.0), 4, FERMI_EV, least_frozen_ev=least_frozen_ev)
    assert all(window.frozen_max_ev >= FERMI_EV + least_frozen_ev - 1e-4 for window in far)
    assert candidate_windows(fifth_band(-0.01), 4, FERMI_EV, least_frozen_ev=least_frozen_ev) == ()


def test_as_many_bands_as_functions_are_frozen_as_they_are():
    (window,) = candidate_windows(flat(-2.0, 1.0), 2, FERMI_EV)
    assert 1.25 < window.frozen_max_ev < window.outer_max_ev


def test_fewer_bands_than_functions_are_refused():
    with pytest.raises(ValueError, match="expected at least 4 bands for as many Wannier functions, found 2"):
        candidate_windows(flat(-2.0, 1.0), 4, FERMI_EV)


def test_polarisation_adds_the_lowest_missing_momentum():
    sp = (Shell("Al", 3, 0, 2, full=True), Shell("Al", 3, 1, 6, full=False))
    assert with_polarization(sp)[2:] == (Shell("Al", 3, 2, 10, full=False),)
    d = (Shell("Cu", 3, 2, 5, full=True),)
    assert with_polarization(d)[1:] == (Shell("Cu", 3, 0, 1, full=False),)


def test_polarisation_of_a_transition_metal_is_f_and_there_it_ends():
    assert with_polarization(NIOBIUM)[4:] == (Shell("Nb", 5, 3, 7, full=False),)
    lanthanum = (*NIOBIUM, Shell("Nb", 4, 3, 7, full=False))
    assert with_polarization(lanthanum) == lanthanum


def test_each_element_is_polarised_by_itself():
    shells = (Shell("Mg", 3, 0, 1, full=True), Shell("B", 2, 0, 2, full=True), Shell("B", 2, 1, 6, full=False))
    added = with_polarization(shells)[3:]
    assert added == (Shell("Mg", 3, 1, 3, full=False), Shell("B", 3, 2, 10, full=False))


@pytest.mark.parametrize(
    ("shells", "lines"),
    [
        ([("Al", 3, 1), ("Al", 3, 0)], ("Al:s;p",)),
        ([("Mg", 3, 0), ("B", 2, 0), ("B", 2, 1)], ("B:s;p", "Mg:s")),
        # Wannier90 has one radial function a line: Al:s;p;s:r=2 is three too few projections
        ([("Nb", 4, 0), ("Nb", 4, 1), ("Nb", 4, 2), ("Nb", 5, 0)], ("Nb:s;p;d", "Nb:s:r=2")),
        ([("Cs", 4, 0), ("Cs", 5, 0), ("Cs", 5, 1), ("Cs", 6, 0)], ("Cs:s;p", "Cs:s:r=2", "Cs:s:r=3")),
    ],
)
def test_projections_name_each_radial_function_on_its_own_line(shells, lines):
    assert projections([Shell(*shell, 1, full=False) for shell in shells]) == lines
