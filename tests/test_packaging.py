"""What is installed is what is in the repository, and the repository holds nothing of the machine it was made on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from hightc.launch.settings import Settings
from hightc.launch.settings_listing import OTHER_VARIABLES

REPOSITORY = Path(__file__).parents[1]
FOLDERS = ("analysis", "eliashberg", "launch", "makers", "workflows")
LISTED = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
MOST_LINES = 420
DEVELOPERS_PATH = re.compile(rf"/(?:home|root|Users)/[\w.-]+|{re.escape(str(REPOSITORY))}(?=/)")


def repository_files() -> list[Path]:
    """Files that are tracked, or would be with the next commit."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("not a git repository")
    paths = sorted({REPOSITORY / line for line in done.stdout.splitlines()})
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def packages_on_disk() -> dict[str, Path]:
    found = [path.parent for folder in FOLDERS for path in (REPOSITORY / folder).rglob("__init__.py")]
    return {f"hightc.{'.'.join(path.relative_to(REPOSITORY).parts)}": path for path in found}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of a clean copy: what an earlier build left behind would hide a gap."""
    folder = tmp_path_factory.mktemp("packaging")
    for path in repository_files():
        target = folder / "source" / path.relative_to(REPOSITORY)
        if not target.is_relative_to(folder / "source" / "tests"):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    done = subprocess.run(
        [*command, "--wheel-dir", str(folder), str(folder / "source")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def wheel_names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_every_package_on_disk_is_listed_and_every_listed_one_exists():
    assert sorted(LISTED) == sorted(packages_on_disk())


def test_every_folder_of_modules_is_a_package():
    folders = {path.parent for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.py")}
    assert folders == set(packages_on_disk().values())


def test_wheel_holds_every_module(wheel_names):
    expected = {
        f"hightc/{path.relative_to(REPOSITORY)}" for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*.py")
    }
    assert expected == {name for name in wheel_names if name.endswith(".py")}


@pytest.mark.parametrize(
    "pattern",
    [
        "*/py.typed",
        "makers/qe/protocols/*.yaml",
        "launch/examples/*.toml",
        "launch/*.j2",
        "launch/*.css",
        "launch/report_site/*.j2",
        "launch/report_site/*.css",
        "launch/report_site/*.js",
    ],
)
def test_wheel_holds_the_data_that_modules_read(pattern, wheel_names):
    expected = {f"hightc/{path.relative_to(REPOSITORY)}" for path in REPOSITORY.glob(pattern)}
    assert expected
    assert expected <= wheel_names


def test_each_source_folder_is_typed():
    assert all((REPOSITORY / folder / "py.typed").is_file() for folder in FOLDERS)


def test_root_package_is_a_namespace_without_a_module(wheel_names):
    assert "hightc/__init__.py" not in wheel_names
    assert not (REPOSITORY / "__init__.py").exists()
    assert not (REPOSITORY / "hightc" / "__init__.py").exists()


def test_wheel_holds_nothing_but_hightc(wheel_names):
    assert {name.split("/")[0].split("-")[0] for name in wheel_names} == {"hightc"}
    assert not any("tests" in name or name.endswith(".pyc") for name in wheel_names)


def test_command_works_from_the_wheel_alone(wheel, tmp_path):
    venv.create(tmp_path / "fresh", with_pip=False)
    (packages,) = (tmp_path / "fresh").glob("lib/python*/site-packages")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(packages)]
    subprocess.run([*command, str(wheel)], check=True, capture_output=True)
    # what hightc depends on comes from this environment, but not its editable install: .pth files in a folder that is
    # itself named by one are not read
    here = next(path for path in sys.path if path.endswith("site-packages"))
    (packages / "dependencies.pth").write_text(f"{here}\n")
    (script,) = packages.glob("bin/hightc")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HIGHTC_", "PYTHON"))}
    python = tmp_path / "fresh" / "bin" / "python"
    done = subprocess.run(
        [python, script, "--help"], capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: hightc")
    code = (
        "import hightc.launch.run as run, hightc.launch.campaign\n"
        "from hightc.makers.qe.recipe import PROTOCOL_NAMES, load_protocol\n"
        "from importlib.resources import files\n"
        "[load_protocol(name) for name in PROTOCOL_NAMES]\n"
        "assert files('hightc.launch').joinpath('examples/quickstart.toml').is_file()\n"
        "assert files('hightc.launch').joinpath('report.html.j2').is_file()\n"
        "print(run.__file__)"
    )
    done = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(packages / "hightc" / "launch" / "run.py")


def test_no_module_is_far_longer_than_one_idea():
    lengths = {
        str(path.relative_to(REPOSITORY)): len(path.read_text(encoding="utf-8").splitlines())
        for path in repository_files()
        if path.suffix == ".py" and path.relative_to(REPOSITORY).parts[0] in FOLDERS
    }
    assert {path: length for path, length in lengths.items() if length > MOST_LINES} == {}


def texts() -> dict[Path, str]:
    found = {}
    for path in repository_files():
        try:
            found[path.relative_to(REPOSITORY)] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return found


def test_no_file_names_a_folder_of_a_developers_machine():
    own = Path("tests/test_packaging.py")
    found = {
        str(path): sorted(set(DEVELOPERS_PATH.findall(text)))
        for path, text in texts().items()
        if path != own and DEVELOPERS_PATH.search(text)
    }
    assert found == {}


def test_every_variable_in_the_documentation_is_a_setting():
    known = OTHER_VARIABLES | {f"HIGHTC_{name.upper()}" for name in Settings.model_fields}
    documentation = [text for path, text in texts().items() if path.suffix in {".md", ".toml", ".sh"}]
    documentation += [(REPOSITORY / "launch" / name).read_text(encoding="utf-8") for name in ("demo", "test")]
    named = {name for text in documentation for name in re.findall(r"\bHIGHTC_[A-Z_]+[A-Z]", text)}
    assert named - known == set()


def test_every_variable_in_the_program_is_a_setting():
    known = OTHER_VARIABLES | {f"HIGHTC_{name.upper()}" for name in Settings.model_fields}
    sources = [text for path, text in texts().items() if path.suffix == ".py" and path.parts[0] in FOLDERS]
    named = {name for text in sources for name in re.findall(r"\bHIGHTC_[A-Z_]+[A-Z]", text)}
    assert named - known == {"HIGHTC_NAME"}, "HIGHTC_NAME stands for any of them in a help text"
