"""Error handlers of ph.x."""

from __future__ import annotations

from hightc.makers.qe.failures import FFT_SYMMETRY, PH_DIVERGED, PH_NOT_CONVERGED
from hightc.makers.qe.handlers_base import FailureHandler, Run, from_first_unfinished_q
from hightc.makers.qe.inputs import Namelists


class _ResponseHandler(FailureHandler):
    """Base of the handlers that mix the response slower."""

    def changes(self, run: Run) -> Namelists | None:
        """Take the next rung of the ladder, from the first unfinished q point."""
        changes = super().changes(run)
        return {"inputph": {**changes["inputph"], **from_first_unfinished_q(run)}} if changes else None


class PhononConvergenceHandler(_ResponseHandler):
    """Slower mixing when the response of ph.x does not converge."""

    failure = PH_NOT_CONVERGED

    def matches(self, run: Run) -> bool:
        """Whether the response was missed."""
        return run.end.ph_not_converged


class PhononDivergenceHandler(_ResponseHandler):
    """Slower mixing when the response of ph.x grows beyond all bounds."""

    failure = PH_DIVERGED


class FftSymmetryHandler(FailureHandler):
    """Nothing mends an FFT grid that breaks the symmetry of the crystal: say so at once."""

    failure = FFT_SYMMETRY
