"""Provenance of a result that several runs contributed to."""

from __future__ import annotations

from collections.abc import Sequence

from hightc.analysis.documents import Provenance
from hightc.makers.base import combined_digest


def joined_provenance(runs: Sequence[Provenance]) -> Provenance:
    """Provenance of a result that several runs contributed to; its folder is that of the last.

    Parameters
    ----------
    runs
        In the order they ran.
    """
    keys = [run.content_sha256 for run in runs if run.content_sha256 is not None]
    seconds = [run.wall_seconds for run in runs if run.wall_seconds is not None]
    return runs[-1].model_copy(
        update={
            "input_sha256": combined_digest(run.input_sha256 for run in runs),
            "codes": {name: version for run in runs for name, version in run.codes.items()},
            "corrections": tuple(item for run in runs for item in run.corrections),
            "wall_seconds": sum(seconds) if len(seconds) == len(runs) else None,
            "content_sha256": combined_digest(keys) if len(keys) == len(runs) else None,
            "reused_from": runs[-1].reused_from if all(run.reused_from for run in runs) else None,
        }
    )
