"""The known failures of Quantum ESPRESSO: how each is seen, what is done, what that does to the physics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Failure:
    """One way a program fails.

    Attributes
    ----------
    code
        Short name, stored with every correction.
    symptom
        How it shows in the output.
    remedy
        What the handler changes, in the order it tries.
    tries
        How often it tries; 0 if nothing can be mended.
    physics
        What the remedy changes in the result.
    advice
        What the user can do when the remedy is spent.
    """

    code: str
    symptom: str
    remedy: str
    tries: int
    physics: str
    advice: str


SCF_NOT_CONVERGED = Failure(
    code="scf_not_converged",
    symptom="pw.x prints 'convergence NOT achieved'",
    remedy="mixing_beta 0.3 and 200 steps; local-TF mixing with 0.2; Davidson replaced by conjugate gradients",
    tries=3,
    physics="nothing: the same solution is reached by another way",
    advice="check the structure and the smearing; a magnetic material may need spin",
)
GEOMETRY_NOT_CONVERGED = Failure(
    code="geometry_not_converged",
    symptom="pw.x used up its ionic steps: 'The maximum number of steps has been reached', or no final scf",
    remedy="pw.x goes on from the last geometry (restart_mode) with twice the ionic steps (nstep)",
    tries=2,
    physics="nothing: the same minimum is reached in more steps",
    advice="start from a structure nearer to its minimum, raise force_threshold_ry_bohr, or set relax = false",
)
PH_NOT_CONVERGED = Failure(
    code="ph_not_converged",
    symptom="ph.x prints 'No convergence has been achieved'",
    remedy="alpha_mix 0.3; then 0.1 with 5 mixed iterations; each goes on at the first unfinished q point (start_q)",
    tries=2,
    physics="nothing: the same response is reached by another way",
    advice="a soft or unstable mode may be the cause: look at the phonons at that q, or raise the k mesh",
)
WALLTIME = Failure(
    code="walltime",
    symptom="the program stopped cleanly because max_seconds had passed",
    remedy="pw.x continues (restart_mode); ph.x goes on at its first unfinished q point (start_q)",
    tries=3,
    physics="nothing",
    advice="give the job more time (HIGHTC_WALLTIME_SECONDS) or more processes",
)
KILLED = Failure(
    code="killed",
    symptom="the output stops without JOB DONE and without an error message",
    remedy="ph.x goes on at its first unfinished q point (start_q); any other program starts again",
    tries=2,
    physics="nothing",
    advice="the machine may lack memory: use fewer processes, or look into the system log for the reason",
)
RESTART_FAILED = Failure(
    code="restart_failed",
    symptom="pw.x stops with an error in a run that continues an interrupted one",
    remedy="pw.x starts again from the structure it was given",
    tries=1,
    physics="nothing",
    advice="give the job more time (HIGHTC_WALLTIME_SECONDS): pw.x cannot continue where it was stopped",
)
PSEUDOPOTENTIAL = Failure(
    code="pseudopotential",
    symptom="the program cannot open or read a pseudopotential",
    remedy="none",
    tries=0,
    physics="",
    advice="hightc doctor lists the families; hightc pseudos install pseudo-dojo brings one with 72 elements",
)
DISK_FULL = Failure(
    code="disk_full",
    symptom="no space is left on the device",
    remedy="none",
    tries=0,
    physics="",
    advice="free space in the scratch folder, or run where there is more, and run the campaign again",
)

FAILURES = (
    SCF_NOT_CONVERGED,
    GEOMETRY_NOT_CONVERGED,
    PH_NOT_CONVERGED,
    WALLTIME,
    KILLED,
    RESTART_FAILED,
    PSEUDOPOTENTIAL,
    DISK_FULL,
)
"""Every failure that a handler knows."""
