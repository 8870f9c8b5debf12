"""Materials of a submitted campaign that look finished, with documents as large as real ones, without running any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from fakes.report_results import MU_STAR, STRUCTURE, make_alpha2f, make_provenance, make_structure

from hightc.analysis.documents import CriticalTemperature, Document, PhononDocument, TcDocument, TcSensitivity
from hightc.launch.bulk_launchpad import batches, find_among
from hightc.launch.dispatch import Submission
from hightc.launch.store import OUTPUTS, Database
from hightc.launch.stored_form import stored_form

N_FREQUENCIES, N_SMEARING = 500, 10
"""As matdyn.x writes them."""


def template(kelvin: float = 5.0) -> dict[str, Document]:
    """Documents of one material by the name of the step that stores them."""
    alpha2f = make_alpha2f("template")
    omega = np.linspace(0.1, 50.0, N_FREQUENCIES)
    values = tuple((0.5 * np.exp(-(((omega - 10) / 4) ** 2))).tolist())
    who = {name: getattr(alpha2f, name) for name in ("campaign", "material", "formula", "elements")}
    larger = {
        "omega_mev": tuple(omega.tolist()),
        "alpha2f": (values,) * N_SMEARING,
        "smearing_ev": tuple(0.05 * (1 + number) for number in range(N_SMEARING)),
        "moments": (alpha2f.moments[0],) * N_SMEARING,
        "dos_per_ev_spin_cell": (0.5,) * N_SMEARING,
    }
    phonon = PhononDocument(
        **who,
        structure=STRUCTURE,
        q_mesh=(2, 2, 2),
        interpolation_mesh=(10, 10, 10),
        omega_mev=larger["omega_mev"],
        dos_per_mev=values,
        lowest_frequency_mev=0.0,
        lowest_frequency_q=(0.0, 0.0, 0.0),
        stability="stable",
        protocol="draft",
        provenance=make_provenance("06-matdyn"),
    )
    entries = [("allen_dynes", mu_star) for mu_star in MU_STAR] + [("eliashberg", mu_star) for mu_star in MU_STAR]
    tc = TcDocument(
        **who,
        lambda_=0.6,
        omega_log_mev=9.0,
        omega_2_mev=10.0,
        smearing_ev=0.2,
        plateau_smearing_ev=(0.1, 0.2),
        lambda_low=0.5,
        lambda_high=0.7,
        mu_star_reference="omega_2",
        mu_star_reference_mev=10.0,
        critical_temperatures=tuple(
            CriticalTemperature(
                method=method, mu_star=mu_star, status="found", tc_kelvin=kelvin, low_kelvin=None, high_kelvin=None
            )
            for method, mu_star in entries
        ),
        sensitivity=TcSensitivity(
            mu_star=MU_STAR[0],
            convention="mu* held",
            dtc_dalpha2f_kelvin_per_mev=values,
            isotope_coefficient=0.5,
            dtc_dmu_star_kelvin=-20.0,
            reason=None,
        ),
        alpha2f_sha256="0",
    )
    return {
        "relax": make_structure("template"),
        "matdyn.x": phonon,
        "alpha2F": alpha2f.model_copy(update=larger),
        "Tc": tc,
    }


def finish(submissions: Sequence[Submission], database: Database, documents: Mapping[str, Document]) -> None:
    """Store documents of materials, and mark all their steps as completed."""
    launchpad = database.launchpad
    stored = {step: stored_form(document) for step, document in documents.items()}
    labels = {fw_id: entry.material.tag.material for entry in submissions for fw_id in entry.fw_ids}
    entries: list[dict[str, Any]] = []
    fields = {"fw_id": 1, "name": 1, "spec._tasks.job.uuid": 1}
    for firework in find_among(launchpad.fireworks, "fw_id", list(labels), fields):
        label = labels[firework["fw_id"]]
        output = stored.get(firework["name"].removeprefix(f"{label} "))
        if output is not None:
            uuid = firework["spec"]["_tasks"][0]["job"]["uuid"]
            output = {**output, "material": label}
            moment = datetime.now().isoformat()
            entries.append({"uuid": uuid, "index": 1, "output": output, "completed_at": moment})
    for part in batches(entries, 100):
        database.collections[OUTPUTS].insert_many(part)
    for entry in submissions:
        launchpad.fireworks.update_many({"fw_id": {"$in": list(entry.fw_ids)}}, {"$set": {"state": "COMPLETED"}})
        states = {f"fw_states.{fw_id}": "COMPLETED" for fw_id in entry.fw_ids}
        launchpad.workflows.update_one({"nodes": entry.fw_ids[0]}, {"$set": {"state": "COMPLETED", **states}})
