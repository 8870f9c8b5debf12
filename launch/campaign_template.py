"""A campaign file to begin with, written from the models that read it, so that it names every key there is."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hightc.analysis.funnel_features import FEATURES
from hightc.analysis.funnel_rules import JUDGED
from hightc.launch.campaign_file import CampaignFile, MaterialEntry, PseudopotentialChoice
from hightc.launch.campaign_help import KEYS
from hightc.launch.funnel_file import FunnelTable, GateTable
from hightc.launch.sources.table import SOURCE_MODELS
from hightc.makers.qe.magnetic_recipe import OVERRIDES as MAGNETIC_OVERRIDES
from hightc.makers.qe.magnetic_recipe import MagneticProtocol, MagneticRecipe, load_magnetic_protocol
from hightc.makers.qe.nesting_recipe import OVERRIDES as NESTING_OVERRIDES
from hightc.makers.qe.nesting_recipe import NestingProtocol, NestingRecipe, load_nesting_protocol
from hightc.makers.qe.recipe import OVERRIDES, Protocol, Recipe, load_protocol
from hightc.makers.qe.wannier_recipe import OVERRIDES as WANNIER_OVERRIDES
from hightc.makers.qe.wannier_recipe import WannierProtocol, WannierRecipe, load_wannier_protocol

WIDTH: Final = 116
PROTOCOL: Final = CampaignFile.model_fields["protocol"].default

HEAD: Final = """\
# A campaign of hightc. Lines that begin with "#name =" show a key with its default: take the # away and change it.
# Those without a value follow from the structure, the protocol or the settings.
# hightc campaign check FILE says what it would take; hightc run FILE computes it.
"""


FUNNEL: Final = """\
--- cheap electrons first: with the table [funnel] each material begins with these alone, and each stage is added when
its gates let the material pass; any number of gates, hightc funnel shows what they decided"""


def campaign_template() -> str:
    """A campaign file of one material, every other key behind a comment with its description."""
    tables = ("pseudopotentials", "recipe", "wannier", "magnetism", "nesting", "materials", "sources", "funnel")
    top = {name: field for name, field in CampaignFile.model_fields.items() if name not in tables}
    parts = [HEAD, *_fields(top, {})]
    parts += _table("pseudopotentials", PseudopotentialChoice.model_fields, {})
    for name, fields, values in _numbers():
        parts += _table(name, fields, values)
    parts += ["", "# --- materials, by label", "[materials.Al]", 'prototype = "fcc Al 4.05"']
    parts += _fields({name: field for name, field in MaterialEntry.model_fields.items() if name != "prototype"}, {})
    parts += ["", "# --- or from sources: any number of tables, each of one kind"]
    for kind, model in SOURCE_MODELS.items():
        parts += ["", "#[[sources]]", f"#kind = {json.dumps(kind)}"]
        parts += _fields({name: field for name, field in model.model_fields.items() if name != "kind"}, {})
    parts += ["", *_comment(FUNNEL), "", "#[funnel]"]
    parts += _fields({name: field for name, field in FunnelTable.model_fields.items() if name != "gates"}, {})
    parts += ["", "#[[funnel.gates]]", *_fields(GateTable.model_fields, {}), "", *_comment(_features())]
    return "\n".join(parts) + "\n"


def _features() -> str:
    stages = {stage: [name for name, feature in FEATURES.items() if feature.stage == stage] for stage in JUDGED}
    return "Rules may ask for: " + "; ".join(f"after {stage}, {', '.join(names)}" for stage, names in stages.items())


def _numbers() -> Iterator[tuple[str, dict[str, FieldInfo], Mapping[str, Any]]]:
    """Tables of numbers: their keys, and what the default protocol says of them."""
    recipe = load_protocol(PROTOCOL).model_dump()
    yield "recipe", _allowed(OVERRIDES, Protocol, Recipe), recipe
    wannier = load_wannier_protocol(PROTOCOL).model_dump()
    yield "wannier", _allowed(WANNIER_OVERRIDES, WannierProtocol, WannierRecipe), wannier
    magnetism = load_magnetic_protocol(PROTOCOL).model_dump()
    yield "magnetism", _allowed(MAGNETIC_OVERRIDES, MagneticProtocol, MagneticRecipe), magnetism
    nesting = load_nesting_protocol(PROTOCOL).model_dump()
    yield "nesting", _allowed(NESTING_OVERRIDES, NestingProtocol, NestingRecipe), nesting


def _allowed(names: frozenset[str], *models: type[BaseModel]) -> dict[str, FieldInfo]:
    # the protocol's words first: they say what else a number may come from
    fields = {name: field for model in reversed(models) for name, field in model.model_fields.items()}
    return {name: field for name, field in fields.items() if name in names}


def _table(name: str, fields: Mapping[str, FieldInfo], values: Mapping[str, Any]) -> list[str]:
    return ["", *_comment(KEYS[name].removeprefix("table: ")), f"[{name}]", *_fields(fields, values)]


def _fields(fields: Mapping[str, FieldInfo], values: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    for name, field in fields.items():
        choices = [str(choice) for choice in get_args(field.annotation) if isinstance(choice, str)]
        said = (field.description or KEYS.get(name, "")) + (f" One of {', '.join(choices)}." if choices else "")
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        value = values.get(name, default)
        lines += [*_comment(said), f"#{name} = {'' if value is None else toml(value)}".rstrip()]
    return lines


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, WIDTH)]


def toml(value: Any) -> str:
    """Write a value as TOML.

    Parameters
    ----------
    value
        A string, number, truth value, or a sequence or mapping of such.
    """
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + " }" if value else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml(item) for item in value)}]"
    return json.dumps(value)
