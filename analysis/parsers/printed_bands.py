"""k points and bands in the text output of pw.x."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from hightc.analysis.parsers.errors import ParseError, UnreadableNumberError
from hightc.analysis.parsers.printed_text import PrintedText

_K_ROW = r"k\(\s*\d+\) = \((.*)\), wk =\s*(\S+)$"
_BAND_HEAD = re.compile(r"^ +k =.*bands \(ev\):", re.MULTILINE)
_ENERGY = re.compile(r"-?\d*\.\d{4}")


def read_k_points(file: PrintedText, n_k: int) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Read the list of k points and weights.

    Parameters
    ----------
    file : PrintedText
        The output of pw.x.
    n_k : int
        How many it announced.

    Returns
    -------
    k_cartesian : ndarray (n_k, 3) or None
        In units of 2 pi/alat; None if pw.x kept the list for itself.
    k_weights : ndarray (n_k,) or None
        Normalised to the sum 1.

    Raises
    ------
    ParseError
        If rows are missing or cut.
    """
    head = re.search(r"cart\. coord\. in units 2pi/alat *\n +k\(", file.text)
    if head is None:
        return None, None
    file.go_to(head.start())
    rows = []
    for index in range(1, n_k + 1):
        match = file.read_match(_K_ROW, f"k point {index} of {n_k}")
        rows.append(file.numbers([*match[1].split(), match[2]], 4, "k point and weight"))
    table = np.array(rows)
    return table[:, :3], table[:, 3] / table[:, 3].sum()


def read_bands(file: PrintedText, n_k: int, n_bands: int) -> NDArray[np.float64] | None:
    """Read the last bands that were printed.

    Parameters
    ----------
    file : PrintedText
        The output of pw.x.
    n_k, n_bands : int
        How many k points and bands it announced.

    Returns
    -------
    ndarray (n_spin, n_k, n_bands) or None
        In eV, spin up first; None if pw.x kept them for itself.

    Raises
    ------
    ParseError
        If a band of a k point is missing, or did not fit its field.
    """
    text = file.text
    start = max(text.rfind("End of self-consistent calculation"), text.rfind("End of band structure calculation"))
    heads = list(_BAND_HEAD.finditer(text, start)) if start >= 0 else []
    if not heads:
        return None
    file.go_to(heads[-1].start())
    n_spin = 2 if "SPIN DOWN" in text[start:] else 1
    if len(heads) != n_spin * n_k:
        file.fail(f"bands of {n_k} k points" + (" and either spin" if n_spin == 2 else ""), str(len(heads)))
    bands = np.empty((len(heads), n_bands))
    file.go_to(heads[0].start())
    file.position -= 1
    for index in range(len(heads)):
        while not _BAND_HEAD.match(file.read_line("'k = ... bands (ev):'")):
            pass
        bands[index] = _read_energies(file, n_bands)
    return bands.reshape(n_spin, n_k, n_bands)


def _read_energies(file: PrintedText, n_bands: int) -> list[float]:
    """Read the energies of one k point, which may leave no blank between them."""
    energies: list[float] = []
    while len(energies) < n_bands:
        line = file.read_filled_line(f"{n_bands} bands")
        fields = _ENERGY.findall(line)
        if not fields or _ENERGY.sub("", line).strip() or len(energies) + len(fields) > n_bands:
            error = UnreadableNumberError if "*" in line else ParseError
            file.fail(f"{n_bands} bands in eV with four decimals", repr(line.strip()), error)
        energies += [float(field) for field in fields]
    return energies
