"""What epw.x prints: Fermi energies, Wannier functions, coupling, and gaps at each temperature."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.parsers.eliashberg_gaps import GapAtTemperature, read_gaps
from hightc.analysis.parsers.errors import IncompleteOutputError
from hightc.analysis.parsers.printed_text import PrintedText
from hightc.analysis.parsers.run_end import read_run_end
from hightc.analysis.parsers.units import BOHR_ANGSTROM

_ADVICE = "the run was cut; rerun epw.x"
_STOPPED_BY_WANNIER90: Final = "Error: examine the output/error file for details"
_CENTRES = re.compile(r"^ +Wannier Function centers \(cartesian, alat\) and spreads \(ang\):", re.MULTILINE)
_ALAT = re.compile(r"^ +celldm\(1\)=\s*(\S+)", re.MULTILINE)
_N_WANNIER = re.compile(r"Number of wannier functions is \(\s*(\d+)\)")
_WARNING = re.compile(r"^ *(?:WARNING|Warning)\b.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True, eq=False)
class EpwOutput:
    """The text output of one run of epw.x; None stands for what the run did not print.

    Attributes
    ----------
    code_version : str
        For example ``5.3.1``.
    fermi_coarse_ev : float or None
        Fermi energy of the self-consistent calculation.
    fermi_fine_ev : float or None
        Fermi energy of the fine mesh.
    dos_per_ev_spin_cell : float or None
        Density of states at the Fermi energy of the fine mesh, of one spin.
    n_wannier : int or None
        Number of Wannier functions.
    wannier_centres_angstrom : ndarray (n_wannier, 3) or None
        Cartesian centres at the end of the wannierisation.
    wannier_spreads_angstrom2 : ndarray (n_wannier,) or None
        Spread of each, in Angstrom^2.
    coupling : float or None
        lambda, integrated from the spectrum.
    tc_allen_dynes_k, mu_star, omega_log_mev : float or None
        The estimate of Allen and Dynes, the mu* in it, and the logarithmic frequency.
    gap_bcs_mev : float or None
        The BCS gap of that estimate.
    isotropic_gaps, anisotropic_gaps : tuple of GapAtTemperature
        One for each finished temperature, in the order of the run.
    unfinished_temperature_k : float or None
        The temperature at which the run stopped before its iterations came to an end.
    error_routine, error_message : str or None
        Of a run that stopped itself.
    warnings : tuple of str
        Each paragraph that begins with "Warning", in one line.
    wall_seconds : float or None
        Wall time; None if the run stopped itself with an error.
    """

    code_version: str
    fermi_coarse_ev: float | None
    fermi_fine_ev: float | None
    dos_per_ev_spin_cell: float | None
    n_wannier: int | None
    wannier_centres_angstrom: NDArray[np.float64] | None
    wannier_spreads_angstrom2: NDArray[np.float64] | None
    coupling: float | None
    tc_allen_dynes_k: float | None
    mu_star: float | None
    omega_log_mev: float | None
    gap_bcs_mev: float | None
    isotropic_gaps: tuple[GapAtTemperature, ...]
    anisotropic_gaps: tuple[GapAtTemperature, ...]
    unfinished_temperature_k: float | None
    error_routine: str | None
    error_message: str | None
    warnings: tuple[str, ...]
    wall_seconds: float | None

    @property
    def gap_vanished(self) -> bool:
        """Whether the mixing failed because nothing was left to mix: the temperature lay above Tc.

        Above Tc the gap falls by orders of magnitude at each iteration until the matrix of Broyden's scheme is
        singular; epw.x 5.3.1 then stops with "mix_broyden ... factorization".
        """
        return self.error_routine == "mix_broyden" and "factorization" in (self.error_message or "")


def read_epw_output(path: str | Path) -> EpwOutput:
    """Read what epw.x printed, from a run that came to its end or stopped itself with an error.

    Parameters
    ----------
    path : str or Path
        The text output (EPW 5.3.1, and the lines of later versions that say the same).

    Returns
    -------
    EpwOutput
        In eV, meV, K and Angstrom.

    Raises
    ------
    ParseError
        If the file is missing, no output of epw.x, cut before its closing lines, or holds a number that overflowed.
    """
    file = PrintedText(path, _ADVICE)
    version = file.require_banner("EPW")
    end = read_run_end(path)
    if end.error_message is None:
        _require_the_end(file)
    centres, spreads = _read_wannier(file)
    estimate = file.last_number("Estimated Allen-Dynes Tc =", "Tc in K")
    isotropic, anisotropic, unfinished_k = read_gaps(file)
    return EpwOutput(
        code_version=version,
        fermi_coarse_ev=file.last_number("Fermi energy coarse grid =", "Fermi energy in eV"),
        fermi_fine_ev=_read_fermi_fine(file),
        dos_per_ev_spin_cell=file.last_number("DOS(states/spin/eV/Unit Cell) =", "density of states"),
        n_wannier=None if (match := _N_WANNIER.search(file.text)) is None else int(match[1]),
        wannier_centres_angstrom=centres,
        wannier_spreads_angstrom2=spreads,
        coupling=file.last_number("Electron-phonon coupling strength =", "lambda"),
        tc_allen_dynes_k=estimate,
        mu_star=None if estimate is None else file.last_number("K for muc =", "mu*"),
        omega_log_mev=file.last_number("Estimated w_log in Allen-Dynes Tc =", "omega_log in meV"),
        gap_bcs_mev=file.last_number("Estimated BCS superconducting gap =", "gap in meV"),
        isotropic_gaps=isotropic,
        anisotropic_gaps=anisotropic,
        unfinished_temperature_k=unfinished_k,
        error_routine=end.error_routine,
        error_message=end.error_message,
        warnings=_read_warnings(file.text),
        wall_seconds=end.wall_seconds,
    )


def _require_the_end(file: PrintedText) -> None:
    """Fail unless the total time is followed by the note about EPW.bib between two lines of equal signs."""
    tail = "\n".join(file.lines[-20:])
    closing = r"Total program execution\n\s*EPW\s*:.*WALL\s*\n\s*={70,}\s*\n(?:.*\n)+?\s*={70,}\s*\Z"
    if re.search(closing, tail) is None:
        filled = [line.strip() for line in file.lines[-20:] if line.strip()] or [""]
        file.position = len(file.lines)
        expected = "'Total program execution' and the note about EPW.bib at the end"
        if filled[-1] == _STOPPED_BY_WANNIER90:
            file.advice = "Wannier90 stopped the run; see this message and prefix.wout"
            file.fail(expected, repr(" ".join(filled[-2:])))
        file.fail(expected, repr(filled[-1]), IncompleteOutputError)


def _read_fermi_fine(file: PrintedText) -> float | None:
    """Read the Fermi energy of the fine mesh, whichever way the run found it."""
    for label in ("Fermi level (eV) =", ": Ef ="):
        value = file.last_number(label, "Fermi energy in eV")
        if value is not None:
            return value
    return None


def _read_wannier(file: PrintedText) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Read the centres in Angstrom and the spreads in Angstrom^2."""
    head, alat, number = _CENTRES.search(file.text), _ALAT.search(file.text), _N_WANNIER.search(file.text)
    if head is None or alat is None or number is None:
        return None, None
    file.go_to(alat.start())
    alat_angstrom = file.number(alat[1], "alat in bohr") * BOHR_ANGSTROM
    file.go_to(head.start())
    rows = []
    for index in range(1, int(number[1]) + 1):
        match = file.read_match(r"\((.*)\) :\s*(\S+)$", f"centre and spread {index} of {number[1]}")
        rows.append(file.numbers([*match[1].split(), match[2]], 4, "centre in alat, spread in Angstrom^2"))
    table = np.array(rows)
    return table[:, :3] * alat_angstrom, table[:, 3]


def _read_warnings(text: str) -> tuple[str, ...]:
    """Collect the paragraphs that begin with "Warning"; a line of that word alone announces the next paragraph."""
    found = []
    for match in _WARNING.finditer(text):
        paragraph = re.compile(r"(?:[ \t]*\n)*((?:.*\S.*\n)+)")
        heading = not match[0].replace("WARNING", "").strip()
        body = paragraph.match(text, match.end() + 1 if heading else match.start())
        if body is not None:
            found.append(" ".join(body[1].split()))
    return tuple(found)
