"""The superconducting gaps in the text output of epw.x, temperature by temperature."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise

from hightc.analysis.parsers.fortran import FortranFile

_SECTION = re.compile(r"^ +temp\(\s*\d+\) =\s*(\S+) K")
_HEADER = re.compile(r"^ +iter +ethr +znormi(?: \[eV\])? +deltai \[(m?eV)\]")
_ROW = re.compile(r"^ +(\d+)((?: +\S+){3})\s*$")
_REACHED = re.compile(r"^ +Convergence was (not )?reached in nsiter =\s*(\d+)")
_EXTREMES = re.compile(r"^ +Min\. / Max\. values of superconducting gap =\s*(\S+)\s+(\S+) meV")
_PADE = re.compile(r"^ +pade +Re\[znorm\] +Re\[delta\] \[(m?eV)\]")


@dataclass(frozen=True, slots=True)
class GapAtTemperature:
    """The solution of the Eliashberg equations at one temperature.

    Attributes
    ----------
    temperature_k : float
        Temperature.
    gap_mev : float
        Delta at the lowest Matsubara frequency; of anisotropic equations the average over the Fermi surface. EPW
        prints either sign.
    renormalization : float
        Z at the same frequency.
    n_iterations : int
        Iterations on the imaginary axis.
    converged : bool
        Whether they came below conv_thr_iaxis; False if nsiter of them did not.
    lowest_gap_mev, highest_gap_mev : float or None
        Extremes over the Fermi surface; None where the run did not print them (no version before 5.4 does).
    pade_gap_mev, pade_renormalization : float or None
        Real parts of Delta and Z at the lowest frequency of the real axis, from Pade approximants; None without
        lpade, or if the approximants failed (NaN).
    """

    temperature_k: float
    gap_mev: float
    renormalization: float
    n_iterations: int
    converged: bool
    lowest_gap_mev: float | None = None
    highest_gap_mev: float | None = None
    pade_gap_mev: float | None = None
    pade_renormalization: float | None = None


def read_gaps(
    file: FortranFile,
) -> tuple[tuple[GapAtTemperature, ...], tuple[GapAtTemperature, ...], float | None]:
    """Read the gaps at each temperature.

    Parameters
    ----------
    file : FortranFile
        The output of epw.x; it is read from its beginning.

    Returns
    -------
    isotropic, anisotropic : tuple of GapAtTemperature
        The finished temperatures, in the order of the run.
    unfinished_k : float or None
        The last temperature if its iterations did not come to an end.

    Raises
    ------
    ParseError
        If a number in them overflowed or a table has another form.
    """
    starts = [index for index, line in enumerate(file.lines) if "temp(" in line and _SECTION.match(line)]
    found: dict[bool, list[GapAtTemperature]] = {False: [], True: []}
    unfinished_k = None
    for start, end in pairwise([*starts, len(file.lines)]):
        gap = _read_section(file, start, end)
        if isinstance(gap, float):
            unfinished_k = gap
        else:
            is_anisotropic = any("anisotropic Eliashberg" in line for line in file.lines[start : start + 6])
            found[is_anisotropic].append(gap)
    return tuple(found[False]), tuple(found[True]), unfinished_k


def _read_section(file: FortranFile, start: int, end: int) -> GapAtTemperature | float:
    """Read what stands between two temperatures; the bare temperature if its iterations did not end."""
    file.position = start + 1
    heading = _SECTION.match(file.lines[start])
    temperature_k = file.number(heading[1] if heading else "", "temperature in K")
    gap: GapAtTemperature | None = None
    unit_mev = 0.0
    row: tuple[int, list[str]] | None = None
    for index in range(start, end):
        line = file.lines[index]
        file.position = index + 1
        if gap is None and (match := _HEADER.match(line)):
            unit_mev = _in_mev(match[1])
        elif gap is None and unit_mev and (match := _ROW.match(line)):
            row = index + 1, match[2].split()
        elif gap is None and row is not None and (match := _REACHED.match(line)):
            file.position = row[0]
            _, z, delta = file.numbers(row[1], 3, "change, Z and Delta of the last iteration")
            gap = GapAtTemperature(temperature_k, delta * unit_mev, z, int(match[2]), match[1] is None)
        elif gap is not None and (match := _EXTREMES.match(line)):
            lowest, highest = file.numbers(match.groups(), 2, "lowest and highest gap in meV")
            gap = replace(gap, lowest_gap_mev=lowest, highest_gap_mev=highest)
        elif gap is not None and (match := _PADE.match(line)) and index + 1 < end:
            z_pade, delta_pade = _read_pade(file, index + 1, _in_mev(match[1]))
            gap = replace(gap, pade_renormalization=z_pade, pade_gap_mev=delta_pade)
    return temperature_k if gap is None else gap


def _read_pade(file: FortranFile, index: int, unit_mev: float) -> tuple[float | None, float | None]:
    """Read the row of the Pade approximants: Z and Delta in meV, None for NaN."""
    file.position = index + 1
    fields = file.lines[index].split()
    if len(fields) < 3:
        file.fail("number of approximants, Re[Z], Re[Delta]", repr(file.lines[index].strip()))
    values = [None if "nan" in field.lower() else file.number(field, "Z or Delta") for field in fields[1:3]]
    return values[0], None if values[1] is None else values[1] * unit_mev


def _in_mev(unit: str) -> float:
    return 1.0 if unit == "meV" else 1e3
