from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.parsers.errors import IncompleteOutputError, ParseError, UnreadableNumberError
from hightc.analysis.parsers.pw import read_pw_xml
from hightc.analysis.parsers.pw_output import read_pw_output

DATA = Path(__file__).parents[2] / "data"
QE = DATA / "qe"


def rewrite(tmp_path, source, *changes):
    text = (QE / source).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "scf.out"
    path.write_text(text)
    return path


# pw.x prints energies with 8 decimals of a Ry, bands with 4 of an eV, pressures with 2 of a kbar, moments with 2.
@pytest.mark.parametrize("case", ["al_scf", "ni_spin"])
def test_text_and_xml_of_one_run_agree(case):
    printed, stored = read_pw_output(QE / case / "scf.out"), read_pw_xml(QE / case / "data-file-schema.xml")
    assert printed.energy_ev == pytest.approx(stored.energy_ev, abs=1e-7)
    assert printed.fermi_ev == pytest.approx(stored.fermi_ev, abs=6e-5)
    assert printed.pressure_gpa == pytest.approx(stored.pressure_gpa, abs=6e-4)
    assert printed.stress_gpa == pytest.approx(stored.stress_gpa, abs=6e-4)
    assert printed.forces_ev_per_angstrom == pytest.approx(stored.forces_ev_per_angstrom, abs=1e-6)
    assert printed.bands_ev == pytest.approx(stored.eigenvalues_ev, abs=6e-5)
    assert printed.k_weights == pytest.approx(stored.k_weights, abs=1e-6)
    assert printed.n_electrons == stored.n_electrons
    assert (printed.converged, printed.n_scf_iterations) == (stored.converged, stored.n_scf_iterations)


def test_moments_of_a_ferromagnet():
    run, stored = read_pw_output(QE / "ni_spin" / "scf.out"), read_pw_xml(QE / "ni_spin" / "data-file-schema.xml")
    assert run.total_magnetization_bohr_magneton == pytest.approx(stored.total_magnetization_bohr_magneton, abs=6e-3)
    assert run.absolute_magnetization_bohr_magneton == pytest.approx(
        stored.absolute_magnetization_bohr_magneton, abs=6e-3
    )
    assert run.bands_ev.shape == (2, 8, 9)


def test_sites_of_a_ferromagnet_hold_most_of_its_moment():
    run = read_pw_output(QE / "ni_spin" / "scf.out")
    assert run.site_charges.tolist() == [8.6696]
    assert run.site_moments_bohr_magneton.tolist() == [1.2573]
    # the rest lies between the spheres
    assert run.site_moments_bohr_magneton.sum() == pytest.approx(run.total_magnetization_bohr_magneton, rel=0.15)


def test_last_moment_of_a_site_counts_and_a_missing_site_is_told(tmp_path):
    site = "     atom:    1    charge:    8.6696    magn:    1.2573    constr:    0.0000\n"
    block = f"     Magnetic moment per site:\n{site}"
    twice = rewrite(tmp_path, "ni_spin/scf.out", (site, f"{site}\n{block.replace('1.2573', '-.5000')}"))
    assert read_pw_output(twice).site_moments_bohr_magneton.tolist() == [-0.5]
    missing = rewrite(tmp_path, "ni_spin/scf.out", (site, "\n"))
    with pytest.raises(ParseError, match="expected charge and moment of atom 1 of 1"):
        read_pw_output(missing)


def test_run_without_spin_has_no_moment():
    run = read_pw_output(QE / "al_scf" / "scf.out")
    assert run.site_charges is run.site_moments_bohr_magneton is None
    assert run.total_magnetization_bohr_magneton is run.absolute_magnetization_bohr_magneton is None


def test_noncollinear_moment_is_left_out(tmp_path):
    path = rewrite(tmp_path, "ni_spin/scf.out", (" Bohr mag/cell", "  0.00  0.00 Bohr mag/cell"))
    assert read_pw_output(path).total_magnetization_bohr_magneton is None


def test_nscf_has_bands_but_no_energy():
    run = read_pw_output(DATA / "epw" / "pb_wannier" / "nscf.out")
    assert run.bands_ev.shape == (1, 8, 12)
    assert run.bands_ev[0, 0, 5] == -0.4387
    assert run.k_cartesian[1].tolist() == [-0.5, 0.5, -0.5]
    assert run.k_weights.tolist() == [0.125] * 8
    assert run.energy_ev is run.pressure_gpa is run.converged is run.n_scf_iterations is None


def test_last_step_of_a_relaxation_counts():
    run = read_pw_output(QE / "relax_not_converged" / "relax.out")
    # atom 2, 0.01679615 Ry/bohr of the last step, 25.711 eV/Angstrom in a Ry/bohr
    assert run.forces_ev_per_angstrom[1, 2] == pytest.approx(0.01679615 * 25.711, rel=1e-4)


def test_energy_of_a_run_that_did_not_converge_is_none():
    run = read_pw_output(QE / "scf_not_converged" / "scf.out")
    assert run.converged is False
    assert run.energy_ev is run.fermi_ev is None


def test_run_that_max_seconds_stopped_says_nothing():
    run = read_pw_output(QE / "pw_max_seconds" / "scf.out")
    assert run.converged is run.energy_ev is run.bands_ev is None


def test_band_edges_of_fixed_occupations(tmp_path):
    fermi = next(line for line in (QE / "al_scf/scf.out").read_text().splitlines() if "the Fermi energy" in line)
    edges = "     highest occupied, lowest unoccupied level (ev):     6.1000    6.7000"
    run = read_pw_output(rewrite(tmp_path, "al_scf/scf.out", (fermi, edges)))
    assert (run.fermi_ev, run.highest_occupied_ev, run.lowest_unoccupied_ev) == (None, 6.1, 6.7)
    run = read_pw_output(rewrite(tmp_path, "al_scf/scf.out", (fermi, "     highest occupied level (ev):     6.1000")))
    assert (run.fermi_ev, run.highest_occupied_ev, run.lowest_unoccupied_ev) == (None, 6.1, None)


def test_missing_k_point_is_located(tmp_path):
    text = (QE / "al_scf/scf.out").read_text()
    last = next(line for line in text.splitlines() if line.lstrip().startswith("k(    8)"))
    with pytest.raises(ParseError, match="expected k point 8 of 8"):
        read_pw_output(rewrite(tmp_path, "al_scf/scf.out", (last + "\n", "")))


def test_missing_bands_of_a_k_point_are_located(tmp_path):
    text = (QE / "al_scf/scf.out").read_text()
    heads = [line for line in text.splitlines() if "bands (ev):" in line]
    with pytest.raises(ParseError, match="expected bands of 8 k points, found 7"):
        read_pw_output(rewrite(tmp_path, "al_scf/scf.out", (heads[3], "")))


def test_overflown_band_is_located(tmp_path):
    lines = (QE / "al_scf/scf.out").read_text().splitlines()
    row = lines[next(index for index, line in enumerate(lines) if "bands (ev):" in line) + 2]
    with pytest.raises(UnreadableNumberError) as caught:
        read_pw_output(rewrite(tmp_path, "al_scf/scf.out", (row, row[:-7] + "*******")))
    assert caught.value.line == lines.index(row) + 1


def test_bands_without_blanks_are_parted(tmp_path):
    lines = (QE / "al_scf/scf.out").read_text().splitlines()
    row = lines[next(index for index, line in enumerate(lines) if "bands (ev):" in line) + 2]
    whole = read_pw_output(QE / "al_scf/scf.out")
    wide = row.replace(f"{whole.bands_ev[0, 0, 1]:9.4f}", "-100.1234", 1)
    assert wide != row
    run = read_pw_output(rewrite(tmp_path, "al_scf/scf.out", (row, wide)))
    assert run.bands_ev[0, 0, 1] == -100.1234
    assert np.array_equal(run.bands_ev[0, 1:], whole.bands_ev[0, 1:])


def test_cut_run_is_refused(tmp_path):
    path = tmp_path / "scf.out"
    path.write_text((QE / "al_scf/scf.out").read_text().partition("   JOB DONE")[0])
    with pytest.raises(IncompleteOutputError, match="JOB DONE"):
        read_pw_output(path)


def test_time_does_not_grow_with_the_square_of_the_length(tmp_path):
    # 5 MB of steps: going back for each line would take many minutes, this takes a second.
    text = (QE / "relax_not_converged/relax.out").read_text()
    step = text[text.index("     Self-consistent Calculation") : text.index("     Writing output data file")]
    path = rewrite(tmp_path, "relax_not_converged/relax.out", (step, step * (5_000_000 // len(step))))
    assert read_pw_output(path).energy_ev == read_pw_output(QE / "relax_not_converged/relax.out").energy_ev
