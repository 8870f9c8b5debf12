"""The documents hightc stores, one module each."""

from __future__ import annotations

from hightc.analysis.documents.alpha2f import Alpha2FDocument, Plateau, SmearingMoments
from hightc.analysis.documents.base import (
    Correction,
    Document,
    Gate,
    MaterialTag,
    Provenance,
    Pseudopotential,
    StoredArray,
)
from hightc.analysis.documents.phonon import (
    CouplingDocument,
    ForceConstantsDocument,
    PhononDocument,
    QPointRecord,
)
from hightc.analysis.documents.structure import ScfDocument, StructureDocument
from hightc.analysis.documents.tc import CriticalTemperature, TcDocument, TcSensitivity

DOCUMENTS: dict[str, type[Document]] = {
    "structure": StructureDocument,
    "scf": ScfDocument,
    "coupling": CouplingDocument,
    "force_constants": ForceConstantsDocument,
    "phonon": PhononDocument,
    "alpha2f": Alpha2FDocument,
    "tc": TcDocument,
}
"""Class of each stored document by its ``kind``."""

__all__ = [
    "DOCUMENTS",
    "Alpha2FDocument",
    "Correction",
    "CouplingDocument",
    "CriticalTemperature",
    "Document",
    "ForceConstantsDocument",
    "Gate",
    "MaterialTag",
    "PhononDocument",
    "Plateau",
    "Provenance",
    "Pseudopotential",
    "QPointRecord",
    "ScfDocument",
    "SmearingMoments",
    "StoredArray",
    "StructureDocument",
    "TcDocument",
    "TcSensitivity",
]
