from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import CriticalTemperature
from hightc.analysis.funnel_features import (
    FEATURES,
    electron_features,
    joined_features,
    known_after,
    phonon_features,
    tc_features,
)


def values(features):
    return {entry.name: entry.value for entry in features}


def reasons(features):
    return {entry.name: entry.reason for entry in features}


@pytest.fixture
def electrons(documents):
    def make(*, dos=0.4, no_dos=None, moment="computed", structure=None):
        relaxed = documents["structure"]
        if structure is not None:
            relaxed = relaxed.model_copy(update={"structure": structure})
        return electron_features(
            relaxed,
            documents["scf"],
            dos_per_ev_spin_cell=dos,
            no_dos_reason=no_dos,
            moment=documents["moment"] if moment == "computed" else moment,
        )

    return make


def test_features_of_electrons_are_all_that_the_list_promises(electrons):
    assert {entry.name for entry in electrons()} == set(known_after("electrons"))


def test_stages_know_what_earlier_stages_knew():
    assert set(known_after("electrons")) < set(known_after("phonons")) < set(known_after("alpha2f")) == set(FEATURES)


def test_extensive_numbers_are_shared_by_the_atoms(electrons):
    cell = Structure(Lattice.cubic(4.0), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    found = values(electrons(structure=cell))
    assert found["dos_per_ev_spin_cell"] == 2 * found["dos_per_ev_spin_atom"] == 0.4
    assert found["volume_per_atom_angstrom3"] == pytest.approx(32.0)
    assert found["abs_moment_bohr_magneton_per_atom"] == pytest.approx(0.0005)
    assert (found["n_atoms"], found["n_elements"]) == (2, 2)
    assert found["mean_atomic_mass_u"] == pytest.approx((22.98977 + 35.453) / 2, abs=1e-3)
    assert found["lightest_atomic_mass_u"] == pytest.approx(22.98977, abs=1e-3)
    assert found["mean_atomic_number"] == 14
    assert found["mean_electronegativity"] == pytest.approx((0.93 + 3.16) / 2)


def test_what_could_not_be_computed_has_a_reason_and_no_value(electrons):
    found = electrons(dos=None, no_dos="the bands are gone", moment=None)
    for name in ("dos_per_ev_spin_cell", "dos_per_ev_spin_atom"):
        assert values(found)[name] is None
        assert reasons(found)[name] == "the bands are gone"
    assert values(found)["moment_bohr_magneton_per_atom"] is None
    assert "moment = true" in reasons(found)["abs_moment_bohr_magneton_per_atom"]


def test_moment_that_pw_did_not_find_keeps_its_reason(electrons, documents):
    none = dict.fromkeys(("total_magnetization_bohr_magneton", "absolute_magnetization_bohr_magneton"))
    failed = documents["moment"].model_copy(update={**none, "reason": "no self-consistency"})
    assert reasons(electrons(moment=failed))["moment_bohr_magneton_per_atom"] == "no self-consistency"


def test_elements_without_an_electronegativity_leave_it_out(electrons):
    argon = Structure(Lattice.cubic(4.0), ["Ar"], [[0, 0, 0]])
    assert values(electrons(structure=argon))["mean_electronegativity"] is None
    assert "Ar" in reasons(electrons(structure=argon))["mean_electronegativity"]


def test_phonon_features_are_moments_of_the_density_of_states(documents):
    phonon = documents["phonon"].model_copy(
        update={"omega_mev": (10.0, 20.0, 30.0, 40.0), "dos_per_mev": (1.0, 2.0, 1.0, 0.0)}
    )
    found = values(phonon_features(phonon))
    assert found == {"lowest_phonon_mev": -0.1, "mean_phonon_mev": 20.0, "highest_phonon_mev": 30.0}


def test_empty_density_of_states_gives_no_mean(documents):
    phonon = documents["phonon"].model_copy(update={"dos_per_mev": (0.0, 0.0)})
    assert values(phonon_features(phonon))["mean_phonon_mev"] is None
    assert "empty" in reasons(phonon_features(phonon))["highest_phonon_mev"]


def temperature(method, status, kelvin, mu_star=0.1):
    return CriticalTemperature(
        method=method, mu_star=mu_star, status=status, tc_kelvin=kelvin, low_kelvin=None, high_kelvin=None
    )


def test_tc_is_taken_at_the_first_mu_star(documents):
    entries = (temperature("allen_dynes", "found", 5.0), temperature("allen_dynes", "found", 3.0, mu_star=0.13))
    found = tc_features(documents["tc"].model_copy(update={"critical_temperatures": entries}))
    assert values(found)["tc_kelvin"] == 5.0
    assert values(found)["tc_eliashberg_kelvin"] is None
    assert "eliashberg" in reasons(found)["tc_eliashberg_kelvin"]


def test_no_superconductivity_is_a_number_and_below_range_is_none(documents):
    entries = (temperature("allen_dynes", "no_superconductivity", 0.0), temperature("eliashberg", "below_range", None))
    found = tc_features(documents["tc"].model_copy(update={"critical_temperatures": entries}))
    assert values(found)["tc_kelvin"] == 0.0
    assert values(found)["tc_eliashberg_kelvin"] is None
    assert "lowest temperature" in reasons(found)["tc_eliashberg_kelvin"]


def test_tc_under_the_range_is_at_most_the_lowest_temperature_searched(documents):
    entries = (temperature("allen_dynes", "found", 1.0), temperature("eliashberg", "below_range", None))
    changes = {"critical_temperatures": entries, "mu_star_reference": "omega_max", "mu_star_reference_mev": 40.0}
    tc = documents["tc"].model_copy(update=changes)
    phonon = documents["phonon"].model_copy(update={"omega_mev": (10.0, 20.0), "dos_per_mev": (1.0, 1.0)})
    to_the_root_mean_square = tc.model_copy(update={"mu_star_reference": "omega_2"})
    found = [tc_features(tc, phonon), *(tc_features(to_the_root_mean_square, one) for one in (phonon, None))]
    at_most = [{entry.name: entry.at_most for entry in features} for features in found]
    # w_max/20000 = 0.002 and 0.001 meV, and 1 meV is 11.6045 K
    assert at_most[0]["tc_eliashberg_kelvin"] == pytest.approx(0.023209, rel=1e-4)
    assert at_most[1]["tc_eliashberg_kelvin"] == pytest.approx(0.011605, rel=1e-4)
    assert at_most[2]["tc_eliashberg_kelvin"] is None
    assert at_most[0]["tc_kelvin"] is None


def test_moment_against_the_start_counts_by_its_magnitude(electrons, documents):
    turned = {"total_magnetization_bohr_magneton": -1.2, "absolute_magnetization_bohr_magneton": 1.3}
    found = values(electrons(moment=documents["moment"].model_copy(update=turned)))
    assert found["moment_bohr_magneton_per_atom"] == 1.2


def test_later_stages_keep_earlier_features_and_name_every_one(documents, electrons):
    before = documents["decision"].model_copy(update={"features": joined_features(None, electrons(), "electrons")})
    joined = joined_features(before, phonon_features(documents["phonon"]), "alpha2f")
    assert tuple(entry.name for entry in joined) == known_after("alpha2f")
    assert values(joined)["dos_per_ev_spin_atom"] == 0.4
    assert values(joined)["lowest_phonon_mev"] == -0.1
    assert values(joined)["tc_kelvin"] is None
    assert reasons(joined)["tc_kelvin"] == "it was not computed"


def test_a_number_that_is_none_is_never_stored(electrons):
    found = values(electrons(dos=np.nan))
    assert found["dos_per_ev_spin_cell"] is None
