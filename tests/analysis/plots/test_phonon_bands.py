from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
import pytest
from pydantic import ValidationError

from hightc.analysis.documents import PathSegment, PhononBandsDocument, PhononDocument
from hightc.analysis.plots.phonons import plot_phonon_bands, point_name
from hightc.analysis.plots.style import figure_svg

MakePhonon = Callable[..., PhononDocument]


@pytest.fixture
def bands(phonon_document: MakePhonon) -> Callable[..., PhononBandsDocument]:
    """Two lines with a jump between them; frequencies of one branch may be imaginary."""
    x = np.linspace(0, 1, 11)
    line = np.stack([8 * np.sin(x * np.pi / 2), 16 * np.sin(x * np.pi / 2)], axis=1)

    def make(softening_mev: float = 0.0) -> PhononBandsDocument:
        frequencies = np.concatenate([line, line[::-1]]) - [softening_mev, 0.0]
        return PhononBandsDocument(
            **phonon_document().model_dump(
                include={"campaign", "material", "formula", "elements", "structure", "q_mesh", "protocol", "provenance"}
            ),
            q_fractional=tuple((float(value), 0.0, 0.0) for value in (*x / 2, *x[::-1] / 2)),
            distance_per_angstrom=(*x.tolist(), *(1 + x).tolist()),
            segments=(
                PathSegment(start=0, stop=11, start_label="GAMMA", stop_label="X"),
                PathSegment(start=11, stop=22, start_label="SIGMA_0", stop_label="GAMMA"),
            ),
            frequencies_mev=tuple(tuple(row) for row in frequencies.tolist()),
            lowest_frequency_mev=float(frequencies.min()),
        )

    return make


def test_points_are_named_where_they_lie_and_a_jump_has_both_names(bands):
    axes = plot_phonon_bands(bands()).axes[0]
    assert axes.get_xticks().tolist() == [0, 1, 2]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["Γ", "X|Σ$_{0}$", "Γ"]


def test_no_line_is_drawn_across_a_jump(bands):
    axes = plot_phonon_bands(bands()).axes[0]
    branches = [line for line in axes.lines if len(line.get_xdata()) == 11]
    assert len(branches) == 4
    assert {(line.get_xdata()[0], line.get_xdata()[-1]) for line in branches} == {(0, 1), (1, 2)}


def test_density_of_states_shares_the_axis_of_frequencies(bands, phonon_document):
    left, right = plot_phonon_bands(bands(), phonon_document()).axes
    assert left.get_ylim() == right.get_ylim()
    assert np.array_equal(right.lines[0].get_ydata(), phonon_document().omega_mev)
    for axes in (left, *left.child_axes, right, *right.child_axes):
        for label in (axes.get_ylabel(), axes.get_xlabel()):
            assert not label or re.search(r"\((meV|THz|states/meV/cell)\)$", label)


def test_imaginary_bands_are_shaded_in_both_panels_and_stable_ones_are_not(bands, phonon_document):
    stable = plot_phonon_bands(bands(), phonon_document())
    assert stable.axes[0].get_ylim()[0] == 0
    assert not stable.legends
    unstable = plot_phonon_bands(bands(softening_mev=3.0), phonon_document(shift_mev=-1.0))
    assert unstable.axes[1].get_ylim()[0] < -3
    assert "imaginary: lowest -3.00 meV" in unstable.legends[0].get_texts()[0].get_text()
    assert all(axes.patches for axes in unstable.axes)


def test_both_colours_of_the_density_of_states_end_at_zero(bands, phonon_document):
    right = plot_phonon_bands(bands(softening_mev=3.0), phonon_document(shift_mev=-1.05)).axes[1]
    above, below = (np.asarray(line.get_ydata()) for line in right.lines[:2])
    assert above.min() == below.max() == 0


def test_figure_is_an_element_of_a_page(bands, phonon_document):
    svg = figure_svg(plot_phonon_bands(bands(), phonon_document()))
    assert ElementTree.fromstring(svg).tag.endswith("svg")  # noqa: S314 - our own
    assert "<text" not in svg


@pytest.mark.parametrize(
    ("label", "name"), [("GAMMA", "Γ"), ("X", "X"), ("SIGMA_0", "Σ$_{0}$"), ("W_2", "W$_{2}$"), ("R", "R")]
)
def test_special_points_have_their_usual_names(label, name):
    assert point_name(label) == name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"distance_per_angstrom": (0.0,)}, "expected one entry for each of 22 q points, found 1"),
        ({"frequencies_mev": ((1.0,),) * 21 + ((1.0, 2.0),)}, "same number of modes"),
        ({"segments": (PathSegment(start=0, stop=23, start_label="A", stop_label="B"),)}, "found 0 to 23"),
    ],
)
def test_arrays_of_a_document_belong_together(bands, change, message):
    with pytest.raises(ValidationError, match=message):
        PhononBandsDocument.model_validate({**bands().model_dump(), **change})
