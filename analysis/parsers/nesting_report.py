"""Reports on Fermi-surface nesting: peaks of the nesting function and of chi0 along three directions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from hightc.analysis.parsers.errors import IncompleteOutputError
from hightc.analysis.parsers.fortran import FortranFile

_ADVICE = "the run was cut; make the report again"
_SIGMA = re.compile(r"sigma (\S+): N\(EF\)/spin (\S+) /eV;")
_CHI0 = re.compile(r"chi0 kT=(\S+): chi\(0\)=(\S+) max=(\S+) at crystal")
_PEAK = re.compile(r"  (nest|chi0) (\d{3}) peak h=\s*(\S+) (\S+) (?:\| )?ends? \[(\S+)\s+(\S+)\]$")


@dataclass(frozen=True, slots=True)
class NestingPeak:
    """The highest value along one direction.

    Attributes
    ----------
    direction : str
        Miller indices: 100, 110 or 111.
    h : float
        Where it stands, in units of 2 pi/alat along the direction.
    height : float
        The value.
    h_end, height_end : float
        The end of the direction and the value there.
    """

    direction: str
    h: float
    height: float
    h_end: float
    height_end: float


@dataclass(frozen=True, slots=True)
class NestingReport:
    """The peaks of the nesting function and of chi0, at each width.

    Attributes
    ----------
    widths_ev : tuple of float
        Widths of the delta functions, and kT of chi0.
    dos_per_ev_spin_cell : tuple of float
        Density of states at the Fermi energy for each width.
    nesting : tuple of tuple of NestingPeak
        For each width, each direction.
    chi0 : tuple of tuple of NestingPeak
        The same of the bare susceptibility.
    """

    widths_ev: tuple[float, ...]
    dos_per_ev_spin_cell: tuple[float, ...]
    nesting: tuple[tuple[NestingPeak, ...], ...]
    chi0: tuple[tuple[NestingPeak, ...], ...]


def read_nesting_report(path: str | Path) -> NestingReport:
    """Read a report.

    Parameters
    ----------
    path : str or Path
        The file. It has no end mark; but chi0 is told for the same widths and directions as the nesting function.

    Raises
    ------
    ParseError
        If a line is cut or has another form, or a width or direction of chi0 is missing.
    """
    file = FortranFile(path, _ADVICE)
    file.read_match("nk_ibz ", "'nk_ibz ...'")
    file.read_match("mesh ", "'mesh ...'")
    widths: dict[str, list[float]] = {"nest": [], "chi0": []}
    peaks: dict[str, list[list[NestingPeak]]] = {"nest": [], "chi0": []}
    dos: list[float] = []
    while not file.at_end:
        line = file.read_filled_line("a peak")
        if match := _SIGMA.match(line):
            dos.append(file.number(match[2], "density of states"))
            widths["nest"].append(file.number(match[1], "width in eV"))
            peaks["nest"].append([])
        elif match := _CHI0.match(line):
            widths["chi0"].append(file.number(match[1], "kT in eV"))
            peaks["chi0"].append([])
        elif (match := _PEAK.match(line)) and peaks[match[1]]:
            h, height, h_end, height_end = file.numbers(match.groups()[2:], 4, "place and height of a peak")
            peaks[match[1]][-1].append(NestingPeak(match[2], h, height, h_end, height_end))
        elif not line.startswith("nesting s "):
            file.fail("a width, kT or a peak", repr(line.strip()))
    shape = [[peak.direction for peak in block] for block in peaks["nest"]]
    found = [[peak.direction for peak in block] for block in peaks["chi0"]]
    if not shape or widths["chi0"] != widths["nest"] or found != shape:
        file.fail(f"chi0 at {widths['nest']} eV along {shape}", f"{widths['chi0']} eV, {found}", IncompleteOutputError)
    return NestingReport(
        tuple(widths["nest"]), tuple(dos), tuple(map(tuple, peaks["nest"])), tuple(map(tuple, peaks["chi0"]))
    )
