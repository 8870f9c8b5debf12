"""The figures of a material, as SVG elements for its page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from hightc.analysis.critical_temperature import spectrum_sha256
from hightc.analysis.documents import PhononBandsDocument, TcSensitivity
from hightc.analysis.plots.wording import ROUTES
from hightc.launch.results import MaterialResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figures_of(result: MaterialResult, prefix: str) -> dict[str, Markup]:
    """Figures of a material by name; what it does not have is left out.

    Parameters
    ----------
    result
        The material.
    prefix
        What the ids of the elements begin with, unique on the page.
    """
    # matplotlib takes most of a second to import, and whoever asks for help does not need it
    from hightc.analysis.plots.style import figure_svg  # noqa: PLC0415

    drawn = {**_spectra(result), **_wannier(result), **_studies(result), **_phonons(result)}
    return {
        name: Markup(figure_svg(figure, prefix=f"{prefix}-{name}"))  # noqa: S704 - our own
        for name, figure in drawn.items()
    }


def sensitivity_of(result: MaterialResult) -> TcSensitivity | None:
    """Derivatives of Tc, if they belong to the spectrum that is shown.

    Parameters
    ----------
    result
        The material.
    """
    if result.tc is None or result.alpha2f is None or result.tc.alpha2f_sha256 != spectrum_sha256(result.alpha2f):
        return None
    return result.tc.sensitivity


def _spectra(result: MaterialResult) -> dict[str, Figure]:
    from hightc.analysis.plots.alpha2f import plot_alpha2f, plot_lambda_smearing  # noqa: PLC0415
    from hightc.analysis.plots.routes import plot_routes  # noqa: PLC0415

    figures = {}
    spectra = {route: spectrum for route in ROUTES if (spectrum := result.alpha2f_of(route)) is not None}
    if len(spectra) > 1:
        figures["routes"] = plot_routes(spectra)
    if result.alpha2f is not None:
        figures["alpha2f"] = plot_alpha2f(result.alpha2f, sensitivity_of(result))
    if "linear_response" in spectra:
        figures["smearing"] = plot_lambda_smearing(spectra["linear_response"])
    return figures


def _wannier(result: MaterialResult) -> dict[str, Figure]:
    from hightc.analysis.plots.fine_meshes import plot_fine_meshes  # noqa: PLC0415
    from hightc.analysis.plots.gaps import plot_gaps  # noqa: PLC0415

    figures = {}
    spectrum, gaps = result.alpha2f_of("wannier"), result.gaps
    if spectrum is not None and spectrum.convergence is not None:
        figures["meshes"] = plot_fine_meshes(spectrum.convergence)
    if gaps is not None and (gaps.isotropic or gaps.anisotropic):
        figures["gaps"] = plot_gaps(gaps)
    return figures


def _studies(result: MaterialResult) -> dict[str, Figure]:
    from hightc.analysis.plots.magnetism import plot_magnetism  # noqa: PLC0415
    from hightc.analysis.plots.nesting import plot_nesting_path, plot_nesting_slice  # noqa: PLC0415

    figures = {}
    if result.magnetism is not None:
        figures["softness"] = plot_magnetism(result.magnetism)
    if result.fermi is not None:
        figures["nesting"] = plot_nesting_path(result.fermi)
        if result.fermi.has_arrays:
            figures["slice"] = plot_nesting_slice(result.fermi)
    return figures


def _phonons(result: MaterialResult) -> dict[str, Figure]:
    from hightc.analysis.plots.phonons import plot_phonon_bands, plot_phonon_dos  # noqa: PLC0415

    bands = result.documents.get("phonon_bands", ())[-1:]
    if bands and isinstance(bands[0], PhononBandsDocument):
        return {"bands": plot_phonon_bands(bands[0], result.phonon)}
    return {} if result.phonon is None else {"phonons": plot_phonon_dos(result.phonon)}
