"""The crystal of a material: a figure to turn, a table of its sites, and files to take away."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from pymatgen.core import Structure
from pymatgen.io.cif import CifWriter
from pymatgen.io.vasp import Poscar

from hightc.launch.report_site.script_data import shortened
from hightc.launch.report_site.traces import Figure, figure

MOST_ATOMS: Final = 400
"""Atoms of a figure, images on faces and edges included; of more, only those inside the cell."""

MOST_SITES: Final = 60
"""Sites that a page lists."""

EDGE_TOLERANCE: Final = 1e-4
"""Fractional coordinates this near to 0 lie on a face of the cell."""

COLORS: Final = (*("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"), *("#8c6d31", "#7f7f7f"))
"""Elements in the order of their electronegativity; Okabe and Ito's palette first."""

SMALLEST, LARGEST = 9.0, 20.0
"""Diameters of atoms in pixels."""

ZOOM: Final = 1.1
"""Longest side of the cell's box in plotly's units, which make it fill the frame."""

CORNERS: Final = np.array(list(itertools.product((0, 1), repeat=3)))


def crystal_figure(structure: Structure) -> Figure:
    """Draw a cell with its atoms, and their images on its faces, edges and corners.

    Parameters
    ----------
    structure
        Any cell, best the conventional one, Angstrom.
    """
    lattice = structure.lattice.matrix
    elements = sorted(structure.composition.elements, key=lambda element: (element.X, element.symbol))
    radii = {element.symbol: float(element.atomic_radius or 1.5) for element in elements}
    everywhere = list(_atoms(structure))
    atoms = (
        everywhere if len(everywhere) <= MOST_ATOMS else [(site.specie.symbol, site.frac_coords) for site in structure]
    )
    data: list[dict[str, Any]] = [_edges(lattice)]
    for index, symbol in enumerate(element.symbol for element in elements):
        own = np.array([place for name, place in atoms if name == symbol]).reshape(-1, 3) @ lattice
        x, y, z = (shortened(values) for values in own.T)
        size = SMALLEST + (LARGEST - SMALLEST) * radii[symbol] / max(radii.values())
        line = {"width": 1, "color": "#30363d"}
        data.append(
            {
                "type": "scatter3d",
                "mode": "markers",
                "x": x,
                "y": y,
                "z": z,
                "name": symbol,
                "marker": {"size": size, "color": COLORS[index % len(COLORS)], "line": line, "opacity": 1},
                "hovertemplate": f"{symbol}<br>%{{x:.3f}}, %{{y:.3f}}, %{{z:.3f}} Å<extra></extra>",
            }
        )
    spans = np.ptp(CORNERS @ lattice, axis=0)
    axis = {"visible": False}
    scene = {
        **dict.fromkeys(("xaxis", "yaxis", "zaxis"), axis),
        "aspectmode": "manual",
        "aspectratio": {name: float(ZOOM * span / spans.max()) for name, span in zip("xyz", spans, strict=True)},
        "camera": {"eye": {"x": 1.5, "y": 0.9, "z": 0.55}, "projection": {"type": "orthographic"}},
    }
    return figure(data, {"scene": scene, "showlegend": True})


def _atoms(structure: Structure) -> Iterable[tuple[str, Any]]:
    """Symbols and fractional places of atoms in the closed cell."""
    for site in structure:
        place = np.mod(site.frac_coords, 1.0)
        place[np.abs(place - 1) < EDGE_TOLERANCE] = 0.0
        on_face = np.abs(place) < EDGE_TOLERANCE
        for shift in itertools.product(*((0, 1) if face else (0,) for face in on_face)):
            yield site.specie.symbol, place + np.array(shift)


def _edges(lattice: Any) -> dict[str, Any]:
    """The twelve edges of the cell as one broken line."""
    ends = [(one, other) for one, other in itertools.combinations(CORNERS, 2) if np.abs(one - other).sum() == 1]
    coordinates: list[list[float | None]] = [[], [], []]
    for one, other in ends:
        for direction, (start, stop) in enumerate(zip(one @ lattice, other @ lattice, strict=True)):
            coordinates[direction] += [float(start), float(stop), None]
    x, y, z = (shortened(values) for values in coordinates)
    line = {"color": "@soft", "width": 3}
    more = {"name": "cell", "hoverinfo": "skip", "showlegend": False, "line": line}
    return {"type": "scatter3d", "mode": "lines", "x": x, "y": y, "z": z, **more}


def site_rows(structure: Structure) -> list[Sequence[str]]:
    """Element, fractional and Cartesian place of each site, for a table; at most :data:`MOST_SITES`.

    Parameters
    ----------
    structure
        Any cell, Angstrom.
    """
    return [
        (
            site.specie.symbol,
            ", ".join(f"{value + 0.0:.5f}" for value in site.frac_coords.round(5)),
            ", ".join(f"{value + 0.0:.4f}" for value in site.coords.round(4)),
        )
        for site in structure.sites[:MOST_SITES]
    ]


def structure_files(structure: Structure, name: str) -> list[tuple[str, str, str]]:
    """Files of a structure that a page carries: what it is called, its file name, and its content as an address.

    Parameters
    ----------
    structure
        Primitive cell, Angstrom.
    name
        Start of the file names.
    """
    texts = {"CIF": (f"{name}.cif", str(CifWriter(structure))), "POSCAR": (f"{name}.vasp", Poscar(structure).get_str())}
    return [
        (kind, file, f"data:text/plain;charset=utf-8;base64,{base64.b64encode(text.encode()).decode('ascii')}")
        for kind, (file, text) in texts.items()
    ]
