"""The coupling and Tc of the Wannier route against the fine mesh."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hightc.analysis.documents import FineMeshConvergence
from hightc.analysis.plots.style import BLUE, ORANGE, SKY, VERMILION, figure_style
from hightc.analysis.plots.wording import coupling, kelvin, mesh_text

SIZE_INCHES: Final = (5.0, 3.9)

TIMES: Final = "×"  # noqa: RUF001 - a mesh is a product


def plot_fine_meshes(convergence: FineMeshConvergence) -> Figure:
    """Draw lambda and Tc on the fine meshes in the order they were computed.

    Parameters
    ----------
    convergence
        The coupling on all fine meshes.

    Returns
    -------
    Figure
        lambda above, Tc in K below; what counts as still around the last value is shaded. A mesh without a Tc is named.
    """
    meshes = convergence.meshes
    couplings = [mesh.lambda_ for mesh in meshes]
    temperatures = [mesh.tc_kelvin for mesh in meshes]
    last_tc = temperatures[-1]
    with figure_style():
        figure = Figure(figsize=SIZE_INCHES)
        upper, lower = figure.subplots(2, 1, sharex=True)
        _draw(upper, couplings, convergence.lambda_tolerance * couplings[-1], BLUE, coupling)
        allowed = None
        if last_tc is not None:
            allowed = max(convergence.tc_relative_tolerance * last_tc, convergence.tc_tolerance_kelvin)
        _draw(lower, temperatures, allowed, ORANGE, kelvin)
        upper.set_ylabel(r"$\lambda$ (dimensionless)")
        lower.set_ylabel(r"$T_c$ (K)")
        names = [f"k {mesh_text(mesh.k_mesh, TIMES)}\nq {mesh_text(mesh.q_mesh, TIMES)}" for mesh in meshes]
        lower.set_xticks(range(len(meshes)), names)
        lower.set_xlim(-0.4, len(meshes) - 0.6)
        if convergence.status == "not_converged":
            upper.set_title("not converged", color=VERMILION, fontsize="medium", weight="bold")
        handles, labels = upper.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center")
    return figure


def _draw(
    axes: Axes, values: Sequence[float | None], allowed: float | None, color: str, write: Callable[[float], str]
) -> None:
    """Draw one quantity with the band around its last value."""
    known = np.array([np.nan if value is None else value for value in values], dtype=float)
    last = known[-1]
    if allowed is not None and np.isfinite(last):
        axes.axhspan(
            last - allowed, last + allowed, color=SKY, alpha=0.25, linewidth=0, label="change that counts as still"
        )
    axes.plot(np.arange(known.size), known, "o-", color=color, markersize=4)
    for place, value in enumerate(known):
        if np.isnan(value):
            axes.text(place, 0.5, "no number", color=VERMILION, ha="center", transform=axes.get_xaxis_transform())
        else:
            axes.annotate(
                write(value), (place, value), xytext=(0, 5), textcoords="offset points", ha="center", fontsize=7.5
            )
    axes.margins(y=0.25)
    axes.grid(visible=True, axis="y")
