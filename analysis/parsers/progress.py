"""Where a running pw.x, ph.x or epw.x stands: for the eye of who watches, never for a decision."""

from __future__ import annotations

import os
import re
from pathlib import Path

_BLOCK = 1 << 16
_FURTHEST = 64 * _BLOCK

_SCF = re.compile(rb"iteration #\s*(\d+)")
_ACCURACY = re.compile(rb"estimated scf accuracy\s+<\s+(\S+) Ry")
_BFGS = re.compile(rb"number of bfgs steps\s+=\s+(\d+)")
_Q_ROW = re.compile(rb"^\s+(\d+)\s+(-?\d+\.\d{9})\s+(-?\d+\.\d{9})\s+(-?\d+\.\d{9})\s*$", re.MULTILINE)
_Q_NOW = re.compile(rb"Calculation of q =\s+(\S+)\s+(\S+)\s+(\S+)")
_Q_LIST_HEAD = re.compile(rb"\(\s*\d+ q-points\):\s*\n[^\n]*xq\(1\)[^\n]*\n((?:\s+\d+(?:\s+-?\d+\.\d+){3}\s*\n)+)")
_IRREPS = re.compile(rb"There are\s+(\d+) irreducible representations")
_IRREP = re.compile(rb"Representation #\s*(\d+) mode")
_FINE_Q = re.compile(rb"Progression iq \(fine\) =\s*(\d+)/\s*(\d+)")
_COARSE_Q = re.compile(rb"^\s+q\(\s*(\d+) \) =", re.MULTILINE)
_OVERLAPS = re.compile(rb"^\s+(\d+) of\s+(\d+) on ionode", re.MULTILINE)
_TEMPERATURE = re.compile(rb"temp\(\s*\d+\) =\s*(\S+) K")
_ITERATION = re.compile(rb"iter #\s*(\d+) total cpu time")


def read_progress(path: str | Path) -> str | None:
    """Say in a few words how far an output of pw.x, ph.x or epw.x has come.

    Parameters
    ----------
    path : str or Path
        The text output, which may be growing. Only its ends are read.

    Returns
    -------
    str or None
        For example ``bfgs step 3, scf iteration 5, accuracy 2.1E-05 Ry``,
        ``q 2 of 3, representation 1 of 2, iteration 4`` or ``done``. None if there is no file, no known
        program, or nothing to say yet.
    """
    try:
        with Path(path).open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(0)
            head = stream.read(_BLOCK)
            landmark = b"Calculation of q =" if b"Program PHONON" in head else b"number of bfgs steps"
            tail = _read_tail(stream.fileno(), size, landmark)
    except OSError:
        return None
    if b"JOB DONE." in tail[-2000:]:
        return "done"
    if b"Program PHONON" in head:
        return _describe_phonon(head, tail)
    if b"Program EPW" in head:
        return _describe_epw(tail)
    if b"Program PWSCF" in head:
        return _describe_scf(tail)
    return None


def _read_tail(descriptor: int, size: int, landmark: bytes) -> bytes:
    """Read back from the end, block by block, until the landmark is in it or enough was read."""
    tail = b""
    start = size
    while start > 0 and len(tail) < _FURTHEST and landmark not in tail:
        length = min(_BLOCK, start)
        start -= length
        tail = os.pread(descriptor, length, start) + tail
    return tail


def _last(pattern: re.Pattern[bytes], text: bytes) -> str | None:
    matches = pattern.findall(text)
    return matches[-1].decode("ascii", "replace") if matches else None


def _describe_scf(tail: bytes) -> str | None:
    steps, iteration = _last(_BFGS, tail), _last(_SCF, tail)
    accuracy = _last(_ACCURACY, tail)
    parts = [
        f"bfgs step {steps}" if steps else "",
        f"scf iteration {iteration}" if iteration else "",
        f"accuracy {accuracy} Ry" if accuracy and iteration else "",
    ]
    return ", ".join(part for part in parts if part) or None


def _describe_epw(tail: bytes) -> str | None:
    stages = (
        (_TEMPERATURE, "gap at {} K"),
        (_FINE_Q, "fine q {} of {}"),
        (_COARSE_Q, "coarse q {}"),
        (_OVERLAPS, "Wannier functions, overlaps at k {} of {}"),
    )
    for pattern, words in stages:
        found = pattern.findall(tail)
        if found:
            last = found[-1] if isinstance(found[-1], tuple) else (found[-1],)
            return words.format(*(part.decode("ascii", "replace") for part in last))
    return None


def _describe_phonon(head: bytes, tail: bytes) -> str | None:
    listed = _Q_LIST_HEAD.search(head)
    q_points = _Q_ROW.findall(listed[1]) if listed else []
    now = list(_Q_NOW.finditer(tail))
    since = tail[now[-1].end() :] if now else tail
    q_index = _find_q(q_points, now[-1].groups()) if now else None
    irrep, irreps = _last(_IRREP, since), _last(_IRREPS, since)
    iteration = _last(_ITERATION, since[since.rfind(b"Representation #") :] if irrep else since)
    parts = [
        f"q {q_index} of {len(q_points)}" if q_index else "",
        f"representation {irrep} of {irreps}" if irrep and irreps else "",
        f"iteration {iteration}" if iteration else "",
    ]
    return ", ".join(part for part in parts if part) or None


def _find_q(q_points: list[tuple[bytes, ...]], now: tuple[bytes | None, ...]) -> int | None:
    """Find which row of the list the coordinates belong to; None if none does."""
    try:
        wanted = [float(part or b"") for part in now]
        for row in q_points:
            if max(abs(float(a) - b) for a, b in zip(row[1:], wanted, strict=True)) < 1e-6:
                return int(row[0])
    except ValueError:
        return None
    return None
