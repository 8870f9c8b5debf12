"""What the database knows of each material on its way to a Tc: gates of its documents, and whether it goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from hightc.launch.bulk_launchpad import KEYS_A_QUERY, batches, find_among
from hightc.launch.status import cause_of
from hightc.launch.store import OUTPUTS, Database
from hightc.launch.stored_words import error_message, redact

STUDY: Final = "electron_phonon"
AT_WORK: Final = ("READY", "RESERVED", "RUNNING")
IDENTITY: Final = ("uuid", "index", "completed_at", "metadata.study", "output.kind", "output.material")
FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "tc": ("output.route",),
    "decision": ("output.after", "output.decision", "output.verdicts"),
    "alpha2f": ("output.route", "output.gates"),
}
"""What is read of a kind of document beside its identity; of any other, its gates."""

SAMPLE: Final = 50
"""Structures that are looked at in any case, for the gates there are."""

State = Literal["under_way", "failed", "over"]


@dataclass(frozen=True)
class Passage:
    """How far one material is known to be.

    Attributes
    ----------
    label
        Its label.
    documents
        What was read of its newest documents, by kind; of decisions by ``decision STAGE``, of spectra and Tc by
        ``tc ROUTE``.
    state
        Whether steps of it still run or wait, failed, or are over.
    cause, example
        Why it failed or is over, as others do and in its own words.
    to_wannier
        Whether it is to go on to Wannier functions.
    gates
        Gates of its campaign file, with ``name``, ``after`` and ``asks``.
    """

    label: str
    documents: Mapping[str, Mapping[str, Any]]
    state: State
    cause: str
    example: str
    to_wannier: bool
    gates: tuple[Mapping[str, str], ...]


def read_passages(database: Database, campaign: str) -> tuple[Passage, ...]:
    """Read how far every material of a campaign is that is on its way to a Tc.

    Of a label whose numbers were changed only the newest workflow counts.

    Parameters
    ----------
    database
        The database.
    campaign
        Name of the campaign.

    Returns
    -------
    tuple of Passage
        By label.
    """
    workflows, changed = _workflows(database, campaign)
    documents = _documents(database, campaign, workflows, changed)
    states = _states(database, campaign, workflows)
    return tuple(
        _passage(
            label,
            workflow,
            {name: entry["output"] for name, entry in documents.get(label, {}).items()},
            states.get(label),
        )
        for label, workflow in sorted(workflows.items())
    )


def _workflows(database: Database, campaign: str) -> tuple[dict[str, Mapping[str, Any]], list[str]]:
    """The workflow of each label, and the labels that have had others."""
    fields = {"nodes": 1, "state": 1, "_id": 0}
    fields |= {f"metadata.{name}": 1 for name in ("material", "route", "studies", "funnel")}
    found: dict[str, list[Mapping[str, Any]]] = {}
    for workflow in database.launchpad.workflows.find({"metadata.campaign": campaign}, fields):
        if STUDY in workflow["metadata"].get("studies", (STUDY,)):
            found.setdefault(str(workflow["metadata"]["material"]), []).append(workflow)
    newest = {
        label: max(own, key=lambda one: (one["state"] != "PAUSED", min(one["nodes"]))) for label, own in found.items()
    }
    return newest, [label for label, own in found.items() if len(own) > 1]


def _uuids(database: Database, workflows: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    nodes = [node for workflow in workflows for node in workflow["nodes"]]
    found = find_among(database.launchpad.fireworks, "fw_id", nodes, {"spec._tasks.job.uuid": 1, "_id": 0})
    return frozenset(str(task["job"]["uuid"]) for firework in found for task in firework["spec"]["_tasks"])


def _documents(
    database: Database, campaign: str, workflows: Mapping[str, Mapping[str, Any]], changed: Sequence[str]
) -> _Newest:
    """Newest documents of each label by what they are about.

    Whoever has a Tc has passed what comes before it, so that the larger documents are read of the others only.
    """
    found = _Newest(frozenset(changed), _uuids(database, [workflows[label] for label in changed]))
    outputs = _Outputs(database.collections[OUTPUTS], campaign)
    for kind in ("tc", "decision", "wannier"):
        found.add(outputs.of(kind))
    found.add(outputs.of("structure", most=SAMPLE))
    left = [label for label in workflows if "tc linear_response" not in found.get(label, ())]
    found.add(outputs.of_labels("structure", left))
    on_the_way = [label for label in left if not _is_stopped(found.get(label, {}))]
    for kind in ("phonon", "coupling"):
        found.add(outputs.of_labels(kind, on_the_way))
    far = [label for label, own in found.items() if "wannier" in own and "tc wannier" not in own]
    found.add(outputs.of_labels("alpha2f", far, {"output.route": "wannier"}))
    return found


def _is_stopped(own: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether nothing has been computed of a material, or a gate behind its electrons has not let it pass."""
    gates = own["structure"]["output"]["gates"] if "structure" in own else [{"passed": False}]
    decision = own["decision electrons"]["output"]["decision"] if "decision electrons" in own else "carried_on"
    return decision != "carried_on" or not all(gate["passed"] for gate in gates)


@dataclass(frozen=True)
class _Outputs:
    """Documents of one campaign, by kind."""

    collection: Any
    campaign: str

    def of(self, kind: str, asked: Mapping[str, Any] | None = None, *, most: int = 0) -> Iterator[Mapping[str, Any]]:
        """Parts of the documents of a kind, of at most so many."""
        query = {"output.campaign": self.campaign, "output.kind": kind, **(asked or {})}
        fields = (*IDENTITY, *FIELDS.get(kind, ("output.gates",)))
        yield from self.collection.find(query, dict.fromkeys(fields, 1)).limit(most)

    def of_labels(
        self, kind: str, labels: Sequence[str], asked: Mapping[str, Any] | None = None
    ) -> Iterator[Mapping[str, Any]]:
        """Parts of the documents of a kind of some materials."""
        for part in batches(labels, KEYS_A_QUERY):
            yield from self.of(kind, {**(asked or {}), "output.material": {"$in": list(part)}})


class _Newest(dict[str, dict[str, Mapping[str, Any]]]):
    """Documents by label and by what they are about, the newest of each."""

    def __init__(self, changed: frozenset[str], uuids: frozenset[str]) -> None:
        super().__init__()
        self._changed, self._uuids = changed, uuids

    def add(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Keep those that belong to the present workflows and that no newer one replaces."""
        for entry in entries:
            output = entry["output"]
            label = str(output["material"])
            other = entry.get("metadata", {}).get("study", STUDY) != STUDY
            if other or (label in self._changed and entry["uuid"] not in self._uuids):
                continue
            own = self.setdefault(label, {})
            name = _subject(output)
            if name not in own or _age(entry) > _age(own[name]):
                own[name] = entry


def _subject(output: Mapping[str, Any]) -> str:
    kind = str(output["kind"])
    if kind == "decision":
        return f"{kind} {output['after']}"
    return f"{kind} {output.get('route') or 'linear_response'}" if kind in ("tc", "alpha2f") else kind


def _age(entry: Mapping[str, Any]) -> tuple[str, int]:
    return str(entry.get("completed_at") or ""), int(entry["index"])


def _states(
    database: Database, campaign: str, workflows: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[State, str, str]]:
    """Labels at which something is done or has failed; what has failed and is at work too is under way."""
    label_of = {node: label for label, workflow in workflows.items() for node in workflow["nodes"]}
    fields = {"fw_id": 1, "name": 1, "state": 1, "launches": 1, "spec.study": 1, "_id": 0}
    query = {"spec.campaign": campaign, "state": {"$in": [*AT_WORK, "FIZZLED"]}}
    found = [
        firework
        for firework in database.launchpad.fireworks.find(query, fields)
        if firework["fw_id"] in label_of and firework.get("spec", {}).get("study", STUDY) == STUDY
    ]
    states: dict[str, tuple[State, str, str]] = {}
    failed = {label_of[one["fw_id"]]: one for one in reversed(found) if one["state"] == "FIZZLED"}
    launches = {label: (one.get("launches") or [None])[-1] for label, one in failed.items()}
    shown = {"launch_id": 1, "action.stored_data._exception": 1, "_id": 0}
    ids = [launch for launch in launches.values() if launch is not None]
    traces = {one["launch_id"]: one for one in find_among(database.launchpad.launches, "launch_id", ids, shown)}
    for label, firework in failed.items():
        stored = ((traces.get(launches[label], {}).get("action") or {}).get("stored_data") or {}).get("_exception")
        message = redact(error_message(str((stored or {}).get("_stacktrace") or ""))) or "no reason was stored"
        step = str(firework["name"]).removeprefix(f"{label} ")
        states[label] = ("failed", f"{step}: {cause_of(message)}", f"{step}: {message}")
    for firework in found:
        if firework["state"] in AT_WORK:
            states[label_of[firework["fw_id"]]] = ("under_way", "", "")
    return states


def _passage(
    label: str,
    workflow: Mapping[str, Any],
    documents: Mapping[str, Mapping[str, Any]],
    state: tuple[State, str, str] | None,
) -> Passage:
    metadata = workflow["metadata"]
    found, cause, example = state or ("under_way", "", "")
    if state is None and workflow["state"] not in ("READY", "RUNNING", "PAUSED", "WAITING"):
        said = f"nothing is left to run: FireWorks calls its workflow {workflow['state']}"
        found, cause, example = "over", said, said
    to_wannier = metadata.get("route") == "wannier" or "wannier" in documents
    return Passage(label, documents, found, cause, example, to_wannier, tuple(metadata.get("funnel", ())))
