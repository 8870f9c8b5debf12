"""The rows of a ladder gathered into one document of magnetic softness."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from jobflow import job
from pymatgen.core import Structure

from hightc.analysis.documents import MagneticOrder, MagnetismDocument, MaterialTag
from hightc.analysis.softness import magnetism_document
from hightc.makers.base import QEMaker, correction_warnings
from hightc.makers.magnetism_checks import MagneticChecks
from hightc.makers.magnetism_rung import MagneticRung
from hightc.makers.qe.magnetic_recipe import MagneticRecipe
from hightc.makers.qe.pseudopotentials import HEADER_BYTES, UPF_ATTRIBUTE, UPF_HEADER, read_upf_header
from hightc.makers.qe.relativity import require_relativity


@dataclass
class MagnetismMaker(QEMaker):
    """The document of a ladder whose rungs have been computed.

    Attributes
    ----------
    magnetism
        Numbers of the ladder.
    """

    name: str = "magnetism"
    magnetism: MagneticRecipe = field(kw_only=True)

    @job(output_schema=MagnetismDocument)
    def make(
        self,
        structure: Structure,
        tag: MaterialTag,
        orders: list[MagneticOrder],
        left_out: list[str],
        rungs: list[MagneticRung],
        checks: MagneticChecks,
    ) -> MagnetismDocument:
        """Judge the ladder.

        Parameters
        ----------
        structure
            Primitive standard cell that the volumes refer to, Angstrom.
        tag
            Campaign and material.
        orders, left_out
            Orders tried, and why further ones were not.
        rungs
            Every rung of every order; rows of failed ones among them.
        checks
            Noise and Stoner's parameter.
        """
        states = [rung.state for rung in rungs]
        document = magnetism_document(
            tag,
            structure,
            orders,
            left_out,
            states,
            target_pressure_gpa=self.recipe.pressure_gpa,
            noise_bohr_magneton=checks.noise_bohr_magneton,
            stoner=checks.stoner,
            protocol=self.recipe.protocol,
        )
        directory = self.pseudo_dir(self.settings())
        files = [directory / item.filename for item in self.recipe.pseudopotentials]
        provenances = [state.provenance for state in states if state.provenance is not None]
        warnings = (
            *document.warnings,
            *checks.warnings,
            *correction_warnings([*provenances, *checks.provenances]),
            *require_relativity([read_upf_header(file) for file in files], spin_orbit=self.recipe.spin_orbit),
            *core_warnings(files),
        )
        return document.model_copy(update={"warnings": tuple(dict.fromkeys(warnings))})


def core_warnings(files: Iterable[Path]) -> tuple[str, ...]:
    """Tell pseudopotentials that leave the core out of exchange and correlation, which magnetism cannot do without.

    Louie, Froyen and Cohen, Phys. Rev. B 26, 1738 (1982): without the core's charge the spin polarisation near it, and
    with it the exchange, is far too large.

    Parameters
    ----------
    files
        UPF files of version 2.
    """
    bare = []
    for file in files:
        header = UPF_HEADER.search(file.read_bytes()[:HEADER_BYTES].decode("latin-1"))
        attributes = dict(UPF_ATTRIBUTE.findall(header.group(1))) if header else {}
        if attributes.get("core_correction", "").strip(".").lower().startswith("f"):
            bare.append(file.name)
    if not bare:
        return ()
    return (f"{', '.join(bare)} has no nonlinear core correction: moments and Stoner's parameter come out too large",)
