"""A program that the clock of a queue's job stopped, and that the next job continues."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from hightc.analysis.parsers.pw import read_pw_xml
from hightc.makers.errors import OUT_OF_TIME, OutOfTimeError
from hightc.makers.execution import run_program
from hightc.makers.job_clock import ENDS_VARIABLE, LEAST_SECONDS
from hightc.makers.qe.handlers import pw_handlers
from hightc.makers.qe.inputs import pw_input, read_namelists
from hightc.makers.qe.pseudopotentials import DEBIAN_DIRECTORY
from hightc.makers.relax import XML
from hightc.makers.settings import compute_settings

pytestmark = pytest.mark.qe

ENERGY_EV = 1e-5  # ten times conv_thr of the draft protocol, 1e-7 Ry
SHARES = (0.6, 0.4, 0.25)  # of the time of an undisturbed run: the next one if the machine was faster than before


def run(structure, recipe, *, max_seconds=None, processes=1):
    text = pw_input(
        structure, recipe, calculation="scf", dense=False, pseudo_dir=DEBIAN_DIRECTORY, max_seconds=max_seconds
    )
    settings = compute_settings(processes=processes)
    return run_program("pw", input_text=text, handlers=pw_handlers("pw"), settings=settings)


def iterations():
    return Path("pw.out").read_text().count("total cpu time spent up to now")


def stop(structure, recipe, seconds, monkeypatch):
    """A run that stops because the job of the queue ends; how it is told."""
    for share in SHARES:
        shutil.rmtree("out", ignore_errors=True)
        with monkeypatch.context() as job:
            job.setenv(ENDS_VARIABLE, str(time.time() + LEAST_SECONDS - 1))
            try:
                run(structure, recipe, max_seconds=share * seconds)
            except OutOfTimeError as error:
                return error
    return None


@pytest.mark.parametrize("processes", [1, 2])
def test_next_job_goes_on_from_a_clean_stop_in_as_many_processes(aluminium, recipe, monkeypatch, processes):
    busy = recipe.model_copy(update={"k_mesh": (14, 14, 14)})
    seconds = run(aluminium, busy).end.wall_seconds
    energy, all_iterations = read_pw_xml(XML).energy_ev, iterations()
    stopped = stop(aluminium, busy, seconds, monkeypatch)
    assert stopped is not None
    assert stopped.codes == ("walltime",)
    assert stopped.to_dict() == {OUT_OF_TIME: True}
    if processes == 2 and shutil.which("mpirun") is None:
        pytest.skip("needs mpirun")
    continued = run(aluminium, busy, max_seconds=3600.0, processes=processes)
    assert continued.end.succeeded
    assert continued.corrections == ()
    continues = read_namelists(Path("pw.in"))["control"].get("restart_mode") == "restart"
    # pw.x with other pools than those of the run that stopped would wait for ever
    assert continues == (processes == 1)
    assert (iterations() < all_iterations) == continues
    assert abs(read_pw_xml(XML).energy_ev - energy) < ENERGY_EV
