"""The decision of a funnel's gates behind one stage, from the documents of that stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hightc.analysis.documents import (
    Document,
    GateDecisionDocument,
    MomentDocument,
    PhononDocument,
    ScfDocument,
    StructureDocument,
    TcDocument,
)
from hightc.analysis.documents.base import IDENTITY
from hightc.analysis.documents.decision import FeatureValue, Stage
from hightc.analysis.funnel_features import electron_features, joined_features, phonon_features, tc_features
from hightc.analysis.funnel_rules import Funnel, gates_of, joined_decision, judge
from hightc.makers.dense_dos import tetrahedron_dos_of
from hightc.makers.errors import StagingError
from hightc.makers.relax import XML


def decide(funnel: Funnel, stage: Stage, documents: Mapping[str, Document]) -> GateDecisionDocument:
    """Hold what is known of a material against every gate behind a stage.

    Parameters
    ----------
    funnel
        The funnel of the campaign.
    stage
        The stage that was just finished.
    documents
        Its documents by step: ``relax``, ``dense`` and, where it was asked for, ``moment``; ``phonon``; ``tc``; and
        ``decision``, that of the stage before. Features are made of those that are there.

    Raises
    ------
    StagingError
        If the folder of ``dense`` has no bands: a folder out of reach is no missing number.
    """
    before = documents.get("decision")
    earlier = before if isinstance(before, GateDecisionDocument) else None
    features = joined_features(earlier, _new_features(documents), stage)
    verdicts = tuple(judge(gate, features) for gate in funnel.after(stage))
    scores = [verdict.score for verdict in verdicts if verdict.score is not None]
    subject = next(iter(documents.values()))
    return GateDecisionDocument(
        **subject.model_dump(include=IDENTITY),
        after=stage,
        decision=joined_decision(verdicts),
        score=scores[-1] if scores else (earlier.score if earlier else None),
        features=features,
        verdicts=verdicts,
        reasons=tuple(f"{verdict.name}: {reason}" for verdict in verdicts for reason in verdict.reasons),
        gates=gates_of(verdicts),
    )


def _new_features(documents: Mapping[str, Document]) -> tuple[FeatureValue, ...]:
    found: tuple[FeatureValue, ...] = ()
    structure, dense, moment = documents.get("relax"), documents.get("dense"), documents.get("moment")
    if isinstance(structure, StructureDocument) and isinstance(dense, ScfDocument):
        _require_bands(dense)
        dos, reason = tetrahedron_dos_of(dense)
        found += electron_features(
            structure,
            dense,
            dos_per_ev_spin_cell=dos,
            no_dos_reason=reason,
            moment=moment if isinstance(moment, MomentDocument) else None,
        )
    phonon, tc = documents.get("phonon"), documents.get("tc")
    if isinstance(phonon, PhononDocument):
        found += phonon_features(phonon)
    if isinstance(tc, TcDocument):
        found += tc_features(tc, phonon if isinstance(phonon, PhononDocument) else None)
    return found


def _require_bands(dense: ScfDocument) -> None:
    path = Path(dense.provenance.directory) / XML
    if not path.is_file():
        msg = (
            f"{path}: expected the bands of the dense mesh, found nothing: make the folder reachable, then "
            "hightc recover"
        )
        raise StagingError(msg)
