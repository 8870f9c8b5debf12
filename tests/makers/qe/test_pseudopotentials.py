from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from hightc.makers.errors import PseudopotentialError
from hightc.makers.qe.pseudopotentials import (
    DEFAULT_PSEUDO_DOJO,
    family_directory,
    find_pseudopotentials,
    identify,
    read_upf_header,
    require_unchanged,
    select_pseudopotentials,
)


def write_upf(
    path: Path, element: str, *, kind: str = "NC", cutoff: str | None = None, has_so: str | None = None
) -> Path:
    attributes = f'element="{element}" pseudo_type="{kind}" functional="PBE"'
    if has_so is not None:
        attributes += f' has_so="{has_so}"'
    if cutoff is not None:
        attributes += f' wfc_cutoff="{cutoff}"'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'<UPF version="2.0.1">\n<PP_INFO>\n</PP_INFO>\n<PP_HEADER {attributes}/>\n</UPF>\n')
    return path


def test_header_tells_element_type_and_cutoff(tmp_path):
    file = read_upf_header(write_upf(tmp_path / "Pb.upf", "Pb", kind="US", cutoff=" 4.0000000D+01"))
    assert (file.element, file.norm_conserving, file.functional, file.ecutwfc_ry) == ("Pb", False, "PBE", 40.0)


def test_header_and_checksum_of_a_file_that_changed_are_read_anew(tmp_path):
    path = write_upf(tmp_path / "Pb.upf", "Pb", cutoff="40")
    before = identify(read_upf_header(path))
    write_upf(path, "Pb", cutoff="45.5")
    after = read_upf_header(path)
    assert after.ecutwfc_ry == 45.5
    assert identify(after).sha256 != before.sha256


@pytest.mark.parametrize("cutoff", [None, "0.0", "-1", "none"])
def test_cutoff_that_is_no_positive_number_is_not_a_suggestion(tmp_path, cutoff):
    assert read_upf_header(write_upf(tmp_path / "Pb.upf", "Pb", cutoff=cutoff)).ecutwfc_ry is None


@pytest.mark.parametrize("text", ["", "<PP_HEADER>\n   0   Version Number\n  Al  Element\n</PP_HEADER>"])
def test_file_without_a_header_of_version_2_is_refused(tmp_path, text):
    path = tmp_path / "Al.UPF"
    path.write_text(text)
    with pytest.raises(PseudopotentialError, match=r"Al\.UPF: expected a UPF header of version 2"):
        read_upf_header(path)


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(PseudopotentialError, match=r"No such file"):
        read_upf_header(tmp_path / "Al.UPF")


def test_plain_name_pseudo_dojo_is_the_default_table(tmp_path):
    (tmp_path / DEFAULT_PSEUDO_DOJO).mkdir()
    assert family_directory("pseudo-dojo", tmp_path) == tmp_path / DEFAULT_PSEUDO_DOJO


def test_installed_family_is_found_by_its_name(tmp_path):
    (tmp_path / "mine").mkdir()
    assert family_directory("mine", tmp_path) == tmp_path / "mine"


def test_folder_is_a_family(tmp_path):
    assert family_directory(str(tmp_path), Path("/nowhere")) == tmp_path


@pytest.mark.parametrize(
    ("family", "advice"),
    [
        ("pseudo-dojo", "run: hightc pseudos install pseudo-dojo$"),
        (
            "pseudo-dojo-0.4-pbe-fr-stringent",
            "run: hightc pseudos install pseudo-dojo --table pseudo-dojo-0.4-pbe-fr-stringent$",
        ),
        ("mine", "hightc pseudos list shows$"),
        ("./mine", "check the path$"),
    ],
)
def test_missing_family_comes_with_the_command_that_installs_it(tmp_path, family, advice):
    with pytest.raises(PseudopotentialError, match=advice):
        family_directory(family, tmp_path)


def test_carbon_is_not_found_in_files_of_calcium(tmp_path):
    carbon = write_upf(tmp_path / "C.upf", "C")
    write_upf(tmp_path / "Ca.upf", "Ca")
    write_upf(tmp_path / "C_of_calcium.upf", "Ca")
    assert find_pseudopotentials(tmp_path, "C") == [carbon]


def test_one_file_an_element_is_selected_sorted_by_element(tmp_path):
    write_upf(tmp_path / "Pb.upf", "Pb")
    write_upf(tmp_path / "O.upf", "O")
    assert [file.element for file in select_pseudopotentials(tmp_path, ["Pb", "O", "Pb"], {})] == ["O", "Pb"]


def test_several_files_of_an_element_must_be_chosen_from(tmp_path):
    write_upf(tmp_path / "Pb.a.upf", "Pb")
    write_upf(tmp_path / "Pb.b.upf", "Pb")
    with pytest.raises(PseudopotentialError, match=r"2 files .* name one .* Pb\.a\.upf, Pb\.b\.upf"):
        select_pseudopotentials(tmp_path, ["Pb"], {})
    assert select_pseudopotentials(tmp_path, ["Pb"], {"Pb": "Pb.b.upf"})[0].path.name == "Pb.b.upf"


def test_element_without_a_file_is_refused(tmp_path):
    with pytest.raises(PseudopotentialError, match="pseudopotential of Pb: none in"):
        select_pseudopotentials(tmp_path, ["Pb"], {})


def test_chosen_file_must_exist_and_be_of_its_element(tmp_path):
    write_upf(tmp_path / "Al.upf", "Al")
    with pytest.raises(PseudopotentialError, match="no file"):
        select_pseudopotentials(tmp_path, ["Pb"], {"Pb": "gone.upf"})
    with pytest.raises(PseudopotentialError, match="is for Al: name a file of Pb"):
        select_pseudopotentials(tmp_path, ["Pb"], {"Pb": "Al.upf"})


@pytest.mark.parametrize(
    ("has_so", "full"), [(None, False), ("F", False), ("false", False), ("T", True), ("true", True), (".true.", True)]
)
def test_header_tells_whether_the_file_is_fully_relativistic(tmp_path, has_so, full):
    assert read_upf_header(write_upf(tmp_path / "Pb.upf", "Pb", has_so=has_so)).fully_relativistic is full


def test_identity_is_the_checksum_of_the_content(tmp_path):
    path = write_upf(tmp_path / "Pb.upf", "Pb")
    identity = identify(read_upf_header(path))
    assert identity.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    require_unchanged(tmp_path, [identity])


def test_changed_or_missing_file_is_refused(tmp_path):
    path = write_upf(tmp_path / "Pb.upf", "Pb")
    identity = identify(read_upf_header(path))
    write_upf(path, "Pb", cutoff="40.0")
    with pytest.raises(PseudopotentialError, match="the file changed since the campaign was submitted"):
        require_unchanged(tmp_path, [identity])
    path.unlink()
    with pytest.raises(PseudopotentialError, match="install the same family on this machine"):
        require_unchanged(tmp_path, [identity])
