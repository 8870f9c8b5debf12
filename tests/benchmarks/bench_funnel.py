"""What ``hightc funnel`` takes: ``python tests/benchmarks/bench_funnel.py --materials 500 2000 8000``.

Synthetic materials in an embedded server of its own: half of them have a Tc with phonons and a spectrum as large as
those of the protocol screen, the others were stopped by a gate behind the electrons, failed, or are under way.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from fakes.report_results import make_structure
from fakes.stored_documents import make_scf, make_tc, with_cut_bands

from hightc.analysis.documents import Document, GateDecisionDocument, ScfDocument, StructureDocument, TcSensitivity
from hightc.analysis.funnel_rules import Funnel, FunnelGate, parse_rule
from hightc.launch import embedded_mongo
from hightc.launch.funnel import read_funnel
from hightc.launch.store import OUTPUTS, Database
from hightc.makers.funnel_decision import decide

GATE = FunnelGate(name="gap", after="electrons", require=(parse_rule("band_gap_ev < 0.5", "electrons"),))
FUNNEL = Funnel(gates=(GATE,))
POINTS = 1000
"""Points of a phonon density of states and of a spectrum."""

STEPS = ("relax", "scf dense", "electrons gate", "scf", "ph.x electron-phonon", "q2r.x", "matdyn.x", "alpha2F", "Tc")
FATES = ("tc", "stopped", "tc", "stopped", "tc", "stopped", "tc", "stopped", "tc", "failed", "tc", "under way")
A_BATCH = 200


def stored(label: str, kind: str, document: dict[str, Any]) -> dict[str, Any]:
    """A document as jobflow stores it."""
    output = {**document, "kind": kind, "material": label, "campaign": "bench"}
    return {"uuid": f"{label} {kind}", "index": 1, "completed_at": "2026-01-01T00:00:00", "output": output}


def documents(label: str, fate: str, parts: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """What a material of one fate has stored."""
    if fate == "under way":
        return []
    kinds = {"failed": ("structure",), "stopped": ("structure", "scf", "stopped")}
    chosen = kinds.get(fate, ("structure", "scf", "carried_on", "coupling", "phonon", "alpha2f", "tc"))
    return [stored(label, "decision" if kind in ("stopped", "carried_on") else kind, parts[kind]) for kind in chosen]


def parts() -> dict[str, dict[str, Any]]:
    """Documents by kind, both decisions among them."""

    def dumped(document: Document) -> dict[str, Any]:
        return document.model_dump(mode="json", exclude={"structure", "initial_structure"})

    numbers = [0.1 * number for number in range(POINTS)]
    structure, dense = make_structure("Po"), make_scf("Po")
    wide = dense.model_copy(update={"band_gap_ev": 1.0})
    sensitivity = TcSensitivity(
        mu_star=0.1,
        convention="-",
        dtc_dalpha2f_kelvin_per_mev=tuple(numbers),
        isotope_coefficient=0.5,
        dtc_dmu_star_kelvin=-1.0,
        reason=None,
    )
    stable = {"gates": [{"name": "stable", "passed": True, "message": "stable"}]}
    return {
        "structure": dumped(structure),
        "scf": dumped(dense),
        "carried_on": dumped(decided(structure, dense)),
        "stopped": dumped(decided(structure, wide)),
        "coupling": {**stable, "q_points": [numbers[:300]] * 20},
        "phonon": {**stable, "omega_mev": numbers, "dos_per_mev": numbers},
        "alpha2f": {"gates": [], "route": "linear_response", "omega_mev": numbers, "alpha2f": [numbers] * 10},
        "tc": dumped(make_tc("Po", 5.0).model_copy(update={"sensitivity": sensitivity, "route": "linear_response"})),
    }


def decided(structure: StructureDocument, dense: ScfDocument) -> GateDecisionDocument:
    """What the gate behind the electrons says."""
    with tempfile.TemporaryDirectory() as folder:
        return decide(FUNNEL, "electrons", {"relax": structure, "dense": with_cut_bands(dense, Path(folder))})


def workflow(label: str, fate: str, first: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Workflow and fireworks of a material, as FireWorks stores them."""
    states = {
        "tc": ["COMPLETED"] * 9,
        "stopped": ["COMPLETED"] * 3,
        "failed": ["COMPLETED", "FIZZLED", "WAITING"],
        "under way": ["READY", "WAITING", "WAITING"],
    }[fate]
    ids = list(range(first, first + len(states)))
    names = {"campaign": "bench", "material": label, "study": "electron_phonon"}
    fireworks = [
        {"fw_id": fw_id, "name": f"{label} {step}", "state": state, "launches": [], "spec": {**names, "_tasks": []}}
        for fw_id, step, state in zip(ids, STEPS, states, strict=False)
    ]
    overall = {"tc": "COMPLETED", "stopped": "COMPLETED", "failed": "FIZZLED", "under way": "READY"}[fate]
    links = {str(fw_id): [fw_id + 1] for fw_id in ids[:-1]}
    metadata = {"campaign": "bench", "material": label, "key": label, "funnel": FUNNEL.summary}
    found = {"nodes": ids, "links": links, "state": overall, "name": label, "metadata": metadata}
    return {**found, "fw_states": {str(fw_id): state for fw_id, state in zip(ids, states, strict=True)}}, fireworks


def fill(database: Database, n_materials: int) -> None:
    """Store so many materials."""
    known, collections, first = parts(), database.collections, 1
    for start in range(0, n_materials, A_BATCH):
        workflows, fireworks, outputs = [], [], []
        for number in range(start, min(start + A_BATCH, n_materials)):
            label, fate = f"M{number:05d}", FATES[number % len(FATES)]
            one, steps = workflow(label, fate, first)
            first += len(steps)
            workflows.append(one)
            fireworks += steps
            outputs += documents(label, fate, known)
        collections["workflows"].insert_many(workflows)
        collections["fireworks"].insert_many(fireworks)
        collections[OUTPUTS].insert_many(outputs)


def main() -> None:
    """Measure each number of materials in a database of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--materials", type=int, nargs="+", default=[500, 2000])
    for n_materials in parser.parse_args().materials:
        with tempfile.TemporaryDirectory() as folder:
            uri = embedded_mongo.start(Path(folder) / "mongo")
            database = Database(uri=uri, name="hightc", embedded=True)
            try:
                database.prepare()
                fill(database, n_materials)
                times = []
                for _ in range(3):
                    begin = time.perf_counter()
                    funnel = read_funnel(database, "bench")
                    times.append(time.perf_counter() - begin)
            finally:
                database.close()
                embedded_mongo.stop(Path(folder) / "mongo")
        reached = {step.name: (step.reached, step.stopped, step.failed) for step in funnel.steps}
        print(f"{n_materials} materials: {min(times):.2f} s; reached, stopped, failed: {reached}", flush=True)


if __name__ == "__main__":
    main()
