"""The Fermi surface's document: bands, nesting, bare susceptibility, and what follows for spin fluctuations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from hightc.analysis.band_path import BandPath, band_path
from hightc.analysis.documents.base import Gate, MaterialTag, Provenance, StoredArray, identity
from hightc.analysis.documents.fermi import FermiDocument, MeshStep, PairingChannel, PathCurve, SusceptibilityPeak
from hightc.analysis.mesh_unfolding import Mesh
from hightc.analysis.metal_bands import MetalBands
from hightc.analysis.nesting_steps import MeshResult, convergence, mesh_result
from hightc.analysis.parsers.units import KELVIN_EV
from hightc.analysis.peaks import Peak
from hightc.analysis.stoner import StonerParameter
from hightc.analysis.stoner_estimates import (
    MOST_PAIRING_POINTS,
    estimates,
    known_stoner_parameter,
    pairing_channels,
    thermal_dos,
)

UNIFORM_RATIO = 1.2
"""chi0 at q = 0 over the density of states from which transitions between bands are worth a warning."""

NO_STONER = "no Stoner parameter is known for this material: give stoner_ev in [nesting]"
NO_BAND = "no band crosses the Fermi energy"


@dataclass(frozen=True, slots=True)
class NestingNumbers:
    """Numbers of the sums over the bands.

    Attributes
    ----------
    interpolation_factor : int
        Mesh of the sums over the computed one.
    smearing_ev : float
        Gaussian width of the nesting function in eV.
    temperature_k : float
        Temperature of the susceptibility in K.
    stoner_ev : float or None
        Stoner parameter in eV per cell; None takes that of the table.
    """

    interpolation_factor: int
    smearing_ev: float
    temperature_k: float
    stoner_ev: float | None

    @property
    def reach_ev(self) -> float:
        """Distance from the Fermi energy that the widths reach, in eV."""
        return max(5 * self.smearing_ev, 10 * KELVIN_EV * self.temperature_k)


def make_fermi_document(
    bands: MetalBands,
    numbers: NestingNumbers,
    tag: MaterialTag,
    *,
    gate: Gate,
    protocol: str,
    provenance: Provenance,
    warnings: tuple[str, ...] = (),
) -> FermiDocument:
    """Compute everything that the document says from the bands.

    Parameters
    ----------
    bands
        Bands that cross the Fermi energy; without one the functions of q are zero.
    numbers
        Widths and meshes.
    tag
        Campaign and material.
    gate
        Whether the material is a metal.
    protocol
        Name of the protocol.
    provenance
        Where the bands come from.
    warnings
        What a reader should know besides.

    Returns
    -------
    FermiDocument
        With its arrays inside.
    """
    results = [_on_mesh(bands, numbers, factor) for factor in range(1, numbers.interpolation_factor + 1)]
    if not bands.numbers:
        results = results[:1]
    energies, last = results[-1]
    steps = tuple(result.step for _, result in results if result is not None)
    stoner = known_stoner_parameter(bands.structure, numbers.stoner_ev)
    nesting, chi0 = (last.nesting, last.chi0) if last else (np.zeros(bands.k_mesh), np.zeros(bands.k_mesh))
    uniform = thermal_dos(energies, numbers.temperature_k)
    converged, reason = _convergence(bands, numbers, steps)
    channels, no_pairing, pairing_mesh = _pairing(stoner, results, bands, numbers)
    return FermiDocument(
        **identity(tag, bands.structure),
        gates=(gate,),
        warnings=(
            *bands.warnings,
            *_uniform_warnings(chi0, uniform),
            *_mesh_warnings(pairing_mesh, nesting),
            *warnings,
        ),
        structure=bands.structure,
        source=bands.source,
        k_mesh=bands.k_mesh,
        fine_mesh=_mesh(nesting),
        interpolation_error_mev=bands.interpolation_error_mev,
        fermi_ev=bands.fermi_ev,
        smearing_ev=numbers.smearing_ev,
        temperature_k=numbers.temperature_k,
        bands=bands.numbers,
        dos_per_ev_spin_cell=steps[-1].dos_per_ev_spin_cell if steps else 0.0,
        energies_ev=StoredArray.from_array(bands.energies_ev),
        nesting=StoredArray.from_array(nesting),
        chi0=StoredArray.from_array(chi0),
        nesting_peaks=tuple(_peak(peak) for peak in last.nesting_peaks.peaks) if last else (),
        chi0_peaks=tuple(_peak(peak) for peak in last.chi0_peaks.peaks) if last else (),
        path=_path_curve(band_path(bands.structure), nesting, chi0),
        meshes=steps,
        converged=converged,
        convergence_reason=reason,
        stoner=estimates(stoner, chi0, nesting, uniform, bands.structure) if stoner and last else (),
        pairing=channels,
        pairing_reason=no_pairing,
        protocol=protocol,
        provenance=provenance,
    )


def _on_mesh(bands: MetalBands, numbers: NestingNumbers, factor: int) -> tuple[NDArray[np.float64], MeshResult | None]:
    """Energies and functions of q on a multiple of the computed mesh."""
    n1, n2, n3 = (factor * n for n in bands.k_mesh)
    energies = bands.energies_ev if factor == 1 else bands.on_mesh((n1, n2, n3))
    if not bands.numbers:
        return energies, None
    result = mesh_result(
        energies,
        bands.structure,
        smearing_ev=numbers.smearing_ev,
        temperature_k=numbers.temperature_k,
        interpolated=factor > 1,
    )
    return energies, result


def _convergence(bands: MetalBands, numbers: NestingNumbers, steps: tuple[MeshStep, ...]) -> tuple[bool, str]:
    if not bands.numbers:
        return False, NO_BAND
    width = min(numbers.smearing_ev, 2 * KELVIN_EV * numbers.temperature_k)
    return convergence(steps, bands.structure, interpolation_error_mev=bands.interpolation_error_mev, width_ev=width)


def _uniform_warnings(chi0: NDArray[np.float64], uniform_dos: float) -> tuple[str, ...]:
    at_gamma = float(chi0[0, 0, 0])
    if at_gamma <= UNIFORM_RATIO * uniform_dos:
        return ()
    found = [
        f"chi0 at q = 0 is {at_gamma / uniform_dos:.1f} times the density of states: constant matrix elements count "
        "transitions between bands, which vanish at q = 0; they raise chi0 at every q"
    ]
    if float(chi0.mean()) <= at_gamma - uniform_dos:
        found.append("transitions between bands at q = 0 exceed the mean of chi0: nothing is estimated without them")
    return tuple(found)


def _pairing(
    stoner: StonerParameter | None,
    results: list[tuple[NDArray[np.float64], MeshResult | None]],
    bands: MetalBands,
    numbers: NestingNumbers,
) -> tuple[tuple[PairingChannel, ...], str | None, Mesh | None]:
    """On the finest mesh that the gap equation can be solved on in seconds, and this mesh if it was solved."""
    if stoner is None or not bands.numbers:
        return (), NO_BAND if stoner else NO_STONER, None
    fitting = [entry for entry in results if entry[1] is not None and entry[1].chi0.size <= MOST_PAIRING_POINTS]
    energies, result = (fitting or results[:1])[-1]
    if result is None:
        return (), NO_BAND, None
    uniform = thermal_dos(energies, numbers.temperature_k)
    channels, reason = pairing_channels(
        stoner, result.chi0, energies, bands.structure, smearing_ev=numbers.smearing_ev, uniform_dos=uniform
    )
    return channels, reason, _mesh(result.chi0) if channels else None


def _mesh_warnings(pairing_mesh: Mesh | None, fine: NDArray[np.float64]) -> tuple[str, ...]:
    """Eigenvalues on a coarser mesh than all other numbers."""
    if pairing_mesh is None or pairing_mesh == _mesh(fine):
        return ()
    n1, n2, n3 = pairing_mesh
    return (f"pairing was solved on {n1}x{n2}x{n3} k points, fewer than those of the sums",)


def _mesh(values: NDArray[np.float64]) -> Mesh:
    n1, n2, n3 = values.shape
    return n1, n2, n3


def _peak(peak: Peak) -> SusceptibilityPeak:
    line = peak.line
    return SusceptibilityPeak(
        q_fractional=peak.q_reduced,
        q_per_angstrom=peak.q_per_angstrom,
        path_label=None if line is None else f"{line.start}-{line.end}",
        path_fraction=None if line is None else round(line.fraction, 9),
        value=peak.value,
        over_mean=peak.strength,
        multiplicity=peak.images,
    )


def _path_curve(path: BandPath, nesting: NDArray[np.float64], chi0: NDArray[np.float64]) -> PathCurve:
    places = (path.q_fractional * np.array(nesting.shape)).T
    curves = [map_coordinates(values, places, order=3, mode="grid-wrap") for values in (nesting, chi0)]
    return PathCurve(
        q_fractional=tuple(tuple(q) for q in path.q_fractional.tolist()),
        distance_per_angstrom=tuple(path.distance_per_angstrom.tolist()),
        segments=path.segments,
        nesting=tuple(curves[0].tolist()),
        chi0=tuple(curves[1].tolist()),
    )
