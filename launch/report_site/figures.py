"""All interactive figures of a material, under the names that its section has for figures."""

from __future__ import annotations

from hightc.analysis.documents import PhononBandsDocument
from hightc.analysis.plots.wording import ROUTES
from hightc.launch.report_figures import sensitivity_of
from hightc.launch.report_site.spectra import (
    alpha2f_figure,
    bands_figure,
    dos_figure,
    routes_figure,
    smearing_figure,
)
from hightc.launch.report_site.studies import gaps_figure, meshes_figure, nesting_figure, softness_figure
from hightc.launch.report_site.traces import Figure
from hightc.launch.results import MaterialResult


def site_figures(result: MaterialResult) -> dict[str, Figure]:
    """Figures of a material by name; what it does not have is left out.

    Parameters
    ----------
    result
        The material.
    """
    figures = {}
    spectra = {route: spectrum for route in ROUTES if (spectrum := result.alpha2f_of(route)) is not None}
    if len(spectra) > 1:
        figures["routes"] = routes_figure(spectra)
    if result.alpha2f is not None:
        figures["alpha2f"] = alpha2f_figure(result.alpha2f, sensitivity_of(result))
    if "linear_response" in spectra:
        figures["smearing"] = smearing_figure(spectra["linear_response"])
    if "wannier" in spectra and spectra["wannier"].convergence is not None:
        figures["meshes"] = meshes_figure(spectra["wannier"].convergence)
    if result.gaps is not None and (result.gaps.isotropic or result.gaps.anisotropic):
        figures["gaps"] = gaps_figure(result.gaps)
    if result.magnetism is not None:
        figures["softness"] = softness_figure(result.magnetism)
    if result.fermi is not None:
        figures["nesting"] = nesting_figure(result.fermi)
    bands = result.documents.get("phonon_bands", ())[-1:]
    if bands and isinstance(bands[0], PhononBandsDocument):
        figures["bands"] = bands_figure(bands[0], result.phonon)
    elif result.phonon is not None:
        figures["phonons"] = dos_figure(result.phonon)
    return figures
