"""A learned score of materials: a linear model in a portable file, read and checked without running anything of it.

A file is JSON with the fields of :class:`FunnelModel`. With features x, their means m and scales s, coefficients c and
the intercept b, z = b + sum c (x - m)/s; the score is z, or 1/(1 + exp(-z)) for the logistic link.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from hightc.analysis.documents.base import JobArgument
from hightc.analysis.funnel_features import FEATURES

MOST_BYTES = 1_000_000
"""Size of the largest file that is read: a linear model of every feature takes some kB."""

SHA256 = r"^[0-9a-f]{64}$"
Number = Annotated[float, Field(strict=True)]


class FunnelError(ValueError):
    """A gate or a model of the funnel that cannot be used; the message says why."""


class TrainedOn(JobArgument):
    """What a model was fitted to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str = Field(pattern=SHA256, description="SHA-256 of the frozen data set, as its manifest gives it.")
    description: str = Field(min_length=1, description="The data set in words.")


class FunnelModel(JobArgument):
    """A linear model of features."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    schema_version: Literal[1] = Field(1, description="Version of this form.")
    predicts: str = Field(min_length=1, description="What the score means, in words and with its unit.")
    features: tuple[str, ...] = Field(min_length=1, description="Names of the features, each once.")
    means: tuple[Number, ...] = Field(description="What is taken off each feature.")
    scales: tuple[Number, ...] = Field(description="What each is divided by then; positive.")
    coefficients: tuple[Number, ...] = Field(description="What each is multiplied by then.")
    intercept: Number = Field(description="What is added.")
    link: Literal["identity", "logistic"] = Field(description="How the sum becomes the score.")
    trained_on: TrainedOn = Field(description="What it was fitted to.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for name in self.features:
            if name not in FEATURES:
                msg = f"features: expected names among {', '.join(FEATURES)}, found {name!r}"
                raise ValueError(msg)
        if len(set(self.features)) < len(self.features):
            msg = "features: expected each once, found one twice"
            raise ValueError(msg)
        for field in ("means", "scales", "coefficients"):
            found = len(getattr(self, field))
            if found != len(self.features):
                msg = f"{field}: expected one number for each of {len(self.features)} features, found {found}"
                raise ValueError(msg)
        if min(self.scales) <= 0:
            msg = f"scales: expected positive numbers, found {min(self.scales):g}"
            raise ValueError(msg)
        return self

    def score(self, features: Mapping[str, float | None]) -> tuple[float | None, str | None]:
        """Score of a material.

        Parameters
        ----------
        features
            Value of each feature by name; None where it could not be computed.

        Returns
        -------
        float or None
            The score; None if a feature is missing.
        str or None
            Why there is none; None if there is one.
        """
        values = {name: features.get(name) for name in self.features}
        known = {name: value for name, value in values.items() if value is not None}
        if len(known) < len(values):
            return None, f"no score: {', '.join(name for name in values if name not in known)} could not be computed"
        terms = zip(known.values(), self.means, self.scales, self.coefficients, strict=True)
        total = self.intercept + math.fsum(factor * (value - mean) / scale for value, mean, scale, factor in terms)
        if not math.isfinite(total):
            return None, "no score: the sum overflows"
        return (total if self.link == "identity" else _logistic(total)), None


def _logistic(total: float) -> float:
    if total >= 0:
        return 1 / (1 + math.exp(-total))
    small = math.exp(total)
    return small / (1 + small)


def read_funnel_model(path: Path) -> tuple[FunnelModel, str]:
    """Read a model and check it.

    Parameters
    ----------
    path
        A JSON file.

    Returns
    -------
    FunnelModel
        The model.
    str
        SHA-256 of the file.

    Raises
    ------
    FunnelError
        If the file cannot be read or a field of it is wrong.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        msg = (
            f"model {path}: cannot be read ({error.strerror}): give the path of a JSON file, from the campaign file on"
        )
        raise FunnelError(msg) from None
    if len(content) > MOST_BYTES:
        msg = f"model {path}: expected less than {MOST_BYTES} bytes, found {len(content)}: give a file of coefficients"
        raise FunnelError(msg)
    try:
        fields = json.loads(content)
    except ValueError as error:
        msg = f"model {path}: expected JSON ({error}): write its fields with json.dump"
        raise FunnelError(msg) from None
    if not isinstance(fields, dict):
        msg = f"model {path}: expected an object with {', '.join(FunnelModel.model_fields)}, found another value"
        raise FunnelError(msg)
    try:
        model = FunnelModel.model_validate(fields)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        said = fault["msg"].removeprefix("Value error, ")
        msg = f"model {path}: {f'{place}: ' if place else ''}{said}: correct the file"
        raise FunnelError(msg) from None
    return model, hashlib.sha256(content).hexdigest()
