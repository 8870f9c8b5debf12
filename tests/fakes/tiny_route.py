"""A way to a Tc whose steps take milliseconds and answer what a file of the material's folder says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fakes.report_results import make_structure
from fakes.route_results import make_wannier
from fakes.stored_documents import PROVENANCE, make_scf, make_tc, temperature, with_cut_bands
from fakes.tiny_campaign import NAME, TinyRun, tiny_campaign
from jobflow import Job, Maker, Response, job
from pymatgen.core import Structure

from hightc.analysis.documents import Document, Gate, MaterialTag, PhononDocument
from hightc.analysis.documents.decision import Stage
from hightc.analysis.funnel_rules import Funnel
from hightc.launch.campaign import Material
from hightc.launch.dispatch import Submission, schedule
from hightc.makers.errors import ProgramFailedError
from hightc.makers.gates import metal_gate, respond
from hightc.makers.qe.wannier_recipe import make_wannier_recipe
from hightc.makers.tc import DEFAULT_MU_STAR
from hightc.workflows.screening import ScreeningFlowMaker

NUMBERS = {"gap_ev": 0.0, "lowest_mev": 1.0, "tc_kelvin": 10.0, "fails": None}
"""What the steps answer unless a material's file says otherwise; ``fails`` names a step."""


def told(tag: MaterialTag, step: str) -> dict[str, Any]:
    """Numbers of a material; raises where this step is to fail."""
    path = Path.cwd().parent / "numbers.json"
    found = {**NUMBERS, **(json.loads(path.read_text()) if path.is_file() else {})}
    if found["fails"] == step:
        msg = f"{path}: step {step} of {tag.material} has died"
        raise ProgramFailedError(msg)
    with (Path.cwd().parent / "ran").open("a") as stream:
        stream.write(f"{step}\n")
    return found


def own(document: Document, tag: MaterialTag, **changes: Any) -> Document:
    return document.model_copy(update={"campaign": tag.campaign, "material": tag.material, **changes})


@job
def relax(tag: MaterialTag) -> Response[Any]:
    gap = told(tag, "relax")["gap_ev"]
    return respond(own(make_structure(tag.material, gap, gates=(metal_gate(0.0 if gap < 1 else gap),)), tag))


@job
def dense(structure: Document) -> Document:
    gap = told(structure.tag, "dense")["gap_ev"]
    return own(with_cut_bands(make_scf("x"), Path.cwd()), structure.tag, band_gap_ev=gap)


@job
def scf(structure: Document, electrons: Document) -> Document:
    told(structure.tag, "scf")
    return own(electrons, structure.tag, purpose="coarse")


@job
def phonon(start: Document) -> Response[Any]:
    lowest = told(start.tag, "phonon")["lowest_mev"]
    document = PhononDocument(
        **start.model_dump(include={"campaign", "material", "formula", "elements"}),
        structure=start.structure,
        q_mesh=(2, 2, 2),
        interpolation_mesh=(4, 4, 4),
        omega_mev=(1.0, 20.0),
        dos_per_mev=(1.0, 2.0),
        lowest_frequency_mev=lowest,
        lowest_frequency_q=(0.5, 0.0, 0.0),
        stability="stable" if lowest > -1 else "unstable",
        protocol="draft",
        gates=(
            Gate(
                name="stable", passed=lowest > -1, value=lowest, threshold=-1.0, unit="meV", message=f"lowest: {lowest}"
            ),
        ),
        provenance=PROVENANCE,
    )
    return respond(document)


@job
def tc(start: Document, electrons: Document, route: str) -> Document:
    kelvin = told(start.tag, f"tc {route}")["tc_kelvin"]
    assert electrons.purpose == "dense"
    entries = [temperature("allen_dynes", mu_star, kelvin, kelvin) for mu_star in DEFAULT_MU_STAR]
    return own(make_tc("x", kelvin, *entries), start.tag, route=route)


@job
def wannier(start: Document) -> Document:
    told(start.tag, "wannier")
    return own(make_wannier(), start.tag)


@dataclass
class TinyRoute(Maker):
    """Has the stages of a real route."""

    name: str = "tiny route"
    to_wannier: bool = False
    recipe: None = None

    @property
    def later_stages(self) -> tuple[Stage, ...]:
        return ("phonons", "alpha2f", "wannier") if self.to_wannier else ("phonons", "alpha2f")

    def electrons(self, structure: Structure, tag: MaterialTag) -> dict[str, Job]:
        first = relax(tag)
        return {"relax": first, "dense": _named(dense(first.output), "scf dense")}

    def jobs_of(self, stage: Stage, done: Mapping[str, Any]) -> dict[str, Job]:
        if stage == "phonons":
            start = scf(done["relax"], done["dense"])
            return {"scf": start, "phonon": phonon(start.output)}
        if stage == "alpha2f":
            return {"tc": _named(tc(done["phonon"], done["dense"], "linear_response"), "Tc")}
        functions = wannier(done["scf"])
        last = tc(functions.output, done["dense"], "wannier")
        return {"wannier": functions, "tc wannier": _named(last, "Tc wannier")}


def _named(made: Job, name: str) -> Job:
    made.name = name
    return made


@dataclass(frozen=True)
class TinyScreening:
    """Submits materials with a funnel, and runs them."""

    run: TinyRun
    funnel: Funnel
    to_wannier: bool = False

    def submit(self, label: str, key: str | None = None, **numbers: Any) -> Submission:
        """Put the electrons of a material and their gate into the LaunchPad, whose steps answer some numbers."""
        material = tiny_campaign(self.run.directory, self.run.settings).materials[0]
        tag = MaterialTag(campaign=NAME, material=label)
        functions = make_wannier_recipe(
            material.structure, material.recipe, {"fine_q_meshes": ((8, 8, 8), (12, 12, 12))}
        )
        material = replace(
            material,
            tag=tag,
            key=key or f"{label:0>6}",
            funnel=self.funnel,
            wannier=functions if self.to_wannier else None,
        )
        self.answer(material, **numbers)
        maker = ScreeningFlowMaker(funnel=self.funnel, route=TinyRoute(to_wannier=self.to_wannier))
        later = list(maker.to_come(material.structure, tag))
        flow = maker.make(material.structure, tag)
        workflow = schedule(flow, material, self.run.directory, to_come=later)
        ids = self.run.database.launchpad.add_wf(workflow).values()
        return Submission(material, tuple(sorted(ids, reverse=True)), reused=False)

    def answer(self, material: Material, **numbers: Any) -> None:
        """Let the steps of a material answer other numbers from now on."""
        folder = self.run.directory / material.folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "numbers.json").write_text(json.dumps(numbers))

    def ran(self, material: Material) -> list[str]:
        """Steps of a material that ran, in order."""
        return (self.run.directory / material.folder / "ran").read_text().split("\n")[:-1]
