from __future__ import annotations

import re

import numpy as np
import pytest
from fakes.magnetic_ladder import FCC, PARAMAGNET, LandauMagnet, failed_row, ladder, orders
from matplotlib.figure import Figure

from hightc.analysis.documents import MagnetismDocument, MaterialTag
from hightc.analysis.documents.magnetism import MagneticState
from hightc.analysis.plots.magnetism import TITLES, plot_magnetism
from hightc.analysis.plots.style import figure_svg
from hightc.analysis.softness import magnetism_document

NM, FM, AFM = ORDERS = orders()
FADING = LandauMagnet(8.6)
LASTING = LandauMagnet(5.0, gain_ev=0.02)


def document(states: list[MagneticState], noise: float | None = 0.01) -> MagnetismDocument:
    return magnetism_document(
        MaterialTag(campaign="test", material="Ni"),
        FCC,
        ORDERS,
        (),
        states,
        target_pressure_gpa=20.0,
        noise_bohr_magneton=noise,
        stoner=None,
        protocol="draft",
    )


@pytest.fixture
def states() -> list[MagneticState]:
    return [*ladder(NM, PARAMAGNET), *ladder(FM, FADING), *ladder(AFM, LASTING)]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for one in figure.legends for text in one.get_texts()]


def test_axes_name_their_units_and_the_title_the_class(states):
    found = document(states)
    upper, lower = plot_magnetism(found).axes
    assert upper.get_title() == f"Ni: {TITLES[found.softness_class]}"
    labels = [upper.get_ylabel(), lower.get_ylabel(), lower.get_xlabel()]
    assert [re.search(r"\((.*)\)$", label)[1] for label in labels] == [r"$\mu_B$/atom", "meV/atom", "GPa"]


def test_moments_stand_at_their_pressures_with_their_noise(states):
    found = document(states)
    upper = plot_magnetism(found).axes[0]
    for curve, drawn in zip(found.curves, upper.containers, strict=True):
        line, _, (bars,) = drawn.lines
        assert np.array_equal(line.get_xdata(), curve.pressure_gpa)
        assert np.array_equal(line.get_ydata(), curve.moment_bohr_magneton_per_atom)
        heights = [float(np.ptp(segment[:, 1])) for segment in bars.get_segments()]
        assert heights == pytest.approx([0.02] * len(curve.pressure_gpa))


def test_unknown_noise_has_no_bars(states):
    upper = plot_magnetism(document(states, noise=None)).axes[0]
    assert all(not drawn.has_yerr for drawn in upper.containers)


def test_failed_rung_is_marked_at_the_pressure_of_its_neighbours_and_named(states):
    states[10] = failed_row(FM, 0.95)
    figure = plot_magnetism(document(states))
    (crosses,) = [line for line in figure.axes[0].lines if line.get_label() == "FM failed"]
    others = [one.pressure_gpa for one in states if one.volume_ratio == 0.95 and one.pressure_gpa is not None]
    assert crosses.get_xdata() == pytest.approx([np.mean(others)])
    assert "FM failed" in legend(figure)


def test_failed_rung_of_a_pressure_ladder_is_marked_where_it_was_asked_for(states):
    failed = failed_row(AFM, 0.95).model_copy(update={"volume_ratio": None, "target_pressure_gpa": 33.0})
    figure = plot_magnetism(document([*states[:16], failed]))
    (crosses,) = [line for line in figure.axes[0].lines if line.get_label() == "AFM1 failed"]
    assert crosses.get_xdata() == pytest.approx([33.0])


def test_enthalpy_is_drawn_against_the_nonmagnetic_state_where_both_are_known(states):
    found = document(states)
    lower = plot_magnetism(found).axes[1]
    assert r"H_\mathrm{NM}" in lower.get_ylabel()
    drawn = [line for line in lower.lines if line.get_marker() == "s"]
    points = np.array([line.get_xydata() for line in drawn])[0]
    margins = {one.pressure_gpa: one for one in found.ground_states}
    for pressure, height in points[np.isfinite(points[:, 1])]:
        if pressure in margins and margins[pressure].order == "AFM1":
            assert height < 0


def test_without_the_nonmagnetic_state_another_is_the_reference(states):
    figure = plot_magnetism(document([one for one in states if one.order != "NM"]))
    assert r"H_\mathrm{AFM1}" in figure.axes[1].get_ylabel()


@pytest.mark.parametrize("states", [[], [failed_row(FM, 1.0)]], ids=["none", "failed"])
def test_empty_ladder_is_drawn_as_such(states):
    figure = plot_magnetism(document(states))
    assert "no order has a result" in [text.get_text() for text in figure.axes[1].texts]
    assert figure_svg(figure).startswith("<svg")


def test_every_class_has_words():
    classes = MagnetismDocument.model_fields["softness_class"].annotation.__args__
    assert TITLES.keys() == set(classes)
