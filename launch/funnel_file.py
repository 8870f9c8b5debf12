"""Table ``[funnel]`` of a campaign file, as it is written and as the gates it means."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hightc.analysis.documents.decision import Missing
from hightc.analysis.funnel_model import FunnelError, read_funnel_model
from hightc.analysis.funnel_rules import Funnel, FunnelGate, parse_rule
from hightc.launch.errors import CampaignError


class GateTable(BaseModel):
    """Table ``[[funnel.gates]]`` of a campaign file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str | None = Field(None, description="Name of the gate; the stage and a number by default.")
    after: Literal["electrons", "phonons", "alpha2f"] = Field(
        "electrons",
        description="The stage whose results it judges: electrons (relaxation, dense self-consistency, moment), "
        "phonons, or alpha2f (with Tc; what passes goes on to Wannier functions).",
    )
    require: tuple[str, ...] = Field(
        (), description='Rules that must all hold, "feature operator number": ["dos_per_ev_spin_atom >= 0.15"].'
    )
    model: str | None = Field(None, description="JSON file of a learned model, relative to the campaign file.")
    least_score: float | None = Field(
        None, description="Score that is needed to go on; without it the model only orders the materials."
    )
    missing: Missing = Field(
        "carry_on", description="What to do where a number could not be computed: a missing number never stops."
    )


class FunnelTable(BaseModel):
    """Table ``[funnel]`` of a campaign file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    moment: bool = Field(
        False, description="Whether the cheap stage also computes the moment per atom, with parallel spins."
    )
    gates: tuple[GateTable, ...] = Field((), description="The gates, in order.")


def make_funnel(table: FunnelTable, path: Path, *, to_wannier: bool) -> Funnel:
    """Gates of a campaign file, with the models that they name.

    Parameters
    ----------
    table
        The table.
    path
        The campaign file, for its name and folder.
    to_wannier
        Whether any material of the campaign goes on to Wannier functions.

    Raises
    ------
    CampaignError
        If a rule, a model or a gate cannot be used; the message says which.
    """
    gates = []
    for number, gate in enumerate(table.gates, start=1):
        where = f"{path}: funnel.gates {number}"
        if gate.after == "alpha2f" and not to_wannier:
            msg = (
                f"{where}: a gate after alpha2f chooses what goes on to Wannier functions: expected route = 'wannier' "
                "in the file or in a material, found none"
            )
            raise CampaignError(msg)
        try:
            of_stage = sum(other.after == gate.after for other in table.gates[:number])
            gates.append(_gate(gate, f"{gate.after} {of_stage}", path.parent))
        except ValidationError as error:
            raise CampaignError(f"{where}: {_said(error)}") from None
        except FunnelError as error:
            raise CampaignError(f"{where}: {error}") from None
    try:
        return Funnel(moment=table.moment, gates=tuple(gates))
    except ValidationError as error:
        raise CampaignError(f"{path}: funnel: {_said(error)}") from None


def _gate(gate: GateTable, default_name: str, folder: Path) -> FunnelGate:
    model, sha256 = (None, None) if gate.model is None else read_funnel_model(folder / Path(gate.model).expanduser())
    return FunnelGate(
        name=gate.name or default_name,
        after=gate.after,
        require=tuple(parse_rule(rule, gate.after) for rule in gate.require),
        model=model,
        model_sha256=sha256,
        least_score=gate.least_score,
        missing=gate.missing,
    )


def _said(error: ValidationError) -> str:
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"])
    said = fault["msg"].removeprefix("Value error, ")
    return f"{place}: {said}" if place else said
