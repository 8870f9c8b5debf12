"""Answers about one spectrum as a table, as JSON and as CSV."""

from __future__ import annotations

import csv
import json
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from importlib.metadata import version
from math import floor, log10
from pathlib import Path
from typing import Final, Literal, TextIO

from rich.console import Console
from rich.text import Text

from hightc.analysis.answers import Answer
from hightc.analysis.parsers.alpha2f import LAYOUTS, Alpha2FFile
from hightc.analysis.plots.wording import MEANINGS, METHODS, SMALLEST_KELVIN, frequency
from hightc.eliashberg import Alpha2F

Layout = Literal["table", "json", "csv"]

WORDS: Final[dict[str, tuple[str, str]]] = {
    "no_superconductivity": MEANINGS["zero"],
    "below_range": MEANINGS["below-range"],
    "invalid": MEANINGS["undefined"],
    "no_coupling": ("undefined", "without coupling there is no mean frequency"),
    "not_converged": ("not converged", "the iteration stopped short of its tolerance"),
    "not_resolved": ("not resolved", "the gap is too small beside the phonons for a grid on the real axis"),
    "normal": ("no gap", "the normal state is stable"),
    "weak_coupling": (
        "not computed",
        "kTc is below 1/2000 of the highest phonon frequency, near the limit of weak coupling: 2 Delta/kTc 3.53, "
        "specific-heat jump 1.43, critical-field ratio 0.168, to some per cent",
    ),
    "no_maximum": ("no maximum", "dTc/da2F only rises or falls in the range searched"),
    "too_many_frequencies": ("out of reach", "too many Matsubara frequencies would be needed to find it"),
}
"""Words in a table for each status without a positive number, and what they mean."""

NAMES: Final[dict[str, str]] = {
    **{str(method): name for method, name in METHODS.items()},
    "integral": "spectrum",
    "exact": "Eliashberg with P(w)",
    "daams_mitrovic_carbotte": "rescaled, Daams et al.",
    "three_step": "rescaled in three steps",
    "epw": "EPW",
    "elk": "Elk",
}
"""Name of each method."""

LABELS: Final[dict[tuple[str, str], str]] = {
    ("tc", "tc"): "{method}",
    ("gap", "delta_0"): "Delta_0",
    ("gap", "gap_edge"): "gap edge",
    ("gap", "gap_ratio"): "2 Delta/kTc",
    ("gap", "specific_heat_jump"): "specific-heat jump",
    ("gap", "field_ratio"): "critical-field ratio",
    ("spin_fluctuations", "lambda_sf"): "lambda_sf",
    ("spin_fluctuations", "omega_sf"): "omega_sf",
    ("spin_fluctuations", "tc"): "{method}",
    ("sensitivity", "isotope_coefficient"): "isotope coefficient",
    ("sensitivity", "dtc_dmu_star"): "dTc/dmu*",
    ("sensitivity", "dtc_dalpha2f_peak"): "dTc/da2F is largest at",
    ("sensitivity", "dtc_dalpha2f_peak_over_tc"): "  which is, over kB Tc",
    ("sensitivity", "dtc_dalpha2f_highest"): "  and its value there",
    ("compare", "tc"): "{method}, gap closes",
    ("compare", "tc_estimate"): "{method}, estimate printed",
}
"""Words of a table for each group and quantity."""

TITLES: Final = {
    "tc": "Tc",
    "gap": "gap and thermodynamics",
    "sensitivity": "what moves Tc",
    "spin_fluctuations": "Tc with spin fluctuations",
    "compare": "Tc of other programs, same a2F and mu*",
}
"""Title of each group in a table."""

WIDTH: Final = 79

SAME_SCALE: Final = ("tc", "spin_fluctuations", "compare")
"""Groups whose rows are compared with each other, so that all have the same decimals."""

DIGITS: Final = 4

MOST_DECIMALS: Final = 5


def write_answers(
    path: Path,
    file: Alpha2FFile,
    spectrum: Alpha2F,
    answers: Sequence[Answer],
    *,
    notes: Sequence[str],
    layout: Layout,
    stream: TextIO,
) -> None:
    """Write the answers.

    Parameters
    ----------
    path
        The file as it was named.
    file
        What was read.
    spectrum
        The spectral function made of it.
    answers
        All answers.
    notes
        What a reader should know of the files.
    layout
        ``table`` for people; ``json`` for one object with the file, its notes and a list of answers; ``csv`` for the
        answers, one a line with the file before it, with the notes on standard error.
    stream
        Where it goes.
    """
    origin = {
        "file": str(path),
        "hightc_version": version("hightc"),
        "layout": file.layout,
        "column": file.column,
        "frequency_unit": file.unit,
        "smearing_mev": file.smearing_mev,
        "n_frequencies": file.omega_mev.size,
        "lowest_mev": float(file.omega_mev[0]),
        "highest_mev": float(file.omega_mev[-1]),
    }
    if layout == "json":
        content = {**origin, "notes": list(notes), "answers": [asdict(answer) for answer in answers]}
        json.dump(content, stream, indent=1, allow_nan=False)
        stream.write("\n")
    elif layout == "csv":
        for note in notes:
            print(f"hightc: note: {note}", file=sys.stderr)
        writer = csv.DictWriter(stream, [*origin, *(field.name for field in fields(Answer))], lineterminator="\n")
        writer.writeheader()
        writer.writerows(origin | asdict(answer) for answer in answers)
    else:
        _show(file, spectrum, answers, notes, stream)


def _show(
    file: Alpha2FFile, spectrum: Alpha2F, answers: Sequence[Answer], notes: Sequence[str], stream: TextIO
) -> None:
    console = Console(file=stream, highlight=False, markup=False, soft_wrap=True)

    def say(line: str, style: str = "", indent: str = "") -> None:
        for part in textwrap.wrap(line, WIDTH, subsequent_indent=indent, break_on_hyphens=False):
            console.print(Text(part, style=style))

    smearing = "" if file.smearing_mev is None else f", phonon smearing {file.smearing_mev:g} meV"
    points = f"{spectrum.omega_mev.size} frequencies up to {spectrum.omega_mev[-1]:.4g} meV"
    say(f"{LAYOUTS[file.layout]}, {points}{smearing}", "dim")
    means = [f"{name} {frequency(_value(answers, name))}" for name in ("omega_log", "omega_2", "omega_max")]
    say(f"lambda {spectrum.lam:.4g}, {', '.join(means)}", indent="  ")
    for note in notes:
        say(f"! {note}", "yellow", "  ")
    for row in _table([answer for answer in answers if answer.mu_star is not None]):
        console.print(row)
    for line in _legend(answers):
        say(line, "dim", "  ")


def _value(answers: Sequence[Answer], quantity: str) -> float | None:
    return next(answer.value for answer in answers if (answer.quantity, answer.unit) == (quantity, "meV"))


def _table(answers: Sequence[Answer]) -> list[Text]:
    """A row a question, a column a mu*; columns that do not fit beside the others follow below."""
    columns: dict[float | None, list[Text]] = {}
    rows: dict[tuple[str, str, str], str] = {}
    found: dict[tuple[str, str, str, float | None], Answer] = {}
    for answer in answers:
        row = (answer.group, answer.quantity, answer.method)
        rows.setdefault(row, f"  {_label(answer)}")
        found[*row, answer.mu_star] = answer
    decimals = _decimals(answers)
    for mu in dict.fromkeys(answer.mu_star for answer in answers):
        cells = [_cell(found.get((*row, mu)), decimals.get(_scale(*row[:2]), 0)) for row in rows]
        columns[mu] = [Text(f"mu* {mu:g}", style="dim"), *cells]
    label = max(map(len, rows.values())) + 2
    width = max(cell.cell_len for cells in columns.values() for cell in cells) + 2
    beside = max(1, (WIDTH - label + 2) // width)
    shown = list(columns.values())
    lines = []
    for start in range(0, len(shown), beside):
        lines += _block(rows, shown[start : start + beside], label, width)
    return lines


def _block(
    rows: Mapping[tuple[str, str, str], str], columns: Sequence[Sequence[Text]], label: int, width: int
) -> list[Text]:
    """Lines of some columns, each group of rows under its title."""
    lines, group = [_line("", [cells[0] for cells in columns], label, width)], None
    for number, ((name, *_), text) in enumerate(rows.items(), start=1):
        if name != group:
            lines.append(Text(TITLES[name], style="dim"))
            group = name
        lines.append(_line(text, [cells[number] for cells in columns], label, width))
    return lines


def _line(label: str, cells: Sequence[Text], label_width: int, width: int) -> Text:
    line = Text(label.ljust(label_width))
    for cell in cells:
        line.append_text(cell).append(" " * (width - cell.cell_len))
    line.rstrip()
    return line


def _scale(group: str, quantity: str) -> str:
    """What has its decimals in common: a group of temperatures, or one row."""
    return group if group in SAME_SCALE and quantity in ("tc", "tc_estimate") else f"{group} {quantity}"


def _decimals(answers: Sequence[Answer]) -> dict[str, int]:
    """Decimals with which the largest number of each scale has its digits."""
    largest: dict[str, float] = {}
    for answer in answers:
        scale = _scale(answer.group, answer.quantity)
        largest[scale] = max(largest.get(scale, 0.0), abs(answer.value or 0.0))
    return {
        scale: min(max(0, DIGITS - 1 - floor(log10(size))), MOST_DECIMALS)
        for scale, size in largest.items()
        if size > 0
    }


def _cell(answer: Answer | None, decimals: int) -> Text:
    """A number with its unit, or the word that stands for none."""
    if answer is None:
        return Text("")
    if answer.group in ("gap", "sensitivity") and answer.status == "no_superconductivity":
        return Text("no Tc", style="dim")
    if answer.status in WORDS or answer.value is None:
        return Text(WORDS[answer.status][0], style="yellow")
    number = f"{answer.value:.{decimals}f}"
    if answer.unit == "K" and 0 < answer.value < SMALLEST_KELVIN:
        number = f"<{SMALLEST_KELVIN:g}"
    elif abs(answer.value) < 10.0 ** (1 - decimals):
        number = f"{answer.value:.2g}"  # at the decimals of the others it would keep one digit or none
    return Text(f"{number} {answer.unit}".rstrip(), style="bold" if answer.group == "tc" else "")


def _legend(answers: Sequence[Answer]) -> list[str]:
    """Explain conventions, quantities, errors and words, as far as they occur."""
    conventions: dict[str, dict[str, None]] = {}
    notes: dict[str, dict[str, None]] = {}
    for answer in answers:
        if answer.convention:
            conventions.setdefault(answer.convention, {})[NAMES[answer.method]] = None
        if answer.note and (answer.value is not None or answer.group not in ("gap", "sensitivity")):
            notes.setdefault(answer.note, {})[_label(answer).strip()] = None
    lines = [f"{', '.join(names)}: {text}." for text, names in conventions.items()]
    lines += [f"{'; '.join(names)}: {text}." for text, names in notes.items()]
    errors = [answer.error_estimate for answer in answers if answer.error_estimate is not None]
    if errors:
        size = f"at most {max(errors):.1g} K, of the solver only: the spectrum is known to a few per cent at best"
        lines.append(f"Numerical error of Tc by the Eliashberg equations: {size}.")
    used = {answer.status for answer in answers}
    return lines + [f"{word}: {meaning}." for status, (word, meaning) in WORDS.items() if status in used]


def _label(answer: Answer) -> str:
    return LABELS[answer.group, answer.quantity].format(method=NAMES[answer.method])
