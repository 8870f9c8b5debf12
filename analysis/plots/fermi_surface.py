"""The Fermi surface in its zone, to be turned in a browser."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy.constants import e, hbar

from hightc.analysis.band_interpolation import BandInterpolation
from hightc.analysis.band_path import band_path
from hightc.analysis.brillouin_zone import BrillouinZone, brillouin_zone
from hightc.analysis.documents.fermi import FermiDocument
from hightc.analysis.fermi_surface import FermiSheet, fermi_surface

MOST_TRIANGLES: Final = 45_000
"""Triangles of all bands that a page shall hold, 1.3 MB of JSON: how finely bands are interpolated for it."""

MEGAMETER_PER_SECOND: Final = e / hbar * 1e-16
"""Velocity in 10^6 m/s of 1 eV Angstrom, the gradient of an energy."""

COLORS: Final = "Viridis"
NOTHING: Final = {"showbackground": False, "visible": False}

ZOOM: Final = 1.7
"""Size of the zone's box in plotly's units, which make it fill the frame."""

POINT_SPACING_PER_ANGSTROM: Final = 10.0
"""Coarser than any line of the path: only its ends are wanted."""


def fermi_surface_figure(document: FermiDocument) -> go.Figure:
    """Draw the sheets of a Fermi surface, coloured by velocity, in the first Brillouin zone.

    Parameters
    ----------
    document
        Its energies loaded from the blob store.

    Returns
    -------
    plotly Figure
        One mesh a band, which a click on its name in the legend takes away, from bands interpolated as finely as
        :data:`MOST_TRIANGLES` allows. ``to_json`` packs its arrays; the page needs plotly.js from version 2.35, which
        comes with the Python package, and nothing else.

    Raises
    ------
    ValueError
        If the energies are still in the blob store.
    """
    zone = brillouin_zone(document.structure.lattice)
    sheets = _sheets(document, zone)
    points = _special_points(document)
    return go.Figure([*_meshes(sheets), _edges(zone), _names(points)], _layout(document, zone))


def _sheets(document: FermiDocument, zone: BrillouinZone) -> Sequence[FermiSheet]:
    lattice, energies = document.structure.lattice, document.energies_ev.to_array()
    sheets = fermi_surface(energies, lattice, zone, document.bands)
    # triangles grow with the square of the mesh
    fitting = math.isqrt(MOST_TRIANGLES // max(1, sum(len(sheet.triangles) for sheet in sheets)))
    factor = min(fitting, document.fine_mesh[0] // document.k_mesh[0])
    if not sheets or factor < 2:
        return sheets
    n1, n2, n3 = (factor * n for n in document.k_mesh)
    return fermi_surface(
        BandInterpolation.fit_mesh(energies, lattice).on_mesh((n1, n2, n3)), lattice, zone, document.bands
    )


def _meshes(sheets: Sequence[FermiSheet]) -> list[go.Mesh3d]:
    speeds = [sheet.speed_ev_angstrom * MEGAMETER_PER_SECOND for sheet in sheets]
    total = sum(sheet.dos_per_ev_spin_cell for sheet in sheets)
    return [
        go.Mesh3d(
            **dict(zip("xyz", sheet.vertices_per_angstrom.T.astype(np.float32), strict=True)),
            **dict(zip("ijk", sheet.triangles.T.astype(np.uint32), strict=True)),
            intensity=speed.astype(np.float32),
            coloraxis="coloraxis",
            name=f"band {sheet.band}: {sheet.dos_per_ev_spin_cell / total:.0%} of N(E<sub>F</sub>)",
            showlegend=True,
            hovertemplate=f"band {sheet.band}<br>|v| = %{{intensity:.2f}} 10<sup>6</sup> m/s<extra></extra>",
            lighting={"ambient": 0.55, "diffuse": 0.7, "specular": 0.15, "roughness": 0.7, "fresnel": 0.1},
            lightposition={"x": 2000, "y": 1500, "z": 3000},
            flatshading=False,
        )
        for sheet, speed in zip(sheets, speeds, strict=True)
    ]


def _edges(zone: BrillouinZone) -> go.Scatter3d:
    corners = zone.corners_per_angstrom[zone.edges]
    broken = np.concatenate([corners, np.full((len(corners), 1, 3), np.nan)], axis=1).reshape(-1, 3)
    x, y, z = broken.T.astype(np.float32)
    line = {"color": "#606870", "width": 3}
    return go.Scatter3d(
        x=x, y=y, z=z, mode="lines", line=line, name="Brillouin zone", hoverinfo="skip", connectgaps=False
    )


def _special_points(document: FermiDocument) -> dict[str, NDArray[np.float64]]:
    """Points of high symmetry by the names that plotly writes."""
    path = band_path(document.structure, spacing_per_angstrom=POINT_SPACING_PER_ANGSTROM)
    cartesian = path.q_fractional @ document.structure.lattice.reciprocal_lattice.matrix
    points = {}
    for segment in path.segments:
        points[_name(segment.start_label)] = cartesian[segment.start]
        points[_name(segment.stop_label)] = cartesian[segment.stop - 1]
    return points


def _name(label: str) -> str:
    letter, _, number = label.partition("_")
    letter = {"GAMMA": "Γ", "DELTA": "Δ", "LAMBDA": "Λ", "SIGMA": "Σ"}.get(letter, letter)
    return f"{letter}<sub>{number}</sub>" if number else letter


def _names(points: dict[str, NDArray[np.float64]]) -> go.Scatter3d:
    x, y, z = np.array(list(points.values())).T.astype(np.float32)
    return go.Scatter3d(
        x=x,
        y=y,
        z=z,
        text=list(points),
        mode="markers+text",
        marker={"size": 3, "color": "#101418"},
        textfont={"size": 16, "color": "#101418"},
        textposition="top center",
        name="points of high symmetry",
        hoverinfo="text",
    )


def _layout(document: FermiDocument, zone: BrillouinZone) -> dict[str, Any]:
    reach = 1.08 * float(np.linalg.norm(zone.corners_per_angstrom, axis=1).max())
    axis = {**NOTHING, "range": [-reach, reach]}
    return {
        "title": {"text": f"Fermi surface of {document.material}"},
        "scene": {
            "xaxis": axis,
            "yaxis": axis,
            "zaxis": axis,
            "aspectmode": "manual",
            "aspectratio": dict.fromkeys("xyz", ZOOM),
            "camera": {"eye": {"x": 1.25, "y": 0.72, "z": 0.56}, "projection": {"type": "orthographic"}},
        },
        "coloraxis": {
            "colorscale": COLORS,
            "colorbar": {"title": {"text": "|v| (10<sup>6</sup> m/s)"}, "len": 0.7},
        },
        "legend": {"orientation": "h", "y": -0.02},
        "margin": {"l": 0, "r": 0, "t": 40, "b": 0},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "template": "none",
    }
