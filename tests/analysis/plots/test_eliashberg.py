from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from hightc.analysis.eliashberg_curves import EliashbergCurves, eliashberg_curves
from hightc.analysis.parsers.alpha2f import read_alpha2f
from hightc.analysis.plots.eliashberg import TOO_WEAK, WITHOUT_TC, _number, plot_eliashberg
from hightc.analysis.spectral_function import clipped_spectrum
from hightc.eliashberg import Alpha2F, TcStatus

PB = Path(__file__).parents[2] / "data" / "epw" / "pb" / "pb.a2f_iso"


@pytest.fixture(scope="module")
def curves() -> EliashbergCurves:
    file = read_alpha2f(PB)
    return eliashberg_curves(clipped_spectrum(file.omega_mev, file.alpha2f), 0.1, "omega_2")


def panels(figure: Figure) -> list[str]:
    """Everything that is written in each of the four panels."""
    return [
        " ".join(
            text.get_text() for text in (*axes.texts, *(axes.get_legend().get_texts() if axes.get_legend() else ()))
        )
        for axes in figure.axes[:4]
    ]


def test_four_panels_hold_spectrum_gap_derivative_and_density(curves: EliashbergCurves) -> None:
    figure = plot_eliashberg(curves, "lead")
    spectrum, gap, derivative, density = panels(figure)
    assert r"\lambda(\omega)" in spectrum
    assert f"{curves.solution.tc_kelvin:.4g} K" in gap
    assert "isotope coefficient 0.477" in derivative
    assert "gap edge 1.045 meV" in density
    title = figure.get_suptitle()
    assert title.startswith("lead\n")
    assert "at 5.82 meV" in title


def test_every_axis_names_its_unit(curves: EliashbergCurves) -> None:
    figure = plot_eliashberg(curves, "lead")
    every = [axes for one in figure.axes for axes in (one, *one.child_axes)]
    labels = [label for axes in every for label in (axes.get_xlabel(), axes.get_ylabel()) if label]
    assert len(labels) == 11
    for label in labels:
        assert re.search(r"\((K/meV|meV|THz|K|dimensionless)\)$", label), label


def test_no_legend_covers_a_curve_of_its_panel(curves: EliashbergCurves) -> None:
    figure = plot_eliashberg(curves, "lead")
    figure.draw_without_rendering()
    for axes, lines in ((figure.axes[0], 1), (figure.axes[1], 1), (figure.axes[2], 2), (figure.axes[3], 3)):
        box = axes.get_legend().get_window_extent()
        for line in axes.lines[:lines]:
            points = axes.transData.transform(np.column_stack([line.get_xdata(), line.get_ydata()]))
            assert not box.count_contains(points)


def test_density_far_above_the_phonons_is_that_of_the_normal_state(curves: EliashbergCurves) -> None:
    line = plot_eliashberg(curves, "lead").axes[3].lines[1]
    # Delta^2/2E^2 with |Delta| < 2 meV at 12 meV, 1.4 %, and the images of the phonons before: 5 % in lead
    assert line.get_ydata()[-1] == pytest.approx(1.0, abs=0.05)
    assert line.get_ydata()[0] < 0.05


def test_range_of_the_density_follows_the_gap_where_phonons_leave_no_image(curves: EliashbergCurves) -> None:
    energy = np.linspace(0, 1.0, 400)
    small = replace(
        curves.real_axis, omega_mev=energy, gap_mev=np.full(400, 0.05 + 0j), renormalisation=np.ones(400) + 0j
    )
    axes = plot_eliashberg(replace(curves, real_axis=small), "small").axes[3]
    assert small.gap_edge_mev == pytest.approx(0.05)
    assert axes.get_xlim()[1] == pytest.approx(8 * 0.05, abs=energy[1])


def without_tc(curves: EliashbergCurves, status: str) -> EliashbergCurves:
    solution = replace(curves.solution, tc_kelvin=None, status=TcStatus(status))
    nothing = {"dtc_dalpha2f": None, "isotope_coefficient": None, "dtc_dmu_star": None}
    sensitivity = replace(curves.sensitivity, solution=solution, **nothing)
    return replace(curves, sensitivity=sensitivity, temperature_kelvin=None, gap_mev=None, real_axis=None)


@pytest.mark.parametrize("status", ["no_superconductivity", "below_range", "invalid"])
def test_without_tc_there_is_the_spectrum_and_a_line_that_says_why(curves: EliashbergCurves, status: str) -> None:
    figure = plot_eliashberg(without_tc(curves, status), "lead")
    assert len(figure.axes) == 2  # a2F, and lambda on its right
    # 9.49 meV/20000 = 5.51 mK
    assert WITHOUT_TC[status].format(limit="0.00551") in figure.get_suptitle()


def test_gap_that_is_not_resolved_is_told_apart_from_weak_coupling(curves: EliashbergCurves) -> None:
    unresolved = replace(curves, real_axis=None)
    assert "too small beside the phonons" in panels(plot_eliashberg(unresolved, "lead"))[3]
    solution = replace(curves.solution, tc_kelvin=0.01)
    weak = replace(unresolved, sensitivity=replace(curves.sensitivity, solution=solution))
    figure = plot_eliashberg(weak, "weak")
    assert panels(figure)[3] == TOO_WEAK
    figure.draw_without_rendering()
    inside, box = figure.axes[3].texts[0].get_window_extent(), figure.axes[3].get_window_extent()
    assert box.x0 < inside.x0 < inside.x1 < box.x1
    assert len(figure.axes[3].get_xticks()) == len(figure.axes[3].get_yticks()) == 0


def test_maximum_far_below_the_phonons_is_seen_on_a_logarithmic_axis(curves: EliashbergCurves) -> None:
    assert plot_eliashberg(curves, "lead").axes[2].get_xscale() == "linear"
    omega = curves.sensitivity.omega_mev
    low = replace(curves, sensitivity=replace(curves.sensitivity, dtc_dalpha2f=omega / (omega**2 + 0.1**2)))
    axes = plot_eliashberg(low, "low").axes[2]
    assert axes.get_xscale() == "log"
    lowest, highest = axes.get_xlim()
    assert lowest < 0.1 / 10
    assert highest == omega[-1]


def test_numbers_have_true_minus_signs_and_powers_of_ten() -> None:
    assert [_number(value, 3) for value in (26.58, -26.58, 1.234e-5)] == ["26.6", "$-26.6$", r"$1.23 \times 10^{-5}$"]


def test_spectrum_without_coupling_is_drawn_on_axes_that_mean_something(curves: EliashbergCurves) -> None:
    empty = eliashberg_curves(Alpha2F(curves.spectrum.omega_mev, 0 * curves.spectrum.alpha2f), 0.1, "omega_2")
    figure = plot_eliashberg(empty, "of $5 and nothing")
    figure.draw_without_rendering()
    assert WITHOUT_TC["no_superconductivity"] in figure.get_suptitle()
    assert [axes.get_ylim() for axes in figure.axes] == [(0, 1), (0, 1)]
