from __future__ import annotations

from pathlib import Path

import pytest
from fakes.tiny_campaign import ALUMINIUM, tiny_campaign, write_campaign

from hightc.launch.campaign import read_campaign
from hightc.launch.errors import CampaignError


def key(folder: Path, settings, text: str = ALUMINIUM, *elements: str) -> str:
    return tiny_campaign(folder, settings, text, *elements).materials[0].key


def test_same_content_has_the_same_key_in_any_folder(tmp_path, settings):
    assert key(tmp_path / "one", settings) == key(tmp_path / "two", settings)


def test_pseudopotentials_that_are_moved_or_renamed_leave_the_key(tmp_path, settings):
    before = key(tmp_path, settings)
    (tmp_path / "pseudo").rename(tmp_path / "moved")
    (tmp_path / "moved" / "Al.upf").rename(tmp_path / "moved" / "Al.renamed.upf")
    (tmp_path / "tiny.toml").write_text(ALUMINIUM.replace("./pseudo", "./moved"))
    assert read_campaign(tmp_path / "tiny.toml", settings).materials[0].key == before


def test_comments_order_and_spelling_of_numbers_leave_the_key(tmp_path, settings):
    rewritten = """\
    # a comment
    protocol = "draft"
    name = "tiny"
    [materials.Al]
    prototype = "fcc  Al 4.0500"   # another
    [recipe]
    q_mesh = [ 2, 2, 2, ]
    k_mesh = [4, 4, 4]
    [pseudopotentials]
    family = "./pseudo"
    """
    assert key(tmp_path, settings, rewritten) == key(tmp_path, settings)


def test_number_named_as_the_protocol_has_it_leaves_the_key(tmp_path, settings):
    spelt_out = ALUMINIUM.replace("q_mesh", "relax = true\npressure_gpa = 0\necutwfc_ry = 20\nq_mesh")
    assert key(tmp_path, settings, spelt_out) == key(tmp_path, settings)


def test_mu_star_changes_no_key(tmp_path, settings):
    # only the last step depends on it
    text = ALUMINIUM.replace('name = "tiny"', 'name = "tiny"\nmu_star = [0.1, 0.11]')
    assert key(tmp_path, settings, text) == key(tmp_path, settings)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("4.05", "4.06"),
        ("fcc Al", "bcc Al"),
        ("[4, 4, 4]", "[8, 8, 8]"),
        ("[2, 2, 2]", "[1, 1, 1]"),
        ("q_mesh", "ecutwfc_ry = 21\nq_mesh"),
        ("q_mesh", "pressure_gpa = 1e-3\nq_mesh"),
        ("q_mesh", "relax = false\nq_mesh"),
        ("q_mesh", "smearing = 'gaussian'\nq_mesh"),
        ("draft", "screen"),
        ('name = "tiny"', 'name = "other"'),
        ("materials.Al", "materials.Aluminium"),
    ],
)
def test_anything_changed_is_another_key(old, new, tmp_path, settings):
    assert old in ALUMINIUM
    assert key(tmp_path, settings, ALUMINIUM.replace(old, new)) != key(tmp_path, settings)


def test_pseudopotential_of_other_content_is_another_key(tmp_path, settings):
    before = key(tmp_path, settings)
    file = tmp_path / "pseudo" / "Al.upf"
    file.write_text(file.read_text() + "<!-- regenerated -->\n")
    assert read_campaign(tmp_path / "tiny.toml", settings).materials[0].key != before


def test_keys_of_materials_do_not_depend_on_each_other(tmp_path, settings):
    two = ALUMINIUM + '\n[materials.Pb]\nprototype = "fcc Pb 4.95"\n'
    assert key(tmp_path, settings, two, "Al", "Pb") == key(tmp_path, settings)


def test_folder_is_label_and_start_of_the_key(tmp_path, settings):
    material = tiny_campaign(tmp_path, settings).materials[0]
    assert material.folder == f"Al-{material.key[:6]}"


@pytest.mark.parametrize("family", ["./upf/pbe", "upf/pbe", "../there/upf/pbe"])
def test_family_folder_is_relative_to_the_campaign_file(family, tmp_path, settings, monkeypatch):
    path = write_campaign(tmp_path / "there", ALUMINIUM.replace("./pseudo", family))
    (tmp_path / "there" / "upf").mkdir()
    (tmp_path / "there" / "pseudo").rename(tmp_path / "there" / "upf" / "pbe")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    recipe = read_campaign(Path("../there") / path.name, settings).materials[0].recipe
    assert recipe.pseudopotential_family == str(tmp_path / "there" / "upf" / "pbe")


def test_family_name_is_looked_up_in_the_data_directory(tmp_path, settings):
    write_campaign(tmp_path)
    (tmp_path / "data" / "pseudopotentials").mkdir(parents=True)
    (tmp_path / "pseudo").rename(tmp_path / "data" / "pseudopotentials" / "mine")
    (tmp_path / "tiny.toml").write_text(ALUMINIUM.replace("./pseudo", "mine"))
    assert read_campaign(tmp_path / "tiny.toml", settings).materials[0].recipe.pseudopotential_family == "mine"


def test_campaign_is_named_after_its_file_unless_it_has_a_name(tmp_path, settings):
    unnamed = ALUMINIUM.replace('name = "tiny"', "")
    path = write_campaign(tmp_path, unnamed).rename(tmp_path / "hydrides-2.toml")
    assert read_campaign(path, settings).name == "hydrides-2"
    bad = path.rename(tmp_path / "my hydrides.toml")
    with pytest.raises(CampaignError, match=r"my hydrides\.toml: name: expected letters, digits"):
        read_campaign(bad, settings)


def test_numbers_of_a_material_win_over_those_of_the_campaign(tmp_path, settings):
    text = ALUMINIUM.replace('"fcc Al 4.05"', '"fcc Al 4.05"\nrecipe = { q_mesh = [4, 4, 4], tr2_ph = 1e-10 }')
    recipe = tiny_campaign(tmp_path, settings, text).materials[0].recipe
    assert (recipe.k_mesh, recipe.q_mesh, recipe.tr2_ph) == ((4, 4, 4), (4, 4, 4), 1e-10)


@pytest.mark.parametrize("label", ["Al-2", "mp-134", "Al_fcc.v1+U"])
def test_label_that_makes_a_folder_is_accepted(label, tmp_path, settings):
    text = ALUMINIUM.replace("[materials.Al]", f'[materials."{label}"]')
    assert tiny_campaign(tmp_path, settings, text).materials[0].tag.material == label


@pytest.mark.parametrize("label", ["../Al", "Al/fcc", "", "-Al", "Al fcc", "A" * 65])
def test_label_that_makes_no_folder_is_refused(label, tmp_path, settings):
    text = ALUMINIUM.replace("[materials.Al]", f'[materials."{label}"]')
    with pytest.raises(CampaignError, match=r"expected letters, digits"):
        tiny_campaign(tmp_path, settings, text)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("k_mesh = 4", "k_mesh: "),
        ("k_mesh = [4, 4]", r"k_mesh.2: Field required, found \[4, 4\]"),
        ("k_mesh = [4, 4, -4]", "k_mesh: expected three positive integers"),
        ("ecutwfc_ry = 'high'", "ecutwfc_ry: .* found 'high'"),
        ("ecutwfc_ry = 0", "ecutwfc_ry: Input should be greater than 0, found 0"),
        ("tr2_ph = nan", "tr2_ph: "),
        ("smearing = 'cold'", "smearing: .* found 'cold'"),
        ("k_spacing = 'fine'", "k_spacing: .* found 'fine'"),
        ("protocol = 'draft'", "unknown setting 'protocol'"),
    ],
)
def test_number_of_the_wrong_kind_names_material_and_key(number, message, tmp_path, settings):
    text = ALUMINIUM.replace('"fcc Al 4.05"', f'"fcc Al 4.05"\nrecipe = {{ {number} }}')
    with pytest.raises(CampaignError, match=f"tiny.toml: material 'Al': {message}"):
        tiny_campaign(tmp_path, settings, text)


@pytest.mark.parametrize("number", ["spin_orbit = false", "spin_polarized = false", "hubbard_u_ev = {}"])
def test_option_at_its_default_leaves_the_key_of_campaigns_from_before_it(number, tmp_path, settings):
    named = ALUMINIUM.replace("q_mesh", f"{number}\nq_mesh")
    assert key(tmp_path, settings, named) == key(tmp_path, settings)


def test_option_that_is_set_is_another_key(tmp_path, settings):
    polarized = ALUMINIUM.replace("q_mesh", "spin_polarized = true\nq_mesh")
    started = ALUMINIUM.replace("q_mesh", "spin_polarized = true\nstarting_magnetization = { Al = 0.1 }\nq_mesh")
    assert len({key(tmp_path, settings, text) for text in (ALUMINIUM, polarized, started)}) == 3


def test_spin_orbit_coupling_needs_files_that_tell_it(tmp_path, settings):
    text = ALUMINIUM.replace("q_mesh", "spin_orbit = true\nq_mesh")
    with pytest.raises(CampaignError, match=r"material 'Al': .* expected a fully relativistic file .*Al\.upf"):
        tiny_campaign(tmp_path, settings, text)
    file = tmp_path / "pseudo" / "Al.upf"
    file.write_text(file.read_text().replace("<PP_HEADER", '<PP_HEADER has_so="T"'))
    assert read_campaign(tmp_path / "tiny.toml", settings).materials[0].recipe.spin_orbit


def test_hubbard_u_is_refused_where_ph_computes_the_coupling(tmp_path, settings):
    text = ALUMINIUM.replace("q_mesh", "hubbard_u_ev = { Al = 1.0 }\nq_mesh")
    with pytest.raises(CampaignError, match=r"material 'Al': hubbard_u_ev: expected none where ph\.x"):
        tiny_campaign(tmp_path, settings, text)
