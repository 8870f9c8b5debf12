"""A database of a campaign with thousands of materials, written without running anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hightc.analysis.documents import CriticalTemperature, TcDocument
from hightc.launch.store import OUTPUTS, Database
from hightc.launch.stored_form import stored_form

CAMPAIGN, SMALL = "large", "small"
STEPS = 10
ELEMENTS = ("Al", "Cu", "Nb", "Pb", "V", "Ta", "Mo", "Re", "Sn", "Mg")
NOW = datetime.now(UTC)
TASK = {"_fw_name": "{{fireworks.user_objects.firetasks.script_task.ScriptTask}}", "script": ["true"]}


def fill_steps(database: Database, n_steps: int) -> None:
    """Fireworks with launches and workflows: one in 100 failed, one in 1000 running, one in 10 ready, half waiting."""
    launchpad = database.launchpad
    fireworks, launches, workflows = [], [], []
    for number in range(1, n_steps + 1):
        state = _state(number)
        launched = state not in ("READY", "WAITING")
        campaign = SMALL if number <= 5 * STEPS else CAMPAIGN
        material = f"M{(number - 1) // STEPS:05d}"
        fireworks.append(
            {
                "fw_id": number,
                "name": f"{material} step {number % STEPS}",
                "state": state,
                "created_on": NOW.isoformat(),
                "updated_on": NOW.isoformat(),
                "launches": [number] if launched else [],
                "archived_launches": [],
                "spec": {
                    "_tasks": [TASK],
                    "_priority": number % STEPS,
                    "campaign": campaign,
                    "material": material,
                },
            }
        )
        if launched:
            launches.append(_launch(number, state))
        if number % STEPS == 0:
            nodes = list(range(number - STEPS + 1, number + 1))
            workflows.append(_workflow(nodes, campaign, material))
    for collection, documents in (
        (launchpad.fireworks, fireworks),
        (launchpad.launches, launches),
        (launchpad.workflows, workflows),
    ):
        for part in _parts(documents):
            collection.insert_many(part, ordered=False)
    launchpad.fw_id_assigner.update_one({}, {"$set": {"next_fw_id": n_steps + 1, "next_launch_id": n_steps + 1}})


def _state(number: int) -> str:
    if number % 1000 == 1:
        return "RUNNING"
    if number % 100 == 2:
        return "FIZZLED"
    return "READY" if number % 10 == 3 else "WAITING" if number % 10 > 5 else "COMPLETED"


def _launch(number: int, state: str) -> dict[str, Any]:
    began = NOW - timedelta(seconds=number)
    history = [{"state": "RUNNING", "created_on": began.isoformat(), "updated_on": NOW.isoformat()}]
    error = {"stored_data": {"_exception": {"_stacktrace": f"ValueError: cause {number % 3}"}}}
    return {
        "launch_id": number,
        "fw_id": number,
        "state": state,
        "launch_dir": "/nowhere",
        "fworker": {"name": "elsewhere:0"},
        "host": "elsewhere",
        "state_history": history,
        "time_start": began.isoformat(),
        "time_end": NOW.isoformat() if state == "COMPLETED" else None,
        "action": error if state == "FIZZLED" else None,
    }


def _workflow(nodes: list[int], campaign: str, material: str) -> dict[str, Any]:
    return {
        "nodes": nodes,
        "links": {str(node): [node + 1] for node in nodes[:-1]} | {str(nodes[-1]): []},
        "parent_links": {str(node): [node - 1] for node in nodes[1:]},
        "name": material,
        "state": "RUNNING",
        "fw_states": {str(node): _state(node) for node in nodes},
        "metadata": {"campaign": campaign, "material": material, "key": f"{campaign}-{material}"},
        "created_on": NOW,
        "updated_on": NOW,
    }


def fill_outputs(database: Database, n_materials: int, kinds: Sequence[str] = ("tc", "alpha2f")) -> None:
    """Documents of materials, five of them of a small campaign: lambda rises from 0 to 2, Tc from 0 to 20 K."""
    form = stored_form(_tc())
    documents = []
    for number in range(n_materials):
        campaign, formula = SMALL if number < 5 else CAMPAIGN, f"{ELEMENTS[number % 10]}{1 + number // 10}H"
        share = number / n_materials
        own = {
            "campaign": campaign,
            "material": f"M{number:05d}",
            "formula": formula,
            "elements": [ELEMENTS[number % 10], "H"],
            "lambda_": 2 * share,
            "omega_log_mev": 5 + share,
        }
        entries = [
            {**form["critical_temperatures"][0], "mu_star": mu_star, "tc_kelvin": kelvin}
            for mu_star, kelvin in ((0.10, 20 * share), (0.13, 18 * share))
        ]
        for kind in kinds:
            output = (
                {**form, **own, "kind": kind, "critical_temperatures": entries}
                if kind == "tc"
                else {
                    **own,
                    "kind": kind,
                }
            )
            completed = (NOW - timedelta(seconds=number)).isoformat()
            documents.append(
                {"uuid": f"{kind}-{number}", "index": 1, "name": kind, "completed_at": completed, "output": output}
            )
    for part in _parts(documents):
        database.collections[OUTPUTS].insert_many(part, ordered=False)


def _tc() -> TcDocument:
    entry = CriticalTemperature(
        method="allen_dynes", mu_star=0.1, status="found", tc_kelvin=1.0, low_kelvin=None, high_kelvin=None
    )
    return TcDocument(
        campaign=CAMPAIGN,
        material="M",
        formula="AlH",
        elements=("Al", "H"),
        lambda_=1.0,
        omega_log_mev=5.0,
        omega_2_mev=6.0,
        smearing_ev=0.2,
        plateau_smearing_ev=(),
        lambda_low=1.0,
        lambda_high=1.0,
        mu_star_reference="omega_2",
        mu_star_reference_mev=6.0,
        critical_temperatures=(entry,),
        alpha2f_sha256="0",
    )


def _parts(documents: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(documents), 1000):
        yield documents[start : start + 1000]
