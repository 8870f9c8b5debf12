"""Pieces of interactive figures as plain data: plotly's JSON, whose colours the page fills in.

A text that begins with ``@`` stands for something of the page: ``@blue`` and the other names of
:data:`hightc.analysis.plots.style.PALETTE`, ``@ink`` and ``@soft`` for its colours, light or dark, ``@blue/0.3`` for
one that lets 70 % of the light through, and ``@x`` or another key of ``shared`` for numbers that several curves have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from hightc.analysis.documents.phonon import PathSegment
from hightc.launch.report_site.script_data import shortened

Figure = dict[str, Any]
Trace = dict[str, Any]

GREEK: Final = {"GAMMA": "Γ", "DELTA": "Δ", "LAMBDA": "Λ", "SIGMA": "Σ"}
OMEGA: Final = "ω (meV)"


def figure(
    data: Sequence[Trace], layout: Mapping[str, Any], shared: Mapping[str, Sequence[float | None]] | None = None
) -> Figure:
    """Put a figure together.

    Parameters
    ----------
    data
        Its traces.
    layout
        Its layout; what every figure has in common is the page's.
    shared
        Numbers that traces name with ``@``.
    """
    return {
        "data": list(data),
        "layout": dict(layout),
        "shared": {name: shortened(values) for name, values in (shared or {}).items()},
    }


def curve(x: Any, y: Any, name: str, color: str, **changes: Any) -> Trace:
    """Join points by a line.

    Parameters
    ----------
    x, y
        (n,) numbers, or a name of ``shared`` with ``@``.
    name
        What the legend says.
    color
        Name of a colour.
    **changes
        Further properties of the trace; ``line`` is added to the colour.
    """
    line = {"color": f"@{color}", "width": 1.8, **changes.pop("line", {})}
    return {
        "type": "scatter",
        "mode": "lines",
        "x": _numbers(x),
        "y": _numbers(y),
        "name": name,
        "line": line,
    } | changes


def points(x: Any, y: Any, name: str, color: str, symbol: str = "circle", **changes: Any) -> Trace:
    """Mark points.

    Parameters
    ----------
    x, y, name, color
        As of :func:`curve`.
    symbol
        Marker, as plotly names it.
    **changes
        Further properties of the trace; ``marker`` is added to the marker.
    """
    marker = {"color": f"@{color}", "size": 7, "symbol": symbol, **changes.pop("marker", {})}
    trace = {"type": "scatter", "mode": "markers", "x": _numbers(x), "y": _numbers(y), "name": name, "marker": marker}
    return trace | changes


def vertical(place: float, color: str, dash: str = "dash", yref: str = "paper") -> dict[str, Any]:
    """Draw a line from bottom to top.

    Parameters
    ----------
    place
        Where on the horizontal axis.
    color
        Name of a colour.
    dash
        As plotly names it.
    yref
        Axis whose height it takes; the whole figure by default.
    """
    line = {"color": f"@{color}", "width": 1, "dash": dash}
    return {"type": "line", "x0": place, "x1": place, "y0": 0, "y1": 1, "yref": yref, "line": line}


def band(start: float, stop: float, color: str, *, across: bool = False, **changes: Any) -> dict[str, Any]:
    """Shade what lies between two places.

    Parameters
    ----------
    start, stop
        Where on the horizontal axis.
    color
        Name of a colour.
    across
        Places are on the vertical axis instead.
    **changes
        Further properties of the shape.
    """
    sides = ("y0", "y1", "x0", "x1") if across else ("x0", "x1", "y0", "y1")
    reference = {"xref": "paper"} if across else {"yref": "paper"}
    ends = dict(zip(sides, (start, stop, 0, 1), strict=True))
    return {
        "type": "rect",
        **ends,
        **reference,
        "fillcolor": f"@{color}/0.2",
        "line": {"width": 0},
        "layer": "below",
    } | (changes)


def path_axis(segments: Sequence[PathSegment], distance: Sequence[float]) -> dict[str, Any]:
    """Axis along a path through the Brillouin zone; at a jump both names stand at one place.

    Parameters
    ----------
    segments
        Lines of the path.
    distance
        (n,) length of the path up to each point.
    """
    places, names = [float(distance[segments[0].start])], [point_name(segments[0].start_label)]
    for index, segment in enumerate(segments):
        name = point_name(segment.stop_label)
        if index + 1 < len(segments) and segments[index + 1].start_label != segment.stop_label:
            name += f"|{point_name(segments[index + 1].start_label)}"
        places.append(float(distance[segment.stop - 1]))
        names.append(name)
    ends = [float(distance[0]), float(distance[-1])]
    return {"tickvals": places, "ticktext": names, "range": ends, "showgrid": True, "ticks": ""}


def point_name(label: str) -> str:
    """Write the name of a point of high symmetry.

    Parameters
    ----------
    label
        As seekpath spells it, for example GAMMA, X or SIGMA_0.
    """
    letter, _, number = label.partition("_")
    letter = GREEK.get(letter, letter)
    return f"{letter}<sub>{number}</sub>" if number else letter


def broken(segments: Sequence[PathSegment], values: Sequence[float]) -> list[float | None]:
    """Values along a path with a gap behind each line, so that no curve joins the two sides of a jump.

    Parameters
    ----------
    segments
        Lines of the path.
    values
        (n,) numbers along it.
    """
    parts: list[float | None] = []
    for segment in segments:
        parts += [*values[segment.start : segment.stop], None]
    return parts[:-1]


def _numbers(values: Any) -> Any:
    return values if isinstance(values, str) else shortened(values)
