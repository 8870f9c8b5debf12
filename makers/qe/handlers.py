"""Error handlers for custodian: each sees one failure of the table and does what the table says.

Custodian asks every handler after every run and lets all that see something act, so no two may see the same ending.
"""

from __future__ import annotations

from hightc.makers.qe.handlers_base import FailureHandler
from hightc.makers.qe.handlers_epw import (
    AboveTcHandler,
    CoarseMeshHandler,
    EpwFilesHandler,
    FineMeshHandler,
    FrozenWindowHandler,
    GapConvergenceHandler,
    MeshSymmetryHandler,
    OuterWindowHandler,
    PadeNanHandler,
    TooFewBandsForWannierHandler,
    WannierStoppedHandler,
)
from hightc.makers.qe.handlers_machine import (
    BrokenFileHandler,
    CrashedHandler,
    DiskFullHandler,
    KilledHandler,
    OutOfMemoryHandler,
    PseudopotentialHandler,
    ReturnCodeHandler,
    WalltimeHandler,
    with_machine_handlers,
)
from hightc.makers.qe.handlers_matdyn import ElphFilesHandler, MatdynNanHandler
from hightc.makers.qe.handlers_ph import FftSymmetryHandler, PhononConvergenceHandler, PhononDivergenceHandler
from hightc.makers.qe.handlers_pw import (
    BfgsHistoryHandler,
    EigenvaluesHandler,
    GeometryConvergenceHandler,
    OverlapMatrixHandler,
    RestartFailedHandler,
    ScfConvergenceHandler,
    ScfOscillationHandler,
    TooFewBandsHandler,
)

__all__ = [
    "AboveTcHandler",
    "BfgsHistoryHandler",
    "BrokenFileHandler",
    "CoarseMeshHandler",
    "CrashedHandler",
    "DiskFullHandler",
    "EigenvaluesHandler",
    "ElphFilesHandler",
    "EpwFilesHandler",
    "FailureHandler",
    "FftSymmetryHandler",
    "FineMeshHandler",
    "FrozenWindowHandler",
    "GapConvergenceHandler",
    "GeometryConvergenceHandler",
    "KilledHandler",
    "MatdynNanHandler",
    "MeshSymmetryHandler",
    "OutOfMemoryHandler",
    "OuterWindowHandler",
    "OverlapMatrixHandler",
    "PadeNanHandler",
    "PhononConvergenceHandler",
    "PhononDivergenceHandler",
    "PseudopotentialHandler",
    "RestartFailedHandler",
    "ReturnCodeHandler",
    "ScfConvergenceHandler",
    "ScfOscillationHandler",
    "TooFewBandsForWannierHandler",
    "TooFewBandsHandler",
    "WalltimeHandler",
    "WannierStoppedHandler",
    "epw_handlers",
    "matdyn_handlers",
    "ph_handlers",
    "pw_handlers",
    "q2r_handlers",
]


def pw_handlers(stem: str) -> list[FailureHandler]:
    """Handlers of a pw.x run.

    Parameters
    ----------
    stem
        Stem of its input and output files.
    """
    own: list[FailureHandler] = [
        PseudopotentialHandler(stem),
        TooFewBandsHandler(stem),
        OverlapMatrixHandler(stem),
        EigenvaluesHandler(stem),
        ScfConvergenceHandler(stem),
        ScfOscillationHandler(stem),
        BfgsHistoryHandler(stem),
        GeometryConvergenceHandler(stem),
        WalltimeHandler(stem),
        RestartFailedHandler(stem),
    ]
    return with_machine_handlers(own, stem)


def ph_handlers(stem: str) -> list[FailureHandler]:
    """Handlers of a ph.x run.

    Parameters
    ----------
    stem
        Stem of its input and output files.
    """
    own: list[FailureHandler] = [
        PseudopotentialHandler(stem),
        FftSymmetryHandler(stem),
        PhononConvergenceHandler(stem),
        PhononDivergenceHandler(stem),
        WalltimeHandler(stem),
    ]
    return with_machine_handlers(own, stem)


def q2r_handlers(stem: str) -> list[FailureHandler]:
    """Handlers of a q2r.x run.

    Parameters
    ----------
    stem
        Stem of its input and output files.
    """
    return with_machine_handlers([ElphFilesHandler(stem)], stem)


def matdyn_handlers(stem: str) -> list[FailureHandler]:
    """Handlers of a matdyn.x run.

    Parameters
    ----------
    stem
        Stem of its input and output files.
    """
    return with_machine_handlers([MatdynNanHandler(stem)], stem)


def epw_handlers(stem: str) -> list[FailureHandler]:
    """Handlers of an epw.x run.

    Parameters
    ----------
    stem
        Stem of its input and output files.
    """
    own: list[FailureHandler] = [
        FineMeshHandler(stem),
        MeshSymmetryHandler(stem),
        CoarseMeshHandler(stem),
        EpwFilesHandler(stem),
        FrozenWindowHandler(stem),
        OuterWindowHandler(stem),
        TooFewBandsForWannierHandler(stem),
        WannierStoppedHandler(stem),
        AboveTcHandler(stem),
        GapConvergenceHandler(stem),
        PadeNanHandler(stem),
    ]
    return with_machine_handlers(own, stem)
