from __future__ import annotations

import pytest
from fakes.tiny_campaign import ALUMINIUM, tiny_campaign

from hightc.launch.campaign import read_campaign
from hightc.launch.dispatch import in_order, nodes_of, submit
from hightc.launch.errors import CampaignError
from hightc.launch.run import q_jobs_for

BY_WANNIER = ALUMINIUM.replace('protocol = "draft"', 'protocol = "draft"\nroute = "wannier"')
TWO = ALUMINIUM + '[materials.Al2]\nprototype = "fcc Al 4.06"\nroute = "wannier"\n'


def material(folder, settings, text):
    return tiny_campaign(folder, settings, text).materials[-1]


def test_one_material_may_take_the_wannier_route(tmp_path, settings):
    first, second = tiny_campaign(tmp_path, settings, TWO).materials
    assert first.wannier is None
    assert second.wannier is not None


def test_wannier_numbers_change_the_key_only_where_the_route_is_taken(tmp_path, settings):
    table = "\n[wannier]\nelectron_smearing_ev = 0.07\n"
    plain = material(tmp_path, settings, ALUMINIUM)
    assert material(tmp_path, settings, ALUMINIUM + table).key == plain.key
    taken = material(tmp_path, settings, BY_WANNIER)
    assert taken.key != plain.key
    assert material(tmp_path, settings, BY_WANNIER + table).key != taken.key


def test_numbers_of_a_material_win_over_those_of_the_wannier_table(tmp_path, settings):
    text = BY_WANNIER + "wannier = { k_mesh = [6, 6, 6] }\n[wannier]\nk_mesh = [4, 4, 4]\nfine_k_factor = 3\n"
    chosen = material(tmp_path, settings, text).wannier
    assert (chosen.k_mesh, chosen.fine_k_factor) == ((6, 6, 6), 3)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("k_mesch = [4, 4, 4]", "unknown setting 'k_mesch' of \\[wannier\\]: expected one of"),
        ("k_mesh = [5, 5, 5]", r"wannier.k_mesh \[5, 5, 5\] is not a multiple of q_mesh \[2, 2, 2\]"),
        ("electron_smearing_ev = 0", "wannier.electron_smearing_ev: .* greater than 0, found 0"),
        ("fine_q_meshes = []", "wannier.fine_q_meshes"),
    ],
)
def test_wannier_number_that_cannot_work_names_material_and_key(number, message, tmp_path, settings):
    with pytest.raises(CampaignError, match=f"material 'Al': .*{message}"):
        material(tmp_path, settings, f"{BY_WANNIER}\n[wannier]\n{number}\n")


def test_unknown_route_is_refused(tmp_path, settings):
    with pytest.raises(CampaignError, match="route"):
        material(tmp_path, settings, BY_WANNIER.replace('"wannier"', '"vannier"'))


def test_both_routes_stand_in_one_workflow(tmp_path, settings, database):
    campaign = tiny_campaign(tmp_path, settings, BY_WANNIER)
    (submission,) = submit(campaign, database, tmp_path)
    found = in_order(database.launchpad.fireworks.find({"fw_id": {"$in": nodes_of(submission, database)}}))
    names = [entry["name"] for entry in found]
    assert names[-5:] == ["Al wannier", "Al epw.x coarse", "Al epw.x fine", "Al gap", "Al Tc wannier"]
    assert [entry["name"] for entry in found if "mu_star" in entry["spec"]] == ["Al Tc", "Al Tc wannier"]


def test_other_mu_star_add_a_tc_to_each_route(tmp_path, settings, database):
    submit(tiny_campaign(tmp_path, settings, BY_WANNIER), database, tmp_path)
    path = tmp_path / "tiny.toml"
    path.write_text(BY_WANNIER.replace('name = "tiny"', 'name = "tiny"\nmu_star = [0.2]'))
    (again,) = submit(read_campaign(path, settings), database, tmp_path)
    asked = database.launchpad.fireworks.find({"fw_id": {"$in": nodes_of(again, database)}, "spec.mu_star": [0.2]})
    assert len(list(asked)) == 2


def test_q_points_are_shared_among_jobs_only_where_each_has_cores(settings):
    few = settings.model_copy(update={"cores": 1})
    assert q_jobs_for(1, few) == 1


def test_q_jobs_of_the_campaign_file_reach_the_phonon_step(tmp_path, settings, database):
    text = ALUMINIUM.replace('name = "tiny"', 'name = "tiny"\nq_jobs = 3\nfiner_q_passes = 0')
    (submission,) = submit(tiny_campaign(tmp_path, settings, text), database, tmp_path)
    assert submission.q_jobs == 3
    step = database.launchpad.fireworks.find_one({"name": "Al ph.x electron-phonon"})
    assert step["spec"]["_tasks"][0]["job"]["function"]["@bound"]["q_jobs"] == 3
