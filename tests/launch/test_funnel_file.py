from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes.tiny_campaign import ALUMINIUM, tiny_campaign, write_campaign

from hightc.launch import funnel_file
from hightc.launch.campaign import read_campaign
from hightc.launch.campaign_file import parse_campaign_file
from hightc.launch.dispatch import make_workflow, submit
from hightc.launch.errors import CampaignError
from hightc.launch.funnel_file import make_funnel

FUNNEL = """
[funnel]
moment = true

[[funnel.gates]]
require = ["dos_per_ev_spin_atom >= 0.15", "abs_moment_bohr_magneton_per_atom < 0.1"]

[[funnel.gates]]
name = "worth it"
model = "model.json"
least_score = 0.3
missing = "hold"

[[funnel.gates]]
after = "phonons"
require = ["lowest_phonon_mev > -1"]
"""
MODEL = {
    "predicts": "chance of 5 K",
    "features": ["dos_per_ev_spin_atom"],
    "means": [0.0],
    "scales": [1.0],
    "coefficients": [1.0],
    "intercept": 0.0,
    "link": "logistic",
    "trained_on": {"sha256": "0" * 64, "description": "a test"},
}


@pytest.fixture
def read(tmp_path, settings):
    def material(funnel: str, *, intercept: float = 0.0, head: str = ""):
        (tmp_path / "model.json").write_text(json.dumps({**MODEL, "intercept": intercept}))
        (found,) = tiny_campaign(tmp_path, settings, f"{head}{ALUMINIUM}{funnel}").materials
        return found

    return material


def test_gates_are_those_of_the_file_in_order(read):
    funnel = read(FUNNEL).funnel
    assert funnel.moment
    assert [(gate.name, gate.after, gate.missing) for gate in funnel.gates] == [
        ("electrons 1", "electrons", "carry_on"),
        ("worth it", "electrons", "hold"),
        ("phonons 1", "phonons", "carry_on"),
    ]
    assert [rule.text for rule in funnel.gates[0].require] == [
        "dos_per_ev_spin_atom >= 0.15",
        "abs_moment_bohr_magneton_per_atom < 0.1",
    ]
    assert funnel.gates[1].model.predicts == "chance of 5 K"
    assert funnel.gates[1].asks == "score >= 0.3"


def test_without_the_table_nothing_changes(read):
    plain = read("")
    assert plain.funnel is None
    assert read("\n[funnel]\n").key != plain.key


def test_key_holds_rules_and_models_by_their_content(read):
    keys = {
        read(FUNNEL).key,
        read(FUNNEL.replace("0.15", "0.16")).key,
        read(FUNNEL, intercept=0.5).key,
        read(FUNNEL.replace("hold", "carry_on")).key,
    }
    assert len(keys) == 4
    assert read(FUNNEL).key in keys


def test_key_counts_mu_star_where_a_gate_judges_tc(read):
    behind = '[[funnel.gates]]\nafter = "alpha2f"\nrequire = ["tc_kelvin >= 5"]\n'
    low, high = (f'route = "wannier"\nmu_star = [{mu_star}]\n' for mu_star in (0.10, 0.16))
    assert read(FUNNEL, head=low).key == read(FUNNEL, head=high).key
    assert read(FUNNEL + behind, head=low).key != read(FUNNEL + behind, head=high).key


def test_key_counts_no_gate_that_a_material_never_meets(tmp_path, settings):
    text = f'{ALUMINIUM}\n[materials.Fine]\nprototype = "fcc Al 4.1"\nroute = "wannier"\n[funnel]\nmoment = true\n'
    behind = '[[funnel.gates]]\nafter = "alpha2f"\nrequire = ["lambda >= 0.5"]\n'
    before = [material.key for material in tiny_campaign(tmp_path, settings, text).materials]
    after = [material.key for material in tiny_campaign(tmp_path, settings, text + behind).materials]
    assert before[0] == after[0]
    assert before[1] != after[1]


def test_materials_without_a_tc_have_no_funnel(read):
    assert read(FUNNEL, head='studies = ["nesting"]\n').funnel is None


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[[funnel.gates]]\nrequire = ["dos >= 1"]', "funnel.gates 1: unknown feature 'dos'"),
        ('[[funnel.gates]]\nrequire = ["tc_kelvin >= 1"]', "not known after electrons"),
        ('[[funnel.gates]]\nrequire = ["abs_moment_bohr_magneton_per_atom < 1"]', "moment = true"),
        ("[[funnel.gates]]\nmissing = 'hold'", "expected rules in require, or a model, found neither"),
        ('[[funnel.gates]]\nmodel = "nothing.json"', "cannot be read"),
        ('[[funnel.gates]]\nafter = "alpha2f"\nrequire = ["tc_kelvin >= 5"]', "route = 'wannier'"),
        ('[[funnel.gates]]\nafter = "wannier"\nrequire = ["tc_kelvin >= 5"]', "funnel.gates.0.after"),
        ('[[funnel.gates]]\nrequires = ["band_gap_ev < 1"]', "unknown key 'funnel.gates.0.requires'"),
        ("[funnel]\nmoments = true", "unknown key 'funnel.moments': expected one of moment, gates"),
        ('[[funnel.gates]]\nname = "stable"\nrequire = ["band_gap_ev < 1"]', "no other gate has, found 'stable'"),
        ('[[funnel.gates]]\nrequire = "band_gap_ev < 1"', "expected a list in square brackets"),
        ('[[funnel.gates]]\nleast_score = 1\nrequire = ["band_gap_ev < 1"]', "least_score: expected a model"),
    ],
)
def test_table_that_cannot_be_used_is_refused_with_its_place(read, table, said):
    with pytest.raises(CampaignError) as caught:
        read(f"\n{table}\n")
    assert said in str(caught.value)
    assert "tiny.toml" in str(caught.value)


def test_gate_behind_the_spectrum_belongs_to_campaigns_with_wannier_functions(read):
    table = '\n[[funnel.gates]]\nafter = "alpha2f"\nrequire = ["tc_kelvin >= 5"]\n'
    assert read(table, head='route = "wannier"\n').funnel.after("alpha2f")


def test_workflow_of_a_material_has_few_steps_and_knows_the_rest(read, tmp_path):
    workflow = make_workflow(read(FUNNEL), tmp_path)
    steps = sorted(workflow.fws, key=lambda firework: firework.spec["_priority"])
    assert min(step.spec["_priority"] for step in steps) > 1000
    assert [step.name for step in steps] == ["Al relax", "Al scf dense", "Al scf moment", "Al electrons gate"]
    later = steps[-1].spec["steps_to_come"]
    assert [entry["step"] for entry in later][:2] == ["scf", "ph.x electron-phonon"]
    assert [int(entry["configuration"]["_priority"]) for entry in later] == list(range(5, 5 + len(later)))
    assert later[0]["configuration"]["_launch_dir"].endswith("/05-scf")
    assert later[-1]["configuration"]["mu_star"] == [0.10, 0.13, 0.16]
    assert workflow.metadata["funnel"][1] == {"name": "worth it", "after": "electrons", "asks": "score >= 0.3"}


def test_submitting_again_with_another_mu_star_adds_nothing_before_there_is_a_spectrum(tmp_path, settings, database):
    table = '\n[funnel]\n[[funnel.gates]]\nrequire = ["band_gap_ev < 1"]\n'
    for mu_star in ("[0.1]", "[0.1, 0.2]"):
        campaign = tiny_campaign(tmp_path, settings, f"mu_star = {mu_star}\n{ALUMINIUM}{table}")
        submit(campaign, database, tmp_path)
        assert database.launchpad.fireworks.count_documents({}) == 3


def test_example_of_a_funnel_can_be_read():
    path = Path(funnel_file.__file__).parent / "examples" / "funnel.toml"
    table = parse_campaign_file(path).funnel
    assert [gate.name for gate in make_funnel(table, path, to_wannier=False).gates] == ["states", "not magnetic"]


def test_other_studies_are_numbered_behind_the_steps_to_come(read, tmp_path):
    material = read(FUNNEL, head='studies = ["electron_phonon", "nesting"]\n')
    workflow = make_workflow(material, tmp_path)
    folders = [firework.spec["_launch_dir"].rpartition("/")[2] for firework in workflow.fws]
    gate = next(firework for firework in workflow.fws if firework.name == "Al electrons gate")
    folders += [entry["configuration"]["_launch_dir"].rpartition("/")[2] for entry in gate.spec["steps_to_come"]]
    assert sorted(folder[:2] for folder in folders) == [f"{number:02d}" for number in range(1, len(folders) + 1)]
    studies = {firework.name: firework.spec["study"] for firework in workflow.fws}
    assert studies["Al electrons gate"] == "electron_phonon"
    assert "nesting" in studies.values()


@pytest.mark.parametrize("moment", ["true", "false"])
def test_moment_is_refused_where_its_file_cannot_do_without_spin_orbit_coupling(tmp_path, settings, moment):
    text = ALUMINIUM.replace("q_mesh", "spin_orbit = true\nq_mesh") + f"\n[funnel]\nmoment = {moment}\n"
    path = write_campaign(tmp_path, text)
    file = tmp_path / "pseudo" / "Al.upf"
    file.write_text(file.read_text().replace('pseudo_type="NC"', 'pseudo_type="US" has_so="T"'))
    if moment == "true":
        with pytest.raises(CampaignError, match=r"material 'Al': .* norm-conserving file for moment = true"):
            read_campaign(path, settings)
    else:
        assert read_campaign(path, settings).materials[0].recipe.spin_orbit
