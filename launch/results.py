"""What became of each material: its documents, or where and why it stopped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from jobflow import JobStore

from hightc.analysis.documents import (
    DOCUMENTS,
    Alpha2FDocument,
    Document,
    FermiDocument,
    GapDocument,
    Gate,
    MagnetismDocument,
    PhononDocument,
    TcDocument,
    WannierDocument,
)
from hightc.analysis.documents.alpha2f import Route
from hightc.launch.campaign import Material
from hightc.launch.campaign_file import Study
from hightc.launch.dispatch import ACTIVE, Submission, in_order, nodes_of
from hightc.launch.store import OUTPUTS, Database

PRECISE_FIRST: tuple[Route, ...] = ("wannier", "linear_response")

GATES_BESIDE = frozenset({"wannier", "fermi_energy"})
"""Gates that stop the Wannier route alone: what stops a material is another matter."""

STUDY_DOCUMENTS: dict[Study, str] = {"magnetic_softness": "magnetism", "nesting": "fermi"}
"""Kind of the document that answers a study; that of electron_phonon is a Tc by each route."""

GATES_THAT_INFORM = frozenset({"nonmagnetic"})
"""Gates that stop nothing: they say of an answer what a reader of Tc must know."""

TRACEBACK = "Traceback (most recent call last):"
OWN_ERROR = re.compile(r"^hightc\.[\w.]+: ")
MODULE_OF_ERROR = re.compile(r"^(?:\w+\.)+(?=\w+(?::|$))")


class Outcome(StrEnum):
    """What became of a material."""

    ANSWERED = "answered"
    GATED = "gated"
    FAILED = "failed"
    UNFINISHED = "unfinished"


@dataclass(frozen=True)
class StepFailure:
    """Where and why a material's calculation failed.

    Attributes
    ----------
    step
        Name of the firework.
    fw_id
        Its id.
    reason
        The error's message.
    directory
        Folder of the run.
    """

    step: str
    fw_id: int
    reason: str
    directory: str


@dataclass(frozen=True)
class MaterialResult:
    """What became of one material.

    Attributes
    ----------
    submission
        The material in the LaunchPad.
    outcome
        Answered, gated, failed or unfinished.
    documents
        Its documents by kind, in the order they were stored.
    gate
        The verdict that stopped it; None if none did.
    failure
        The failure that stopped it; None if none did.
    fault
        What is known of the workers, where they left it unfinished.
    settled
        Whether nothing of it is ready or runs any more, on any machine.
    """

    submission: Submission
    outcome: Outcome
    documents: Mapping[str, tuple[Document, ...]]
    gate: Gate | None
    failure: StepFailure | None
    fault: str | None = None
    settled: bool = True

    @property
    def label(self) -> str:
        """Label of the material."""
        return self.submission.material.tag.material

    @property
    def tc(self) -> TcDocument | None:
        """Critical temperatures at the mu* of the campaign by the most precise route that came that far."""
        return next((found for route in PRECISE_FIRST if (found := self.tc_of(route)) is not None), None)

    def tc_of(self, route: Route) -> TcDocument | None:
        """Critical temperatures of one route; None if it did not come that far.

        Parameters
        ----------
        route
            linear_response or wannier.
        """
        return _tc_at(self.documents, self.submission.material.mu_star, route)

    @property
    def alpha2f(self) -> Alpha2FDocument | None:
        """Spectral function that :attr:`tc` belongs to; without a Tc, that of the linear response."""
        tc = self.tc
        return self.alpha2f_of((tc.route if tc else None) or "linear_response")

    def alpha2f_of(self, route: Route) -> Alpha2FDocument | None:
        """Spectral function of one route; None if it did not come that far.

        Parameters
        ----------
        route
            linear_response or wannier.
        """
        found = [item for item in self.documents.get("alpha2f", ()) if isinstance(item, Alpha2FDocument)]
        return next((document for document in reversed(found) if document.route == route), None)

    @property
    def wannier(self) -> WannierDocument | None:
        """Wannier functions, where it came that far."""
        found = self.documents.get("wannier", ())
        return found[-1] if found and isinstance(found[-1], WannierDocument) else None

    @property
    def gaps(self) -> GapDocument | None:
        """Superconducting gaps at the first mu* of the campaign; None if they were not computed for it."""
        found = [item for item in self.documents.get("gap", ()) if isinstance(item, GapDocument)]
        asked = self.submission.material.mu_star[0]
        return next((document for document in reversed(found) if document.mu_star == asked), None)

    @property
    def magnetism(self) -> MagnetismDocument | None:
        """Magnetic softness, where it came that far."""
        found = self.documents.get("magnetism", ())
        return found[-1] if found and isinstance(found[-1], MagnetismDocument) else None

    @property
    def fermi(self) -> FermiDocument | None:
        """Nesting and susceptibility, where it came that far."""
        found = self.documents.get("fermi", ())
        return found[-1] if found and isinstance(found[-1], FermiDocument) else None

    @property
    def phonon(self) -> PhononDocument | None:
        """Interpolated phonons, where it came that far."""
        found = self.documents.get("phonon", ())
        return found[-1] if found and isinstance(found[-1], PhononDocument) else None

    @property
    def reason(self) -> str | None:
        """Why there is no answer, as a sentence; None if there is one."""
        if self.gate is not None and self.outcome is not Outcome.FAILED:
            return self.gate.message
        if self.failure is not None:
            return f"{self.failure.step}: {self.failure.reason}"
        return None if self.outcome is Outcome.ANSWERED else f"not finished: {self.fault or 'run the campaign again'}"


def _tc_at(documents: Mapping[str, Sequence[Document]], mu_star: Sequence[float], route: Route) -> TcDocument | None:
    """Newest critical temperatures of a route that hold every one of some mu*."""
    for document in reversed(documents.get("tc", ())):
        if isinstance(document, TcDocument) and (document.route or "linear_response") == route:
            computed = {entry.mu_star for entry in document.critical_temperatures}
            if computed.issuperset(mu_star):
                return document
    return None


def collect_results(
    submissions: Iterable[Submission], database: Database, *, fault: str | None = None
) -> tuple[MaterialResult, ...]:
    """Read what became of each material of a campaign.

    Parameters
    ----------
    submissions
        The campaign's materials.
    database
        The database.
    fault
        How workers died, for what they left without a reason; None if none did.
    """
    return tuple(_collect(submission, database, fault) for submission in submissions)


def with_arrays(results: Sequence[MaterialResult], database: Database) -> tuple[MaterialResult, ...]:
    """Fetch the arrays of Fermi surfaces from the blob store, where figures are to be drawn of them.

    Parameters
    ----------
    results
        The materials.
    database
        The database.
    """
    if not any(result.fermi for result in results):
        return tuple(results)
    with database.job_store() as store:
        return tuple(_load_fermi(result, store) for result in results)


def _load_fermi(result: MaterialResult, store: JobStore) -> MaterialResult:
    document = result.fermi
    if document is None or document.has_arrays:
        return result
    subject = {f"output.{name}": getattr(document, name) for name in ("kind", "campaign", "material")}
    subject["output.provenance.directory"] = document.provenance.directory
    found = store.query_one(subject, sort={"index": -1}, load=True)
    if found is None:
        return result
    loaded = FermiDocument.model_validate(found["output"])
    return replace(result, documents={**result.documents, "fermi": (loaded,)})


def _collect(submission: Submission, database: Database, fault: str | None) -> MaterialResult:
    fireworks = list(
        database.launchpad.fireworks.find(
            {"fw_id": {"$in": nodes_of(submission, database)}},
            {"fw_id": 1, "name": 1, "state": 1, "launches": 1, "spec._priority": 1, "spec._tasks.job.uuid": 1},
        )
    )
    uuids = [task["job"]["uuid"] for firework in fireworks for task in firework["spec"]["_tasks"]]
    documents: dict[str, tuple[Document, ...]] = {}
    found = database.collections[OUTPUTS].find({"uuid": {"$in": uuids}}, {"uuid": 1, "index": 1, "output": 1})
    # a later job that took the place of an earlier one has the greater index, and what it replaced counts no more
    stored = {entry["uuid"]: entry for entry in sorted(found, key=lambda entry: int(entry["index"]))}.values()
    for entry in stored:
        output = entry.get("output")
        if isinstance(output, dict) and output.get("kind") in DOCUMENTS:
            kind = str(output["kind"])
            documents[kind] = (*documents.get(kind, ()), DOCUMENTS[kind].model_validate(output))
    gate = next(
        (
            gate
            for group in documents.values()
            for document in group
            for gate in document.gates
            if not gate.passed and gate.name not in GATES_THAT_INFORM
        ),
        None,
    )
    failed = next((found for found in in_order(fireworks) if found["state"] == "FIZZLED"), None)
    failure = _failure(failed, database, fault) if failed else None
    answered = _answered(submission.material, documents)
    settled = not any(found["state"] in ACTIVE for found in fireworks)
    if all(answered) or (any(answered) and settled and failure is None):
        outcome = Outcome.ANSWERED
    elif failure is not None and settled and gate is not None and gate.name in GATES_BESIDE:
        outcome = Outcome.FAILED
    elif gate is not None:
        outcome = Outcome.GATED
    elif failure is not None and settled:
        outcome = Outcome.FAILED
    else:
        outcome = Outcome.UNFINISHED
    return MaterialResult(submission, outcome, documents, gate, failure, fault, settled)


def _answered(material: Material, documents: Mapping[str, Sequence[Document]]) -> list[bool]:
    """Whether each thing that was asked of a material has its document."""
    answered = []
    if "electron_phonon" in material.studies:
        asked = PRECISE_FIRST if material.wannier else PRECISE_FIRST[1:]
        answered += [_tc_at(documents, material.mu_star, route) is not None for route in asked]
    kinds = [kind for study, kind in STUDY_DOCUMENTS.items() if study in material.studies]
    return answered + [bool(documents.get(kind)) for kind in kinds]


def _failure(firework: Mapping[str, Any], database: Database, fault: str | None) -> StepFailure:
    launches = firework.get("launches") or []
    launch = database.launchpad.launches.find_one({"launch_id": launches[-1]}) if launches else None
    stored = ((launch or {}).get("action") or {}).get("stored_data") or {}
    trace = str((stored.get("_exception") or {}).get("_stacktrace") or "").strip()
    return StepFailure(
        step=str(firework["name"]),
        fw_id=int(firework["fw_id"]),
        reason=error_message(trace) or fault or "it left no reason: see the logs in workers/ of the campaign's folder",
        directory=str((launch or {}).get("launch_dir", "")),
    )


def error_message(trace: str) -> str:
    """Message of the last exception of a traceback; the class is named unless the error is one of hightc's own.

    Parameters
    ----------
    trace
        A formatted traceback, or a reason without one; empty if there is none.
    """
    lines = trace.strip().splitlines()
    start = max((index for index, line in enumerate(lines) if line.endswith(TRACEBACK)), default=-1)
    # frames are indented, the exception is not
    end = next((index for index in range(start + 1, len(lines)) if not lines[index].startswith(" ")), 0)
    message = "\n".join(lines[end:])
    return OWN_ERROR.sub("", message) if OWN_ERROR.match(message) else MODULE_OF_ERROR.sub("", message)
