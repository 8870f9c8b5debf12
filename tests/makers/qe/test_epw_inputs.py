from __future__ import annotations

import pytest

from hightc.analysis.wannier_windows import Window
from hightc.makers.qe.epw_inputs import (
    Subspace,
    coarse_input,
    fermi_window_ev,
    fine_input,
    gap_input,
    wannier_input,
)
from hightc.makers.qe.inputs import read_namelists
from hightc.makers.qe.wannier_recipe import make_wannier_recipe

WINDOW = Window(frozen_max_ev=10.2, outer_max_ev=23.2)
SUBSPACE = Subspace(n_wannier=4, n_excluded=0)
PHONON_MEV = 40.0
FINE = {"step": 1, "highest_phonon_mev": PHONON_MEV, "subspace": SUBSPACE}
GAP = {**FINE, "temperatures_kelvin": [0.5, 2.0], "mu_star": 0.1, "cutoff_ev": 0.4}


@pytest.fixture
def wannier(aluminium, recipe):
    return make_wannier_recipe(aluminium, recipe, {"k_mesh": [4, 4, 4], "fine_q_meshes": [[3, 3, 3], [4, 4, 4]]})


@pytest.fixture
def read(tmp_path):
    """The namelist of an input, as epw.x reads it: after a title."""

    def namelist(text):
        path = tmp_path / "epw.in"
        path.write_text(text)
        assert text.splitlines()[0] == "--"
        return read_namelists(path)["inputepw"]

    return namelist


@pytest.fixture
def every(recipe, wannier, read):
    return {
        "wannier": read(wannier_input(recipe, wannier, window=WINDOW, starts=("Al:s;p",), subspace=SUBSPACE)),
        "coarse": read(coarse_input(recipe, wannier, SUBSPACE)),
        "fine": read(fine_input(recipe, wannier, **FINE)),
        "isotropic": read(gap_input(recipe, wannier, anisotropic=False, **GAP)),
        "anisotropic": read(gap_input(recipe, wannier, anisotropic=True, **GAP)),
    }


def test_every_step_says_the_same_meshes_and_folders(every):
    for values in every.values():
        # without the slash epw.x looks for ./outhightc.save
        assert values["outdir"].endswith("/")
        assert values["dvscf_dir"] == "./save"
        assert [values[f"nk{axis}"] for axis in (1, 2, 3)] == [4, 4, 4]
        assert [values[f"nq{axis}"] for axis in (1, 2, 3)] == [2, 2, 2]
        assert values["nbndsub"] == 4
        assert "bands_skipped" not in values


def test_bands_below_are_skipped_in_every_step(recipe, wannier, read):
    values = read(coarse_input(recipe, wannier, Subspace(n_wannier=4, n_excluded=5)))
    assert values["bands_skipped"] == "exclude_bands = 1-5"


@pytest.mark.parametrize(
    ("step", "wannierize", "elph", "write", "read_back", "kmaps"),
    [
        ("wannier", True, False, True, False, False),
        ("coarse", False, True, True, False, False),
        ("fine", False, True, False, True, True),
        ("isotropic", False, False, False, True, True),
        ("anisotropic", False, False, False, True, True),
    ],
)
def test_steps_hand_over_by_their_restart_flags(every, step, wannierize, elph, write, read_back, kmaps):
    values = every[step]
    found = [values[name] for name in ("wannierize", "elph", "epwwrite", "epwread", "kmaps")]
    assert found == [wannierize, elph, write, read_back, kmaps]


def test_fine_meshes_are_those_of_the_step(every, wannier):
    for step in ("fine", "isotropic", "anisotropic"):
        values = every[step]
        assert [values[f"nqf{axis}"] for axis in (1, 2, 3)] == [4, 4, 4]
        assert tuple(values[f"nkf{axis}"] for axis in (1, 2, 3)) == wannier.fine_k_mesh(1)
        assert values["mp_mesh_k"]


def test_smearings_follow_the_recipe_and_the_phonons(every, wannier):
    assert every["fine"]["degaussw"] == wannier.electron_smearing_ev
    assert every["fine"]["degaussq"] == PHONON_MEV / 100


def test_density_of_states_is_smeared_as_the_double_delta_is(every):
    # EPW 5.3.1: the delta functions of alpha2F are Gaussian (order 0) whatever ngaussw says; N(E_F) is of its order
    for step in ("fine", "isotropic", "anisotropic"):
        assert every[step]["ngaussw"] == 0


@pytest.mark.parametrize("smearing_ev", [0.01, 0.05, 0.07, 0.1, 0.3, 0.5])
@pytest.mark.parametrize("phonon_mev", [10.0, 250.0])
def test_fermi_window_is_as_wide_as_epw_asks_for(wannier, smearing_ev, phonon_mev):
    numbers = wannier.model_copy(update={"electron_smearing_ev": smearing_ev})
    window_ev = fermi_window_ev(numbers, phonon_mev)
    # EPW 5.3.1, epw_readin.f90: "degaussw too close to fsthick"
    assert window_ev >= 4 * smearing_ev
    assert window_ev >= max(0.4, 4 * phonon_mev / 1e3)


def test_fermi_window_is_wider_where_a_campaign_asks_for_it(wannier):
    asked = wannier.model_copy(update={"fermi_window_ev": 11.7})
    assert fermi_window_ev(asked, 40.0) == 11.7
    # epw.x refuses less than four smearings
    assert fermi_window_ev(wannier.model_copy(update={"fermi_window_ev": 0.1}), 40.0) == fermi_window_ev(wannier, 40.0)


def test_windows_and_projections_are_written(every):
    values = every["wannier"]
    assert (values["dis_froz_max"], values["dis_win_max"], values["proj(1)"]) == (10.2, 23.2, "Al:s;p")
    assert values["wdata(1)"] == "write_hr = .true."
    assert "scdm_proj" not in values


def test_functions_without_projections_start_from_the_density_matrix(recipe, wannier, read):
    values = read(wannier_input(recipe, wannier, window=WINDOW, starts=(), subspace=SUBSPACE))
    assert (values["auto_projections"], values["scdm_proj"]) == (True, True)
    assert (values["scdm_entanglement"], values["scdm_mu"], values["scdm_sigma"]) == ("erfc", 10.2, 6.5)
    assert "proj(1)" not in values


def test_isotropic_gap_needs_the_spectrum_and_anisotropic_one_refuses_it(every):
    assert every["isotropic"]["fila2f"] == "hightc.a2f_iso"
    # EPW 5.3.1: "anisotropic case can not use fila2f"
    assert "fila2f" not in every["anisotropic"]
    for kind, iso in (("isotropic", True), ("anisotropic", False)):
        values = every[kind]
        assert (values["liso"], values["laniso"], values["limag"], values["ep_coupling"]) == (iso, not iso, True, False)
        assert (values["nstemp"], values["temps(1)"], values["temps(2)"]) == (2, 0.5, 2.0)
        assert (values["muc"], values["wscut"]) == (0.1, 0.4)
