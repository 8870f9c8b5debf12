"""One entrance to all readers, which tells the kind of a file before it reads it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hightc.analysis.parsers.alpha2f import read_alpha2f
from hightc.analysis.parsers.epw_output import read_epw_output
from hightc.analysis.parsers.epw_wannier import read_crystal, read_decay
from hightc.analysis.parsers.errors import IncompleteOutputError, MissingOutputError, ParseError
from hightc.analysis.parsers.espresso_input import read_espresso_input
from hightc.analysis.parsers.fermi_surface_gaps import read_fermi_surface_gaps
from hightc.analysis.parsers.matdyn import read_a2f_dos, read_frequencies, read_lambda, read_phonon_dos
from hightc.analysis.parsers.nesting_report import read_nesting_report
from hightc.analysis.parsers.numeric_table import read_numeric_table
from hightc.analysis.parsers.ph import read_coupling_file, read_dynamical_matrix, read_q_list
from hightc.analysis.parsers.ph_output import read_ph_output
from hightc.analysis.parsers.post_processing import read_matdyn_output, read_q2r_output
from hightc.analysis.parsers.pw import read_pw_xml
from hightc.analysis.parsers.pw_output import read_pw_output
from hightc.analysis.parsers.q2r import read_force_constants
from hightc.analysis.parsers.wannier import read_hr

Reader = Callable[[Path], object]

NO_END_MARK: Final = frozenset({"a2f_isotropic", "phonon_dos", "fermi_surface_gaps", "numeric_table"})
"""Kinds of which a file that was cut between two rows may look whole; their readers take `n_points`."""

_HEAD_BYTES: Final = 20_000

_NAMES: Final[tuple[tuple[str, str], ...]] = (
    (r"data-file-schema\.xml", "pw_xml"),
    (r"crystal\.fmt", "epw_crystal"),
    (r"decay\.(H|dynmat|v|P|epmate|epmatp)", "epw_decay"),
    (r"lambda", "matdyn_lambda"),
    (r"a2F\.dos\d+", "a2f_dos"),
    (r"elph\.inp_lambda\.\d+", "ph_coupling"),
    (r".*dyn0", "q_list"),
    (r".*dyn\d+", "dynamical_matrix"),
    (r".*_hr\.dat", "wannier_hr"),
    (r".*\.a2f_iso", "a2f_isotropic"),
    (r".*\.in", "input"),
)

_HEADS: Final[tuple[tuple[str, str], ...]] = (
    (r"^ +Program PWSCF v\.", "pw_output"),
    (r"^ +Program PHONON v\.", "ph_output"),
    (r"^ +Program Q2R v\.", "q2r_output"),
    (r"^ +Program MATDYN v\.", "matdyn_output"),
    (r"^ +Program EPW v\.", "epw_output"),
    (r"\A\s*&plot\s+nbnd=", "phonon_frequencies"),
    (r"\ADynamical matrix file", "dynamical_matrix"),
    (r"\A\s*#\s*Frequency\[cm\^-1\]", "phonon_dos"),
    (r"\A\s*w\[meV\] a2f\s*$", "a2f_isotropic"),
    (r"\A\s*#?\s*w\[meV\] +a2f\b", "a2f"),
    (r"\A\s*# Spatial decay of", "epw_decay"),
    (r"\A# +k-point +Band Enk-Ef \[eV\] +delta\(0\)", "fermi_surface_gaps"),
    (r"\A\s*Electron-phonon coupling constant, lambda", "matdyn_lambda"),
    (r"\Ank_ibz \d", "nesting_report"),
    (r"\A\s*\d+\s+\d+\s+-?\d+(\s+-?\d+\.\d+){6}\s*\n", "force_constants"),
    (r"^\s*&(control|inputph|inputepw|inputpp|input)\b", "input"),
    (r"\A(\s*#.*\n)*\s*[-+]?\d\S*([\s,;]+[-+]?[\d.]\S*)+\s*\n", "numeric_table"),
)

_READERS: Final[dict[str, Reader]] = {
    "pw_xml": read_pw_xml,
    "pw_output": read_pw_output,
    "ph_output": read_ph_output,
    "q2r_output": read_q2r_output,
    "matdyn_output": read_matdyn_output,
    "epw_output": read_epw_output,
    "input": read_espresso_input,
    "q_list": read_q_list,
    "dynamical_matrix": read_dynamical_matrix,
    "ph_coupling": read_coupling_file,
    "force_constants": read_force_constants,
    "a2f_dos": read_a2f_dos,
    "matdyn_lambda": read_lambda,
    "phonon_frequencies": read_frequencies,
    "a2f": read_alpha2f,
    "epw_crystal": read_crystal,
    "epw_decay": read_decay,
    "wannier_hr": read_hr,
    "nesting_report": read_nesting_report,
}


def recognise(path: str | Path) -> str:
    """Tell the kind of a file, by its name where the program that writes it fixes the name, else by its first lines.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    str
        For example "pw_output", "dynamical_matrix" or "numeric_table".

    Raises
    ------
    MissingOutputError
        If there is no such file.
    IncompleteOutputError
        If it is empty.
    ParseError
        If it is of no kind that a reader of this package knows.
    """
    path = Path(path)
    for pattern, kind in _NAMES:
        if re.fullmatch(pattern, path.name):
            return kind
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES).decode("utf-8", errors="replace")
    except FileNotFoundError:
        raise MissingOutputError(path, None, "a file", "none", "check the path") from None
    for pattern, kind in _HEADS:
        if re.search(pattern, head, re.MULTILINE):
            return kind
    first = next((line.strip() for line in head.splitlines() if line.strip()), "")
    error = ParseError if first else IncompleteOutputError
    found = repr(first[:60]) if first else "an empty file"
    advice = "the file was cut in its first lines, or no reader knows it"
    raise error(path, 1, "a file of Quantum ESPRESSO, EPW or Wannier90", found, advice)


def read_output(path: str | Path, *, n_points: int | None = None) -> object:
    """Read a file of any kind, whole.

    Parameters
    ----------
    path : str or Path
        The file. For a dynamical matrix, fildyn0 must stand beside it.
    n_points : int or None
        Rows that the file must have, for the kinds in :data:`NO_END_MARK`.

    Returns
    -------
    object
        The record of the reader that the kind calls for.

    Raises
    ------
    ParseError
        As :func:`recognise` and the reader.
    """
    path = Path(path)
    kind = recognise(path)
    if kind == "numeric_table":
        return read_numeric_table(path, n_points=n_points)
    if kind == "a2f_isotropic":
        return read_alpha2f(path, n_points=n_points)
    if kind == "phonon_dos":
        return read_phonon_dos(path, n_points=n_points)
    if kind == "fermi_surface_gaps":
        return read_fermi_surface_gaps(path, n_points=n_points)
    if n_points is not None:
        raise ParseError(path, None, f"no n_points: {kind} shows its own end", str(n_points), "leave it out")
    return _READERS[kind](path)
