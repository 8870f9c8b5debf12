from __future__ import annotations

import pytest
from fakes.tiny_campaign import ALUMINIUM, tiny_campaign

from hightc.launch.dispatch import in_order, nodes_of, submit
from hightc.launch.errors import CampaignError

NICKEL = ALUMINIUM.replace("[materials.Al]", "[materials.Ni]").replace("fcc Al 4.05", "fcc Ni 3.52")
SOFT = f'{NICKEL}studies = ["magnetic_softness"]\nmagnetism = {{ volume_ratios = [1.0, 0.9], max_orders = 2 }}\n'
NESTED = f'{NICKEL}studies = ["nesting"]\n'


def material(folder, settings, text):
    return tiny_campaign(folder, settings, text, "Ni").materials[-1]


def names(campaign, database, folder):
    (submission,) = submit(campaign, database, folder)
    found = in_order(database.launchpad.fireworks.find({"fw_id": {"$in": nodes_of(submission, database)}}))
    return [entry["name"] for entry in found]


def test_a_material_is_asked_for_its_tc_unless_it_says_otherwise(tmp_path, settings):
    plain = material(tmp_path, settings, NICKEL)
    assert plain.studies == ("electron_phonon",)
    assert (plain.magnetism, plain.nesting) == (None, None)


def test_the_default_study_has_the_key_it_had_before_there_were_others(tmp_path, settings):
    named = material(tmp_path, settings, f'{NICKEL}studies = ["electron_phonon"]\n')
    assert named.key == material(tmp_path, settings, NICKEL).key


def test_the_order_of_studies_changes_nothing(tmp_path, settings):
    first = material(tmp_path, settings, f'{NICKEL}studies = ["nesting", "electron_phonon"]\n')
    second = material(tmp_path, settings, f'{NICKEL}studies = ["electron_phonon", "nesting"]\n')
    assert first.key == second.key
    assert first.studies == ("electron_phonon", "nesting")


def test_studies_of_the_campaign_hold_for_materials_that_name_none(tmp_path, settings):
    text = NICKEL.replace('protocol = "draft"', 'protocol = "draft"\nstudies = ["nesting"]')
    assert material(tmp_path, settings, text).studies == ("nesting",)


def test_numbers_of_a_study_change_the_key_only_where_it_is_asked_for(tmp_path, settings):
    table = "\n[nesting]\nsmearing_ev = 0.07\n"
    assert material(tmp_path, settings, NICKEL + table).key == material(tmp_path, settings, NICKEL).key
    assert material(tmp_path, settings, NESTED + table).key != material(tmp_path, settings, NESTED).key


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'{NICKEL}studies = ["nestling"]\n', r"materials.Ni.studies.0: .*found 'nestling'"),
        (f'{NICKEL}studies = "nesting"\n', r"studies: expected a list in square brackets, found 'nesting'"),
        (f"{NICKEL}studies = []\n", "materials.Ni.studies"),
        (f"{NESTED}nesting = {{ smearing = 0.1 }}\n", r"material 'Ni': unknown setting 'smearing' of \[nesting\]"),
        (f"{SOFT}\n[magnetism]\nvolume_ratio = 1\n", r"material 'Ni': unknown setting 'volume_ratio' of \[magnetism\]"),
    ],
)
def test_a_study_that_cannot_work_is_named(text, message, tmp_path, settings):
    with pytest.raises(CampaignError, match=message):
        material(tmp_path, settings, text)


def test_each_order_and_rung_is_a_firework(tmp_path, settings, database):
    found = names(tiny_campaign(tmp_path, settings, SOFT, "Ni"), database, tmp_path)
    assert {"Ni NM V 1", "Ni NM V 0.9", "Ni FM V 1", "Ni FM V 0.9"} < set(found)
    assert found[-1] == "Ni magnetism"


def test_nesting_starts_from_the_relaxed_cell(tmp_path, settings, database):
    found = names(tiny_campaign(tmp_path, settings, NESTED, "Ni"), database, tmp_path)
    assert found == ["Ni relax", "Ni scf density", "Ni fermi surface"]


def test_studies_of_a_material_are_one_workflow_whose_steps_have_folders_of_their_own(tmp_path, settings, database):
    both = NICKEL + 'studies = ["electron_phonon", "nesting"]\n'
    (submission,) = submit(tiny_campaign(tmp_path, settings, both, "Ni"), database, tmp_path)
    found = list(database.launchpad.fireworks.find({"fw_id": {"$in": nodes_of(submission, database)}}))
    folders = [entry["spec"]["_launch_dir"] for entry in found]
    assert len(set(folders)) == len(folders)
    assert {"Ni Tc", "Ni fermi surface"} < {entry["name"] for entry in found}
    assert {entry["metadata"]["key"] for entry in database.launchpad.workflows.find()} == {submission.material.key}
