"""The Fermi surface that turns in a browser."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fakes.square_lattice import square_bands, square_document

from hightc.analysis.brillouin_zone import brillouin_zone
from hightc.analysis.plots.fermi_surface import MEGAMETER_PER_SECOND, MOST_TRIANGLES, fermi_surface_figure


@pytest.fixture(scope="module")
def document():
    return square_document()


@pytest.fixture(scope="module")
def figure(document):
    return fermi_surface_figure(document)


def of_kind(figure, kind):
    return [trace for trace in figure.data if trace.type == kind]


def test_each_band_can_be_taken_away(figure):
    (sheet,) = of_kind(figure, "mesh3d")
    assert sheet.showlegend
    assert sheet.name == "band 1: 100% of N(E<sub>F</sub>)"


def test_surface_lies_in_the_zone(document, figure):
    zone = brillouin_zone(document.structure.lattice)
    (sheet,) = of_kind(figure, "mesh3d")
    points = np.column_stack([sheet.x, sheet.y, sheet.z])
    # single precision
    assert (points @ zone.normals.T - zone.distance_per_angstrom).max() < 1e-6
    assert max(sheet.i.max(), sheet.j.max(), sheet.k.max()) < len(points)


def test_color_is_the_speed_in_megameters_per_second(figure):
    (sheet,) = of_kind(figure, "mesh3d")
    # |gradient| at most 3 eV Angstrom x sqrt(2), and sqrt(2) times smaller at the zone's corners along x
    assert np.max(sheet.intensity) == pytest.approx(np.sqrt(2) * 3 * MEGAMETER_PER_SECOND, rel=0.1)
    # 1 eV Angstrom / hbar = 1.5193e5 m/s
    assert pytest.approx(0.15193, rel=1e-4) == MEGAMETER_PER_SECOND


def test_points_of_high_symmetry_are_named(figure):
    names = [trace for trace in of_kind(figure, "scatter3d") if trace.text is not None]
    assert {"Γ", "X", "M", "Z", "A", "R"} == set(names[0].text)


def test_zone_has_its_twelve_edges(figure):
    (edges,) = [trace for trace in of_kind(figure, "scatter3d") if trace.mode == "lines"]
    assert len(edges.x) == 12 * 3
    assert np.isnan(edges.x).sum() == 12


def test_surface_is_interpolated_only_as_far_as_the_page_allows(document, figure):
    (sheet,) = of_kind(figure, "mesh3d")
    coarse = fermi_surface_figure(document.model_copy(update={"fine_mesh": document.k_mesh}))
    # a mesh twice as fine has four times the triangles, within the cuts at the faces
    assert len(sheet.i) == pytest.approx(4 * len(of_kind(coarse, "mesh3d")[0].i), rel=0.2)
    very_fine = document.model_copy(update={"fine_mesh": tuple(60 * n for n in document.k_mesh)})
    (finest,) = of_kind(fermi_surface_figure(very_fine), "mesh3d")
    assert MOST_TRIANGLES / 3 < len(finest.i) < 1.1 * MOST_TRIANGLES
    assert len(fermi_surface_figure(very_fine).to_json()) < 1.5e6


def test_figure_is_plain_json_without_an_address(figure):
    text = figure.to_json()
    assert "http" not in text
    assert set(json.loads(text)) == {"data", "layout"}


def test_material_without_a_crossing_band_shows_its_zone():
    nothing = np.empty((6, 6, 6, 0))
    document = square_document(square_bands(energies_ev=nothing, numbers=(), on_mesh=lambda mesh: nothing))
    figure = fermi_surface_figure(document)
    assert of_kind(figure, "mesh3d") == []
    assert of_kind(figure, "scatter3d")


def test_energies_in_the_blob_store_are_asked_for(document):
    stored = document.energies_ev.model_copy(update={"blob": {"blob_uuid": "1"}})
    with pytest.raises(ValueError, match="still in the blob store"):
        fermi_surface_figure(document.model_copy(update={"energies_ev": stored}))
