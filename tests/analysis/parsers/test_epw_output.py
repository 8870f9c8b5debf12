import re
from pathlib import Path

import numpy as np
import pytest

from hightc.analysis.parsers.epw_output import read_epw_output
from hightc.analysis.parsers.errors import (
    IncompleteOutputError,
    MissingOutputError,
    ParseError,
    UnreadableNumberError,
)

DATA = Path(__file__).parents[2] / "data" / "epw"


def rewrite(tmp_path, source, old, new):
    text = (DATA / source).read_text()
    assert old in text
    path = tmp_path / "epw.out"
    path.write_text(text.replace(old, new))
    return path


def test_full_chain_is_read():
    run = read_epw_output(DATA / "pb" / "epw1.out")
    assert run.code_version == "5.3.1"
    assert (run.fermi_coarse_ev, run.fermi_fine_ev) == (11.967011, 11.61044339)
    assert run.dos_per_ev_spin_cell == 0.27150658309
    assert (run.coupling, run.tc_allen_dynes_k, run.mu_star) == (1.2295023, 5.503579, 0.1)
    assert (run.omega_log_mev, run.gap_bcs_mev) == (5.143492, 0.834701)
    assert run.wall_seconds == 108.38
    assert run.error_message is None
    assert run.unfinished_temperature_k is None
    assert not run.gap_vanished


def test_gaps_are_those_of_the_last_iteration():
    gaps = read_epw_output(DATA / "pb" / "epw1.out").isotropic_gaps
    assert [gap.temperature_k for gap in gaps] == [1, 3, 4, 5]
    assert [gap.gap_mev for gap in gaps] == [1.154362, 1.122058, 1.044246, 0.8786002]
    assert [gap.renormalization for gap in gaps] == [2.145665, 2.143138, 2.151245, 2.171465]
    assert [gap.n_iterations for gap in gaps] == [8, 9, 9, 10]
    assert all(gap.converged and gap.pade_gap_mev is None and gap.lowest_gap_mev is None for gap in gaps)


def test_wannier_functions_of_sp3_form_a_tetrahedron():
    run = read_epw_output(DATA / "pb" / "epw1.out")
    # alat = 9.22256 bohr = 4.88037 Angstrom, centres at 0.08061 alat along the four bonds
    signs = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]])
    assert run.n_wannier == 4
    assert run.wannier_centres_angstrom == pytest.approx(0.08061 * 4.88037 * signs, abs=1e-5)
    assert run.wannier_spreads_angstrom2.tolist() == [1.86171] * 4


def test_warnings_are_whole_paragraphs():
    first, second = read_epw_output(DATA / "pb" / "epw1.out").warnings
    assert first.startswith("WARNING: The specified dis_win_min is ignored. You should instead")
    assert first.endswith("lower bound of band manifold.")
    assert second.startswith("Warning: check if difference with Fermi level")
    (announced,) = read_epw_output(DATA / "pb_gaps" / "epw.out").warnings
    assert announced.startswith("The code may crash since tempsmax = 6.300 K is larger")


def test_what_was_not_printed_is_none():
    run = read_epw_output(DATA / "pb_wannier" / "epw.out")
    assert run.n_wannier == 4
    assert run.fermi_coarse_ev is run.fermi_fine_ev is run.dos_per_ev_spin_cell is None
    assert run.coupling is run.tc_allen_dynes_k is run.mu_star is run.omega_log_mev is None
    assert run.isotropic_gaps == run.anisotropic_gaps == ()
    assert run.warnings == ()


def test_pade_gap_is_read():
    gaps = read_epw_output(DATA / "pb_gaps" / "epw.out").isotropic_gaps
    assert [gap.pade_gap_mev for gap in gaps] == [1.155660, 0.8809624, 0.2744664]
    assert [gap.pade_renormalization for gap in gaps] == [2.146668, 2.232006, 2.347870]


def test_failed_pade_approximant_is_none():
    cold, warm = read_epw_output(DATA / "pade_nan" / "epw.out").isotropic_gaps
    assert cold.pade_gap_mev is cold.pade_renormalization is None
    assert cold.gap_mev == pytest.approx(warm.gap_mev, rel=0.5)
    assert warm.pade_gap_mev == pytest.approx(warm.gap_mev, rel=0.01)


def test_run_above_tc_tells_that_the_gap_vanished():
    run = read_epw_output(DATA / "pb_gaps" / "above_tc.out")
    assert run.gap_vanished
    assert (run.error_routine, run.error_message) == ("mix_broyden", "factorization")
    assert [gap.temperature_k for gap in run.isotropic_gaps] == [6]
    assert run.unfinished_temperature_k == 9
    assert run.wall_seconds is None


def test_other_error_does_not_tell_that_the_gap_vanished(tmp_path):
    run = read_epw_output(rewrite(tmp_path, "pb_gaps/above_tc.out", "mix_broyden", "davcio"))
    assert run.error_routine == "davcio"
    assert not run.gap_vanished


def test_exhausted_iterations_are_not_convergence():
    gaps = read_epw_output(DATA / "pb_gaps" / "nsiter.out").isotropic_gaps
    assert [(gap.temperature_k, gap.n_iterations, gap.converged) for gap in gaps] == [
        (1, 11, True),
        (5, 13, True),
        (6.4, 14, False),
    ]
    assert gaps[-1].gap_mev == 0.1387675
    assert gaps[-1].pade_gap_mev is None


def test_anisotropic_gaps_stand_apart():
    run = read_epw_output(DATA / "pb_anisotropic" / "epw.out")
    assert run.isotropic_gaps == ()
    cold, warm = run.anisotropic_gaps
    assert (cold.temperature_k, cold.n_iterations, cold.converged) == (2, 15, True)
    assert (warm.temperature_k, warm.n_iterations, warm.converged) == (8, 100, False)
    assert cold.gap_mev == 1.23393
    assert cold.pade_gap_mev == 1.289298
    assert warm.pade_gap_mev is None


def test_extremes_of_later_versions_are_read(tmp_path):
    text = (DATA / "pb_anisotropic" / "epw.out").read_text()
    reached = "Convergence was reached in nsiter =     15\n"
    assert reached in text
    extremes = "     Min. / Max. values of superconducting gap =     1.100000    1.200000 meV\n"
    path = tmp_path / "epw.out"
    path.write_text(text.replace(reached, reached + extremes))
    run = read_epw_output(path)
    assert (run.anisotropic_gaps[0].lowest_gap_mev, run.anisotropic_gaps[0].highest_gap_mev) == (1.1, 1.2)
    assert run.anisotropic_gaps[1].lowest_gap_mev is None


def test_gaps_printed_in_ev_are_read_in_mev(tmp_path):
    path = rewrite(tmp_path, "pb_gaps/epw.out", "   znormi      deltai [meV]", " znormi [eV]    deltai [eV]")
    assert [gap.gap_mev for gap in read_epw_output(path).isotropic_gaps] == pytest.approx([1154.363, 878.6056, 291.84])


def test_overflown_number_is_located(tmp_path):
    path = rewrite(
        tmp_path, "pb/epw1.out", "Fermi energy coarse grid =  11.967011", "Fermi energy coarse grid = **********"
    )
    with pytest.raises(UnreadableNumberError, match=r"epw\.out line \d+: expected Fermi energy in eV") as caught:
        read_epw_output(path)
    assert "coarse grid" in path.read_text().splitlines()[caught.value.line - 1]


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_killed_run_is_refused(tmp_path, share):
    lines = (DATA / "pb" / "epw1.out").read_text().splitlines(keepends=True)
    path = tmp_path / "epw.out"
    path.write_text("".join(lines[: int(share * len(lines))]))
    with pytest.raises(IncompleteOutputError, match=r"line \d+: expected 'Total program execution'") as caught:
        read_epw_output(path)
    assert caught.value.line == int(share * len(lines))


def test_other_program_is_refused():
    with pytest.raises(ParseError, match="'Program EPW"):
        read_epw_output(DATA / "pb_wannier" / "nscf.out")


def test_missing_file_is_named(tmp_path):
    with pytest.raises(MissingOutputError):
        read_epw_output(tmp_path / "epw.out")


def test_time_does_not_grow_with_the_square_of_the_length(tmp_path):
    # 4 MB of iterations: a reader that goes back for each line would take many minutes, this one a second.
    text = (DATA / "pb_gaps" / "nsiter.out").read_text()
    row = re.search(r"\n( +14 .*\n) +Convergence was not", text)[1]
    path = tmp_path / "epw.out"
    path.write_text(text.replace(row, row * (4_000_000 // len(row))))
    assert read_epw_output(path).isotropic_gaps[-1].gap_mev == 0.1387675


def test_run_that_wannier90_stopped_is_told_by_its_message():
    with pytest.raises(ParseError, match=r"Atom site not recognised zz .*: Wannier90 stopped the run"):
        read_epw_output(DATA / "wannier_stopped" / "epw.out")
