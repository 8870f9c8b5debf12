"""The look of every figure, and figures as SVG elements that stand inside a page."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

BLUE: Final = "#0072b2"
SKY: Final = "#56b4e9"
GREEN: Final = "#009e73"
ORANGE: Final = "#b86e00"
VERMILION: Final = "#d55e00"
"""Okabe and Ito's palette, told apart by colour-blind readers; the orange darkened to be legible on white too."""

PALETTE: Final = {"blue": BLUE, "sky": SKY, "green": GREEN, "orange": ORANGE, "vermilion": VERMILION}

INK: Final = "#101418"
"""Axes and text. An inlined figure takes the colour of the text around it instead."""

STYLE: Final[dict[str, Any]] = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "figure.constrained_layout.use": True,
    "figure.figsize": (5.0, 3.5),
    "font.size": 8.5,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "patch.linewidth": 0.7,
    # text as outlines: the same everywhere, whatever fonts the reader has
    "svg.fonttype": "path",
    "svg.hashsalt": "hightc",
    "text.color": INK,
    "xtick.color": INK,
    "xtick.direction": "in",
    "xtick.major.width": 0.7,
    "ytick.color": INK,
    "ytick.direction": "in",
    "ytick.major.width": 0.7,
}

NO_METADATA: Final = dict.fromkeys(("Creator", "Date", "Format", "Type"))
DIGEST_LENGTH: Final = 10


@contextmanager
def figure_style() -> Iterator[None]:
    """Draw with this look, independent of the reader's matplotlibrc; afterwards everything is as before."""
    with matplotlib.style.context(["default", STYLE]):
        yield


def scaled_axis(axes: Axes, unit: float, label: str, side: Literal["top", "right"] = "top") -> None:
    """Repeat the horizontal axis at the top, or the vertical one on the right, in another unit.

    Parameters
    ----------
    axes
        The axes.
    unit
        The other unit in units of the axis.
    label
        Quantity and unit.
    side
        Where the other axis stands.
    """

    def forward(values: ArrayLike) -> ArrayLike:
        return np.asarray(values, dtype=float) / unit

    def inverse(values: ArrayLike) -> ArrayLike:
        return np.asarray(values, dtype=float) * unit

    if side == "top":
        axes.secondary_xaxis(side, functions=(forward, inverse)).set_xlabel(label)
    else:
        axes.secondary_yaxis(side, functions=(forward, inverse)).set_ylabel(label)


def figure_svg(figure: Figure, *, prefix: str | None = None) -> str:
    """Turn a figure into an ``<svg>`` element for a page.

    The element has no prolog, no date, no fonts and no rules for the page around it. Its axes and text have the
    colour of the surrounding text, and the page may replace the other colours by the CSS variables
    ``--figure-blue``, ``-sky``, ``-green``, ``-orange`` and ``-vermilion``, for example on a dark background. The
    same figure always gives the same element.

    Parameters
    ----------
    figure
        The figure.
    prefix
        What the ids of the element begin with, unique on the page; a digest of the figure if None, which is
        enough unless the same figure stands on a page twice.

    Returns
    -------
    str
        The element.
    """
    stream = io.StringIO()
    with figure_style():
        figure.savefig(stream, format="svg", transparent=True, metadata=NO_METADATA)
    text = stream.getvalue()
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<!--.*?-->\s*|<defs>\s*<style.*?</style>\s*</defs>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"\s*\n\s*", " ", text).replace("> <", "><")
    text = re.sub(r' d="[^"]*"', lambda match: re.sub(r"(\.\d\d)\d+", r"\1", match[0]), text)
    text = text.replace(INK, "currentColor")
    for name, color in PALETTE.items():
        text = text.replace(color, f"var(--figure-{name}, {color})")
    root = 'role="img" stroke-linejoin="round" stroke-linecap="butt"'
    text = re.sub(r' width="[^"]*" height="[^"]*"', f" {root}", text, count=1)
    digest = hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]
    return _own_ids(text, prefix or f"figure-{digest}")


def _own_ids(text: str, prefix: str) -> str:
    """Keep the ids that something points to, and make them this element's own."""
    used = set(re.findall(r'(?:url\(|xlink:href=")#([^")]+)', text))

    def rename(match: re.Match[str]) -> str:
        return f' id="{prefix}-{match[1]}"' if match[1] in used else ""

    text = re.sub(r' id="([^"]*)"', rename, text)
    return re.sub(r'(url\(|xlink:href=")#', rf"\1#{prefix}-", text)
