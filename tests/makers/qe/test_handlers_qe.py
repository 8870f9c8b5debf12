"""Failures of real programs in their shortest form, and what the handlers make of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from hightc.analysis.parsers.pw import read_pw_xml
from hightc.makers.errors import ProgramFailedError
from hightc.makers.execution import run_program
from hightc.makers.qe.handlers import epw_handlers, ph_handlers, pw_handlers
from hightc.makers.qe.inputs import edit_namelists, read_namelists
from hightc.makers.qe.pseudopotentials import DEBIAN_DIRECTORY
from hightc.makers.settings import compute_settings

pytestmark = pytest.mark.qe

DATA = Path(__file__).parents[2] / "data"
needs_epw = pytest.mark.skipif(shutil.which("epw.x") is None, reason="needs epw.x")
needs_mpi = pytest.mark.skipif(shutil.which("mpirun") is None, reason="needs mpirun")
HANDLERS = {"pw": pw_handlers, "ph": ph_handlers, "epw": epw_handlers}


def recorded_input(case, stem, namelist=None, **values):
    """Input of a recorded run with the pseudopotentials of this machine, and with other values."""
    Path("pseudo").unlink(missing_ok=True)
    Path("pseudo").symlink_to(DEBIAN_DIRECTORY)
    path = Path("edit.in")
    shutil.copy(DATA / case / f"{stem}.in", path)
    if namelist:
        edit_namelists(path, {namelist: values})
    return path.read_text()


def run(program, text, **settings):
    return run_program(
        program, input_text=text, handlers=HANDLERS[program](program), settings=compute_settings(**settings)
    )


def told(result):
    return [(correction.errors[0], *correction.actions) for correction in result.corrections]


def energy_ev():
    return read_pw_xml(Path("out/al.save/data-file-schema.xml")).energy_ev


def test_charge_that_sloshes_is_mixed_slower_and_comes_to_the_same_energy():
    sloshing = run("pw", recorded_input("qe/scf_oscillating", "scf"))
    assert told(sloshing) == [
        (
            "scf_oscillating",
            "electrons.mixing_beta: 2.5 -> 0.2",
            "electrons.mixing_ndim: 1 -> 12",
            "electrons.electron_maxstep: 10 -> 200",
        )
    ]
    assert sloshing.corrections[0].physics == ""
    found = energy_ev()
    quiet = {"mixing_beta": 0.7, "mixing_ndim": 8, "electron_maxstep": 100}
    assert run("pw", recorded_input("qe/scf_oscillating", "scf", "electrons", **quiet)).corrections == ()
    assert abs(energy_ev() - found) < 1e-6  # conv_thr = 1e-9 Ry is 1.4e-8 eV


def test_bands_too_few_for_the_electrons_are_doubled_and_the_change_of_physics_told():
    result = run("pw", recorded_input("qe/too_few_bands", "scf"))
    assert told(result) == [("too_few_bands", "system.nbnd: 1 -> 2")]
    assert result.corrections[0].physics == "more bands are computed than the recipe asks for"


def test_fermi_energy_that_no_band_reaches_is_found_with_twice_the_bands():
    result = run("pw", recorded_input("qe/fermi_not_bracketed", "scf"))
    assert told(result) == [("too_few_bands", "system.nbnd: 1 -> 2")]
    assert result.end.succeeded


def test_relaxation_whose_files_are_gone_starts_from_scratch():
    Path("out").mkdir()
    result = run("pw", recorded_input("qe/restart_failed", "relax"))
    assert told(result) == [("restart_failed", "control.restart_mode: restart -> from_scratch")]
    assert result.end.succeeded


def test_relaxation_on_the_noise_of_its_forces_is_tried_once_more_and_then_taken():
    result = run("pw", recorded_input("qe/bfgs_history", "relax"))
    assert [entry[:2] for entry in told(result)] == [("bfgs_history", "electrons.conv_thr: 0.001 -> 1e-05")]


def test_relaxation_without_a_step_left_for_its_final_scf_gets_more():
    result = run("pw", recorded_input("qe/final_scf_without_a_step", "relax"))
    assert told(result)[0][0] == "geometry_not_converged"
    assert "control.nstep: 2 -> 4" in told(result)[0]
    assert result.end.succeeded


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"hello", "file ./pseudo/Al.pz-vbc.UPF not readable: hightc doctor lists"),
        ((DEBIAN_DIRECTORY / "Al.pz-vbc.UPF"), "Fortran runtime error.*stderr names the file or the reader"),
    ],
    ids=["of another form", "cut"],
)
def test_pseudopotential_that_cannot_be_read_ends_at_once_with_advice(content, reason):
    text = recorded_input("qe/broken_pseudopotential", "scf")
    Path("pseudo").unlink()
    Path("pseudo").mkdir()
    Path("pseudo/Al.pz-vbc.UPF").write_bytes(content if isinstance(content, bytes) else content.read_bytes()[:3000])
    with pytest.raises(ProgramFailedError, match=reason):
        run("pw", text)


def test_pseudopotential_that_is_missing_ends_at_once_with_advice():
    with pytest.raises(ProgramFailedError, match=r"file .* not found: hightc doctor lists"):
        run("pw", recorded_input("qe/missing_pseudopotential", "scf"))


def test_response_that_grows_beyond_all_bounds_is_computed_anew_from_the_start_of_its_q_point():
    run("pw", recorded_input("qe/ph_not_converged", "scf"))
    assert run("ph", recorded_input("qe/ph_diverged", "ph", "inputph", recover=False, last_q=1)).end.succeeded
    Path("al.EXIT").touch()  # ph.x stops itself in the second q point
    Path("ph.in").write_text(recorded_input("qe/ph_diverged", "ph", "inputph", recover=False, start_q=2))
    subprocess.run(["ph.x", "-in", "ph.in"], capture_output=True, check=False)
    Path("al.EXIT").unlink(missing_ok=True)
    result = run("ph", recorded_input("qe/ph_diverged", "ph"))
    assert [entry[0] for entry in told(result)] == ["ph_diverged"]
    assert "inputph.recover: True -> False" in told(result)[0]
    assert result.end.succeeded


FULL_DISK = """
from pathlib import Path
from hightc.makers.errors import ProgramFailedError, ScratchError
from hightc.makers.execution import run_program
from hightc.makers.qe.handlers import pw_handlers
from hightc.makers.settings import compute_settings
try:
    run_program("pw", input_text=Path("edit.in").read_text(), handlers=pw_handlers("pw"), settings=compute_settings())
except (ProgramFailedError, ScratchError) as error:
    print(error)
"""


def test_disk_that_is_full_at_the_end_is_told_although_pw_says_that_all_is_done(tmp_path):
    """In a mount namespace of its own, with a disk too small for wavefunctions."""
    recorded_input("qe/too_few_bands", "scf", "system", nbnd=6)
    (tmp_path / "small").mkdir()
    Path("run.py").write_text(FULL_DISK)
    mount = f"mount -t tmpfs -o size=120k tmpfs {tmp_path}/small"
    namespace = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
    if not shutil.which("unshare") or subprocess.run([*namespace, mount], capture_output=True, check=False).returncode:
        pytest.skip("needs mount namespaces")
    # the output lies elsewhere, or its last words might find no place either
    fill = f"{mount} && cp -P edit.in run.py pseudo {tmp_path}/small && cd {tmp_path}/small && ln -s ../pw.out pw.out"
    script = f"{fill} && {sys.executable} run.py; tail -n 3 pw.out"
    finished = subprocess.run([*namespace, script], capture_output=True, text=True, check=False)
    assert "JOB DONE" in finished.stdout
    assert "no space is left on the device" in finished.stdout, finished.stderr
    assert "free space in the scratch folder" in finished.stdout


def test_eigenvalues_asked_for_too_exactly_are_computed_as_exactly_as_can_be():
    run("pw", recorded_input("qe/too_few_bands", "scf", "system", nbnd=6))
    result = run("pw", recorded_input("qe/eigenvalues_not_converged", "nscf"))
    assert [entry[0] for entry in told(result)] == ["eigenvalues_not_converged"] * 2
    assert result.end.succeeded


def test_atoms_on_each_other_end_with_advice_after_two_other_diagonalisations():
    with pytest.raises(ProgramFailedError, match=r"S matrix not positive definite: look for atoms that lie on each"):
        run("pw", recorded_input("qe/overlap_matrix", "scf"))
    assert read_namelists(Path("pw.in"))["electrons"]["diagonalization"] == "paro"


def test_message_that_takes_four_processes_is_one_of_the_program():
    """ScaLAPACK, by which four processes or more diagonalise, says so of the atoms above."""
    assert b"problems computing cholesky" in Path(shutil.which("pw.x")).read_bytes()


@pytest.mark.parametrize(
    ("case", "message"),
    [("ph_fft_symmetry", "FFT grid incompatible with symmetry"), ("fft_translations", "incompatible FFT grid")],
)
def test_fft_grid_without_the_symmetry_of_the_crystal_ends_at_once_with_advice(case, message):
    run("pw", recorded_input(f"qe/{case}", "scf"))
    with pytest.raises(ProgramFailedError, match=f"{message}: the cell is symmetric only to"):
        run("ph", recorded_input(f"qe/{case}", "ph"))


def limited(folder, program, megabytes):
    """A program that gets so much address space."""
    path = folder / "limited"
    path.write_text(f'#!/bin/sh\nulimit -v {1000 * megabytes}\nexec {program} "$@"\n')
    path.chmod(0o755)
    return str(path)


def test_lack_of_memory_of_one_process_ends_with_advice(tmp_path):
    text = recorded_input("qe/out_of_memory", "scf")
    with pytest.raises(ProgramFailedError, match=r"cannot allocate memory.*use fewer processes.*more memory"):
        run("pw", text, pw_command=limited(tmp_path, "pw.x", 130))


@needs_mpi
def test_lack_of_memory_of_two_pools_is_met_by_one(tmp_path):
    script = tmp_path / "small_machine"
    # pools of their own get too little address space for pw.x, one pool gets enough
    script.write_text(
        '#!/bin/sh\ncase "$*" in *"-nk 2"*) ulimit -v 130000; exec pw.x -in pw.in;; esac\nexec mpirun -np 2 pw.x "$@"\n'
    )
    script.chmod(0o755)
    text = recorded_input("qe/out_of_memory", "scf", "system", ecutwfc=100)
    result = run("pw", text, processes=2, mpi_command="env X={processes}", pw_command=str(script))
    assert told(result) == [("out_of_memory", "pools: 2 -> 1", "started again")]
    assert result.end.n_processes == 2


def test_program_that_crashes_is_started_again_once():
    victims = []

    def watch():
        deadline = time.monotonic() + 30
        while not victims and time.monotonic() < deadline:
            for process in psutil.Process().children(recursive=True):
                if process.name() == "pw.x" and "iteration #" in Path("pw.out").read_text():
                    process.send_signal(11)
                    victims.append(process.pid)
            time.sleep(0.002)

    thread = threading.Thread(target=watch)
    thread.start()
    text = recorded_input("qe/crashed", "scf", "system", ecutwfc=30)
    result = run("pw", text)
    thread.join()
    assert victims
    assert told(result) == [("crashed", "started again")]


def isotropic(case, stem="epw", **values):
    """Input of a recorded solution of the isotropic Eliashberg equations, and the files it reads."""
    shutil.copy(DATA / "epw" / "pb" / "crystal.fmt", Path.cwd())
    shutil.copy(DATA / "epw" / "pb" / "pb.a2f_iso", "pb_epw.a2f")
    return recorded_input(f"epw/{case}", stem, "inputepw", **values)


@needs_epw
def test_gap_equations_that_are_solved_need_no_correction():
    result = run("epw", isotropic("pb_gaps"))
    assert (result.corrections, result.end.program, result.end.code_version) == ((), "EPW", "5.3.1")


@needs_epw
@needs_mpi
def test_two_processes_of_epw_are_two_pools():
    assert run("epw", isotropic("two_processes_one_pool"), processes=2).end.n_processes == 2


@needs_epw
@needs_mpi
def test_two_processes_in_one_pool_of_epw_are_refused_though_the_output_is_complete(tmp_path):
    script = tmp_path / "one_pool"
    script.write_text('#!/bin/sh\nexec mpirun -np 2 epw.x "$@"\n')
    script.chmod(0o755)
    with pytest.raises(ProgramFailedError, match=r"return code 1"):
        run("epw", isotropic("two_processes_one_pool"), epw_command=str(script))


@needs_epw
def test_temperatures_above_tc_are_dropped_and_the_change_of_physics_told():
    result = run("epw", isotropic("pb_gaps", "above_tc"))
    assert told(result)[0][:2] == ("epw_above_tc", "inputepw.nstemp: 2 -> 1")
    assert "the others are above Tc" in result.corrections[0].physics
    assert result.end.succeeded


@needs_epw
def test_temperatures_that_are_all_above_tc_end_with_advice():
    with pytest.raises(ProgramFailedError, match=r"factorization: the lowest temperature is above Tc"):
        run("epw", isotropic("pb_gaps", "above_tc", **{"temps(1)": 12.0, "temps(2)": 19.0}))


@needs_epw
def test_gap_that_needs_more_iterations_gets_them():
    result = run("epw", isotropic("pb_gaps", "nsiter"))
    assert told(result) == [("epw_not_converged", "inputepw.nsiter: 14 -> 56")]
    assert result.end.succeeded


@needs_epw
def test_continuation_to_the_real_axis_is_left_out_where_it_gives_no_numbers():
    result = run("epw", isotropic("pade_nan"))
    assert [entry[:2] for entry in told(result)] == [("epw_pade_nan", "inputepw.lpade: True -> False")]
    assert not list(Path().glob("*.pade_iso_*")) or result.end.succeeded


@needs_epw
@pytest.mark.parametrize(
    ("case", "code", "action"),
    [
        ("fine_mesh_not_multiple", "epw_fine_mesh", "inputepw.nkf1: 3 -> 4"),
        ("mesh_symmetry_refused", "epw_mesh_symmetry", "inputepw.mp_mesh_q: True -> False"),
    ],
)
def test_mesh_that_is_refused_is_changed_to_one_that_is_not(case, code, action):
    with pytest.raises(ProgramFailedError) as caught:  # for the matrix elements, which are not there
        run("epw", isotropic(case))
    log = Path("custodian.json").read_text()
    assert code in log
    assert action in log
    assert "multiple" not in str(caught.value)
    assert "uniform" not in str(caught.value)


@pytest.fixture(scope="module")
def bands(tmp_path_factory):
    """Bands of fcc Al on 2x2x2 k points, for Wannier functions."""
    folder = tmp_path_factory.mktemp("bands")
    (folder / "pseudo").symlink_to(DEBIAN_DIRECTORY)
    for stem in ("scf", "nscf"):
        shutil.copy(DATA / "epw" / "wannier_frozen_window" / f"{stem}.in", folder)
        subprocess.run(["pw.x", "-in", f"{stem}.in"], cwd=folder, capture_output=True, check=True)
    return folder


@needs_epw
@pytest.mark.parametrize(
    ("case", "changed", "reason"),
    [
        ("wannier_frozen_window", ["inputepw.dis_froz_max: 60.0 -> 22.5438"], "modes file"),
        ("wannier_outer_window", ["inputepw.dis_win_max: 5.0 -> 10.0", "inputepw.dis_win_max: 10.0 -> 15.0"], "fewer"),
        ("wannier_too_few_bands", [], "compute more bands"),
        ("wannier_stopped", [], "Atom site not recognised|the reason is the last line of the output"),
        ("epw_coarse_mesh", [], "inconsistent nscf and elph k-grids: run pw.x"),
        ("epw_files", [], "modes file: a folder was cleaned"),
    ],
)
def test_wannier_windows_are_moved_and_what_cannot_be_mended_is_told(bands, case, changed, reason):
    shutil.copytree(bands, Path.cwd(), dirs_exist_ok=True, symlinks=True)
    with pytest.raises(ProgramFailedError, match=reason):  # there are no phonons
        run("epw", recorded_input(f"epw/{case}", "epw"))
    log = Path("custodian.json").read_text()
    assert all(action in log for action in changed)
    assert "killed" not in log
