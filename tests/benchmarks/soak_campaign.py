"""Kill workers and database server at random under many small jobs: ``python tests/benchmarks/soak_campaign.py``.

Chains of four jobs, each of which needs the document of the one before, run on four workers and an embedded server.
Workers and server are killed (-9) in turn, at moments drawn over the whole campaign; the server stays away for up to
two seconds. At the end each document must be there once and equal to that of a campaign that nobody disturbed, each
step must have finished, and no more steps may have run twice than workers were killed. Exits with 1 otherwise.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fakes.soaking import CHAIN_LENGTH, WORKERS, expected_chains, faults_of, soak


def main() -> int:
    """Run the undisturbed and the disturbed campaign, and say what is lost, doubled or different."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=2000, help=f"rounded down to chains of {CHAIN_LENGTH}")
    parser.add_argument("--kills", type=int, default=30, help="workers and servers in turn")
    parser.add_argument("--seed", type=int, default=0, help="of moments and victims")
    options = parser.parse_args()
    jobs = options.jobs // CHAIN_LENGTH * CHAIN_LENGTH
    for name in [name for name in os.environ if name.startswith("HIGHTC_")]:
        del os.environ[name]
    os.environ["PYTHONPATH"] = sys.path[0]
    say = partial(print, flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["HIGHTC_SETTINGS_FILE"] = f"{temporary}/settings.toml"
        reference = soak(Path(temporary) / "undisturbed", jobs, 0, options.seed)
        say(f"undisturbed: {jobs} jobs on {WORKERS} workers in {reference.seconds:.0f} s")
        found = soak(Path(temporary) / "disturbed", jobs, options.kills, options.seed, say)
    say(
        f"disturbed: {found.seconds:.0f} s, killed {dict(found.killed)}, {found.repeated} steps repeated, "
        f"{found.documents} documents, states {found.states}"
    )
    faults = [*faults_of(reference, expected_chains(jobs), jobs), *faults_of(found, reference.chains, jobs)]
    for fault in faults:
        say(f"BAD: {fault}")
    say("good: nothing lost, nothing doubled, all equal" if not faults else "bad")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
