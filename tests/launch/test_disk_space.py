"""A campaign says what disk it needs, does not start where that is not free, and lets go what it needs no more."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.campaign_machine import Machine
from fakes.tiny_campaign import ALUMINIUM, tiny_campaign

from hightc.launch.campaign import Material, read_campaign
from hightc.launch.disk_space import MOST_ESTIMATED, CampaignNeed, campaign_need, drop_finished, require_room
from hightc.launch.dispatch import submit
from hightc.launch.settings import Settings
from hightc.launch.store import Database
from hightc.makers.errors import ScratchError

TWO = ALUMINIUM + '\n[materials.Al2]\nprototype = "fcc Al 4.1"\n'
HEADER = '<PP_HEADER element="Al" pseudo_type="NC" functional="PBE" wfc_cutoff="20.0"{valence}/>'


@pytest.fixture
def materials(tmp_path: Path, settings: Settings) -> Callable[..., tuple[Material, ...]]:
    """Materials of a campaign whose pseudopotential tells its valence or not."""

    def make(text: str = ALUMINIUM, valence: str = ' z_valence="3.0"') -> tuple[Material, ...]:
        tiny_campaign(tmp_path, settings, text)
        header = HEADER.format(valence=valence)
        (tmp_path / "pseudo" / "Al.upf").write_text(f'<UPF version="2.0.1">\n{header}\n</UPF>\n')
        return read_campaign(tmp_path / "tiny.toml", settings).materials

    return make


def test_need_is_told_and_grows_with_materials_side_by_side(materials, database, tmp_path, settings) -> None:
    one = campaign_need(materials(), database, tmp_path, settings)
    two = campaign_need(materials(TWO), database, tmp_path, settings.model_copy(update={"workers": 2}))
    in_turn = campaign_need(materials(TWO), database, tmp_path, settings.model_copy(update={"workers": 1}))
    assert 0 < one.need_gb < in_turn.need_gb < two.need_gb < 0.1
    assert one.message.startswith("disk: about ")
    assert "most for Al; " in one.message
    assert one.free_gb > 0


def test_what_lies_there_is_not_needed_again(materials, database, tmp_path, settings) -> None:
    (material,) = materials()
    before = campaign_need([material], database, tmp_path, settings).need_gb
    (tmp_path / material.folder).mkdir()
    (tmp_path / material.folder / "file").write_bytes(bytes(1_000_000))
    assert campaign_need([material], database, tmp_path, settings).need_gb == pytest.approx(before - 1e-3)


def test_finished_material_needs_nothing(
    materials: Callable[..., tuple[Material, ...]], database: Database, tmp_path: Path, settings: Settings
) -> None:
    materials()
    campaign = tiny_campaign(tmp_path, settings)
    submit(campaign, database, tmp_path)
    database.launchpad.workflows.update_many({}, {"$set": {"state": "COMPLETED"}})
    need = campaign_need(campaign.materials, database, tmp_path, settings)
    assert (need.need_gb, need.largest, need.message) == (0, None, "")


def test_material_whose_need_is_not_known_is_named(materials, database, tmp_path, settings) -> None:
    need = campaign_need(materials(valence=""), database, tmp_path, settings)
    assert need.unknown == ("Al",)
    assert "unknown for Al (no valence in a pseudopotential)" in need.message
    require_room(need, tmp_path, settings)


def test_wannier_route_needs_more(materials, database, tmp_path, settings) -> None:
    route = ALUMINIUM.replace('protocol = "draft"', 'protocol = "draft"\nroute = "wannier"')
    orbitals = (
        ' z_valence="3.0"/>\n<PP_CHI.1 label="3S" l="0" occupation="2.0"/>\n<PP_CHI.2 label="3P" l="1" occupation="1.0"'
    )
    needs = [
        campaign_need(materials(text, valence=orbitals), database, tmp_path, settings).need_gb
        for text in (ALUMINIUM, route)
    ]
    # four functions of Al on 8x8x8 k points: 26 MB of wavefunctions and copies, 9 MB of coupling, 23 MB of texts
    assert needs[0] + 0.05 < needs[1] < needs[0] + 0.5


def test_funnel_needs_room_for_what_comes_before_its_first_gate(materials, database, tmp_path, settings) -> None:
    plain = campaign_need(materials(), database, tmp_path, settings)
    gates = '\n[[funnel.gates]]\nrequire = ["dos_per_ev_spin_atom >= 0.15"]\n'
    gated = campaign_need(materials(ALUMINIUM + gates), database, tmp_path, settings)
    assert 0 < gated.need_gb < plain.need_gb
    assert "needed before the first gate" in gated.message
    assert "gate" not in plain.message


def test_some_of_many_materials_stand_for_all(materials, database, tmp_path, settings) -> None:
    (material,) = materials()
    large = replace(material, structure=material.structure.copy().scale_lattice(2 * material.structure.volume))
    large = replace(large, tag=material.tag.model_copy(update={"material": "large"}))
    count = MOST_ESTIMATED + 40
    one = campaign_need([material], database, tmp_path, settings).need_gb
    with_large = campaign_need([material, large], database, tmp_path, settings).need_gb
    need = campaign_need([*[material] * (count - 1), large], database, tmp_path, settings)
    assert need.largest == "large"
    assert f"(estimated from {MOST_ESTIMATED} materials)" in need.message
    kept = campaign_need([material] * 2, database, tmp_path, settings).need_gb - one
    # all but the large one are alike: what is kept of each adds up, the scratch files are those of the large one
    assert need.need_gb == pytest.approx(with_large + (count - 2) * kept)


def test_too_small_a_disk_is_refused_with_what_to_do(tmp_path: Path, settings: Settings) -> None:
    need = CampaignNeed(need_gb=5.0, free_gb=5.5, largest="Pb", unknown=())
    expected = r"expected about 5 GB .* and 1 GB to spare, found 5.5 GB free; most is for Pb: free some space"
    with pytest.raises(ScratchError, match=expected):
        require_room(need, tmp_path, settings)
    require_room(need, tmp_path, settings.model_copy(update={"scratch_minimum_gb": 0.5}))


def test_scratch_of_finished_materials_goes_and_that_of_others_stays(materials, tmp_path) -> None:
    first, second = materials(TWO)
    marker = {"key": None, "computed_in": "", "run": {}, "files": {"x": {"x.out": {"size": 1, "modified_ns": 1}}}}
    marker["files"]["x"]["x.out"]["sha256"] = None
    for material in (first, second):
        step = tmp_path / material.folder / "01-relax"
        (step / "out").mkdir(parents=True)
        (step / "out" / "x.wfc1").write_bytes(bytes(1000))
        (step / "pw.finished.json").write_text(json.dumps(marker))
    assert drop_finished([first], tmp_path, "everything") == 0
    assert drop_finished([first], tmp_path, "restart") == 1000
    assert not (tmp_path / first.folder / "01-relax" / "out" / "x.wfc1").exists()
    assert (tmp_path / second.folder / "01-relax" / "out" / "x.wfc1").exists()


@pytest.mark.qe
def test_campaign_that_cannot_fit_is_not_submitted(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    text = ALUMINIUM.replace('"./pseudo"', '"debian"\nfiles = { Al = "Al.pz-vbc.UPF" }').replace(
        "k_mesh = [4, 4, 4]", "ecutwfc_ry = 9000\nk_mesh = [80, 80, 80]\nk_mesh_dense = [80, 80, 80]"
    )
    (tmp_path / "huge.toml").write_text(text)
    try:
        finished = machine.run("run", "huge.toml")
        assert finished.returncode == 2
        assert "GB needed, most for Al" in finished.stdout
        assert "GB to spare, found" in finished.stderr
        assert not machine.collection("workflows")
    finally:
        machine.stop()
