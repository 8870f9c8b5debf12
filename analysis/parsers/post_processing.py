"""What the programs after ph.x print: q2r.x and matdyn.x."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hightc.analysis.parsers.printed_text import PrintedText
from hightc.analysis.parsers.units import RYDBERG_EV

_IMAGINARY = r"fft-check (?:success \(sum of imaginary terms < 10\^-12\)|warning: sum of imaginary terms =\s*(\S+))$"


@dataclass(frozen=True, slots=True)
class Q2rOutput:
    """The text output of q2r.x.

    Attributes
    ----------
    code_version : str
        For example ``6.7MaX``.
    matrices : tuple of str
        Files of dynamical matrices it read, in order.
    star_sizes : tuple of int
        q points in each.
    imaginary_sum : float
        Sum of the imaginary parts of the force constants, which should vanish; 0.0 stands for "below 1e-12".
    smearings_ev : tuple of float
        Smearings of the electron-phonon linewidths, three decimals of a Ry; empty without ``la2F``.
    imaginary_sums_linewidths : tuple of float
        The same check for each smearing.
    """

    code_version: str
    matrices: tuple[str, ...]
    star_sizes: tuple[int, ...]
    imaginary_sum: float
    smearings_ev: tuple[float, ...]
    imaginary_sums_linewidths: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class MatdynOutput:
    """The text output of matdyn.x, which says little.

    Attributes
    ----------
    code_version : str
        For example ``6.7MaX``.
    messages : tuple of str
        Each "Message from routine".
    """

    code_version: str
    messages: tuple[str, ...]


def read_q2r_output(path: str | Path) -> Q2rOutput:
    """Read the text output of q2r.x.

    Parameters
    ----------
    path : str or Path
        The file.

    Raises
    ------
    ParseError
        If the file is missing, no output of q2r.x, cut before "JOB DONE", the run stopped itself with an error, or a
        check is missing.
    """
    file = PrintedText(path, "the run was cut; rerun q2r.x")
    version = file.require_banner("Q2R")
    file.require_job_done()
    matrices = re.findall(r"^ +reading force constants from file (\S+)$", file.text, re.MULTILINE)
    sizes = re.findall(r"^ +nqs=\s*(\d+)$", file.text, re.MULTILINE)
    if not matrices or len(sizes) != len(matrices):
        file.position = len(file.lines)
        file.fail("'reading force constants from file ...' and 'nqs=' as often", f"{len(matrices)} and {len(sizes)}")
    force_constants = _read_check(file)
    smearings, sums = [], []
    for text in re.findall(r"^ Broadening =\s*(\S+)$", file.text, re.MULTILINE):
        file.skip_to(r"^ Broadening =", "'Broadening = ...'")
        smearings.append(file.number(text, "smearing in Ry") * RYDBERG_EV)
        sums.append(_read_check(file))
    return Q2rOutput(
        code_version=version,
        matrices=tuple(matrices),
        star_sizes=tuple(map(int, sizes)),
        imaginary_sum=force_constants,
        smearings_ev=tuple(smearings),
        imaginary_sums_linewidths=tuple(sums),
    )


def _read_check(file: PrintedText) -> float:
    """Read the next sum of imaginary parts; q2r.x prints it only above 1e-12."""
    match = file.skip_to(_IMAGINARY, "'fft-check ...'")
    return 0.0 if match[1] is None else file.number(match[1], "sum of imaginary terms")


def read_matdyn_output(path: str | Path) -> MatdynOutput:
    """Read the text output of matdyn.x.

    Parameters
    ----------
    path : str or Path
        The file.

    Raises
    ------
    ParseError
        If the file is missing, no output of matdyn.x, cut before "JOB DONE", or the run stopped itself with an error.
    """
    file = PrintedText(path, "the run was cut; rerun matdyn.x")
    version = file.require_banner("MATDYN")
    file.require_job_done()
    messages = re.findall(r"^ +Message from routine .*:\s*\n +(.*\S)", file.text, re.MULTILINE)
    return MatdynOutput(version, tuple(messages))
