"""What every Maker of a Quantum ESPRESSO calculation shares."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from jobflow import Maker

from hightc.analysis.documents.base import Provenance
from hightc.analysis.parsers.errors import ParseError
from hightc.makers.code_version import contradicts, installed_version
from hightc.makers.content_key import Calculation, content_key
from hightc.makers.errors import CalculationError
from hightc.makers.execution import CLEAN_STOP_SECONDS, ProgramRun
from hightc.makers.qe.pseudopotentials import family_directory, require_unchanged
from hightc.makers.qe.recipe import Recipe
from hightc.makers.reuse import FinishedRuns, forget_run
from hightc.makers.settings import ComputeSettings, compute_settings


@dataclass
class QEMaker(Maker):
    """A calculation with Quantum ESPRESSO.

    Attributes
    ----------
    name
        Name of the job and its firework.
    recipe
        Every number of the calculation.
    """

    name: str = "qe"
    recipe: Recipe = field(kw_only=True)

    def settings(self) -> ComputeSettings:
        """Read the settings of the machine that runs the job, now."""
        return compute_settings()

    def pseudo_dir(self, settings: ComputeSettings) -> Path:
        """Folder of the pseudopotentials on this machine, checked against the recipe.

        Parameters
        ----------
        settings
            Settings of this machine.

        Raises
        ------
        PseudopotentialError
            If a file is missing or differs from the one the recipe was made with.
        """
        directory = family_directory(self.recipe.pseudopotential_family, settings.pseudopotentials_directory)
        require_unchanged(directory, self.recipe.pseudopotentials)
        return directory

    def run(
        self,
        calculation: Calculation,
        compute: Callable[[], ProgramRun],
        check: Callable[[], object] | None = None,
    ) -> ProgramRun:
        """Take over the finished run of the same content, in this folder or from another; compute where there is none.

        Parameters
        ----------
        calculation
            What the result depends on, and which files must be there.
        compute
            Stages what the program reads and runs it in the current folder; called only if there is nothing to take
            over.
        check
            Reads the results; a run whose results it cannot read is neither marked as finished nor taken over.

        Returns
        -------
        ProgramRun
            With its key, and the folder it was taken over from.
        """
        settings, here = self.settings(), Path.cwd()
        finished = FinishedRuns(settings.data_directory / "calculations")
        version = installed_program(calculation.program, settings) if settings.reuse else None
        key = content_key(calculation, self.recipe.pseudopotentials, version)
        taken = finished.take(key, calculation, here) if key else None
        if taken is not None and _is_readable(check):
            return taken
        forget_run(here, calculation.stem)
        run = compute()
        if check is not None:
            check()
        if version and not contradicts(version, run.end.code_version):
            run = replace(run, content_sha256=key)
        finished.record(calculation, here, run)
        return run

    def provenance(self, program: str, run: ProgramRun) -> Provenance:
        """Where the numbers of a run come from.

        Parameters
        ----------
        program
            Name of the program.
        run
            Its run.
        """
        return Provenance(
            input_sha256=run.input_sha256,
            codes={program: run.end.code_version or "unknown"},
            pseudopotentials=self.recipe.pseudopotentials,
            corrections=run.corrections,
            directory=str(Path.cwd()),
            wall_seconds=run.end.wall_seconds,
            content_sha256=run.content_sha256,
            reused_from=run.reused_from,
        )


def _is_readable(check: Callable[[], object] | None) -> bool:
    try:
        if check is not None:
            check()
    except (CalculationError, ParseError, OSError):
        return False
    return True


def installed_program(program: str, settings: ComputeSettings) -> str | None:
    """Version of a program on this machine; None if it is not known.

    Parameters
    ----------
    program
        Name of the program, for example pw.
    settings
        Settings of this machine.
    """
    return installed_version(shlex.split(str(getattr(settings, f"{program}_command"))))


def clean_stop_seconds(settings: ComputeSettings) -> float | None:
    """Time after which a program is asked to stop cleanly, in s; None for no limit.

    Parameters
    ----------
    settings
        Settings of this machine.
    """
    if settings.walltime_seconds is None:
        return None
    return max(settings.walltime_seconds - CLEAN_STOP_SECONDS, CLEAN_STOP_SECONDS)


def correction_warnings(provenances: Iterable[Provenance]) -> tuple[str, ...]:
    """Mark results that an error handler had a hand in.

    Parameters
    ----------
    provenances
        Of every run that contributed.
    """
    return tuple(
        f"{correction.handler} changed {'; '.join(correction.actions)} after {', '.join(correction.errors)}: "
        f"{correction.physics or 'the physics is the same'}"
        for provenance in provenances
        for correction in provenance.corrections
    )


def combined_digest(parts: Iterable[str]) -> str:
    """SHA-256 of several digests, in order.

    Parameters
    ----------
    parts
        Digests or other texts.
    """
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
