"""What became of each material: its documents, or where and why it stopped."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
    GateDecisionDocument,
    MagnetismDocument,
    PhononDocument,
    TcDocument,
    WannierDocument,
)
from hightc.analysis.documents.alpha2f import Route
from hightc.launch.bulk_launchpad import batches, find_among
from hightc.launch.campaign import Material
from hightc.launch.campaign_file import Study
from hightc.launch.dispatch import ACTIVE, Submission, in_order, nodes_of_each
from hightc.launch.lazy_documents import GATES_OF, LazyDocuments
from hightc.launch.store import OUTPUTS, Database
from hightc.launch.stored_words import error_message

PRECISE_FIRST: tuple[Route, ...] = ("wannier", "linear_response")

MATERIALS_A_CHUNK = 50
"""Materials whose documents are read at once: about 5 MB, ten times that in the memory of the embedded server."""

DECISIVE = frozenset({"tc", "decision"})
"""Kinds of documents of which outcomes need more than their gates."""

GATES_BESIDE = frozenset({"wannier", "fermi_energy"})
"""Gates that stop the Wannier route alone: what stops a material is another matter."""

STUDY_DOCUMENTS: dict[Study, str] = {"magnetic_softness": "magnetism", "nesting": "fermi"}
"""Kind of the document that answers a study; that of electron_phonon is a Tc by each route."""

GATES_THAT_INFORM = frozenset({"nonmagnetic"})
"""Gates that stop nothing: they say of an answer what a reader of Tc must know."""


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
        if self.outcome is Outcome.ANSWERED:
            return None
        return self.held or f"not finished: {self.fault or 'run the campaign again'}"

    @property
    def held(self) -> str | None:
        """Why a gate of the funnel waits for a number; None if none does."""
        found = [item for item in self.documents.get("decision", ()) if isinstance(item, GateDecisionDocument)]
        if not found or found[-1].decision != "held":
            return None
        return f"held after {found[-1].after}: {'; '.join(found[-1].reasons)}"


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
    return tuple(iterate_results(submissions, database, fault=fault))


def iterate_results(
    submissions: Iterable[Submission],
    database: Database,
    *,
    fault: str | None = None,
    kinds: Collection[str] | None = None,
) -> Iterator[MaterialResult]:
    """Read what became of the materials of a campaign, so many at a time, with a few queries for all of these.

    A document is validated when it is asked for; whoever keeps no result keeps the documents of
    `MATERIALS_A_CHUNK` materials in memory at most.

    Parameters
    ----------
    submissions
        The campaign's materials.
    database
        The database.
    fault
        How workers died, for what they left without a reason; None if none did.
    kinds
        Kinds of documents that are read whole; of others it is known that they are there, and their gates. None reads
        all. Those that outcomes depend on (`DECISIVE`) are read in any case.

    Yields
    ------
    MaterialResult
        In the order of the submissions.
    """
    for chunk in batches(tuple(submissions), MATERIALS_A_CHUNK):
        yield from _collect_chunk(chunk, database, fault, None if kinds is None else {*kinds, *DECISIVE})


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


def _collect_chunk(
    submissions: Sequence[Submission], database: Database, fault: str | None, kinds: Collection[str] | None
) -> Iterator[MaterialResult]:
    fields = {"fw_id": 1, "name": 1, "state": 1, "launches": 1, "spec._priority": 1, "spec._tasks.job.uuid": 1}
    nodes = nodes_of_each(submissions, database)
    found = find_among(database.launchpad.fireworks, "fw_id", [node for ids in nodes for node in ids], fields)
    by_id = {int(firework["fw_id"]): firework for firework in found}
    fireworks = [[by_id[node] for node in ids if node in by_id] for ids in nodes]
    uuids = [[str(task["job"]["uuid"]) for step in steps for task in step["spec"]["_tasks"]] for steps in fireworks]
    outputs = _read_outputs([uuid for wanted in uuids for uuid in wanted], database, kinds)
    failed = [next((step for step in in_order(steps) if step["state"] == "FIZZLED"), None) for steps in fireworks]
    failures = _failures([step for step in failed if step is not None], database, fault)
    unread = frozenset() if kinds is None else frozenset(DOCUMENTS).difference(kinds)
    for submission, steps, wanted, step in zip(submissions, fireworks, uuids, failed, strict=True):
        stored = sorted((outputs[uuid] for uuid in wanted if uuid in outputs), key=lambda entry: entry[0])
        documents = LazyDocuments([output for _, output in stored], unread)
        failure = None if step is None else failures[int(step["fw_id"])]
        settled = not any(step["state"] in ACTIVE for step in steps)
        yield _result(submission, documents, failure, settled=settled, fault=fault)


def _result(
    submission: Submission, documents: LazyDocuments, failure: StepFailure | None, *, settled: bool, fault: str | None
) -> MaterialResult:
    gate = next(
        (
            gate
            for kind in documents
            for group in documents.gates_of(kind)
            for gate in group
            if not gate.passed and gate.name not in GATES_THAT_INFORM
        ),
        None,
    )
    answered = _answered(submission.material, documents)
    if all(answered) or (any(answered) and settled and failure is None):
        outcome = Outcome.ANSWERED
    elif failure is not None and settled and gate is not None and gate.name in _gates_beside(submission.material):
        outcome = Outcome.FAILED
    elif gate is not None:
        outcome = Outcome.GATED
    elif failure is not None and settled:
        outcome = Outcome.FAILED
    else:
        outcome = Outcome.UNFINISHED
    return MaterialResult(submission, outcome, documents, gate, failure, fault, settled)


def _read_outputs(
    uuids: Sequence[str], database: Database, kinds: Collection[str] | None
) -> dict[str, tuple[int, Mapping[str, Any]]]:
    """Newest document of each job by the job's uuid, with its place in the order of storing."""
    outputs = database.collections[OUTPUTS]
    # a projection of whole documents would save little, and costs the embedded server as much as reading them
    light = {"uuid": 1, "index": 1, "completed_at": 1, **{f"output.{name}": 1 for name in GATES_OF}}
    found = find_among(outputs, "uuid", uuids, {} if kinds is None else light)
    # a later job that took the place of an earlier one has the greater index, and what it replaced counts no more
    newest = {str(entry["uuid"]): entry for entry in sorted(found, key=lambda entry: int(entry["index"]))}
    ordered = sorted(newest.values(), key=lambda entry: str(entry.get("completed_at", "")))
    if kinds is not None:
        wanted = {entry["_id"]: entry for entry in ordered if _kind(entry) in kinds}
        for entry in find_among(outputs, "_id", list(wanted), {}):
            wanted[entry["_id"]]["output"] = entry["output"]
    return {
        str(entry["uuid"]): (place, entry["output"]) for place, entry in enumerate(ordered) if _kind(entry) in DOCUMENTS
    }


def _kind(entry: Mapping[str, Any]) -> str | None:
    output = entry.get("output")
    return output.get("kind") if isinstance(output, dict) else None


def _answered(material: Material, documents: Mapping[str, Sequence[Document]]) -> list[bool]:
    """Whether each thing that was asked of a material has its document."""
    answered = []
    if "electron_phonon" in material.studies:
        asked = PRECISE_FIRST if material.wannier else PRECISE_FIRST[1:]
        answered += [_tc_at(documents, material.mu_star, route) is not None for route in asked]
    kinds = [kind for study, kind in STUDY_DOCUMENTS.items() if study in material.studies]
    return answered + [kind in documents for kind in kinds]


def _gates_beside(material: Material) -> frozenset[str]:
    """Gates that stop the Wannier route alone."""
    behind = material.funnel.after("alpha2f") if material.funnel else ()
    return GATES_BESIDE.union(gate.name for gate in behind)


def _failures(fireworks: Sequence[Mapping[str, Any]], database: Database, fault: str | None) -> dict[int, StepFailure]:
    """Why each of some fireworks failed, by its id."""
    last = {int(firework["fw_id"]): (firework.get("launches") or [None])[-1] for firework in fireworks}
    fields = {"launch_id": 1, "launch_dir": 1, "action.stored_data._exception": 1}
    ids = [launch_id for launch_id in last.values() if launch_id is not None]
    launches = {
        entry["launch_id"]: entry for entry in find_among(database.launchpad.launches, "launch_id", ids, fields)
    }
    return {int(step["fw_id"]): _failure(step, launches.get(last[int(step["fw_id"])], {}), fault) for step in fireworks}


def _failure(firework: Mapping[str, Any], launch: Mapping[str, Any], fault: str | None) -> StepFailure:
    stored = (launch.get("action") or {}).get("stored_data") or {}
    trace = str((stored.get("_exception") or {}).get("_stacktrace") or "").strip()
    return StepFailure(
        step=str(firework["name"]),
        fw_id=int(firework["fw_id"]),
        reason=error_message(trace) or fault or "it left no reason: see the logs in workers/ of the campaign's folder",
        directory=str(launch.get("launch_dir", "")),
    )
