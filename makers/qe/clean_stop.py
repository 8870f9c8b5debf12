"""A pw.x that stopped cleanly when its time was over, and goes on in a later job.

What it leaves is whole: density, wavefunctions and, of a relaxation, the path so far. A program that was killed leaves
files that may be cut; it starts from the beginning. So does one with other processes or pools than the run that
stopped: pw.x 6.7 in two pools, which is to go on from one process, waits for ever (fcc Al, k mesh 14).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hightc.analysis.files import write_text
from hightc.analysis.parsers.errors import MissingOutputError
from hightc.analysis.parsers.run_end import read_run_end
from hightc.makers.content_key import canonical_input
from hightc.makers.qe.inputs import edit_namelists, read_namelists

POOLS = re.compile(r"K-points division:\s+npool\s+=\s+(\d+)")
SLACK_SECONDS = 5.0
CONTINUES = {"control": {"restart_mode": "restart"}}


def write_input(path: Path, text: str, *, processes: int, pools: int) -> bool:
    """Write an input; where pw.x stopped cleanly in the folder with the same input, the new run goes on from there.

    Parameters
    ----------
    path
        The input file; the output lies beside it.
    text
        Input for a run from the beginning.
    processes, pools
        MPI processes of the new run, and the pools of k points that share them.

    Returns
    -------
    bool
        Whether the run continues.
    """
    stopped = is_clean_stop_of(path, text, processes=processes, pools=pools)
    write_text(path, text)
    if stopped:
        edit_namelists(path, CONTINUES)
    return stopped


def renew_time_limit(path: Path, seconds: float) -> None:
    """Lower the time limit of an input to what is left; one that is lower, or not there, stays.

    Parameters
    ----------
    path
        The input file.
    seconds
        Time after which the program must stop cleanly, in s.
    """
    for name, values in read_namelists(path).items():
        if float(values.get("max_seconds", 0.0)) > seconds + SLACK_SECONDS:
            edit_namelists(path, {name: {"max_seconds": seconds}})


def is_clean_stop_of(path: Path, text: str, *, processes: int, pools: int) -> bool:
    """Whether the last run in a folder was pw.x with this input, and stopped by itself because its time was over.

    Parameters
    ----------
    path
        The input file of the last run, if there is one.
    text
        The input that is asked for; its time limit and folders do not count.
    processes, pools
        As they are to be.
    """
    if not path.is_file():
        return False
    output = path.with_suffix(".out")
    try:
        end = read_run_end(output)
    except MissingOutputError:
        return False
    if not (end.program == "PWSCF" and end.job_done and end.walltime_exceeded and end.error_message is None):
        return False
    pooled = POOLS.search(output.read_text(encoding="utf-8", errors="replace"))
    if (end.n_processes, int(pooled[1]) if pooled else 1) != (processes, pools):
        return False
    return _asked(path.read_text(encoding="utf-8")) == _asked(text)


def _asked(text: str) -> dict[str, Any]:
    content = canonical_input(text)
    content["namelists"].get("control", {}).pop("restart_mode", None)
    return content
