from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from hightc.analysis.documents import (
    Alpha2FDocument,
    FineMesh,
    FineMeshConvergence,
    GapDocument,
    Provenance,
    TemperatureGap,
)
from hightc.analysis.fine_meshes import compared, mesh_convergence
from hightc.analysis.plots.fine_meshes import plot_fine_meshes
from hightc.analysis.plots.gaps import plot_gaps
from hightc.analysis.plots.routes import plot_routes
from hightc.analysis.plots.style import BLUE, ORANGE
from hightc.analysis.plots.wannier_wording import anisotropy_text, convergence_text, gap_ends, gap_text

MakeAlpha2F = Callable[..., Alpha2FDocument]
PROVENANCE = Provenance(
    input_sha256="0", codes={}, pseudopotentials=(), corrections=(), directory="/runs", wall_seconds=None
)


def convergence(couplings: tuple[float, ...], tc_kelvin: float | None = 7.0) -> FineMeshConvergence:
    meshes: list[FineMesh] = []
    for index, value in enumerate(couplings):
        n = 10 * (index + 1)
        mesh = FineMesh(
            k_mesh=(2 * n, 2 * n, 2 * n),
            q_mesh=(n, n, n),
            electron_smearing_ev=0.05,
            phonon_smearing_mev=0.1,
            lambda_=value,
            omega_log_mev=5.0,
            tc_kelvin=None if tc_kelvin is None else tc_kelvin * value,
            dos_per_ev_spin_cell=0.3,
            fermi_ev=11.6,
            lambda_change=None,
            tc_change_kelvin=None,
            wall_seconds=1.0,
        )
        meshes.append(compared(mesh, meshes[-1] if meshes else None))
    return mesh_convergence(meshes, lambda_tolerance=0.03, tc_relative_tolerance=0.05, tc_tolerance_kelvin=0.5)


def gap(temperature: float, value: float, **changes: Any) -> TemperatureGap:
    fields: dict[str, Any] = {
        "temperature_kelvin": temperature,
        "gap_mev": value,
        "renormalization": 2.0,
        "lowest_mev": None,
        "highest_mev": None,
        "own_gap_mev": abs(value),
        "converged": True,
    }
    return TemperatureGap(**{**fields, **changes})


def gaps(**changes: Any) -> GapDocument:
    fields: dict[str, Any] = {
        "campaign": "test",
        "material": "Pb",
        "formula": "Pb",
        "elements": ("Pb",),
        "mu_star": 0.1,
        "cutoff_ev": 0.1,
        "convention": "as EPW",
        "lambda_": 1.3,
        "isotropic": (gap(1.0, -1.2), gap(4.0, -1.0), gap(6.0, -0.5)),
        "anisotropic": (gap(2.0, -1.2, own_gap_mev=None, lowest_mev=-1.3, highest_mev=-1.1, converged=False),),
        "anisotropic_reason": None,
        "tc_kelvin": 6.5,
        "tc_status": "found",
        "largest_difference": 0.002,
        "provenance": PROVENANCE,
    }
    return GapDocument(**{**fields, **changes})


def legend_texts(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_each_route_has_its_color_its_coupling_and_its_running_lambda(alpha2f_document: MakeAlpha2F) -> None:
    linear, wannier = alpha2f_document(), alpha2f_document(scales=(1.3,) * 5)
    figure = plot_routes({"linear_response": linear, "wannier": wannier})
    left, right = figure.axes
    assert [line.get_color() for line in left.lines] == [line.get_color() for line in right.lines] == [BLUE, ORANGE]
    for text, name, document in zip(
        legend_texts(figure), ("linear response", "Wannier"), (linear, wannier), strict=True
    ):
        assert text.startswith(name)
        assert text.endswith(f"= {document.chosen.lambda_:.2f}")
    for line, document in zip(right.lines, (linear, wannier), strict=True):
        # the running sum and lambda are the same trapezoid but for the outermost half steps, where the spectrum is ~0
        assert np.asarray(line.get_ydata())[-1] == pytest.approx(document.chosen.lambda_, rel=1e-3)


def test_frequencies_end_with_the_phonons_rather_than_with_the_longer_grid(alpha2f_document: MakeAlpha2F) -> None:
    long = alpha2f_document()
    empty = tuple(200.0 + index for index in range(3))
    padded = long.model_copy(
        update={
            "omega_mev": long.omega_mev + empty,
            "alpha2f": tuple((*spectrum, 0.0, 0.0, 0.0) for spectrum in long.alpha2f),
        }
    )
    figure = plot_routes({"linear_response": long, "wannier": padded})
    assert figure.axes[0].get_xlim()[1] < 21


def test_fine_meshes_are_named_and_the_verdict_is_drawn_only_when_bad() -> None:
    for couplings, said in (((1.4, 1.3, 1.3, 1.3), ""), ((1.4, 1.2), "not converged")):
        found = convergence(couplings)
        upper, lower = plot_fine_meshes(found).axes
        assert upper.get_title() == said
        assert len(lower.get_xticklabels()) == len(couplings)
        assert "q 10×10×10" in lower.get_xticklabels()[0].get_text()  # noqa: RUF001 - a mesh is a product
        assert np.asarray(upper.lines[0].get_ydata()).tolist() == list(couplings)


def test_band_around_the_last_value_is_what_convergence_tolerates() -> None:
    upper, lower = plot_fine_meshes(convergence((1.5, 1.3, 1.2))).axes
    heights = [axes.patches[0].get_height() for axes in (upper, lower)]  # type: ignore[attr-defined]
    # 3 % of lambda; the larger of 0.5 K and 5 % of 7 K * 1.2
    assert heights == pytest.approx([2 * 0.03 * 1.2, 2 * 0.5])


def test_mesh_without_a_tc_is_named_rather_than_drawn_at_zero() -> None:
    lower = plot_fine_meshes(convergence((1.4, 1.3), tc_kelvin=None)).axes[1]
    assert [text.get_text() for text in lower.texts] == ["no number"] * 2
    assert not lower.patches


def test_gap_curve_passes_through_hightcs_gaps_and_ends_at_tc() -> None:
    axes = plot_gaps(gaps()).axes[0]
    curve = axes.lines[0]
    temperatures, values = np.asarray(curve.get_xdata()), np.asarray(curve.get_ydata())
    assert temperatures[-1] == 6.5
    assert values[-1] == 0
    # of 120 points the one nearest to 4 K is at most 0.05 K off, where the gap falls by less than 0.3 meV/K
    assert np.interp(4.0, temperatures, values) == pytest.approx(1.0, abs=0.02)


def test_gaps_are_positive_and_those_that_did_not_converge_are_open() -> None:
    figure = plot_gaps(gaps())
    labels = legend_texts(figure)
    assert "EPW, isotropic" in labels
    assert "EPW, anisotropic: mean, not converged" in labels
    assert "its range over the Fermi surface" in labels
    for line in figure.axes[0].lines[:-1]:
        assert np.all(np.asarray(line.get_ydata()) >= 0)


def test_figure_of_no_gap_says_so() -> None:
    figure = plot_gaps(gaps(isotropic=(), anisotropic=(), tc_kelvin=None, tc_status="below_range"))
    assert [text.get_text() for text in figure.axes[0].texts] == ["no gap"]


def test_legends_fit_the_figures(alpha2f_document: MakeAlpha2F) -> None:
    spectrum = alpha2f_document()
    routes = plot_routes({"linear_response": spectrum, "wannier": spectrum})
    isotropic = tuple(one.model_copy(update={"converged": one.temperature_kelvin > 1}) for one in gaps().isotropic)
    both = (*gaps().anisotropic, gap(3.0, 1.1, lowest_mev=1.0, highest_mev=1.2))
    for figure in (
        routes,
        plot_gaps(gaps(isotropic=isotropic, anisotropic=both)),
        plot_fine_meshes(convergence((1.4, 1.3))),
    ):
        figure.draw_without_rendering()
        box = figure.legends[0].get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1


def test_words_of_convergence_tell_the_last_changes() -> None:
    assert convergence_text(convergence((1.25, 1.25, 1.2, 1.25))) == (
        "not converged at k 80x80x80, q 40x40x40: lambda changed last by -4.2 %, +4.0 %; Tc by -0.35 K, +0.35 K"
    )
    assert convergence_text(convergence((1.3, 1.3, 1.3))).startswith("converged at k 60x60x60, q 30x30x30")
    assert convergence_text(convergence((1.3,))).endswith("a single mesh says nothing")
    assert "Tc" not in convergence_text(convergence((1.3, 1.3), tc_kelvin=None))


def test_words_of_the_gap_name_the_cutoff_of_mu_star() -> None:
    text = gap_text(gaps())
    assert text.startswith("Tc 6.50 K, Delta_0 1.2 meV at 1.00 K (mu* 0.10 at its cutoff, 100 meV)")
    assert text.endswith("differ by 0.2 % at most")
    none = gaps(isotropic=(), tc_kelvin=0.0, tc_status="no_superconductivity", largest_difference=None)
    assert gap_text(none) == "Tc 0 K (mu* 0.10 at its cutoff, 100 meV)"
    assert gap_text(none.model_copy(update={"tc_kelvin": None})).startswith("Tc below range")


def test_words_of_the_anisotropic_gap_give_its_range_or_the_reason() -> None:
    assert anisotropy_text(gaps()) == "1.1 to 1.3 meV, mean 1.2 meV at 2.00 K"
    bare = gap(2.0, 1.2)
    assert anisotropy_text(gaps(anisotropic=(bare,))) == "mean 1.2 meV at 2.00 K"
    assert gap_ends(bare) is None
    assert anisotropy_text(gaps(anisotropic=(), anisotropic_reason="Tc is low")) == "not computed: Tc is low"


def test_words_of_the_wannier_route_need_no_matplotlib() -> None:
    code = "import hightc.analysis.plots.wannier_wording, sys; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False).returncode == 0


def test_every_axis_names_its_unit(alpha2f_document: MakeAlpha2F) -> None:
    spectrum = alpha2f_document()
    figures = (
        plot_routes({"linear_response": spectrum, "wannier": spectrum}),
        plot_gaps(gaps()),
        plot_fine_meshes(convergence((1.4, 1.3))),
    )
    labels = [label for figure in figures for axes in figure.axes for label in (axes.get_xlabel(), axes.get_ylabel())]
    named = [label for label in labels if label]
    assert len(named) == 7
    for label in named:
        assert re.search(r"\((meV|K|dimensionless)\)$", label), label
