"""One run of ph.x in the current folder: all q points or some, from the first unfinished one, while it is stable."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from hightc.analysis.documents import Correction, ScfDocument
from hightc.analysis.files import write_text
from hightc.analysis.parsers.errors import ParseError
from hightc.analysis.parsers.ph import read_finished_q
from hightc.analysis.parsers.run_end import read_run_end
from hightc.makers.base import QEMaker, clean_stop_seconds, combined_digest
from hightc.makers.content_key import Calculation
from hightc.makers.errors import ProgramFailedError
from hightc.makers.execution import ProgramRun, run_program
from hightc.makers.phonon_watch import STOP_FILE, WATCH_SECONDS, UnstableMonitor, is_unstable
from hightc.makers.qe.failures import FAILURES
from hightc.makers.qe.handlers import ph_handlers
from hightc.makers.qe.inputs import OUTDIR, PREFIX
from hightc.makers.qe.phonon_inputs import FILDYN, ph_input
from hightc.makers.qe.phonon_restart import Q_RANGE, clear_unfinished_q, discard_phonons, write_q_range
from hightc.makers.qe.symmetry import irreducible_k_points
from hightc.makers.scf import DOUBLE_DELTA_WEIGHTS
from hightc.makers.staging import stage

INPUT_DIGEST = "ph.sha256"
OUTPUT = Path("ph.out")
OUTPUTS = (f"{FILDYN}*", "elph_dir")
ALONG = tuple(f"{OUTDIR}/_ph0/{name}" for name in ("*dvscf*", "*/*dvscf*", "*.phsave/[!e]*"))
"""What the Wannier route and a merge read: all of phsave but the matrix elements, which ph.x has summed."""


def run_phonons(maker: QEMaker, scf: ScfDocument, *, first_q: int = 1, last_q: int | None = None) -> ProgramRun:
    """Compute what is missing of the q points in the current folder, and stop at the first unstable one.

    What an interrupted run of the same input left here is kept. A failure after an unstable q point is none: the
    verdict stands.

    Parameters
    ----------
    maker
        For its recipe and settings.
    scf
        The calculation on the k mesh of the linear response.
    first_q, last_q
        Range of q points, counted from 1; None for all to the end.

    Raises
    ------
    ProgramFailedError
        If ph.x failed while all it had computed was stable.
    """
    whole = ph_input(maker.recipe, first_q=first_q, last_q=last_q)
    calculation = Calculation("ph", whole, OUTPUTS, along=ALONG, upstream=(scf.provenance.content_sha256,))
    return maker.run(calculation, lambda: _compute_phonons(maker, scf, whole, first_q, last_q))


def _compute_phonons(maker: QEMaker, scf: ScfDocument, whole: str, first_q: int, last_q: int | None) -> ProgramRun:
    here, settings = Path.cwd(), maker.settings()
    stage_scf(scf)
    if _is_same_run(scf, whole, first_q, last_q) and _is_over(here, first_q, last_q):
        return _past_run(whole)
    text = ph_input(
        maker.recipe, first_q=clear_unfinished_q(here), last_q=last_q, max_seconds=clean_stop_seconds(settings)
    )
    try:
        return run_program(
            "ph",
            input_text=text,
            handlers=[*ph_handlers("ph"), UnstableMonitor()],
            settings=settings,
            n_k_points=irreducible_k_points(scf.structure, scf.k_mesh),
            monitor_seconds=WATCH_SECONDS,
        )
    except ProgramFailedError:
        if not is_unstable(here):
            raise
        return _past_run(text)
    finally:
        (here / STOP_FILE).unlink(missing_ok=True)


def stage_scf(scf: ScfDocument) -> None:
    """Copy what ph.x starts from into the current folder.

    Parameters
    ----------
    scf
        The calculation on the k mesh of the linear response.
    """
    names = [f"{OUTDIR}/{PREFIX}.save", f"{OUTDIR}/{PREFIX}.xml", DOUBLE_DELTA_WEIGHTS]
    stage(scf.provenance.directory, names)


def _is_same_run(scf: ScfDocument, whole: str, first_q: int, last_q: int | None) -> bool:
    """Whether an earlier run of the same input lies here; what any other left is removed."""
    here, marker = Path.cwd(), Path(INPUT_DIGEST)
    digest = combined_digest([whole, scf.provenance.input_sha256])
    if marker.is_file() and marker.read_text(encoding="utf-8") == digest:
        return True
    discard_phonons(here)
    (here / Q_RANGE).unlink(missing_ok=True)
    if last_q is not None:
        write_q_range(here, first_q, last_q)
    write_text(marker, digest)
    return False


def _is_over(here: Path, first_q: int, last_q: int | None) -> bool:
    """Whether nothing is left to compute: all is finished and ph.x said so, or what is finished is unstable."""
    if not OUTPUT.is_file():
        return False
    finished, total = read_finished_q(here, FILDYN)
    complete = total > 0 and all(q in finished for q in range(first_q, (last_q or total) + 1))
    return (complete and read_run_end(OUTPUT).succeeded) or is_unstable(here)


def _past_run(text: str) -> ProgramRun:
    """A run that was stopped, or lies here from before, as its files tell it."""
    return ProgramRun(
        end=read_run_end(OUTPUT),
        corrections=_logged_corrections(Path("custodian.json")),
        input_sha256=hashlib.sha256(text.encode()).hexdigest(),
    )


def _logged_corrections(log: Path) -> tuple[Correction, ...]:
    """What handlers changed, from custodian's log; none where there is no log."""
    if not log.is_file():
        return ()
    try:
        jobs = json.loads(log.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ParseError(log, error.lineno, "JSON", error.msg, "remove the folder and run again") from None
    return tuple(
        Correction(
            handler=entry["handler"]["@class"],
            errors=tuple(str(one) for one in entry["errors"]),
            actions=tuple(str(one) for one in entry["actions"]),
            physics="; ".join(failure.physics for failure in FAILURES if failure.code in entry["errors"]),
        )
        for job in jobs
        for entry in job["corrections"]
        if entry["actions"]
    )
