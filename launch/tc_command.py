"""The command ``hightc tc``: from a file with a spectral function to Tc; everything heavy is imported when it runs."""

# ruff: noqa: PLC0415 - a help text must not wait for numpy and matplotlib
from __future__ import annotations

import argparse
import sys
from io import BytesIO
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hightc.launch.command_parser import CommandParser, add_command
from hightc.launch.errors import LaunchError

if TYPE_CHECKING:
    from hightc.analysis.answers import Reference
    from hightc.analysis.parsers.errors import ParseError
    from hightc.eliashberg import Alpha2F, Spectrum

MU_STAR: Final = (0.10, 0.13, 0.16)
"""Coulomb pseudopotentials unless others are given."""

DOTS_PER_INCH: Final = 150

FEWEST: Final = 4
"""Frequencies that Elk's integration by cubics needs."""

PICTURES: Final = (".png", ".pdf", ".svg")

DESCRIPTION: Final = """\
Critical temperature of a spectral function a2F(w) that exists already: by the isotropic Eliashberg equations and by
the formulas of McMillan, Allen and Dynes, and Xie et al. (2019, 2022). No database, nothing is stored.

FILE may be a2F.dosN of matdyn.x, prefix.a2f, .a2f_iso, .a2f_proj or .a2f.01.T of EPW, ALPHA2F.OUT of Elk, or columns
of text or CSV, frequency first, under a line that names its unit (meV, THz, cm-1, Ry, Ha, eV, K)."""

EPILOG: Final = """\
examples:
  hightc tc pb.a2f_iso                           every method at mu* = 0.10, 0.13 and 0.16
  hightc tc a2F.dos5 --mu-star 0.1 --sensitivity isotope coefficient, dTc/dmu*, which phonons Tc asks for
  hightc tc pb.a2f_iso --gap                     the gap at T = 0, 2 Delta/kTc, the jump of the specific heat
  hightc tc pb.a2f --column 3 --plot pb.png      the third phonon smearing of EPW, with a figure
  hightc tc v.a2f --spin-fluctuations P.csv      with paramagnons: a2F + P dresses, a2F - P pairs
  hightc tc a2f.csv --unit THz --format csv      one number a line, for a spreadsheet
  hightc tc pb.a2f_iso --mu-star 0.1 --compare   what EPW and Elk would print for the same a2F and mu*

what mu* means:
  mu* is a number only together with a frequency: 1/mu*(w) = 1/mu* + ln(w_ref/w). --reference says which: omega_2, the
  root mean square phonon frequency (the default, at which Allen and Dynes' formula is unbiased); omega_max, the
  highest one; or a number in meV. The same mu* = 0.1 at another frequency is another repulsion, and Tc changes by 3 to
  40 %. The closed formulas take mu* as their authors fitted it.

words in place of numbers:
  none (0 K)   the method finds no superconductivity at any temperature
  below range  a Tc exists, under 1/20000 of the highest phonon frequency
  no Tc        and so neither gap nor derivatives
  undefined    the method has no meaning for this spectrum and mu*

exit codes: 0 done; 2 the file or an option cannot be used (one line says where and why)"""


def add_tc(commands: argparse._SubParsersAction[CommandParser]) -> None:
    """Add the command.

    Parameters
    ----------
    commands
        The commands of the program.
    """
    parser = add_command(
        commands,
        "tc",
        run_tc,
        "Tc of a spectral function in a file (matdyn.x, EPW, Elk, text, CSV)",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="file with a2F(w)")
    parser.add_argument(
        "--mu-star", metavar="MU", type=_mu_star, action="append", help="mu*; can be repeated (default: 0.10 0.13 0.16)"
    )
    parser.add_argument(
        "--reference",
        metavar="W",
        type=_reference,
        default="omega_2",
        help="frequency that mu* belongs to: omega_2 (default), omega_max, or a number in meV",
    )
    parser.add_argument(
        "--column",
        metavar="N",
        type=_column,
        help="spectrum to take where there are several, counted after the frequency (default: the one that a header "
        "calls a2F, or the first)",
    )
    parser.add_argument("--unit", metavar="U", help="unit of the frequencies of plain columns that do not name it")
    parser.add_argument(
        "--gap", action="store_true", help="gap at zero temperature, 2 Delta/kTc, jump of the specific heat"
    )
    parser.add_argument(
        "--sensitivity", action="store_true", help="isotope coefficient, dTc/dmu*, and where dTc/da2F is largest"
    )
    parser.add_argument(
        "--spin-fluctuations",
        metavar="FILE",
        type=Path,
        help="Tc with paramagnons too: a file with their spectrum P(w), columns as for a2F",
    )
    parser.add_argument(
        "--compare", action="store_true", help="Tc of the same a2F and mu* in the conventions of EPW and Elk"
    )
    parser.add_argument(
        "--wscut",
        metavar="EV",
        type=_energy,
        help="EPW's wscut for --compare (default: 10 times the highest frequency)",
    )
    parser.add_argument(
        "--plot",
        metavar="OUT",
        type=_picture,
        help="draw a2F, the gap, dTc/da2F and N(E)/N(0) at the first mu* (.png, .pdf, .svg)",
    )
    parser.add_argument(
        "--format", choices=("table", "json", "csv"), default="table", help="json and csv: one number an entry"
    )


def _mu_star(text: str) -> float:
    value = _number(text)
    if value is None or value < 0:
        msg = f"expected a number from 0, such as 0.1, found {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return value


def _reference(text: str) -> str | float:
    if text in ("omega_2", "omega_max"):
        return text
    value = _number(text)
    if value is None or value <= 0:
        msg = f"expected omega_2, omega_max or a frequency in meV, found {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return value


def _energy(text: str) -> float:
    value = _number(text)
    if value is None or value <= 0:
        msg = f"expected an energy in eV above 0, found {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return value


def _column(text: str) -> int:
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        msg = f"expected a whole number above 0, found {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return value


def _picture(text: str) -> Path:
    path = Path(text)
    if path.suffix.lower() not in PICTURES:
        msg = f"expected a name that ends in {', '.join(PICTURES)}, found {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return path


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None


def run_tc(options: argparse.Namespace) -> int:
    """Read the file, solve, and write what was asked for.

    Parameters
    ----------
    options
        Parsed command line.

    Returns
    -------
    int
        Exit code.

    Raises
    ------
    LaunchError
        If the file cannot be read, an option has no meaning for it, or the picture cannot be written.
    """
    from hightc.analysis.answers import spectrum_notes
    from hightc.analysis.further_answers import Questions, all_answers
    from hightc.analysis.parsers.alpha2f import read_alpha2f
    from hightc.analysis.parsers.errors import ParseError
    from hightc.analysis.spectral_function import clipped_spectrum
    from hightc.eliashberg import EliashbergError
    from hightc.launch.tc_output import write_answers

    if options.wscut is not None and not options.compare:
        msg = "--wscut: expected --compare with it, whose cutoff it is, found none: add --compare"
        raise LaunchError(msg)
    mu_star = tuple(dict.fromkeys(options.mu_star or MU_STAR))
    try:
        file = read_alpha2f(options.file, column=options.column, unit=options.unit)
        spectrum = clipped_spectrum(file.omega_mev, file.alpha2f)
        notes = spectrum_notes(file, spectrum)
        paramagnons = None
        if options.spin_fluctuations is not None:
            paramagnons, further = _paramagnons(options.spin_fluctuations)
            notes += further
        if options.compare and spectrum.omega_mev.size < FEWEST:
            msg = f"--compare: expected {FEWEST} frequencies or more, as Elk does, found {spectrum.omega_mev.size}"
            raise LaunchError(f"{options.file}: {msg}: leave it out")
        if (options.gap or options.plot is not None) and sys.stderr.isatty():
            print("hightc: solving; a gap far below the phonons takes some seconds", file=sys.stderr)
        ask = Questions(options.gap, options.sensitivity, options.compare, paramagnons, options.wscut)
        answers = all_answers(spectrum, mu_star, options.reference, ask=ask)
        if options.plot is not None:
            _draw(options.plot, spectrum, mu_star[0], options.reference, options.file.name)
    except ParseError as error:
        raise LaunchError(_located(error)) from None
    except EliashbergError as error:
        msg = f"{options.file}: {error}"
        raise LaunchError(msg) from None
    write_answers(options.file, file, spectrum, answers, notes=notes, layout=options.format, stream=sys.stdout)
    return 0


def _located(error: ParseError) -> str:
    """The message with the path as it was given, not the name of the file alone."""
    place = f"{error.path}" if error.line is None else f"{error.path} line {error.line}"
    return f"{place}: expected {error.expected}, found {error.found}: {error.advice}"


def _paramagnons(path: Path) -> tuple[Spectrum, list[str]]:
    """Spectrum of the fluctuations of the spin, which rises linearly from zero frequency, and notes on its file."""
    from hightc.analysis.parsers.alpha2f import read_alpha2f
    from hightc.eliashberg import Alpha2F

    file = read_alpha2f(path, symbol="P")
    if file.alpha2f.min() < 0:
        msg = f"{path}: expected P(w) >= 0, found {file.alpha2f.min():.3g}: give the spectrum with a positive sign"
        raise LaunchError(msg)
    notes = [f"{path}: {note.removesuffix(': was the file cut?')}" for note in file.notes]  # a Lorentzian has a tail
    return Alpha2F(file.omega_mev, file.alpha2f, low_frequency="linear"), notes


def _draw(path: Path, spectrum: Alpha2F, mu_star: float, reference: Reference, title: str) -> None:
    from hightc.analysis.eliashberg_curves import eliashberg_curves
    from hightc.analysis.files import write_bytes
    from hightc.analysis.plots.eliashberg import plot_eliashberg
    from hightc.analysis.plots.style import figure_style

    figure = plot_eliashberg(eliashberg_curves(spectrum, mu_star, reference), title)
    content = BytesIO()
    with figure_style():
        figure.savefig(content, format=path.suffix[1:].lower(), dpi=DOTS_PER_INCH)
    try:
        write_bytes(path, content.getvalue())
    except OSError as error:
        msg = f"{path}: expected a place to write a picture, found {str(error.strerror).lower()}: give another name"
        raise LaunchError(msg) from None
