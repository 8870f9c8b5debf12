"""Answers about one spectrum as a table, as JSON and as CSV."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Final, Literal, TextIO

from rich.console import Console
from rich.table import Table
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
}
"""Words in a table for each status without a positive number, and what they mean."""

WITHOUT_TC: Final = ("no_superconductivity", "below_range", "invalid")
"""Statuses of a Tc that has neither gap nor derivatives."""

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

WIDE: Final = 240


def write_answers(
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
        answers, one a line, with the notes on standard error.
    stream
        Where it goes.
    """
    if layout == "json":
        origin = {"layout": file.layout, "column": file.column, "unit": file.unit, "smearing_mev": file.smearing_mev}
        content = {**origin, "notes": list(notes), "answers": [asdict(answer) for answer in answers]}
        json.dump(content, stream, indent=1, allow_nan=False)
        stream.write("\n")
    elif layout == "csv":
        for note in notes:
            print(f"hightc: note: {note}", file=sys.stderr)
        writer = csv.DictWriter(stream, [field.name for field in fields(Answer)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(answer) for answer in answers)
    else:
        _show(file, spectrum, answers, notes, stream)


def _show(
    file: Alpha2FFile, spectrum: Alpha2F, answers: Sequence[Answer], notes: Sequence[str], stream: TextIO
) -> None:
    console = Console(file=stream, highlight=False, markup=False)
    if not console.is_terminal:
        console.width = WIDE
    smearing = "" if file.smearing_mev is None else f", phonon smearing {file.smearing_mev:g} meV"
    points = f"{spectrum.omega_mev.size} frequencies up to {spectrum.omega_mev[-1]:.4g} meV"
    console.print(Text(f"{LAYOUTS[file.layout]}, {points}{smearing}", style="dim"))
    means = [f"{name} {frequency(_value(answers, name))}" for name in ("omega_log", "omega_2", "omega_max")]
    console.print(Text(f"lambda {spectrum.lam:.4g}, {', '.join(means)}"))
    for note in notes:
        console.print(Text(f"! {note}", style="yellow"))
    console.print(_table([answer for answer in answers if answer.mu_star is not None]))
    for line in _legend(answers):
        console.print(Text(line, style="dim"))


def _value(answers: Sequence[Answer], quantity: str) -> float | None:
    return next(answer.value for answer in answers if (answer.quantity, answer.unit) == (quantity, "meV"))


def _table(answers: Sequence[Answer]) -> Table:
    """A row a question, a column a mu*."""
    mu_star = list(dict.fromkeys(answer.mu_star for answer in answers))
    rows: dict[tuple[str, str, str], dict[float | None, Answer]] = {}
    for answer in answers:
        rows.setdefault((answer.group, answer.quantity, answer.method), {})[answer.mu_star] = answer
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("", no_wrap=True)
    for mu in mu_star:
        table.add_column(f"mu* {mu:.2f}" if mu == round(mu or 0, 2) else f"mu* {mu:g}", no_wrap=True)
    group = None
    for (name, _, _), found in rows.items():
        if name != group:
            table.add_row(Text(TITLES[name], style="dim"))
            group = name
        table.add_row(f"  {_label(next(iter(found.values())))}", *(_cell(found.get(mu)) for mu in mu_star))
    return table


def _cell(answer: Answer | None) -> Text:
    """A number with its unit, or the word that stands for none."""
    if answer is None:
        return Text("")
    if answer.value is None and answer.group in ("gap", "sensitivity") and answer.status in WITHOUT_TC:
        return Text("no Tc", style="dim")
    if answer.status in WORDS or answer.value is None:
        return Text(WORDS[answer.status][0], style="yellow")
    small = answer.unit == "K" and 0 < answer.value < SMALLEST_KELVIN
    number = f"<{SMALLEST_KELVIN:g}" if small else f"{answer.value:.5g}"
    return Text(f"{number} {answer.unit}".rstrip(), style="bold" if answer.group == "tc" else "")


def _legend(answers: Sequence[Answer]) -> list[str]:
    """Explain conventions, quantities, errors and words, as far as they occur."""
    conventions: dict[str, dict[str, None]] = {}
    notes: dict[str, dict[str, None]] = {}
    for answer in answers:
        if answer.convention:
            conventions.setdefault(answer.convention, {})[NAMES[answer.method]] = None
        if answer.note:
            notes.setdefault(answer.note, {})[_label(answer).strip()] = None
    lines = [f"{', '.join(names)}: {text}." for text, names in conventions.items()]
    lines += [f"{', '.join(names)}: {text}." for text, names in notes.items()]
    errors = [answer.error_estimate for answer in answers if answer.error_estimate is not None]
    if errors:
        lines.append(f"Numerical error of Tc by the Eliashberg equations: at most {max(errors):.1g} K.")
    used = {answer.status for answer in answers}
    return lines + [f"{word}: {meaning}." for status, (word, meaning) in WORDS.items() if status in used]


def _label(answer: Answer) -> str:
    return LABELS[answer.group, answer.quantity].format(method=NAMES[answer.method])
