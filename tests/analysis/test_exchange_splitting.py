"""Stoner's parameter from split bands and from imposed moments."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.exchange_splitting import exchange_splitting_ev, fixed_moment_stoner_ev, smeared_dos
from hightc.analysis.parsers.pw import read_pw_xml
from hightc.analysis.tetrahedra import fermi_dos

QE = Path(__file__).parents[1] / "data" / "qe"


def read(case):
    return read_pw_xml(QE / case / "data-file-schema.xml")


@pytest.fixture(scope="module")
def bands():
    """Two spins of a band of 4 eV, shifted rigidly by 0.6 eV, at 50 k points."""
    energies = np.sort(np.random.default_rng(1).uniform(-2, 2, (50, 6)), axis=1)
    return np.array([energies - 0.3, energies + 0.3])


def test_rigid_shift_is_the_splitting_wherever_the_fermi_energy_lies(bands):
    for fermi in (-1.0, 0.0, 0.7):
        # rounding
        assert exchange_splitting_ev(bands, np.full(50, 0.02), fermi) == pytest.approx(0.6, abs=1e-12)


def test_exchanged_spins_change_the_sign(bands):
    assert exchange_splitting_ev(bands[::-1], np.full(50, 0.02), 0.0) == pytest.approx(-0.6, abs=1e-12)


def test_bands_far_from_the_fermi_energy_do_not_count(bands):
    far = np.array([np.full((50, 1), -9.0), np.full((50, 1), -4.0)])
    both = np.concatenate([far, bands], axis=2)
    # 4 eV over 0.5 eV: exp(-64)
    assert exchange_splitting_ev(both, np.full(50, 0.02), 0.0) == pytest.approx(0.6, abs=1e-9)


def test_what_has_no_two_spins_or_no_bands_near_is_refused(bands):
    with pytest.raises(ValueError, match=r"expected energies of two spins .* found \(1, 50, 6\)"):
        exchange_splitting_ev(bands[:1], np.full(50, 0.02), 0.0)
    with pytest.raises(ValueError, match="expected bands near the Fermi energy 30"):
        exchange_splitting_ev(bands, np.full(50, 0.02), 30.0)


def test_splitting_of_nickel_is_a_stoner_parameter_of_one_ev():
    run = read("ni_spin")
    splitting = exchange_splitting_ev(run.eigenvalues_ev, run.k_weights, run.fermi_ev)
    # Janak (1977) has 1.01 eV in the local density approximation; eight k points leave a moment of 1.2
    assert splitting / run.total_magnetization_bohr_magneton == pytest.approx(1.0, abs=0.3)


def test_smeared_states_of_aluminium_are_those_of_the_tetrahedra():
    run = read("al_dense")
    # 10 %: 0.05 Ry of cold smearing against none
    assert smeared_dos(run) == pytest.approx(fermi_dos(run).dos_per_ev_spin_cell, rel=0.1)


@pytest.mark.parametrize("kind", ["mv", "mp", "gaussian", "fd"])
def test_broadened_level_holds_one_electron_of_each_spin(kind):
    run = replace(read("al_dense"), smearing=kind, degauss_ev=0.3)
    level = np.zeros((1, 1, 1))
    fermi = np.linspace(-12, 12, 2001)
    dos = [smeared_dos(replace(run, eigenvalues_ev=level, k_weights=np.ones(1), fermi_ev=energy)) for energy in fermi]
    # the tails of the Fermi function beyond 40 widths
    assert np.trapezoid(dos, fermi) == pytest.approx(1, abs=1e-8)


@pytest.mark.parametrize("change", [{"smearing": None, "degauss_ev": None}, {"smearing": "new"}, {"fermi_ev": None}])
def test_states_of_an_unknown_smearing_are_refused(change):
    with pytest.raises(ValueError, match="expected a run without spin, with smearing and a Fermi energy"):
        smeared_dos(replace(read("al_dense"), **change))


@pytest.mark.parametrize("moments", [[0.1], [0.1, 0.3], [0.05, 0.2, 0.4]])
def test_stoner_parameter_comes_back_from_its_own_energies(moments):
    dos, stoner, quartic = 1.2, 0.55, 0.02 if len(moments) > 1 else 0.0
    energies = [moment**2 / 4 * (1 / dos - stoner) + quartic * moment**4 for moment in moments]
    assert fixed_moment_stoner_ev(moments, energies, dos) == pytest.approx(stoner, abs=1e-10)


@pytest.mark.parametrize(("moments", "energies"), [([], []), ([0.1, 0.0], [1.0, 0.0]), ([0.1], [1.0, 2.0])])
def test_moments_without_energies_are_refused(moments, energies):
    with pytest.raises(ValueError, match="expected moments that are not zero, each with an energy"):
        fixed_moment_stoner_ev(moments, energies, 1.0)
