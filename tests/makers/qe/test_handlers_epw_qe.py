"""A whole chain of epw.x in seconds, and what it says of each file that is gone."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from hightc.makers.errors import ProgramFailedError
from hightc.makers.execution import run_program
from hightc.makers.qe.handlers import epw_handlers
from hightc.makers.qe.pseudopotentials import DEBIAN_DIRECTORY
from hightc.makers.settings import compute_settings

pytestmark = [pytest.mark.qe, pytest.mark.skipif(shutil.which("epw.x") is None, reason="needs epw.x")]

DATA = Path(__file__).parents[2] / "data" / "epw"
INPUTS = {step: DATA / "epw_files" / f"{name}.in" for step, name in (("gap", "no_egnv"),)} | {
    step: DATA / "epw_files" / f"{step}.in" for step in ("wan", "coarse", "fine")
}
STEPS = ("wan", "coarse", "fine")


def call(program, text, folder):
    (folder / f"{program}.in").write_text(text)
    subprocess.run([f"{program}.x", "-in", f"{program}.in"], cwd=folder, capture_output=True, check=True)


def uniform_mesh(n):
    """Input of pw.x for the bands on n x n x n points."""
    head = (DATA / "wannier_frozen_window" / "nscf.in").read_text().partition("K_POINTS")[0]
    points = [(i / n, j / n, k / n) for i in range(n) for j in range(n) for k in range(n)]
    lines = [f"{x:.10f} {y:.10f} {z:.10f} {1 / n**3:.10f}" for x, y, z in points]
    return head + "\n".join(["K_POINTS crystal", str(len(points)), *lines, ""])


@pytest.fixture(scope="module")
def phonons(tmp_path_factory):
    """Phonons of fcc Al on 2x2x2 q points and bands for 2x2x2 k points."""
    folder = tmp_path_factory.mktemp("phonons")
    (folder / "pseudo").symlink_to(DEBIAN_DIRECTORY)
    scf = (DATA / "wannier_frozen_window" / "scf.in").read_text()
    call("pw", scf.replace("outdir='./'", "outdir='./ph'"), folder)
    call("ph", (DATA / "epw_files" / "ph.in").read_text(), folder)
    save, responses = folder / "save", folder / "ph" / "_ph0"
    shutil.copytree(responses / "al.phsave", save / "al.phsave")
    for number in (1, 2, 3):
        place = responses if number == 1 else responses / f"al.q_{number}"
        shutil.copy(folder / f"al.dyn{number}", save / f"al.dyn_q{number}")
        shutil.copy(place / "al.dvscf1", save / f"al.dvscf_q{number}")
    shutil.rmtree(folder / "ph")
    call("pw", scf, folder)
    call("pw", uniform_mesh(2), folder)
    return folder


@pytest.fixture(scope="module")
def chain(phonons, tmp_path_factory):
    """Folders before each step of epw.x, by its name."""
    found, folder = {}, phonons
    for step in (*STEPS, "gap"):
        found[step] = tmp_path_factory.mktemp(step) / "here"
        shutil.copytree(folder, found[step], symlinks=True)
        if step in STEPS:
            folder = tmp_path_factory.mktemp(f"{step}-done") / "here"
            shutil.copytree(found[step], folder, symlinks=True)
            call("epw", INPUTS[step].read_text(), folder)
    return found


def run(text):
    return run_program("epw", input_text=text, handlers=epw_handlers("epw"), settings=compute_settings())


def test_chain_with_all_its_files_needs_no_correction(chain):
    shutil.copytree(chain["fine"], Path.cwd(), dirs_exist_ok=True, symlinks=True)
    assert run(INPUTS["fine"].read_text()).corrections == ()


@pytest.mark.parametrize(
    ("step", "gone", "reason"),
    [
        ("coarse", "save/al.phsave", "Problem with modes file"),
        ("coarse", "save/al.dyn_q2", "Expected a file named"),
        ("coarse", "save/al.dvscf_q2", "error opening ./save/al.dvscf_q2"),
        ("coarse", "al.save/wfc*.dat", "cannot open restart file ./al.save/wfc1 for reading"),
        ("coarse", "al.save", "fatal error reading xml file"),
        ("fine", "al.ukk", "error opening ukk file"),
        ("fine", "crystal.fmt", "error opening crystal.fmt"),
        ("fine", "epwdata.fmt", "error opening epwdata.fmt"),
        ("fine", "dmedata.fmt", "error opening dmedata.fmt"),
        ("fine", "al.epmatwp", "error in MPI_FILE_OPEN"),
        ("gap", "al.ephmat", "error opening file ./al.ephmat/freq"),
    ],
)
def test_file_that_is_gone_ends_at_once_with_advice(chain, step, gone, reason):
    leave_out(chain[step], gone)
    with pytest.raises(ProgramFailedError, match=f"{reason}.*a folder was cleaned between two steps"):
        run(INPUTS[step].read_text())


@pytest.mark.parametrize("gone", ["al.ephmat/egnv", "al.ephmat/freq", "selecq.fmt"])
def test_file_that_the_fortran_library_misses_is_told_and_not_taken_for_a_kill(chain, gone):
    leave_out(chain["gap"], gone)
    with pytest.raises(ProgramFailedError, match=r"Fortran runtime error.*stderr names the file or the reader"):
        run(INPUTS["gap"].read_text())


def test_bands_on_a_mesh_that_the_q_points_do_not_divide_end_with_advice(phonons):
    shutil.copytree(phonons, Path.cwd(), dirs_exist_ok=True, symlinks=True)
    call("pw", (DATA / "wannier_frozen_window" / "scf.in").read_text(), Path.cwd())
    call("pw", uniform_mesh(3), Path.cwd())
    with pytest.raises(ProgramFailedError, match=r"q-vec not commensurate: run pw.x \(nscf\) on the mesh"):
        run((DATA / "q_mesh_not_commensurate" / "epw.in").read_text())


def leave_out(source, gone):
    """Copy a folder here without some of its files."""
    shutil.copytree(source, Path.cwd(), dirs_exist_ok=True, symlinks=True)
    found = list(Path.cwd().glob(gone))
    assert found
    for path in found:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
