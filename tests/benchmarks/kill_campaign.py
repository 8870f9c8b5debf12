"""Kill a campaign at random and run it again: ``python tests/benchmarks/kill_campaign.py --runs 10 --campaign X.toml``.

Each run starts on a machine of its own (home, database, work folder), is killed once at a moment drawn from the time
that the undisturbed run took (its worker, its program, the database server, the run itself, or everything), and is
run again until it has finished. Printed are the starts of programs beyond those of an undisturbed run, of which a kill
or an error handler explains one in its folder, and how far the documents are from those of the undisturbed run. In one
process everything but ph.x is compared exactly: ph.x that goes on at a later q point starts from other random bands.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fakes.killing import TARGETS, Killer, Trial, deviation

EXACT_KINDS = (" structure.", " scf.dense", " scf.coarse")
EXACT = 1e-12
"""Of numbers that are read back from the same text."""


def main() -> int:
    """Run the trials and print one line of each; 0 if all agree."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--campaign", type=Path, required=True, help="campaign file without files beside it")
    parser.add_argument("--runs", type=int, default=10, help="disturbed runs")
    parser.add_argument("--kills", type=int, default=1, help="kills in each")
    parser.add_argument("--cores", type=int, default=1, help="MPI processes of a program")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--tolerance", type=float, default=0.02, help="of lambda, omega_log and Tc, relative")
    parser.add_argument("--directory", type=Path, help="where the machines are kept; a temporary folder by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = (options.directory or Path(temporary)).absolute()
        killer = Killer(root, options.campaign.absolute(), options.cores, options.seed)
        reference = killer.run("undisturbed")
        print(f"undisturbed: {reference.seconds:.0f} s, {sum(reference.starts.values())} programs started", flush=True)
        moments = random.Random(options.seed)
        good = True
        for number in range(options.runs):
            kills = []
            for turn in range(options.kills):
                share = (number + moments.random()) / options.runs if options.kills == 1 else moments.random()
                target = TARGETS[(number * options.kills + turn) % len(TARGETS)]
                kills.append((target, 1.0 + share * (reference.seconds - 1.0)))
            try:
                trial = killer.run(f"run-{number}", kills)
            except RuntimeError as error:
                print(f"run {number}: BAD: {kills}: {error}", flush=True)
                good = False
            else:
                good &= _report(number, trial, reference, options.tolerance, options.cores)
    return 0 if good else 1


def _report(number: int, trial: Trial, reference: Trial, tolerance: float, cores: int) -> bool:
    kills = "; ".join(f"{kill.target} at {kill.after_seconds:.0f} s in {kill.folders or '-'}" for kill in trial.kills)
    exact = max(deviation(trial, reference, kind) for kind in EXACT_KINDS)
    coupling = max(deviation(trial, reference, part) for part in ("tc.lambda_", "tc.omega_log", ".tc_kelvin"))
    bound = EXACT if cores == 1 and not trial.resumed("ph") else tolerance
    good = exact <= (EXACT if cores == 1 else tolerance) and coupling <= bound and not trial.wasted
    print(
        f"run {number}: {'good' if good else 'BAD'}: {kills or 'finished before its kill'}: {trial.attempts} attempts, "
        f"{trial.seconds:.0f} s, repeated {trial.repeated or 'nothing'}, corrected {trial.corrected or 'nothing'}, "
        f"unexplained {trial.wasted or 'none'}, "
        f"pw.x differs {exact:.1e}, lambda, omega_log and Tc {coupling:.1e} (bound {bound:.0e})",
        flush=True,
    )
    return good


if __name__ == "__main__":
    raise SystemExit(main())
