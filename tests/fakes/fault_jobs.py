"""Jobs that show what a fault costs: chains whose documents hold what came before, and a run that is taken over."""

from __future__ import annotations

import subprocess
from pathlib import Path

from jobflow import Job, job
from pymatgen.core import Lattice, Structure

from hightc.analysis.documents import Pseudopotential
from hightc.makers.base import QEMaker
from hightc.makers.content_key import Calculation
from hightc.makers.execution import ProgramRun, run_program
from hightc.makers.qe.handlers import pw_handlers
from hightc.makers.qe.recipe import make_recipe

TEXT = "&CONTROL\n   outdir = './out'\n/\n&SYSTEM\n   ecutwfc = 16\n/\n&ELECTRONS\n/\nK_POINTS gamma\n"
SCF = Calculation("pw", TEXT, outputs=("out/x.save",))


@job
def link(label: str, number: int, before: list[int], seconds: float = 0.0) -> dict[str, object]:
    """Add a number to those of the links before, after a program has run for some time in its own process."""
    with Path("ran").open("a") as stream:
        stream.write("once\n")
    if seconds:
        subprocess.run(["sleep", str(seconds)], check=True)
    return {"label": label, "number": number, "chain": [*before, number]}


def chain(label: str, length: int, seconds: float = 0.0) -> list[Job]:
    """Links each of which needs the document of the one before."""
    jobs: list[Job] = []
    for number in range(length):
        before = jobs[-1].output["chain"] if jobs else []
        jobs.append(link(label, number, before, seconds))
    return jobs


@job
def compute() -> str | None:
    """Run pw.x as a maker does, taking over what has finished; the key of the run."""
    file = Pseudopotential(element="Al", filename="Al.upf", sha256="0" * 64)
    recipe = make_recipe(
        Structure(Lattice.cubic(4.05), ["Al"], [[0, 0, 0]]),
        protocol="draft",
        family="mine",
        pseudopotentials=(file,),
        suggested_ecutwfc_ry=16.0,
        norm_conserving=True,
        overrides={},
    )
    maker = QEMaker(recipe=recipe)

    def start() -> ProgramRun:
        run = run_program("pw", input_text=TEXT, handlers=pw_handlers("pw"), settings=maker.settings())
        density = Path("out/x.save/charge-density.dat")
        density.parent.mkdir(parents=True, exist_ok=True)
        density.write_text("density")
        return run

    return maker.run(SCF, start).content_sha256
