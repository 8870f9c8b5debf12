"""Error handlers of epw.x and of the Wannier functions it makes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hightc.analysis.parsers.errors import ParseError
from hightc.analysis.parsers.pw import read_pw_xml
from hightc.makers.qe.failures_epw import (
    EPW_ABOVE_TC,
    EPW_COARSE_MESH,
    EPW_FILES,
    EPW_FINE_MESH,
    EPW_MESH_SYMMETRY,
    EPW_NOT_CONVERGED,
    EPW_PADE_NAN,
    WANNIER_FROZEN_WINDOW,
    WANNIER_OUTER_WINDOW,
    WANNIER_STOPPED,
    WANNIER_TOO_FEW_BANDS,
)
from hightc.makers.qe.handlers_base import FailureHandler, Run, is_printed
from hightc.makers.qe.inputs import Namelists

TEMPERATURE = re.compile(r"^\s*temp\(\s*\d+\)\s*=\s*(\S+) K\s*$", re.MULTILINE)
CONVERGED = "Convergence was reached in nsiter"
BANDS_OF_A_K_POINT = re.compile(r"ERROR AT K-POINT.*?BANDS: \(eV\)(.*?)Exiting", re.DOTALL)
MACHINE_OF_WANNIER = re.compile(
    r"error:? (?:in )?(?:de)?allocating|problem opening|error opening|no space left", re.IGNORECASE
)
"""What wannier90 says before it stops for want of memory or of a file, which tells nothing of the functions."""

WINDOW_MARGIN_EV = 0.05
"""How far below the first band too many the frozen window ends: wannier90 counts a band on the edge as inside."""

WINDOW_STEP_EV = 5.0
DEFAULT_NSITER = 40
"""Iterations of the Eliashberg equations where the input does not say: EPW, inputs."""

MORE_ITERATIONS = 4


def solved_temperatures_k(text: str) -> tuple[list[float], int]:
    """Temperatures in K whose gap equations converged, and how many temperatures were begun.

    Parameters
    ----------
    text
        Output of epw.x.
    """
    sections = TEMPERATURE.split(text)
    begun = list(zip(sections[1::2], sections[2::2], strict=True))
    return [float(kelvin) for kelvin, section in begun if CONVERGED in section], len(begun)


def keep_solved_temperatures(run: Run) -> Namelists | None:
    """Values that make epw.x solve again only what it could solve; None if that is nothing.

    Zeros end the list of temperatures: epw.x counts those that are not 0, whatever nstemp says.

    Parameters
    ----------
    run
        A run of epw.x.
    """
    solved, begun = solved_temperatures_k(run.text)
    if not solved:
        return None
    given = run.namelists().get("inputepw", {})
    listed = [int(match[1]) for key in given if (match := re.fullmatch(r"temps\((\d+)\)", key))]
    values: dict[str, Any] = {"nstemp": len(solved)}
    for index in range(1, max([*listed, begun]) + 1):
        values[f"temps({index})"] = solved[index - 1] if index <= len(solved) else 0.0
    return {"inputepw": values}


def fermi_energy_ev(folder: Path) -> float | None:
    """Fermi energy in eV of the bands that the Wannier functions are made of; None if it is not told.

    Parameters
    ----------
    folder
        The folder ``prefix.save`` of pw.x.
    """
    try:
        return read_pw_xml(folder / "data-file-schema.xml").fermi_ev
    except ParseError:
        return None


class FineMeshHandler(FailureHandler):
    """A fine k mesh that the fine q mesh divides."""

    failure = EPW_FINE_MESH

    def changes(self, run: Run) -> Namelists | None:
        """The next multiples of the q mesh."""
        values = run.namelists()["inputepw"]
        meshes = [(int(values.get(f"nkf{axis}", 1)), int(values.get(f"nqf{axis}", 1))) for axis in (1, 2, 3)]
        return {"inputepw": {f"nkf{axis}": -(-k // q) * q for axis, (k, q) in enumerate(meshes, 1) if k % q}}


class MeshSymmetryHandler(FailureHandler):
    """All q points where epw.x does not take the irreducible ones."""

    failure = EPW_MESH_SYMMETRY


class CoarseMeshHandler(FailureHandler):
    """Nothing mends a coarse mesh that other programs ran on: say so at once."""

    failure = EPW_COARSE_MESH


class EpwFilesHandler(FailureHandler):
    """Nothing mends files that are gone: say so at once."""

    failure = EPW_FILES


class AboveTcHandler(FailureHandler):
    """Only the temperatures below Tc, where there is a gap to be found."""

    failure = EPW_ABOVE_TC

    def changes(self, run: Run) -> Namelists | None:
        """Keep what was solved."""
        return keep_solved_temperatures(run)


class GapConvergenceHandler(FailureHandler):
    """More iterations of the gap equations, and in the end only the temperatures that need no more."""

    failure = EPW_NOT_CONVERGED

    def matches(self, run: Run) -> bool:
        """Whether the gap equations were given up at some temperature."""
        return run.end.gap_not_converged

    def changes(self, run: Run) -> Namelists | None:
        """More iterations first."""
        if self.n_applied_corrections > 0:
            return keep_solved_temperatures(run)
        iterations = run.namelists()["inputepw"].get("nsiter", DEFAULT_NSITER)
        return {"inputepw": {"nsiter": MORE_ITERATIONS * int(iterations)}}


class PadeNanHandler(FailureHandler):
    """No continuation to the real axis where it gives no numbers."""

    failure = EPW_PADE_NAN


class FrozenWindowHandler(FailureHandler):
    """A frozen window that holds no more bands than there are Wannier functions."""

    failure = WANNIER_FROZEN_WINDOW

    def changes(self, run: Run) -> Namelists | None:
        """End the window below the first band too many at the k point that wannier90 named last in its own output."""
        values = run.namelists()["inputepw"]
        prefix = str(values.get("prefix", "pwscf"))
        try:
            text = (run.input.parent / f"{prefix}.wout").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None
        found = BANDS_OF_A_K_POINT.findall(text)
        if not found:
            return None
        bottom = float(values.get("dis_froz_min", "-inf"))
        inside = [energy for energy in (float(field) for field in found[-1].split()) if energy >= bottom]
        wanted = int(values.get("nbndsub", 0))
        if not 0 < wanted < len(inside):
            return None
        top = round(inside[wanted] - WINDOW_MARGIN_EV, 4)
        fermi = fermi_energy_ev(run.input.parent / str(values.get("outdir", ".")) / f"{prefix}.save")
        return None if fermi is not None and top <= fermi else {"inputepw": {"dis_froz_max": top}}


class OuterWindowHandler(FailureHandler):
    """A wider outer window where it holds fewer bands than there are Wannier functions."""

    failure = WANNIER_OUTER_WINDOW

    def changes(self, run: Run) -> Namelists | None:
        """Open the window upwards; nothing if it has no upper end."""
        top = run.namelists()["inputepw"].get("dis_win_max")
        return None if top is None else {"inputepw": {"dis_win_max": float(top) + WINDOW_STEP_EV}}


class TooFewBandsForWannierHandler(FailureHandler):
    """Nothing mends bands that were not computed: say so at once."""

    failure = WANNIER_TOO_FEW_BANDS


class WannierStoppedHandler(FailureHandler):
    """Nothing mends what wannier90 alone can tell: say so at once."""

    failure = WANNIER_STOPPED

    def matches(self, run: Run) -> bool:
        """Whether wannier90 stopped the program for a reason that no other handler sees, nor is the machine's."""
        if not is_printed(self.failure, run.text) or MACHINE_OF_WANNIER.search(run.text):
            return False
        known = (WANNIER_FROZEN_WINDOW, WANNIER_OUTER_WINDOW, WANNIER_TOO_FEW_BANDS)
        return not any(is_printed(failure, run.text) for failure in known)
