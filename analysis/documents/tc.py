"""Critical temperatures, always as an interval with their convention."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hightc.analysis.documents.alpha2f import Route
from hightc.analysis.documents.base import Document, Record

Method = Literal["mcmillan", "allen_dynes", "xie_2019", "xie_2022", "eliashberg"]
TcStatusName = Literal["found", "below_range", "no_superconductivity", "invalid"]


class CriticalTemperature(Record):
    """Tc by one method at one Coulomb pseudopotential."""

    method: Method = Field(description="Formula or theory.")
    mu_star: float = Field(description="Coulomb pseudopotential, in the convention of the document.")
    status: TcStatusName = Field(
        description="found: a number; no_superconductivity: 0 K by this method; below_range: under the lowest "
        "temperature searched; invalid: the method has no meaning here."
    )
    tc_kelvin: float | None = Field(
        description="Tc in K at the chosen smearing; 0 for no_superconductivity, None for below_range and invalid."
    )
    low_kelvin: float | None = Field(
        description="Lowest Tc in K over the smearing plateau; None without a plateau or with a spectrum that has no "
        "answer. Entries without an error_estimate_kelvin may leave out weakly coupled spectra."
    )
    high_kelvin: float | None = Field(description="Highest Tc in K, as low_kelvin.")
    error_estimate_kelvin: float | None = Field(
        default=None,
        description="Numerical error of tc_kelvin in K, not that of the theory or of the spectrum; None for formulas, "
        "where there is no number, and in documents stored before it was computed.",
    )


class TcSensitivity(Record):
    """What moves the Tc of the Eliashberg equations, at the chosen smearing and one mu*."""

    mu_star: float = Field(description="Coulomb pseudopotential, in the convention of the document.")
    convention: str = Field(description="What is held fixed in the derivatives, in words.")
    dtc_dalpha2f_kelvin_per_mev: tuple[float, ...] | None = Field(
        description="Functional derivative dTc/da2F(omega) in K/meV, one value a frequency of omega_mev of the "
        "spectral function: a change da2F moves Tc by its integral with da2F over omega in meV. None without a Tc."
    )
    isotope_coefficient: float | None = Field(
        description="-d ln Tc/d ln M if all masses are scaled together, dimensionless; None without a Tc."
    )
    dtc_dmu_star_kelvin: float | None = Field(
        description="dTc/dmu* in K for a change of 1 in mu*, negative; None without a Tc."
    )
    reason: str | None = Field(description="Why there are no derivatives; None if there are.")


class SpinFluctuationInterval(Record):
    """Tc of the Eliashberg equations if fluctuations of the spin act beside the phonons, estimated from N(E_F)."""

    elements: tuple[str, ...] = Field(description="Transition metals of the material.")
    stoner_ev: float | None = Field(
        description="Stoner parameter I in eV of the cell: that of one atom over their number, as if they shared all "
        "states at the Fermi energy; None if it is not tabulated."
    )
    stoner_source: str | None = Field(description="Where it comes from; None if it is not known.")
    stoner_product: float | None = Field(description="I N(E_F); 1 is the instability. None if I is not known.")
    mu_star: float = Field(description="Coulomb pseudopotential, in the convention of the document.")
    lambda_sf_low: float | None = Field(description="Smallest coupling to the fluctuations; None if not known.")
    lambda_sf_high: float | None = Field(description="Largest coupling; None if it has no bound.")
    width_low_mev: float | None = Field(description="Smallest width of the fluctuations in meV; None if not known.")
    width_high_mev: float | None = Field(description="Largest width in meV; None if not known.")
    low_status: TcStatusName | None = Field(description="How the search at the largest coupling ended; None without.")
    tc_low_kelvin: float | None = Field(description="Tc there in K; None below the range or without a coupling.")
    high_status: TcStatusName | None = Field(description="How the search at the smallest coupling ended.")
    tc_high_kelvin: float | None = Field(description="Tc there in K; None below the range or without a coupling.")
    reason: str | None = Field(description="Why an end has no number; None if both have.")


class TcDocument(Document):
    """Critical temperatures of one spectrum by every method."""

    kind: Literal["tc"] = Field(default="tc", description="Kind of the document.")
    schema_version: Literal[1] = Field(default=1, description="Rises when the meaning of a field changes.")
    lambda_: float = Field(description="Electron-phonon coupling at the chosen smearing.")
    omega_log_mev: float | None = Field(description="Logarithmic frequency in meV; None if lambda is 0.")
    omega_2_mev: float | None = Field(description="Root mean square frequency in meV; None if lambda is 0.")
    smearing_ev: float = Field(description="The chosen smearing in eV.")
    plateau_smearing_ev: tuple[float, ...] = Field(description="Smearings of the plateau in eV; empty without one.")
    lambda_low: float = Field(description="Lowest lambda over the plateau.")
    lambda_high: float = Field(description="Highest lambda over the plateau.")
    mu_star_reference: str = Field(description="The frequency that mu* belongs to, for example omega_2.")
    mu_star_reference_mev: float | None = Field(description="That frequency in meV; None if lambda is 0.")
    critical_temperatures: tuple[CriticalTemperature, ...] = Field(description="One entry a method and mu*.")
    alpha2f_sha256: str = Field(description="SHA-256 of the spectrum they were computed from.")
    route: Route | None = Field(
        default=None,
        description="How the coupling was summed; None in documents stored when there was only linear_response.",
    )
    sensitivity: TcSensitivity | None = Field(
        default=None,
        description="What moves the Tc of the Eliashberg equations, at the first mu*; None in documents stored before "
        "it was computed.",
    )

    spin_fluctuations: SpinFluctuationInterval | None = Field(
        default=None,
        description="Tc with fluctuations of the spin, for materials with transition metals of groups 3 to 10; None "
        "for others and in documents stored before it was computed.",
    )

    def find(self, method: Method, mu_star: float) -> CriticalTemperature | None:
        """Look one entry up; None if it was not computed.

        Parameters
        ----------
        method
            Formula or theory.
        mu_star
            Coulomb pseudopotential.
        """
        for entry in self.critical_temperatures:
            if entry.method == method and abs(entry.mu_star - mu_star) < 1e-9:
                return entry
        return None
