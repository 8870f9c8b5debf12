from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from hightc.analysis.documents import Alpha2FDocument, PhononDocument, Plateau, TcSensitivity
from hightc.analysis.plots.alpha2f import plot_alpha2f, plot_lambda_smearing
from hightc.analysis.plots.phonons import plot_phonon_dos
from hightc.analysis.plots.style import INK, figure_svg

MakeAlpha2F = Callable[..., Alpha2FDocument]
MakePhonon = Callable[..., PhononDocument]


@pytest.fixture
def figures(alpha2f_document: MakeAlpha2F, phonon_document: MakePhonon) -> list[Figure]:
    spectrum = alpha2f_document()
    return [
        plot_alpha2f(spectrum),
        plot_alpha2f(spectrum, derivatives(spectrum)),
        plot_lambda_smearing(spectrum),
        plot_phonon_dos(phonon_document()),
    ]


def derivatives(spectrum: Alpha2FDocument) -> TcSensitivity:
    """Derivatives of Tc with the shape that they have: from zero to a maximum and down again."""
    omega = np.array(spectrum.omega_mev)
    return TcSensitivity(
        mu_star=0.1,
        convention="the frequency of mu* is fixed",
        dtc_dalpha2f_kelvin_per_mev=tuple((omega / (1 + omega**2)).tolist()),
        isotope_coefficient=0.45,
        dtc_dmu_star_kelvin=-30.0,
        reason=None,
    )


def test_derivative_of_tc_stands_below_the_spectrum_on_the_same_frequencies(alpha2f_document: MakeAlpha2F) -> None:
    spectrum = alpha2f_document()
    figure = plot_alpha2f(spectrum, derivatives(spectrum))
    upper, lower, right = figure.axes
    assert lower.get_xlim() == upper.get_xlim() == right.get_xlim() == (0, spectrum.omega_mev[-1])
    assert lower.get_position().y1 <= upper.get_position().y0
    assert "mu^*$ = 0.10" in legend_texts(figure)
    assert np.array_equal(lower.lines[0].get_ydata(), derivatives(spectrum).dtc_dalpha2f_kelvin_per_mev)


def test_without_a_derivative_there_is_no_panel_for_it(alpha2f_document: MakeAlpha2F) -> None:
    spectrum = alpha2f_document()
    none = derivatives(spectrum).model_copy(update={"dtc_dalpha2f_kelvin_per_mev": None, "reason": "0 K"})
    assert figure_svg(plot_alpha2f(spectrum, none)) == figure_svg(plot_alpha2f(spectrum))


def axis_labels(figure: Figure) -> list[str]:
    every = [axes for one in figure.axes for axes in (one, *one.child_axes)]
    return [label for axes in every for label in (axes.get_xlabel(), axes.get_ylabel()) if label]


def legend_texts(figure: Figure) -> str:
    return " ".join(text.get_text() for legend in figure.legends for text in legend.get_texts())


def test_every_axis_names_its_unit(figures: list[Figure]) -> None:
    labels = [label for figure in figures for label in axis_labels(figure)]
    assert len(labels) == 15
    for label in labels:
        assert re.search(r"\((K/meV|meV|THz|eV|Ry|states/meV/cell|dimensionless)\)$", label), label


def test_drawing_leaves_matplotlibs_settings_alone(figures: list[Figure]) -> None:
    before = dict(mpl.rcParams)
    figure_svg(figures[0])
    assert dict(mpl.rcParams) == before


def test_svg_does_not_depend_on_the_users_matplotlibrc(alpha2f_document: MakeAlpha2F) -> None:
    expected = figure_svg(plot_alpha2f(alpha2f_document()))
    with mpl.rc_context({"font.size": 20, "axes.facecolor": "red", "svg.fonttype": "none"}):
        assert figure_svg(plot_alpha2f(alpha2f_document())) == expected


def test_svg_is_one_element_without_text_fonts_metadata_or_page_wide_rules(figures: list[Figure]) -> None:
    for figure in figures:
        svg = figure_svg(figure)
        root = ElementTree.fromstring(svg)  # noqa: S314 - our own
        assert root.tag.endswith("svg")
        assert "width" not in root.attrib
        names = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert not names & {"text", "metadata", "style", "image", "script"}
        assert INK not in svg
        assert "currentColor" in svg


def test_ids_of_two_figures_on_a_page_do_not_collide(figures: list[Figure]) -> None:
    found: list[str] = []
    for figure in figures:
        svg = figure_svg(figure)
        ids = re.findall(r' id="([^"]*)"', svg)
        assert set(re.findall(r'(?:url\(|xlink:href=")#([^")]+)', svg)) == set(ids)
        found += ids
    assert len(found) == len(set(found))
    twice = [re.findall(r' id="([^"]*)"', figure_svg(figures[0], prefix=prefix)) for prefix in ("a", "b")]
    assert not set(twice[0]) & set(twice[1])


def test_running_lambda_ends_at_lambda_and_both_zeros_share_a_height(alpha2f_document: MakeAlpha2F) -> None:
    document = alpha2f_document(dip=0.4)
    left, right = plot_alpha2f(document).axes
    # the running sum and lambda are the same trapezoid but for the outermost half steps, where the spectrum is ~0
    assert np.asarray(right.lines[0].get_ydata())[-1] == pytest.approx(document.chosen.lambda_, rel=1e-3)
    heights = [-low / (high - low) for low, high in (left.get_ylim(), right.get_ylim())]
    assert heights[0] == pytest.approx(heights[1])
    assert heights[0] > 0


def test_negative_alpha2f_is_visible_and_named_only_where_it_exists(alpha2f_document: MakeAlpha2F) -> None:
    clean, polluted = (plot_alpha2f(alpha2f_document(dip=dip)) for dip in (0.0, 0.4))
    assert "negative" not in legend_texts(clean)
    assert "negative" in legend_texts(polluted)
    assert clean.axes[0].get_ylim()[0] == 0
    assert polluted.axes[0].get_ylim()[0] < -0.3


def test_wild_narrow_smearings_do_not_squeeze_the_plateau(alpha2f_document: MakeAlpha2F) -> None:
    document = alpha2f_document(scales=(40.0, 1.05, 1.0, 0.97, 0.95))
    axes = plot_lambda_smearing(document).axes[0]
    assert axes.get_ylim()[1] < 2 * document.chosen.lambda_
    assert f"{document.moments[0].lambda_:.2f}" in [text.get_text() for text in axes.texts]


def test_missing_plateau_is_said_on_the_figure(alpha2f_document: MakeAlpha2F) -> None:
    none = Plateau(status="no_plateau", indices=(), relative_spread=None)
    for document, said in ((alpha2f_document(plateau=none, chosen_smearing=4), True), (alpha2f_document(), False)):
        texts = " ".join(text.get_text() for text in plot_lambda_smearing(document).axes[0].texts)
        assert ("no plateau" in texts) is said


def test_moments_the_code_did_not_print_are_left_out(alpha2f_document: MakeAlpha2F) -> None:
    document = alpha2f_document()
    unknown: dict[str, Any] = {"lambda_printed": None, "lambda_q_sum": None}
    bare = document.model_copy(
        update={"moments": tuple(entry.model_copy(update=unknown) for entry in document.moments)}
    )
    assert "printed" in legend_texts(plot_lambda_smearing(document))
    assert "printed" not in legend_texts(plot_lambda_smearing(bare))


def test_spectrum_without_coupling_has_no_mean_frequency_to_mark(alpha2f_document: MakeAlpha2F) -> None:
    document = alpha2f_document()
    unknown: dict[str, Any] = {"omega_log_mev": None, "omega_2_mev": None}
    bare = document.model_copy(
        update={"moments": tuple(entry.model_copy(update=unknown) for entry in document.moments)}
    )
    assert "log" in legend_texts(plot_alpha2f(document))
    assert "log" not in legend_texts(plot_alpha2f(bare))


def test_imaginary_modes_are_shaded_and_stable_ones_are_not(phonon_document: MakePhonon) -> None:
    stable, unstable = plot_phonon_dos(phonon_document()), plot_phonon_dos(phonon_document(shift_mev=-6.0))
    assert stable.axes[0].get_xlim()[0] == 0
    assert not stable.legends
    assert unstable.axes[0].get_xlim()[0] < -5.8
    assert "imaginary: lowest -5.80 meV" in legend_texts(unstable)


def test_words_need_no_matplotlib() -> None:
    code = "import hightc.analysis.plots.wording, sys; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False).returncode == 0
