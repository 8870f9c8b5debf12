"""data-file-schema.xml against what the same run printed."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.parsers.errors import IncompleteOutputError, MissingOutputError, ParseError, UnreadableNumberError
from hightc.analysis.parsers.pw import band_gap_ev, read_pw_xml
from hightc.analysis.parsers.units import BOHR_ANGSTROM, HARTREE_EV, RYDBERG_EV

QE = Path(__file__).parents[2] / "data" / "qe"


def read(case):
    return read_pw_xml(QE / case / "data-file-schema.xml")


def printed(case, pattern):
    """Return the numbers of the last match of a pattern in the text output."""
    last = re.findall(pattern, (QE / case / "scf.out").read_text())[-1]
    return [float(part) for part in ([last] if isinstance(last, str) else last)]


@pytest.fixture(scope="module")
def aluminium():
    return read("al_scf")


@pytest.fixture(scope="module")
def nickel():
    return read("ni_spin")


def test_energy_and_fermi_energy_are_those_printed(aluminium):
    (energy_ry,) = printed("al_scf", r"!\s+total energy\s+=\s+(\S+) Ry")
    (fermi,) = printed("al_scf", r"the Fermi energy is\s+(\S+) ev")
    # 6e-9 Ry and 6e-5 eV: half a unit of the last printed digit
    assert aluminium.energy_ev / RYDBERG_EV == pytest.approx(energy_ry, abs=6e-9)
    assert aluminium.fermi_ev == pytest.approx(fermi, abs=6e-5)


@pytest.mark.parametrize("case", ["al_scf", "ni_spin"])
def test_pressure_has_the_value_and_sign_that_pw_prints(case):
    (pressure_kbar,) = printed(case, r"\(kbar\)\s+P=\s+(\S+)")
    # 0.006 kbar: half a unit of the last printed digit
    assert read(case).pressure_gpa * 10 == pytest.approx(pressure_kbar, abs=6e-3)


def test_compressed_crystal_has_positive_pressure(nickel):
    assert nickel.pressure_gpa > 20


def test_stress_is_a_third_of_its_trace_per_axis_in_a_cubic_crystal(aluminium):
    # 1e-6 GPa: the stress of a cubic crystal is isotropic up to the symmetrisation of pw.x
    np.testing.assert_allclose(aluminium.stress_gpa, np.eye(3) * aluminium.pressure_gpa, atol=1e-6)


def test_forces_vanish_where_symmetry_says_so(aluminium):
    assert aluminium.forces_ev_per_angstrom.shape == (1, 3)
    np.testing.assert_allclose(aluminium.forces_ev_per_angstrom, 0, atol=1e-10)


def test_forces_are_those_printed():
    run = read("relax_not_converged")
    text = (QE / "relax_not_converged/relax.out").read_text()
    rows = re.findall(
        r"atom\s+\d+ type\s+\d+\s+force =\s+(\S+)\s+(\S+)\s+(\S+)", text.split("Forces acting on atoms")[-1]
    )
    forces_ry_per_bohr = np.array(rows[:2], dtype=float)
    # 6e-9 Ry/bohr: half a unit of the last printed digit
    np.testing.assert_allclose(run.forces_ev_per_angstrom / RYDBERG_EV * BOHR_ANGSTROM, forces_ry_per_bohr, atol=6e-9)


def test_magnetisation_has_the_full_precision_of_the_xml(nickel):
    (total,) = printed("ni_spin", r"total magnetization\s+=\s+(\S+) Bohr mag/cell")
    (absolute,) = printed("ni_spin", r"absolute magnetization\s+=\s+(\S+) Bohr mag/cell")
    assert nickel.total_magnetization_bohr_magneton == pytest.approx(total, abs=6e-3)
    assert nickel.absolute_magnetization_bohr_magneton == pytest.approx(absolute, abs=6e-3)
    assert nickel.total_magnetization_bohr_magneton != round(nickel.total_magnetization_bohr_magneton, 2)


def test_magnetisation_without_spin_is_not_computed_rather_than_zero(aluminium):
    assert aluminium.total_magnetization_bohr_magneton is None
    assert aluminium.absolute_magnetization_bohr_magneton is None
    assert aluminium.n_states_per_band == 2


def test_two_spins_have_their_own_eigenvalues(nickel):
    assert nickel.eigenvalues_ev.shape == (2, 8, 9)
    assert nickel.n_states_per_band == 1
    up, down = nickel.eigenvalues_ev
    # the exchange splitting pushes the d bands of the minority up
    assert (down - up)[:, 1:6].mean() > 0.3


def test_spin_moment_follows_from_eigenvalues_and_weights(nickel):
    # cold smearing counts states as 1/2 erf + Gaussian; far from E_F it is a step, so a coarse count suffices
    occupied = (nickel.eigenvalues_ev < nickel.fermi_ev).astype(float)
    moment = np.einsum("k,skn->s", nickel.k_weights, occupied)
    assert moment[0] > moment[1]
    assert moment.sum() == pytest.approx(nickel.n_electrons, abs=0.5)


def test_fixed_moment_has_two_fermi_energies_and_hence_none():
    run = read("ni_fixed_moment")
    assert run.fermi_ev is None
    assert band_gap_ev(run) is None
    assert run.total_magnetization_bohr_magneton == pytest.approx(0.6, abs=1e-6)


def test_numbered_species_keep_their_label_and_become_an_element():
    run = read("ni_fixed_moment")
    assert run.structure.composition.reduced_formula == "Ni"
    assert run.structure.labels == ["Ni1"]
    assert run.pseudopotentials == {"Ni1": "Ni.pbe-nd-rrkjus.UPF"}


def test_inputs_of_the_run_are_read(aluminium):
    assert aluminium.code_version == "6.7MaX"
    assert aluminium.calculation == "scf"
    assert (aluminium.k_mesh, aluminium.k_shift) == ((4, 4, 4), (0, 0, 0))
    assert aluminium.smearing == "mv"
    assert aluminium.degauss_ev == pytest.approx(0.05 * RYDBERG_EV)
    assert aluminium.ecutwfc_ry == pytest.approx(16)
    assert aluminium.pseudopotentials == {"Al": "Al.pz-vbc.UPF"}
    assert aluminium.n_electrons == 3
    assert (aluminium.converged, aluminium.n_scf_iterations) == (True, 5)


def test_structure_is_in_angstrom(aluminium):
    # fcc with a = 7.5 bohr: volume a^3/4
    assert aluminium.structure.volume == pytest.approx((7.5 * BOHR_ANGSTROM) ** 3 / 4)
    assert aluminium.structure.composition.reduced_formula == "Al"


@pytest.mark.parametrize("case", ["al_scf", "ni_spin", "si_vc_relax", "si_smearing"])
def test_k_points_lie_on_the_mesh_and_their_weights_sum_to_one(case):
    run = read(case)
    scaled = run.k_points * np.array(run.k_mesh)
    # 1e-8: sixteen digits of the XML times a mesh of four, through one matrix product
    np.testing.assert_allclose(scaled, np.round(scaled), atol=1e-8)
    assert run.k_weights.sum() == pytest.approx(1, abs=1e-14)


def test_cartesian_k_points_belong_to_the_lattice(aluminium):
    phases = aluminium.k_points_per_angstrom @ aluminium.structure.lattice.matrix.T / (2 * np.pi)
    np.testing.assert_allclose(phases, aluminium.k_points, atol=1e-12)


def test_relaxation_yields_the_last_geometry_and_its_pressure():
    run = read("si_vc_relax")
    assert run.calculation == "vc-relax"
    assert run.converged
    # SOURCE.md: the last lines of the text output
    assert run.pressure_gpa == pytest.approx(-0.271, abs=6e-4)
    assert run.structure.volume < (10.4 * BOHR_ANGSTROM) ** 3 / 4
    assert run.fermi_ev == pytest.approx(6.0970, abs=6e-5)
    assert run.smearing is None
    assert run.degauss_ev is None


@pytest.mark.parametrize("case", ["scf_not_converged", "relax_not_converged"])
def test_run_that_gave_up_is_not_converged(case):
    assert not read(case).converged


def test_run_without_one_iteration_is_an_error_not_an_energy_of_zero():
    with pytest.raises(IncompleteOutputError, match="at least one self-consistency iteration"):
        read("pw_max_seconds")


def test_bands_have_no_total_energy_and_count_as_converged():
    run = read("al_nscf")
    assert run.calculation == "nscf"
    assert run.energy_ev is None
    assert run.converged
    assert run.k_mesh == (3, 3, 3)
    assert run.stress_gpa is None
    assert run.pressure_gpa is None
    assert run.forces_ev_per_angstrom is None


@pytest.mark.parametrize("case", ["al_scf", "ni_spin", "relax_not_converged"])
def test_metal_has_no_gap(case):
    assert band_gap_ev(read(case)) == 0.0


def test_insulator_with_smearing_has_its_gap():
    run = read("si_smearing")
    # four valence bands: the gap straight from the eigenvalues of the recorded file
    expected = run.eigenvalues_ev[0, :, 4].min() - run.eigenvalues_ev[0, :, 3].max()
    assert band_gap_ev(run) == pytest.approx(expected, abs=1e-12)
    assert 0.3 < expected < 0.8


def test_insulator_with_fixed_occupations_has_the_printed_gap():
    # SOURCE.md: highest occupied, lowest unoccupied level (ev): 6.0970 6.6522; half a digit each
    assert band_gap_ev(read("si_vc_relax")) == pytest.approx(6.6522 - 6.0970, abs=1.1e-4)


def with_levels(run, levels, fermi_ev, n_electrons):
    return replace(run, eigenvalues_ev=np.array([levels], dtype=float), fermi_ev=fermi_ev, n_electrons=n_electrons)


@pytest.mark.parametrize(
    ("levels", "fermi_ev", "n_electrons", "gap"),
    [
        ([[0.0, 3.0], [1.0, 4.0]], 2.0, 2.0, 2.0),
        ([[0.0, 3.0], [1.0, 4.0]], 1.0, 2.0, 2.0),
        ([[0.0, 3.0], [1.0, 4.0]], 3.0, 2.0, 2.0),
        ([[0.0, 2.0], [1.0, 0.5]], 0.75, 2.0, 0.0),
        ([[0.0, 3.0], [1.0, 4.0]], 3.5, 3.0, 0.0),
        ([[0.0, 0.0, 5.0]], 0.0, 3.0, 0.0),
        ([[0.0], [1.0]], 1.0, 2.0, None),
    ],
    ids=[
        "fermi_in_the_gap",
        "fermi_at_the_highest_occupied",
        "fermi_at_the_lowest_empty",
        "bands_overlap_indirectly",
        "band_crosses",
        "half_filled_level_at_one_k",
        "no_empty_band",
    ],
)
def test_gap_of_simple_levels(aluminium, levels, fermi_ev, n_electrons, gap):
    assert band_gap_ev(with_levels(aluminium, levels, fermi_ev, n_electrons)) == gap


def test_energy_scale_does_not_move_with_the_zero_of_energy(aluminium):
    silicon = read("si_smearing")
    shifted = replace(silicon, eigenvalues_ev=silicon.eigenvalues_ev + 7.0, fermi_ev=silicon.fermi_ev + 7.0)
    assert band_gap_ev(shifted) == pytest.approx(band_gap_ev(silicon), abs=1e-12)


def edited(tmp_path, case, old, new):
    text = (QE / case / "data-file-schema.xml").read_text()
    assert old in text
    path = tmp_path / "data-file-schema.xml"
    path.write_text(text.replace(old, new, 1))
    return path


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        ("<nks>8</nks>", "<nks>9</nks>", IncompleteOutputError, "expected 9 <ks_energies>"),
        ("<nks>8</nks>", "<nks>8.5</nks>", ParseError, "an integer"),
        ('<stress rank="2"', '<stress_ rank="2"', IncompleteOutputError, "mismatched tag"),
        ("<nelec>3.0", "<nelec>NaN", UnreadableNumberError, "a finite number"),
        ("<nelec>", "<nelec>3.0 ", ParseError, "expected 1 numbers"),
        ("nbnd>", "nband>", IncompleteOutputError, "mismatched tag"),
    ],
)
def test_damaged_file_is_a_located_error(tmp_path, old, new, error, message):
    with pytest.raises(error, match=message):
        read_pw_xml(edited(tmp_path, "al_scf", old, new))


def test_missing_element_is_named_with_its_path(tmp_path):
    text = (QE / "al_scf/data-file-schema.xml").read_text()
    start, stop = text.index("<total_energy>"), text.index("</total_energy>") + len("</total_energy>")
    path = tmp_path / "data-file-schema.xml"
    path.write_text(text[:start] + text[stop:])
    with pytest.raises(MissingOutputError, match="expected <total_energy/etot> in <root/output>, found none"):
        read_pw_xml(path)


def test_missing_atom_is_an_error(tmp_path):
    text = (QE / "al_scf/data-file-schema.xml").read_text()
    head, tail = text.split("<output>")
    path = tmp_path / "data-file-schema.xml"
    path.write_text(head + "<output>" + tail.replace('nat="1" alat', 'nat="2" alat', 1))
    with pytest.raises(IncompleteOutputError, match="expected 2 atoms"):
        read_pw_xml(path)


def test_missing_attribute_is_an_error(tmp_path):
    path = edited(tmp_path, "al_scf", '<creator NAME="PWSCF" VERSION="6.7MaX">', "<creator>")
    with pytest.raises(MissingOutputError, match="attribute VERSION"):
        read_pw_xml(path)


def test_different_band_counts_of_two_spins_are_refused(tmp_path):
    path = edited(tmp_path, "ni_spin", "<nbnd_dw>9</nbnd_dw>", "<nbnd_dw>8</nbnd_dw>")
    with pytest.raises(ParseError, match="9 bands of either spin"):
        read_pw_xml(path)


def test_list_of_k_points_has_no_mesh(tmp_path):
    text = (QE / "al_scf/data-file-schema.xml").read_text()
    head, tail = text.split("<output>")
    path = tmp_path / "data-file-schema.xml"
    path.write_text(head + "<output>" + re.sub(r"<monkhorst_pack.*?</monkhorst_pack>", "<nk>8</nk>", tail))
    run = read_pw_xml(path)
    assert run.k_mesh is None
    assert run.k_shift is None


def test_missing_file_says_so(tmp_path):
    with pytest.raises(MissingOutputError):
        read_pw_xml(tmp_path / "data-file-schema.xml")


def test_energy_unit_is_ev(nickel):
    text = (QE / "ni_spin/data-file-schema.xml").read_text()
    energy_ha = float(re.search(r"<etot>(\S+)</etot>", text.split("<output>")[1])[1])
    assert nickel.energy_ev == pytest.approx(energy_ha * HARTREE_EV, rel=1e-15)
