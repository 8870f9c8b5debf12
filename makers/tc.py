"""Critical temperatures from a spectrum: a thin shell over the Eliashberg engine."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobflow import Maker, job

from hightc.analysis.critical_temperature import Reference, tc_document
from hightc.analysis.documents import Alpha2FDocument, TcDocument

DEFAULT_MU_STAR = (0.10, 0.13, 0.16)


@dataclass
class TcMaker(Maker):
    """Tc by every method at several Coulomb pseudopotentials.

    Attributes
    ----------
    name
        Name of the job and its firework.
    mu_star
        Coulomb pseudopotentials.
    reference
        The frequency mu* belongs to: ``omega_2`` or ``omega_max``.
    """

    name: str = "Tc"
    mu_star: tuple[float, ...] = field(default=DEFAULT_MU_STAR)
    reference: Reference = "omega_2"

    @job(output_schema=TcDocument)
    def make(self, spectrum: Alpha2FDocument) -> TcDocument:
        """Compute Tc over the smearing plateau.

        Parameters
        ----------
        spectrum
            The spectral function.
        """
        return tc_document(spectrum, mu_star=tuple(self.mu_star), reference=self.reference)
