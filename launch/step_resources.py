"""Numbers that the spec of a step has of the machine it wants, where they are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

RESOURCES: Final = "resources"


class StepResources(BaseModel):
    """Numbers of one step, as they stand in its spec."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    core_seconds: float = Field(gt=0, description="Estimate in s, corrected by finished runs.")
    processes: int = Field(ge=1, description="MPI processes that it should have; more are of little use.")
    wall_seconds: int = Field(gt=0, description="Time to ask for in s, in as many processes.")
    memory_mb: int = Field(gt=0, description="Estimate of the memory of each process in MB.")


def resources_in(spec: Mapping[str, Any]) -> StepResources | None:
    """Numbers that the spec of a step has; None if it has none, as steps of earlier versions.

    Parameters
    ----------
    spec
        The spec.
    """
    try:
        return StepResources(**spec[RESOURCES])
    except (KeyError, TypeError, ValidationError):
        return None
