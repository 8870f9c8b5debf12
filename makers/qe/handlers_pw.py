"""Error handlers of pw.x."""

from __future__ import annotations

import itertools
import re

from hightc.makers.qe.failures import (
    BFGS_HISTORY,
    BROKEN_FILE,
    EIGENVALUES_NOT_CONVERGED,
    GEOMETRY_NOT_CONVERGED,
    OVERLAP_MATRIX,
    RESTART_FAILED,
    SCF_NOT_CONVERGED,
    SCF_OSCILLATING,
    TOO_FEW_BANDS,
)
from hightc.makers.qe.handlers_base import FailureHandler, Run, is_known_error, is_printed, reason_of_machine
from hightc.makers.qe.inputs import Namelists

DEFAULT_NSTEP = 50
"""Ionic steps of a relaxation whose input does not say: pw.x, INPUT_PW."""

DEFAULT_CONV_THR_RY = 1e-6
"""Threshold of self-consistency where the input does not say: pw.x, INPUT_PW."""

DEFAULT_MIXING_BETA = 0.7
"""Mixing where the input does not say: pw.x, INPUT_PW."""

FINAL_SCF = "Final scf calculation at the relaxed structure"
"""What pw.x prints before it computes the relaxed cell in its own basis set; 6.7 counts that as an ionic step."""

ACCURACY = re.compile(r"estimated scf accuracy\s+<\s+(\S+) Ry")
LEAST_STEPS = 6
"""Steps of self-consistency below which nothing is said about oscillation."""


def is_oscillating(text: str) -> bool:
    """Whether the accuracy of the last self-consistency rose in a third of its steps or more.

    Parameters
    ----------
    text
        Output of pw.x.
    """
    accuracies = [float(value) for value in ACCURACY.findall(text.rpartition("Self-consistent Calculation")[2])]
    if len(accuracies) < LEAST_STEPS:
        return False
    rises = sum(later > earlier for earlier, later in itertools.pairwise(accuracies))
    return 3 * rises >= len(accuracies) - 1


class _MixingHandler(FailureHandler):
    """Base of the handlers that mix slower, and never faster than before."""

    def changes(self, run: Run) -> Namelists | None:
        """Take the next rung of the ladder."""
        changes = super().changes(run)
        if changes is None or "mixing_beta" not in changes["electrons"]:
            return changes
        beta = run.namelists()["electrons"].get("mixing_beta", DEFAULT_MIXING_BETA)
        slower = min(float(beta), float(changes["electrons"]["mixing_beta"]))
        return {"electrons": {**changes["electrons"], "mixing_beta": slower}}


class ScfConvergenceHandler(_MixingHandler):
    """Slower and sturdier mixing when pw.x does not reach self-consistency."""

    failure = SCF_NOT_CONVERGED

    def matches(self, run: Run) -> bool:
        """Whether self-consistency was missed, though it came nearer."""
        return run.end.scf_not_converged and not is_oscillating(run.text)


class ScfOscillationHandler(_MixingHandler):
    """Much slower mixing when the charge moves to and fro."""

    failure = SCF_OSCILLATING

    def matches(self, run: Run) -> bool:
        """Whether self-consistency was missed to and fro."""
        return run.end.scf_not_converged and is_oscillating(run.text)


class OverlapMatrixHandler(FailureHandler):
    """Another diagonalisation when the overlap of the bands cannot be factorised."""

    failure = OVERLAP_MATRIX


class EigenvaluesHandler(FailureHandler):
    """Another diagonalisation when eigenvalues do not converge."""

    failure = EIGENVALUES_NOT_CONVERGED


class TooFewBandsHandler(FailureHandler):
    """More bands when the electrons do not fit into those of the input."""

    failure = TOO_FEW_BANDS

    def changes(self, run: Run) -> Namelists | None:
        """Twice the bands; nothing if the input names no number."""
        bands = run.namelists().get("system", {}).get("nbnd")
        return None if bands is None else {"system": {"nbnd": 2 * int(bands)}}


class BfgsHistoryHandler(FailureHandler):
    """A stricter self-consistency when its noise hides the way down; after that the Maker warns of the result."""

    failure = BFGS_HISTORY
    raise_on_max = False

    def matches(self, run: Run) -> bool:
        """Whether BFGS gave up."""
        return run.end.succeeded and is_printed(self.failure, run.text)

    def changes(self, run: Run) -> Namelists | None:
        """A hundredth of the threshold."""
        threshold = float(run.namelists().get("electrons", {}).get("conv_thr", DEFAULT_CONV_THR_RY))
        return {"electrons": {"conv_thr": 0.01 * threshold}, "control": {"restart_mode": "from_scratch"}}


class GeometryConvergenceHandler(FailureHandler):
    """More ionic steps from the last geometry when a relaxation used up its own."""

    failure = GEOMETRY_NOT_CONVERGED

    def matches(self, run: Run) -> bool:
        """Whether the ionic steps were used up, if only by the relaxation and not left for the final scf."""
        end = run.end
        if end.geometry_not_converged:
            return True
        if not end.job_done or end.walltime_exceeded or end.scf_not_converged:
            return False
        _, found, final = run.text.partition(FINAL_SCF)
        return bool(found) and "!    total energy" not in final

    def changes(self, run: Run) -> Namelists | None:
        """Continue with twice the steps."""
        steps = run.namelists().get("control", {}).get("nstep", DEFAULT_NSTEP)
        return {"control": {"restart_mode": "restart", "nstep": 2 * int(steps)}}


class RestartFailedHandler(FailureHandler):
    """Start pw.x anew where it cannot continue: a relaxation that was stopped may not fit its own density."""

    failure = RESTART_FAILED

    def matches(self, run: Run) -> bool:
        """Whether a file it could not read, or an error that no other entry of the table knows, ended it."""
        if not run.continues:
            return False
        reason = reason_of_machine(run)
        unknown = run.end.error_message is not None and not is_known_error("pw", run.end)
        return reason is BROKEN_FILE or (reason is None and unknown)
