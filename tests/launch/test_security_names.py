"""Names that want to be commands: each is refused in one line, or is a name and nothing else."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest
from fakes.campaign_machine import HIGHTC, Machine
from fakes.source_data import DATA
from fakes.tiny_campaign import ALUMINIUM, write_campaign
from pymatgen.core import Lattice, Structure

from hightc.launch import cli
from hightc.launch.campaign import read_campaign
from hightc.launch.errors import LaunchError
from hightc.launch.plain_text import LONGEST
from hightc.launch.settings import Settings

HOSTILE = (
    "; touch pwned",
    "$(touch pwned)",
    "`touch pwned`",
    "| touch pwned",
    "&& touch pwned",
    "a\ntouch pwned",
    "Al\n",
    "../../pwned",
    "/etc/passwd",
    "a\0b",
    "'\"",
    "-rf",
    "--help",
    "..",
    "~nobody",
    "%s%n",
    "{0.__class__}",
    "\u202egnp.cif",
    "\x1b[31mred",
    "x" * 5000,
)
SAFE_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")


def in_source(kind: str, line: str) -> str:
    return f'{ALUMINIUM}\n[[sources]]\nkind = "{kind}"\n{line}\n'


PLACES = {
    "label": lambda name: ALUMINIUM.replace("[materials.Al]", f"[materials.{name}]"),
    "campaign": lambda name: ALUMINIUM.replace('"tiny"', name),
    "prototype": lambda name: ALUMINIUM.replace('"fcc Al 4.05"', f'"fcc " {name}'.replace('" "', " ")),
    "structure file": lambda name: ALUMINIUM.replace('prototype = "fcc Al 4.05"', f"file = {name}"),
    "family": lambda name: ALUMINIUM.replace('"./pseudo"', name),
    "pseudopotential": lambda name: ALUMINIUM.replace('"./pseudo"', f'"./pseudo"\nfiles = {{ Al = {name} }}'),
    "setting": lambda name: ALUMINIUM.replace("[recipe]", f"[recipe]\n{name} = 1"),
    "path of a source": lambda name: in_source("files", f"paths = [{name}]"),
    "provider": lambda name: in_source("optimade", f'filter = "nelements=1"\nprovider = {name}'),
    "key file": lambda name: in_source("materials_project", f'ids = ["mp-75"]\nkey_file = {name}'),
    "table": lambda name: in_source("supercon", f'file = {name}\nstructures = "s"\narchive = "a"'),
    "kind": lambda name: f"{ALUMINIUM}\n[[sources]]\nkind = {name}\n",
}


@pytest.fixture(autouse=True)
def _nothing_was_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MP_API_KEY", raising=False)
    yield
    assert [path for path in tmp_path.rglob("*") if path.name == "pwned"] == []


@pytest.mark.parametrize("place", PLACES)
def test_hostile_name_in_a_campaign_file_is_refused_in_words_fit_for_a_terminal(place, tmp_path, settings):
    refused = 0
    for name in HOSTILE:
        path = write_campaign(tmp_path, PLACES[place](json.dumps(name)))
        try:
            campaign = read_campaign(path, settings)
        except LaunchError as error:
            refused += 1
            said = str(error)
            assert said.replace("\n", "").isprintable()
            assert len(said) <= LONGEST
        else:
            # a blank or line end more in the line of a prototype changes nothing
            assert place == "prototype"
            assert all(SAFE_LABEL.fullmatch(material.folder) for material in campaign.materials)
    assert refused >= len(HOSTILE) - (place == "prototype")


@pytest.mark.parametrize("option", ["NAME", "--queue", "--account"])
def test_hostile_name_of_a_cluster_is_refused(option, settings, capsys):
    for name in HOSTILE:
        given = [name] if option == "NAME" else ["lab", f"{option}={name}"]
        try:
            code = cli.main(["cluster", "add", *given])
        except SystemExit as error:  # what looks like an option
            code = int(error.code or 0)
        assert code == 2 or name == "--help"
        capsys.readouterr()
    assert not (settings.data_directory / "clusters").exists()


def test_hostile_name_of_a_pseudopotential_is_not_put_into_an_input(tmp_path, settings):
    path = write_campaign(tmp_path)
    (tmp_path / "pseudo" / "Al.upf").rename(tmp_path / "outside.upf")
    for name in ("Al touch.upf", "Al\n/\n&control.upf", "Al'.upf", "Al!x.upf", "Al\u202e.upf", "../outside.upf"):
        text = ALUMINIUM.replace('"./pseudo"', f'"./pseudo"\nfiles = {{ Al = {json.dumps(name)} }}')
        path.write_text(text)
        if "/" not in name:
            (tmp_path / "pseudo" / name).write_bytes((tmp_path / "outside.upf").read_bytes())
        with pytest.raises(
            LaunchError, match=r"pseudopotential of Al: (expected a file of the family's folder|no file)"
        ):
            read_campaign(path, settings)


def test_hostile_rows_and_members_are_counted_and_nothing_else(tmp_path, capsys, settings):
    names = [name.replace("\0", "") for name in HOSTILE]
    rows = [("name", "Tc"), *((name, "5") for name in names), ("NbC", "; touch pwned"), ("ZrN", "9.8")]
    with (tmp_path / "table.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    with (tmp_path / "structures.csv").open("w", newline="") as stream:
        known = ("ZrN", "mp-1352$(touch pwned)", "N1Zr1-MP-mp-1352.cif")
        csv.writer(stream).writerows([("formula_sc", "material_id", "cif"), *((n, n, n) for n in names), known])
    content = (DATA / "cifs" / "N1Zr1-MP-mp-1352.cif").read_bytes()
    with tarfile.open(tmp_path / "cifs.tar", "w") as archive:
        for name in (*(f"../{name[:80]}" for name in names), "/tmp/pwned", "N1Zr1-MP-mp-1352.cif"):  # noqa: S108 - a name in an archive
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    before = set(tmp_path.parent.iterdir())
    check = ["sources", "check", "--supercon", "table.csv", "--3dsc", "structures.csv", "cifs.tar"]
    assert cli.main([*check, "--materials", "materials.csv", "--refused", "refused.csv"]) == 0
    assert capsys.readouterr().out.replace("\n", "").isprintable()
    materials = list(csv.DictReader(io.StringIO((tmp_path / "materials.csv").read_text())))
    assert {material["formula"] for material in materials} == {"Al", "ZrN"}
    assert all(SAFE_LABEL.fullmatch(material["label"]) for material in materials)
    assert set(tmp_path.parent.iterdir()) == before


HOSTILE_FOLDER = "a; touch pwned $(touch pwned) `touch pwned` 'b' \u202e"
SBATCH = '#!/bin/sh\nbash "$1" > "$(dirname "$0")/said" 2>&1\necho Submitted batch job 77\n'
PW = '#!/bin/sh\n[ "$2" != /dev/null ] || exit 0\nexit 3\n'


def test_hostile_folders_and_files_are_computed_through_a_batch_script_and_run_nothing(tmp_path):
    """The queue runs the script of the job in a shell, its folder and the structures' names as they are."""
    home, programs = tmp_path / HOSTILE_FOLDER, tmp_path / "bin"
    machine = Machine(home)
    programs.mkdir()
    for name, text in (("pw.x", PW), ("sbatch", SBATCH), ("squeue", "#!/bin/sh\n")):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (home / "cifs").mkdir(parents=True)
    text = ALUMINIUM[: ALUMINIUM.index("[materials.Al]")] + '[[sources]]\nkind = "files"\npaths = ["cifs"]\n'
    write_campaign(home, text)
    for number, name in enumerate(["$(touch pwned).cif", "x;touch pwned\n.cif"]):
        crystal = Structure.from_spacegroup("Fm-3m", Lattice.cubic(4 + number), ["Al"], [(0, 0, 0)])
        (home / "cifs" / name).write_text(crystal.to(fmt="cif").replace("data_Al", "data_$(touch${IFS}pwned)"))
    environment = {
        **machine.environment,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HIGHTC_PW_COMMAND": str(programs / "pw.x"),
        "HIGHTC_CORES": "1",
        "HIGHTC_NOTIFY_COMMAND": "echo '; touch pwned' $(touch pwned)",
        "SLURM_JOB_ID": "77",
    }
    try:
        for command in (("add", "lab"), ("launch", "lab", "tiny.toml", "--once")):
            done = subprocess.run(
                [*HIGHTC, "cluster", *command],
                env=environment,
                cwd=home,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert done.returncode in (0, 1), done.stderr
        states = {firework["name"]: firework["state"] for firework in machine.collection("fireworks")}
    finally:
        machine.stop()
    assert {state for name, state in states.items() if name.endswith(" relax")} == {"FIZZLED"}, (
        programs / "said"
    ).read_text()
    assert all(SAFE_LABEL.fullmatch(name.split()[0]) for name in states)


def test_settings_of_a_job_are_words_of_its_shell(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    from hightc.launch.cluster_launch import _settings_lines  # noqa: PLC0415

    name = "HIGHTC_NOTIFY_COMMAND"
    given = {name: "x'; touch pwned; '$(touch pwned)`touch pwned`"}
    script = "\n".join([*_settings_lines(given), f'printf %s "${name}"'])
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == given[name]
