"""What a gate of the funnel decided for one material, with every number it looked at."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pymatgen.core import Structure

from hightc.analysis.documents.base import Document, Provenance, Record

Stage = Literal["electrons", "phonons", "alpha2f", "wannier"]
Decision = Literal["carried_on", "stopped", "held"]
Missing = Literal["carry_on", "hold"]


class FeatureValue(Record):
    """One number that is known of a material at a gate."""

    name: str = Field(description="Name of the feature, with its unit.")
    value: float | None = Field(description="Its value in the unit of its name; None if it could not be computed.")
    reason: str | None = Field(description="Why there is no value; None if there is one.")
    at_most: float | None = Field(
        default=None,
        description="Upper bound in the unit of its name where only that is known; None with a value, without a bound, "
        "and in documents stored before it was kept.",
    )


class RuleVerdict(Record):
    """One rule held against a material."""

    rule: str = Field(description="The rule as a sentence, for example dos_per_ev_spin_atom >= 0.15.")
    feature: str = Field(description="The feature it judges.")
    value: float | None = Field(description="Value of the feature; None if it could not be computed.")
    threshold: float = Field(description="The number it is held against.")
    holds: bool | None = Field(
        description="Whether the rule holds; None where there is no value, and no bound that decides."
    )


class GateVerdict(Record):
    """What one gate of a campaign file said of a material."""

    name: str = Field(description="Name of the gate in the campaign.")
    decision: Decision = Field(
        description="carried_on: nothing speaks against it; stopped: a rule or the score does; held: a number is "
        "missing and the gate was told to wait for it."
    )
    rules: tuple[RuleVerdict, ...] = Field(description="Each rule of the gate.")
    score: float | None = Field(description="Score by the gate's model; None without one or where it has no value.")
    least_score: float | None = Field(description="Score that is needed to go on; None without a model.")
    model_sha256: str | None = Field(description="SHA-256 of the file of the model; None without one.")
    missing: Missing = Field(description="What the gate was told to do where a number is missing.")
    reasons: tuple[str, ...] = Field(
        description="Why, as sentences: of stopped and held materials, and of missing numbers in any case."
    )


class GateDecisionDocument(Document):
    """What the gates behind one stage of the funnel decided."""

    kind: Literal["decision"] = Field(default="decision", description="Kind of the document.")
    schema_version: Literal[1] = Field(default=1, description="Rises when the meaning of a field changes.")
    after: Stage = Field(description="The stage whose results were judged.")
    decision: Decision = Field(
        description="stopped if a gate stopped it, otherwise held if a gate held it, otherwise carried_on."
    )
    score: float | None = Field(
        description="Score by the last model that gave one, here or at an earlier stage; better ones run first."
    )
    features: tuple[FeatureValue, ...] = Field(description="Everything known of the material at this point.")
    verdicts: tuple[GateVerdict, ...] = Field(description="Each gate, in the order of the campaign file.")
    reasons: tuple[str, ...] = Field(description="Reasons of all gates that did not simply let it pass.")

    def feature(self, name: str) -> float | None:
        """Value of a feature; None if it was not computed.

        Parameters
        ----------
        name
            Name of the feature.
        """
        return next((entry.value for entry in self.features if entry.name == name), None)


class MomentDocument(Document):
    """The magnetic moment of the relaxed structure, started with all spins parallel."""

    kind: Literal["moment"] = Field(default="moment", description="Kind of the document.")
    schema_version: Literal[1] = Field(default=1, description="Rises when the meaning of a field changes.")
    structure: Structure = Field(description="The structure, primitive standard cell, Angstrom.")
    starting_magnetization: dict[str, float] = Field(
        description="Spin polarisation that each element started from, -1 to 1."
    )
    total_magnetization_bohr_magneton: float | None = Field(
        description="Total spin moment in Bohr magnetons per cell; None if it could not be computed."
    )
    absolute_magnetization_bohr_magneton: float | None = Field(
        description="Integral of the absolute spin density in Bohr magnetons per cell; None if it could not be "
        "computed. Antiferromagnetic orders that parallel spins do not lead to are not found."
    )
    energy_ev: float | None = Field(description="Total energy in eV per cell; None without a moment.")
    reason: str | None = Field(description="Why there is no moment; None if there is one.")
    k_mesh: tuple[int, int, int] = Field(description="k mesh, Gamma-centred.")
    protocol: str = Field(description="Name of the protocol.")
    provenance: Provenance | None = Field(description="Where the numbers come from; None without a moment.")
