"""What fluctuations of the spin may do to the Tc of a transition metal, from its density of states alone."""

from __future__ import annotations

from typing import Final

from pymatgen.core import Element, Structure

from hightc.analysis.documents import Alpha2FDocument, SpinFluctuationInterval
from hightc.analysis.paramagnon_coupling import coupling_of_electron_gas
from hightc.analysis.spectral_function import document_spectrum
from hightc.analysis.spin_fluctuations import TcBound, tc_with_spin_fluctuations
from hightc.analysis.stoner_table import stoner_of_cell
from hightc.eliashberg.coulomb import Reference

GROUPS: Final = range(3, 11)
"""Groups of the periodic table with open d shells, whose metals lie near a magnetic instability."""

MISSING_STONER: Final = (
    "no Stoner parameter is tabulated for {elements}: a study of nesting with its stoner_ev, or of magnetic_softness, "
    "says more"
)


def transition_metals(structure: Structure) -> tuple[str, ...]:
    """Elements of a structure with open d shells.

    Parameters
    ----------
    structure
        The structure.

    Returns
    -------
    tuple of str
        Symbols, sorted.
    """
    elements = {site.specie.symbol for site in structure}
    return tuple(
        sorted(name for name in elements if Element(name).is_transition_metal and Element(name).group in GROUPS)
    )


def spin_fluctuation_interval(
    document: Alpha2FDocument, mu_star: float, *, reference: Reference
) -> SpinFluctuationInterval | None:
    """Estimate Tc with fluctuations of the spin beside the phonons.

    N(E_F) is that of the chosen smearing, lambda_sf that of an electron gas with this N(E_F) and the tabulated Stoner
    parameter: an estimate that tells where a Tc by phonons alone is not to be trusted, not a prediction.

    Parameters
    ----------
    document
        The spectral function.
    mu_star
        Coulomb pseudopotential, without the fluctuations.
    reference
        The frequency that mu* belongs to.

    Returns
    -------
    SpinFluctuationInterval or None
        None for a material without open d shells.
    """
    elements = transition_metals(document.structure)
    if not elements:
        return None
    stoner = stoner_of_cell(document.structure, elements)
    if stoner is None:
        reason = MISSING_STONER.format(elements=", ".join(elements))
        return _interval(elements, mu_star, reason=reason)
    dos = document.dos_per_ev_spin_cell[document.chosen_smearing]
    found = tc_with_spin_fluctuations(
        document_spectrum(document), coupling_of_electron_gas(dos, stoner.value_ev), mu_star, reference=reference
    )
    return _interval(
        elements,
        mu_star,
        stoner_ev=stoner.value_ev,
        stoner_source=stoner.source,
        stoner_product=stoner.value_ev * dos,
        lambda_sf_low=found.coupling.lambda_low,
        lambda_sf_high=found.coupling.lambda_high,
        width_low_mev=found.coupling.width_low_mev,
        width_high_mev=found.coupling.width_high_mev,
        low_status=_status(found.low),
        tc_low_kelvin=found.low.tc_kelvin,
        high_status=_status(found.high),
        tc_high_kelvin=found.high.tc_kelvin,
        reason=found.low.reason or found.high.reason,
    )


def _interval(elements: tuple[str, ...], mu_star: float, **known: object) -> SpinFluctuationInterval:
    """Fields that are known, and None for the others."""
    fields = dict.fromkeys(SpinFluctuationInterval.model_fields)
    return SpinFluctuationInterval.model_validate({**fields, "elements": elements, "mu_star": mu_star, **known})


def _status(bound: TcBound) -> str | None:
    return None if bound.status is None else bound.status.value
