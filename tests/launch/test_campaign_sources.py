from __future__ import annotations

import pytest
from fakes.tiny_campaign import ALUMINIUM, tiny_campaign

from hightc.launch.dispatch import submit
from hightc.launch.errors import CampaignError

SOURCES = """
[[sources]]
kind = "prototype"
prototypes = ["fcc Ni 3.52", "bcc Nb 3.3"]
pressures_gpa = [0, 50]
"""


def labels(campaign):
    return [material.tag.material for material in campaign.materials]


def test_materials_of_a_source_come_after_those_with_a_name(tmp_path, settings):
    campaign = tiny_campaign(tmp_path, settings, ALUMINIUM + SOURCES, "Al", "Ni", "Nb")
    assert labels(campaign) == ["Al", "Ni_fcc", "Ni_fcc_50GPa", "Nb_bcc", "Nb_bcc_50GPa"]
    assert [material.recipe.pressure_gpa for material in campaign.materials] == [0, 0, 50, 0, 50]
    assert len({material.key for material in campaign.materials}) == 5


def test_a_campaign_may_live_of_sources_alone(tmp_path, settings):
    text = ALUMINIUM[: ALUMINIUM.index("[materials.Al]")] + SOURCES
    campaign = tiny_campaign(tmp_path, settings, text, "Ni", "Nb")
    assert labels(campaign) == ["Ni_fcc", "Ni_fcc_50GPa", "Nb_bcc", "Nb_bcc_50GPa"]


def test_a_material_without_pseudopotential_is_refused_and_the_others_go_on(tmp_path, settings):
    campaign = tiny_campaign(tmp_path, settings, ALUMINIUM + SOURCES, "Al", "Ni")
    assert labels(campaign) == ["Al", "Ni_fcc", "Ni_fcc_50GPa"]
    assert [(item.entry, item.code) for item in campaign.refused] == [
        ("Nb_bcc", "not_computable"),
        ("Nb_bcc_50GPa", "not_computable"),
    ]
    assert "Nb" in campaign.refused[0].reason


def test_a_table_of_a_label_holds_settings_of_the_material_that_a_source_gives(tmp_path, settings):
    text = ALUMINIUM + '\n[materials.Nb_bcc]\nstudies = ["nesting"]\n' + SOURCES
    campaign = tiny_campaign(tmp_path, settings, text, "Al", "Ni", "Nb")
    studies = {material.tag.material: material.studies for material in campaign.materials}
    assert studies["Nb_bcc"] == ("nesting",)
    assert studies["Nb_bcc_50GPa"] == ("electron_phonon",)


def test_a_named_material_wins_over_one_of_a_source(tmp_path, settings):
    text = ALUMINIUM + '\n[materials.Nb_bcc]\nprototype = "bcc Nb 3.4"\n' + SOURCES
    campaign = tiny_campaign(tmp_path, settings, text, "Al", "Ni", "Nb")
    (niobium,) = [material for material in campaign.materials if material.tag.material == "Nb_bcc"]
    assert niobium.structure.lattice.a == pytest.approx(3.4 * 3**0.5 / 2)
    assert [(record.kind, record.id) for record in niobium.sources] == [("prototype", "bcc Nb 3.4")]


def test_nothing_to_compute_is_an_error_with_the_first_reason(tmp_path, settings):
    text = ALUMINIUM[: ALUMINIUM.index("[materials.Al]")] + SOURCES
    with pytest.raises(CampaignError, match=r"none of 4 materials can be computed; the first: .*Ni"):
        tiny_campaign(tmp_path, settings, text, "Al")


def test_fault_of_a_source_is_named(tmp_path, settings):
    with pytest.raises(CampaignError, match=r"tiny.toml: \[\[sources\]\] number 1: kind: expected one of"):
        tiny_campaign(tmp_path, settings, ALUMINIUM + '\n[[sources]]\nkind = "supercom"\n')


def test_workflows_say_where_their_material_is_from(tmp_path, settings, database):
    submit(tiny_campaign(tmp_path, settings, ALUMINIUM + SOURCES, "Al", "Ni", "Nb"), database, tmp_path)
    found = {entry["metadata"]["material"]: entry["metadata"] for entry in database.launchpad.workflows.find()}
    assert found["Al"]["sources"]["first"] == [
        {"kind": "prototype", "id": "fcc Al 4.05", "location": "tiny.toml", "tc_meaning": "not_given"}
    ]
    assert found["Nb_bcc_50GPa"]["sources"]["count"] == 1
    assert found["Nb_bcc_50GPa"]["sources"]["first"][0]["kind"] == "prototype"
