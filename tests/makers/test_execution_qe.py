"""Failures of real programs, provoked, corrected by custodian, and the answers afterwards."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from hightc.analysis.coupling import direct_q_sum
from hightc.analysis.parsers.ph import count_finished_q, read_dynamical_matrices, read_elph
from hightc.analysis.parsers.pw import read_pw_xml
from hightc.makers.errors import ProgramFailedError, PseudopotentialError, ScratchError
from hightc.makers.execution import FOLDER_VARIABLE, require_free_space, run_program
from hightc.makers.qe.handlers import ph_handlers, pw_handlers
from hightc.makers.qe.inputs import edit_namelists, pw_input
from hightc.makers.qe.phonon_inputs import FILDYN, ph_input
from hightc.makers.qe.phonon_restart import discard_phonons
from hightc.makers.qe.pseudopotentials import (
    DEBIAN_DIRECTORY,
    identify,
    read_upf_header,
    require_unchanged,
    select_pseudopotentials,
)
from hightc.makers.relax import XML
from hightc.makers.settings import compute_settings

pytestmark = pytest.mark.qe

ENERGY_EV = 1e-6  # ten times conv_thr = 1e-9 Ry x 1 atom in eV, for another path to the same minimum
LAMBDA = 0.01  # one k mesh, another random start of the bands: 1e-4 measured on 6x6x6


def scf(structure, recipe, *, calculation="scf", dense=False, pseudo_dir=DEBIAN_DIRECTORY, max_seconds=None):
    return pw_input(
        structure, recipe, calculation=calculation, dense=dense, pseudo_dir=pseudo_dir, max_seconds=max_seconds
    )


def edited(text, namelist, **values):
    path = Path("edit.in")
    path.write_text(text)
    edit_namelists(path, {namelist: {name.replace("__", "(1)"): value for name, value in values.items()}})
    return path.read_text()


def run_pw(text, **settings):
    return run_program("pw", input_text=text, handlers=pw_handlers("pw"), settings=compute_settings(**settings))


def run_ph(text, **settings):
    return run_program("ph", input_text=text, handlers=ph_handlers("ph"), settings=compute_settings(**settings))


def handlers_of(run):
    return [correction.handler for correction in run.corrections]


def coupling():
    here = Path.cwd()
    mesh = read_dynamical_matrices(here, FILDYN)
    return np.concatenate([point.frequencies_mev for point in mesh]), direct_q_sum(mesh, read_elph(here)).coupling


@contextmanager
def killed_once(program, ready):
    """Kill a child with SIGKILL as soon as it is ready for it."""
    victims = []

    def watch():
        deadline = time.monotonic() + 30
        while not victims and time.monotonic() < deadline:
            for process in psutil.Process().children(recursive=True):
                if process.name() == program and ready():
                    process.kill()
                    victims.append(process.pid)
                    return
            time.sleep(0.002)

    thread = threading.Thread(target=watch)
    thread.start()
    yield victims
    thread.join()


def text_of(name):
    path = Path(name)
    return path.read_text(errors="replace") if path.is_file() else ""


@pytest.fixture(scope="module")
def fine_recipe(recipe):
    """Meshes on which lambda does not depend on the random start of the bands."""
    return recipe.model_copy(update={"k_mesh": (6, 6, 6), "k_mesh_dense": (12, 12, 12)})


@pytest.fixture(scope="module")
def prepared(aluminium, fine_recipe, tmp_path_factory):
    """Both self-consistent runs that ph.x starts from, once a module."""
    folder, before = tmp_path_factory.mktemp("scf"), Path.cwd()
    os.chdir(folder)
    for dense in (True, False):
        run_pw(scf(aluminium, fine_recipe, dense=dense), scratch_minimum_gb=0)
    os.chdir(before)
    return folder


@pytest.fixture(scope="module")
def undisturbed(prepared, fine_recipe, tmp_path_factory):
    """Frequencies and lambda of a run without trouble."""
    folder, before = tmp_path_factory.mktemp("undisturbed") / "run", Path.cwd()
    shutil.copytree(prepared, folder)
    os.chdir(folder)
    run_ph(ph_input(fine_recipe), scratch_minimum_gb=0)
    result = coupling()
    os.chdir(before)
    return result


@pytest.fixture
def phonon_folder(prepared):
    shutil.copytree(prepared, Path.cwd(), dirs_exist_ok=True)


def require_same(result, expected):
    frequencies, lambdas = result
    # the dynamical matrix holds squares: 0.2 meV^2 is 0.004 meV at 27 meV, 0.4 meV for the translations at Gamma
    assert np.abs(frequencies * np.abs(frequencies) - expected[0] * np.abs(expected[0])).max() < 0.2
    assert np.abs(lambdas / expected[1] - 1).max() < LAMBDA


def test_scf_that_does_not_converge_is_corrected_and_the_correction_kept(aluminium, recipe):
    clean = run_pw(scf(aluminium, recipe))
    energy = read_pw_xml(XML).energy_ev
    assert clean.corrections == ()
    shutil.rmtree("out")
    run = run_pw(edited(scf(aluminium, recipe), "electrons", electron_maxstep=2))
    assert [correction.errors for correction in run.corrections] == [("scf_not_converged",)]
    assert run.corrections[0].actions == (
        "electrons.mixing_beta: 0.7 -> 0.3",
        "electrons.electron_maxstep: 2 -> 200",
    )
    assert run.end.succeeded
    assert abs(read_pw_xml(XML).energy_ev - energy) < ENERGY_EV


@pytest.mark.usefixtures("phonon_folder")
def test_response_that_does_not_converge_is_corrected(fine_recipe, undisturbed):
    # with 1 % of mixing nine iterations do not suffice, with 30 % they do
    run = run_ph(edited(ph_input(fine_recipe), "inputph", alpha_mix__=0.01, niter_ph=9))
    assert handlers_of(run) == ["PhononConvergenceHandler"]
    assert run.corrections[0].actions[0] == "inputph.alpha_mix(1): 0.01 -> 0.3"
    require_same(coupling(), undisturbed)


def test_pw_that_is_killed_is_started_again(aluminium, recipe):
    busy = recipe.model_copy(update={"k_mesh": (12, 12, 12)})
    with killed_once("pw.x", lambda: "iteration #" in text_of("pw.out")) as victims:
        run = run_pw(scf(aluminium, busy))
    assert victims
    assert [(c.handler, c.actions) for c in run.corrections] == [("KilledHandler", ("started again",))]
    assert run.end.succeeded


@pytest.mark.usefixtures("phonon_folder")
def test_phonons_that_are_killed_go_on_at_the_first_unfinished_q(fine_recipe, undisturbed):
    with killed_once("ph.x", lambda: count_finished_q(Path.cwd(), FILDYN) == (2, 3)) as victims:
        run = run_ph(ph_input(fine_recipe))
    assert victims
    assert [(c.handler, c.actions) for c in run.corrections] == [("KilledHandler", ("inputph.start_q: default -> 3",))]
    require_same(coupling(), undisturbed)


SHARES = (0.7, 0.5, 0.35)  # of the time of an undisturbed run: the next one if the machine was faster than before


@pytest.mark.usefixtures("phonon_folder")
def test_phonons_stopped_by_the_clock_go_on_at_the_first_unfinished_q(fine_recipe, undisturbed):
    run = run_ph(ph_input(fine_recipe))
    seconds = run.end.wall_seconds
    for share in SHARES:
        discard_phonons(Path.cwd())
        run = run_ph(ph_input(fine_recipe, max_seconds=share * seconds))
        if run.corrections:
            break
    assert set(handlers_of(run)) == {"WalltimeHandler"}
    assert all("start_q" in action for correction in run.corrections for action in correction.actions)
    require_same(coupling(), undisturbed)


@pytest.mark.usefixtures("phonon_folder")
def test_phonons_that_cannot_finish_one_q_in_their_time_end_with_advice(fine_recipe):
    with pytest.raises(ProgramFailedError, match=r"max_seconds had passed: give the job more time"):
        run_ph(ph_input(fine_recipe, max_seconds=0.12))


def test_pw_stopped_by_the_clock_continues_to_the_same_energy(aluminium, recipe):
    busy = recipe.model_copy(update={"k_mesh": (12, 12, 12)})
    clean = run_pw(scf(aluminium, busy))
    energy = read_pw_xml(XML).energy_ev
    seconds = clean.end.wall_seconds
    for share in SHARES:
        shutil.rmtree("out")
        try:
            run = run_pw(scf(aluminium, busy, max_seconds=share * seconds))
        except ProgramFailedError:
            # so much slower than before that three continuations were too few
            continue
        if run.corrections:
            break
    assert set(handlers_of(run)) == {"WalltimeHandler"}
    assert abs(read_pw_xml(XML).energy_ev - energy) < ENERGY_EV


def test_relaxation_that_cannot_finish_in_its_time_ends_with_advice(aluminium, recipe):
    compressed = aluminium.copy()
    compressed.scale_lattice(0.9 * aluminium.volume)
    busy = recipe.model_copy(update={"k_mesh": (12, 12, 12)})
    with pytest.raises(ProgramFailedError, match=r"HIGHTC_WALLTIME_SECONDS"):
        run_pw(scf(compressed, busy, calculation="vc-relax", max_seconds=0.12))


@pytest.fixture
def family(tmp_path):
    """A family with aluminium alone."""
    folder = tmp_path / "family"
    folder.mkdir()
    shutil.copy(DEBIAN_DIRECTORY / "Al.pz-vbc.UPF", folder)
    return folder


def test_missing_pseudopotential_is_refused_though_pw_would_take_another_from_elsewhere(aluminium, recipe, family):
    (family / "Al.pz-vbc.UPF").unlink()
    with pytest.raises(PseudopotentialError, match=rf"Al: no file {family}/Al\.pz-vbc\.UPF: install the same family"):
        require_unchanged(family, recipe.pseudopotentials)
    # Debian's pw.x falls back to its own folder without a word, hence the check before it
    if DEBIAN_DIRECTORY.is_dir():
        run_pw(scf(aluminium, recipe, pseudo_dir=family))


def test_pseudopotential_that_is_nowhere_ends_at_once_with_file_and_advice(aluminium, recipe, family):
    text = scf(aluminium, recipe, pseudo_dir=family).replace("Al.pz-vbc.UPF", "Al.nowhere.UPF")
    with pytest.raises(ProgramFailedError, match=r"Al\.nowhere\.UPF not found: hightc doctor lists the families"):
        run_pw(text)
    assert len(json.loads(text_of("custodian.json"))[0]["corrections"]) == 1


def test_cut_pseudopotential_is_refused_by_checksum_and_by_pw(aluminium, recipe, family):
    path = family / "Al.pz-vbc.UPF"
    path.write_bytes(path.read_bytes()[:20000])
    with pytest.raises(PseudopotentialError, match="the file changed since the campaign was submitted"):
        require_unchanged(family, recipe.pseudopotentials)
    with pytest.raises(ProgramFailedError, match=r"pw\.x failed in"):
        run_pw(scf(aluminium, recipe, pseudo_dir=family))


def test_pseudopotential_of_another_element_is_refused(recipe, family):
    shutil.copy(DEBIAN_DIRECTORY / "Si.pz-vbc.UPF", family / "Al.pz-vbc.UPF")
    with pytest.raises(PseudopotentialError, match="is for Si: name a file of Al"):
        select_pseudopotentials(family, ["Al"], {"Al": "Al.pz-vbc.UPF"})
    with pytest.raises(PseudopotentialError, match="the file changed"):
        require_unchanged(family, recipe.pseudopotentials)


def test_unchanged_pseudopotential_passes(recipe, family):
    require_unchanged(family, recipe.pseudopotentials)
    assert identify(read_upf_header(family / "Al.pz-vbc.UPF")) == recipe.pseudopotentials[0]


@pytest.fixture
def small_disk(tmp_path, monkeypatch):
    """A file system of 600 kB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("this machine does not let root mount a file system")
    monkeypatch.chdir(folder)
    yield folder
    monkeypatch.undo()
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_small_disk_is_refused_before_anything_starts(small_disk):
    with pytest.raises(ScratchError, match=rf"scratch {small_disk}: expected at least 1 GB free, found 0\.000\d+ GB"):
        require_free_space(small_disk, 1.0)


@pytest.mark.usefixtures("small_disk")
def test_disk_that_fills_during_a_run_is_reported_as_such_at_once(aluminium, recipe):
    # custodian's log may find no room either
    errors = (ProgramFailedError, ScratchError)
    with pytest.raises(errors, match=r"no space is left on the device.*: free space in the scratch folder"):
        run_pw(scf(aluminium, recipe.model_copy(update={"k_mesh": (8, 8, 8)})))


@pytest.mark.skipif(shutil.which("mpirun") is None, reason="needs mpirun")
def test_two_processes_agree_with_one(aluminium, recipe):
    one = run_pw(scf(aluminium, recipe))
    energy = read_pw_xml(XML).energy_ev
    shutil.rmtree("out")
    two = run_pw(scf(aluminium, recipe), processes=2)
    assert (one.end.n_processes, two.end.n_processes) == (1, 2)
    assert abs(read_pw_xml(XML).energy_ev - energy) < ENERGY_EV


WORKER = """
import sys
from pathlib import Path
from hightc.makers.execution import run_program
from hightc.makers.settings import compute_settings
run_program("pw", input_text=Path("long.in").read_text(), handlers=[],
            settings=compute_settings(processes=int(sys.argv[1]), scratch_minimum_gb=0))
"""


def programs_of(folder):
    """Processes that were started for a folder."""
    return [
        process
        for process in psutil.process_iter(["environ", "status"])
        if (process.info["environ"] or {}).get(FOLDER_VARIABLE) == str(folder) and process.info["status"] != "zombie"
    ]


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv of util-linux")
@pytest.mark.parametrize("processes", [1, 2])
def test_program_dies_with_the_worker_that_started_it(aluminium, recipe, processes):
    if processes > 1 and shutil.which("mpirun") is None:
        pytest.skip("needs mpirun")
    folder = Path.cwd()
    long = recipe.model_copy(update={"k_mesh": (24, 24, 24), "ecutwfc_ry": 60.0, "ecutrho_ry": 240.0})
    Path("long.in").write_text(scf(aluminium, long))
    worker = subprocess.Popen([sys.executable, "-c", WORKER, str(processes)])
    try:
        running = wait_until(
            lambda: (
                sum(process.name() == "pw.x" for process in programs_of(folder)) == processes
                and "iteration #" in text_of("pw.out")
            ),
            30,
        )
        assert running
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    assert wait_until(lambda: not programs_of(folder), 5)
