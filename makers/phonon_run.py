"""One run of ph.x in the current folder: all q points or some, from the first unfinished one, while it is stable."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from hightc.analysis.documents import Correction, ScfDocument
from hightc.analysis.files import write_text
from hightc.analysis.parsers.ph import read_finished_q
from hightc.analysis.parsers.run_end import read_run_end
from hightc.makers.base import QEMaker, clean_stop_seconds, combined_digest, installed_program
from hightc.makers.code_version import FILE
from hightc.makers.content_key import Calculation
from hightc.makers.errors import ProgramFailedError
from hightc.makers.execution import ProgramRun, run_program
from hightc.makers.phonon_watch import STOP_FILE, WATCH_SECONDS, UnstableMonitor, is_unstable
from hightc.makers.qe.failures import FAILURES
from hightc.makers.qe.handlers import ph_handlers
from hightc.makers.qe.inputs import OUTDIR, PREFIX
from hightc.makers.qe.phonon_inputs import FILDVSCF, FILDYN, PHONONS, ph_input, response_folder
from hightc.makers.qe.phonon_restart import Q_RANGE, clear_unfinished_q, discard_phonons, write_q_range
from hightc.makers.qe.symmetry import irreducible_k_points
from hightc.makers.scf import DOUBLE_DELTA_WEIGHTS
from hightc.makers.staging import stage

INPUT_DIGEST = "ph.sha256"
"""File with the digest of what the q points of a folder depend on, and the version of ph.x on a line of its own."""

OUTPUT = Path("ph.out")
OUTPUTS = (f"{FILDYN}*", "elph_dir")
PATTERNS = f"{PHONONS}/*.phsave/[!e]*"
"""All of phsave but the matrix elements, which ph.x has summed."""

UNKNOWN_CORRECTIONS = Correction(
    handler="custodian",
    errors=("log_unreadable",),
    actions=("nothing that is known",),
    physics="custodian.json was cut by a kill, so that corrections before it are not known",
)
"""Stands for what handlers changed where their log cannot be read, as a warning: the results are judged without it."""

POTENTIALS_OF_GAMMA, POTENTIALS_OF_OTHERS = f"{PHONONS}/*{FILDVSCF}*", f"{PHONONS}/*/*{FILDVSCF}*"


def run_phonons(
    maker: QEMaker, scf: ScfDocument, *, first_q: int = 1, last_q: int | None = None, potentials: bool = False
) -> ProgramRun:
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
    potentials
        Whether the response of the potential and the patterns must be there too, as the Wannier route reads them: a run
        that has lost them is not taken over, and its q points that have lost them are computed again.

    Raises
    ------
    ProgramFailedError
        If ph.x failed while all it had computed was stable.
    """
    whole = ph_input(maker.recipe, first_q=first_q, last_q=last_q)
    response = _response_files(maker, first_q, last_q)
    calculation = Calculation(
        "ph",
        whole,
        outputs=(*OUTPUTS, *response) if potentials else OUTPUTS,
        along=() if potentials else response,
        upstream=(scf.provenance.content_sha256,),
    )

    def compute() -> ProgramRun:
        stage_scf(scf)
        same = _is_same_run(maker, scf, whole, first_q, last_q)
        if potentials and not is_unstable(Path.cwd()):
            forget_q_without_potentials(Path.cwd())
        if same and _is_over(Path.cwd(), first_q, last_q):
            return _past_run(whole)
        return _compute_phonons(maker, scf, last_q)

    return maker.run(calculation, compute)


def _response_files(maker: QEMaker, first_q: int, last_q: int | None) -> tuple[str, ...]:
    """Patterns of the files that the Wannier route and a merge read; each stands for some file of a whole run."""
    others = last_q is None or last_q > 1
    one_point = maker.recipe.q_mesh == (1, 1, 1)
    return (
        *((POTENTIALS_OF_GAMMA,) if first_q == 1 else ()),
        *((POTENTIALS_OF_OTHERS,) if others and not one_point else ()),
        PATTERNS,
    )


def forget_q_without_potentials(directory: Path) -> None:
    """Remove the dynamical matrices of q points whose potential or patterns are gone, so that they count as unfinished.

    Parameters
    ----------
    directory
        Folder of ph.x.
    """
    scratch = directory / PHONONS
    for number in read_finished_q(directory, FILDYN)[0]:
        needed = (
            response_folder(directory, number) / f"{PREFIX}.{FILDVSCF}1",
            scratch / f"{PREFIX}.phsave" / f"patterns.{number}.xml",
        )
        if not all(path.is_file() for path in needed):
            (directory / f"{FILDYN}{number}").unlink()


def _compute_phonons(maker: QEMaker, scf: ScfDocument, last_q: int | None) -> ProgramRun:
    here, settings = Path.cwd(), maker.settings()
    text = ph_input(
        maker.recipe, first_q=clear_unfinished_q(here), last_q=last_q, max_seconds=clean_stop_seconds(settings)
    )
    try:
        return run_program(
            "ph",
            input_text=text,
            handlers=[*ph_handlers("ph"), UnstableMonitor()],
            settings=settings,
            n_k_points=irreducible_k_points(scf.structure, scf.k_mesh, spin_polarized=maker.recipe.spin_polarized),
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


def _is_same_run(maker: QEMaker, scf: ScfDocument, whole: str, first_q: int, last_q: int | None) -> bool:
    """Whether an earlier run of the same content lies here; what any other left is removed."""
    here, marker = Path.cwd(), Path(INPUT_DIGEST)
    digest = _content_digest(maker, scf, whole)
    version = _printed_version(maker)
    if marker.is_file():
        before, _, version_before = marker.read_text(encoding="utf-8").partition("\n")
        # a version that nobody knows must not cost q points that took days
        if before == digest and (version == version_before or not (version and version_before)):
            return True
    discard_phonons(here)
    (here / Q_RANGE).unlink(missing_ok=True)
    if last_q is not None:
        write_q_range(here, first_q, last_q)
    write_text(marker, f"{digest}\n{version}")
    return False


def _content_digest(maker: QEMaker, scf: ScfDocument, whole: str) -> str:
    files = sorted(f"{item.element} {item.sha256}" for item in maker.recipe.pseudopotentials)
    return combined_digest([whole, scf.provenance.input_sha256, scf.provenance.content_sha256 or "", *files])


def _printed_version(maker: QEMaker) -> str:
    """Version that ph.x prints; empty where it prints none."""
    version = installed_program("ph", maker.settings())
    return "" if version is None or version.startswith(FILE) else version


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
    """What handlers changed, from custodian's log; none where there is no log, and a warning where it was cut."""
    if not log.is_file():
        return ()
    try:
        jobs = json.loads(log.read_text(encoding="utf-8"))
    except ValueError:  # a cut may fall inside a character, too
        return (UNKNOWN_CORRECTIONS,)
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
