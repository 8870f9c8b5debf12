from __future__ import annotations

import itertools
import re
import tomllib

import pytest

from hightc.analysis.funnel_features import FEATURES
from hightc.launch.campaign_file import CampaignFile, MaterialEntry, PseudopotentialChoice, parse_campaign_file
from hightc.launch.campaign_template import campaign_template, toml
from hightc.launch.funnel_file import FunnelTable, GateTable
from hightc.launch.sources.table import SOURCE_MODELS
from hightc.makers.qe import magnetic_recipe, nesting_recipe, recipe, wannier_recipe

TABLES = {
    "pseudopotentials": PseudopotentialChoice.model_fields,
    "recipe": recipe.OVERRIDES,
    "wannier": wannier_recipe.OVERRIDES,
    "magnetism": magnetic_recipe.OVERRIDES,
    "nesting": nesting_recipe.OVERRIDES,
    "materials.Al": MaterialEntry.model_fields,
}


def keys(text: str) -> set[str]:
    return set(re.findall(r"^#?(\w+) =", text, re.MULTILINE))


def table(name: str) -> str:
    return campaign_template().partition(f"\n[{name}]\n")[2].partition("\n\n")[0]


def test_new_file_can_be_read(tmp_path):
    path = tmp_path / "new.toml"
    path.write_text(campaign_template())
    assert parse_campaign_file(path).materials["Al"].prototype == "fcc Al 4.05"


def test_defaults_that_are_shown_are_those_that_are_taken(tmp_path):
    shown = re.sub(
        r"^#(\w+ = .+)$", r"\1", campaign_template().partition("# --- or from sources")[0], flags=re.MULTILINE
    )
    path = tmp_path / "new.toml"
    path.write_text(shown)
    found, default = parse_campaign_file(path), CampaignFile(materials={"Al": MaterialEntry(prototype="fcc Al 4.05")})
    tables = {"recipe", "wannier", "magnetism", "nesting"}
    assert found.model_dump(exclude=tables) == default.model_dump(exclude=tables)


@pytest.mark.parametrize("name", TABLES)
def test_every_key_of_a_table_is_named(name):
    assert keys(table(name)) == set(TABLES[name])


def test_every_key_of_a_campaign_and_of_its_sources_is_named():
    text = campaign_template()
    tables = {name.partition(".")[0] for name in TABLES} | {"sources", "funnel"}
    assert keys(text.partition("\n[")[0]) == set(CampaignFile.model_fields) - tables
    for kind, model in SOURCE_MODELS.items():
        part = text.partition(f'#kind = "{kind}"')[2].partition("#[[sources]]")[0].partition("# ---")[0]
        assert keys(part) == set(model.model_fields) - {"kind"}


def test_every_key_of_a_funnel_and_of_its_gates_is_named():
    funnel, _, gates = campaign_template().partition("#[funnel]")[2].partition("#[[funnel.gates]]")
    assert keys(funnel) == set(FunnelTable.model_fields) - {"gates"}
    assert keys(gates) == set(GateTable.model_fields)
    assert all(name in gates for name in FEATURES)


def test_funnel_of_the_template_can_be_read_when_it_is_asked_for(tmp_path):
    start, _, funnel = campaign_template().partition("\n#[funnel]")
    asked = re.sub(r"^#(\[.+\]|\w+ = .+)$", r"\1", f"#[funnel]{funnel}", flags=re.MULTILINE)
    path = tmp_path / "new.toml"
    path.write_text(f"{start}\n{asked}")
    found = parse_campaign_file(path).funnel
    assert found == FunnelTable(gates=(GateTable(),))


def test_every_key_has_a_description():
    lines = campaign_template().splitlines()
    bare = [line for before, line in itertools.pairwise(lines) if _is_key(line) and not before.startswith("# ")]
    assert bare == []


def _is_key(line: str) -> bool:
    return re.match(r"#\w+ =", line) is not None and not line.startswith("#kind")


@pytest.mark.parametrize("value", [1e-16, 3, True, "a 'b'", [1, 2], [[1, 2], [3, 4]], {}, {"Al": 0.1}])
def test_values_are_written_as_toml(value):
    assert tomllib.loads(f"value = {toml(value)}") == {"value": value}
