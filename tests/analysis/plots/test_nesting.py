"""Figures of nesting and susceptibility."""

from __future__ import annotations

import numpy as np
import pytest
from fakes.square_lattice import energies, square_bands, square_document

from hightc.analysis.documents.fermi import NESTING_CAVEAT
from hightc.analysis.plots.nesting import plot_nesting_path, plot_nesting_slice
from hightc.analysis.plots.style import figure_svg


@pytest.fixture(scope="module")
def document():
    return square_document()


def caveat(figure):
    return " ".join(figure.get_supxlabel().split())


def test_curves_along_the_path_are_those_of_the_document(document):
    above, below = plot_nesting_path(document).axes
    for axes, values in ((above, document.path.nesting), (below, document.path.chi0)):
        curves = [line for line in axes.lines if len(line.get_xdata()) > 2]
        assert len(curves) == len(document.path.segments)
        drawn = np.concatenate([line.get_ydata() for line in curves])
        assert set(np.round(drawn, 9)) == set(np.round(values, 9))


def test_trivial_peak_at_gamma_leaves_the_picture():
    # less than half filled: no vector maps the whole surface onto itself but q = 0
    bands = square_bands(energies_ev=energies((12, 12, 6), -1.0), on_mesh=lambda mesh: energies(mesh, -1.0))
    document = square_document(bands)
    above, _ = plot_nesting_path(document).axes
    top = above.get_ylim()[1]
    assert document.nesting_peaks[0].value < top < max(document.path.nesting)


def test_peaks_on_the_path_are_marked_at_their_place(document):
    for axes, peaks in zip(
        plot_nesting_path(document).axes, (document.nesting_peaks, document.chi0_peaks), strict=True
    ):
        marks = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines if line.get_marker() == "v"]
        on_path = [peak for peak in peaks[:3] if peak.path_label]
        assert [height for _, height in marks] == [peak.value for peak in on_path]
        distances = document.path.distance_per_angstrom
        assert all(distances[0] <= place <= distances[-1] for place, _ in marks)


def test_both_figures_say_what_nesting_does_not(document):
    for figure in (plot_nesting_path(document), plot_nesting_slice(document)):
        assert caveat(figure) == NESTING_CAVEAT[:1].upper() + NESTING_CAVEAT[1:]


def test_figure_that_has_not_converged_says_so(document):
    title = plot_nesting_path(document.model_copy(update={"converged": False})).axes[0].get_title()
    assert title.endswith("600 K; not converged")
    assert "converged" not in plot_nesting_path(document.model_copy(update={"converged": True})).axes[0].get_title()


def test_slice_holds_the_peak_and_stays_in_the_zone(document):
    figure = plot_nesting_slice(document)
    panels = [axes for axes in figure.axes if axes.get_xlabel().startswith("q along")]
    q = np.linalg.norm(document.chi0_peaks[0].q_per_angstrom)
    for axes, peaks in zip(panels, (document.nesting_peaks, document.chi0_peaks), strict=True):
        circles = np.concatenate([line.get_xydata() for line in axes.lines if line.get_marker() == "o"])
        assert np.linalg.norm(circles, axis=1).max() == pytest.approx(q, rel=0.02)
        values = axes.collections[0].get_array()
        # the corners of the square around the zone lie outside
        assert np.ma.getmaskarray(np.ma.masked_invalid(values))[0, 0]
        shown = float(np.nanmax(np.ma.filled(values, np.nan)))
        assert shown >= 0.9 * peaks[0].value


def test_figures_are_svg_elements(document):
    assert figure_svg(plot_nesting_path(document)).startswith("<svg")


def test_document_without_bands_draws_zeros():
    nothing = np.empty((6, 6, 6, 0))
    document = square_document(square_bands(energies_ev=nothing, numbers=(), on_mesh=lambda mesh: nothing))
    for figure in (plot_nesting_path(document), plot_nesting_slice(document)):
        assert caveat(figure)
