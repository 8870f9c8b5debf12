"""Documents of one material, made of what is stored when somebody asks for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hightc.analysis.documents import DOCUMENTS, Document, Gate
from hightc.launch.errors import LaunchError

GATES_OF = {"kind": 1, "gates": 1}
"""What is read of documents that are not read whole."""


class LazyDocuments(Mapping[str, tuple[Document, ...]]):
    """Documents by kind, in the order they were stored; each kind is validated when it is asked for first.

    To validate every document of a material takes longer than to read them, and most results are asked for a few.
    """

    def __init__(self, outputs: Sequence[Mapping[str, Any]], unread: frozenset[str] = frozenset()) -> None:
        """Sort what is stored by kind.

        Parameters
        ----------
        outputs
            Stored documents, in order.
        unread
            Kinds of which only the gates were read.
        """
        self._stored: dict[str, list[Mapping[str, Any]]] = {}
        for output in outputs:
            self._stored.setdefault(str(output["kind"]), []).append(output)
        self._unread = unread & self._stored.keys()
        self._made: dict[str, tuple[Document, ...]] = {}

    def __getitem__(self, kind: str) -> tuple[Document, ...]:
        """Validated documents of a kind.

        Raises
        ------
        LaunchError
            If only the gates of this kind were read.
        """
        if kind in self._unread:
            msg = f"documents of kind {kind}: expected to have been read, and only their gates were: name it in kinds"
            raise LaunchError(msg)
        if kind not in self._made:
            self._made[kind] = tuple(DOCUMENTS[kind].model_validate(output) for output in self._stored[kind])
        return self._made[kind]

    def __contains__(self, kind: object) -> bool:
        """Whether there is a document of a kind."""
        return kind in self._stored

    def __iter__(self) -> Iterator[str]:
        """Kinds, in the order of their first documents."""
        return iter(self._stored)

    def __len__(self) -> int:
        """How many kinds there are."""
        return len(self._stored)

    def gates_of(self, kind: str) -> tuple[tuple[Gate, ...], ...]:
        """Verdicts of each document of a kind, none of which is validated for it.

        Parameters
        ----------
        kind
            Kind of the documents; without any, the answer is empty.
        """
        return tuple(
            tuple(Gate.model_validate(gate) for gate in output.get("gates", ()))
            for output in self._stored.get(kind, ())
        )


def gates_of(documents: Mapping[str, Sequence[Document]], kind: str) -> Sequence[Sequence[Gate]]:
    """Verdicts of each document of a kind, without validating what is read lazily.

    Parameters
    ----------
    documents
        Documents of a material by kind.
    kind
        Kind of the documents; without any, the answer is empty.
    """
    if isinstance(documents, LazyDocuments):
        return documents.gates_of(kind)
    return [document.gates for document in documents.get(kind, ())]
