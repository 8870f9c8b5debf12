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
    SourceReference,
    StoredArray,
)
from hightc.analysis.documents.decision import (
    FeatureValue,
    GateDecisionDocument,
    GateVerdict,
    MomentDocument,
    RuleVerdict,
)
from hightc.analysis.documents.fermi import (
    FermiDocument,
    MeshStep,
    PairingChannel,
    PathCurve,
    StonerEstimate,
    SusceptibilityPeak,
)
from hightc.analysis.documents.magnetism import (
    GroundState,
    MagneticOrder,
    MagneticState,
    MagneticTransition,
    MagnetismDocument,
    MomentCurve,
    Softness,
)
from hightc.analysis.documents.phonon import (
    CouplingDocument,
    ForceConstantsDocument,
    PathSegment,
    PhononBandsDocument,
    PhononDocument,
    QPointRecord,
)
from hightc.analysis.documents.structure import ScfDocument, StructureDocument
from hightc.analysis.documents.tc import (
    CriticalTemperature,
    SpinFluctuationInterval,
    TcDocument,
    TcSensitivity,
)
from hightc.analysis.documents.wannier import (
    FineMesh,
    FineMeshConvergence,
    GapDocument,
    TemperatureGap,
    VertexDocument,
    WannierDocument,
    WindowTrial,
)

DOCUMENTS: dict[str, type[Document]] = {
    "structure": StructureDocument,
    "scf": ScfDocument,
    "coupling": CouplingDocument,
    "force_constants": ForceConstantsDocument,
    "phonon": PhononDocument,
    "phonon_bands": PhononBandsDocument,
    "alpha2f": Alpha2FDocument,
    "tc": TcDocument,
    "wannier": WannierDocument,
    "vertex": VertexDocument,
    "gap": GapDocument,
    "magnetism": MagnetismDocument,
    "fermi": FermiDocument,
    "moment": MomentDocument,
    "decision": GateDecisionDocument,
}
"""Class of each stored document by its ``kind``."""

__all__ = [
    "DOCUMENTS",
    "Alpha2FDocument",
    "Correction",
    "CouplingDocument",
    "CriticalTemperature",
    "Document",
    "FeatureValue",
    "FermiDocument",
    "FineMesh",
    "FineMeshConvergence",
    "ForceConstantsDocument",
    "GapDocument",
    "Gate",
    "GateDecisionDocument",
    "GateVerdict",
    "GroundState",
    "MagneticOrder",
    "MagneticState",
    "MagneticTransition",
    "MagnetismDocument",
    "MaterialTag",
    "MeshStep",
    "MomentCurve",
    "MomentDocument",
    "PairingChannel",
    "PathCurve",
    "PathSegment",
    "PhononBandsDocument",
    "PhononDocument",
    "Plateau",
    "Provenance",
    "Pseudopotential",
    "QPointRecord",
    "RuleVerdict",
    "ScfDocument",
    "SmearingMoments",
    "Softness",
    "SourceReference",
    "SpinFluctuationInterval",
    "StonerEstimate",
    "StoredArray",
    "StructureDocument",
    "SusceptibilityPeak",
    "TcDocument",
    "TcSensitivity",
    "TemperatureGap",
    "VertexDocument",
    "WannierDocument",
    "WindowTrial",
]
