"""Writes to several collections, in their order: in one trip where the server takes them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pymongo.errors import DocumentTooLarge, OperationFailure

REFUSALS = (13, 59, 73)
"""Codes of servers that do not take writes together: not allowed, no such command, no such database for it."""


class Place(Protocol):
    """Where the collections are."""

    @property
    def db(self) -> Any:
        """The database."""

    def joined(self, command: Mapping[str, Any]) -> Mapping[str, Any]:
        """Run the command bulkWrite."""


@dataclass
class JoinedWrites:
    """Replacements and updates of single documents, each of which may be done a second time without harm.

    With MongoDB's command ``bulkWrite`` (8.0; the embedded server has it too) they cost one trip and one wait for the
    disk, and no crash comes between them on the embedded server.

    Attributes
    ----------
    together
        Whether the server may be asked to take them together; it becomes False when it refuses.
    """

    together: bool = True
    _writes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def replace(
        self, collection: str, condition: Mapping[str, Any], document: Mapping[str, Any], *, upsert: bool = False
    ) -> None:
        """Replace one document.

        Parameters
        ----------
        collection
            Name of the collection.
        condition
            Which document.
        document
            The whole new one, without its ``_id``.
        upsert
            Whether it is inserted where none meets the condition.
        """
        self._add(collection, condition, {name: value for name, value in document.items() if name != "_id"}, upsert)

    def update(
        self, collection: str, condition: Mapping[str, Any], change: Mapping[str, Any], *, upsert: bool = False
    ) -> None:
        """Update one document.

        Parameters
        ----------
        collection
            Name of the collection.
        condition
            Which document.
        change
            Operators.
        upsert
            Whether one is inserted where none meets the condition.
        """
        self._add(collection, condition, change, upsert=upsert)

    def _add(self, collection: str, condition: Mapping[str, Any], change: Mapping[str, Any], upsert: bool) -> None:
        self._writes.append(
            (collection, {"filter": dict(condition), "updateMods": dict(change), "multi": False, "upsert": upsert})
        )

    def send(self, place: Place) -> list[int]:
        """Do the writes.

        Parameters
        ----------
        place
            Where.

        Returns
        -------
        list of int
            For each write how many documents met its condition, or were inserted: 1 or 0.

        Raises
        ------
        OperationFailure
            If the server refuses one of them; those before it are done.
        """
        if self.together:
            try:
                return self._send_together(place)
            except DocumentTooLarge:
                pass  # each may still fit
            except OperationFailure as error:
                if error.code not in REFUSALS:
                    raise
                self.together = False
        return [_alone(place.db[collection], write) for collection, write in self._writes]

    def _send_together(self, place: Place) -> list[int]:
        names = sorted({collection for collection, _ in self._writes})
        command = {
            "bulkWrite": 1,
            "ops": [{"update": names.index(collection), **write} for collection, write in self._writes],
            "nsInfo": [{"ns": f"{place.db.name}.{name}"} for name in names],
            "ordered": True,
            "errorsOnly": False,
            # all results in the first answer
            "cursor": {"batchSize": len(self._writes) + 1},
        }
        results: Sequence[Mapping[str, Any]] = place.joined(command)["cursor"]["firstBatch"]
        for result in results:
            if not result["ok"]:
                raise OperationFailure(str(result.get("errmsg", "")), result.get("code"))
        return [int(result["n"]) for result in results]


def _alone(collection: Any, write: Mapping[str, Any]) -> int:
    change = write["updateMods"]
    do = collection.update_one if next(iter(change), "").startswith("$") else collection.replace_one
    result = do(write["filter"], change, upsert=write["upsert"])
    return int(bool(result.matched_count or result.upserted_id is not None))
