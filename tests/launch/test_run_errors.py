"""Every way to start a campaign wrongly, through the real command line: one message, exit code 2, nothing left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

import psutil
import pytest
from fakes.campaign_machine import HIGHTC, Machine

from hightc.launch import cli, embedded_mongo

ALUMINIUM = """\
name = "wrong"
protocol = "draft"

[pseudopotentials]
family = "debian"
files = { Al = "Al.pz-vbc.UPF" }

[recipe]
k_mesh = [4, 4, 4]
q_mesh = [2, 2, 2]

[materials.Al]
prototype = "fcc Al 4.05"
"""

ALLOY = dedent("""\
    data_alloy
    _symmetry_space_group_name_H-M 'Fm-3m'
    _cell_length_a 3.6
    _cell_length_b 3.6
    _cell_length_c 3.6
    _cell_angle_alpha 90
    _cell_angle_beta 90
    _cell_angle_gamma 90
    loop_
    _atom_site_label
    _atom_site_type_symbol
    _atom_site_fract_x
    _atom_site_fract_y
    _atom_site_fract_z
    _atom_site_occupancy
    Cu1 Cu 0 0 0 0.5
    Ni1 Ni 0 0 0 0.5
    """)
PASSWORD = "hunter2"  # noqa: S105 - must not be seen again


@dataclass(frozen=True)
class Wrong:
    """A campaign that cannot start, and what its user is told; ``{here}`` is the folder of the campaign."""

    expected: tuple[str, ...]
    replace: tuple[str, str] = ("", "")
    text: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    mode: int = 0o600


def wrong(*expected: str, replace: tuple[str, str] = ("", ""), **others) -> Wrong:
    return Wrong(expected, replace, **others)


MATERIAL = "{here}/wrong.toml: material 'Al': "
FAMILY = "/usr/share/espresso/pseudo"
URI = "check HIGHTC_MONGO_URI and that the server runs, or unset it to use the embedded server"

CASES = {
    "unknown element": wrong(
        MATERIAL + "unknown element 'Xx': expected a chemical symbol such as Nb", replace=("fcc Al", "fcc Xx")
    ),
    "missing pseudopotential": wrong(
        MATERIAL + f"pseudopotential of Nb: none in {FAMILY}",
        "hightc pseudos install pseudo-dojo",
        replace=("fcc Al 4.05", "bcc Nb 3.30"),
    ),
    "ambiguous pseudopotential": wrong(
        MATERIAL + "pseudopotential of Si: ",
        f"files in {FAMILY}: name one in [pseudopotentials.files]: ",
        "Si.pz-vbc.UPF",
        replace=("fcc Al 4.05", "diamond Si 5.43"),
    ),
    "overlapping atoms": wrong(
        MATERIAL + "atoms 1 (Al) and 2 (Al) overlap: 1.06 Angstrom apart, expected at least 1.25: "
        "check the cell and the positions",
        replace=("4.05", "1.5"),
    ),
    "broken TOML": wrong(
        "{here}/wrong.toml: not valid TOML: Invalid value (at line 2, column 12): correct that line",
        replace=('"draft"', "draft"),
    ),
    "misspelt key": wrong(
        "{here}/wrong.toml: unknown key 'protokol': expected one of name, protocol, route,",
        replace=("protocol", "protokol"),
    ),
    "no materials": wrong(
        "{here}/wrong.toml: no materials: name at least one material, [materials.Al] with prototype = 'fcc Al 4.05'",
        text='name = "wrong"\n',
    ),
    "unknown protocol": wrong(
        "{here}/wrong.toml: protocol: ", "(protocols: draft, screen, precise), found 'fast'", replace=("draft", "fast")
    ),
    "missing structure file": wrong(
        MATERIAL + "no structure file {here}/gone.cif: expected a file, its name relative to the campaign file",
        replace=('prototype = "fcc Al 4.05"', 'file = "gone.cif"'),
    ),
    "disordered structure": wrong(
        MATERIAL + "{here}/alloy.cif has partly occupied sites: give an ordered cell or approximant",
        replace=('prototype = "fcc Al 4.05"', 'file = "alloy.cif"'),
        files={"alloy.cif": ALLOY},
    ),
    "incommensurate meshes": wrong(
        MATERIAL + "k_mesh [5, 5, 5] is not a multiple of q_mesh [2, 2, 2]: choose k_mesh as an integer multiple",
        replace=("[4, 4, 4]", "[5, 5, 5]"),
    ),
    "absent pw.x": wrong(
        "program '/nonexistent' is not on PATH: install Quantum ESPRESSO",
        "set HIGHTC_PW_COMMAND to its full path",
        environment={"HIGHTC_PW_COMMAND": "/nonexistent"},
    ),
    "database that does not answer": wrong(
        f"MongoDB at 127.0.0.1:1/x does not answer within 5 s: {URI}",
        environment={"HIGHTC_MONGO_URI": "mongodb://127.0.0.1:1/x"},
    ),
    "database that does not answer, with a password": wrong(
        "MongoDB at 127.0.0.1:1/x does not answer within 5 s",
        environment={"HIGHTC_MONGO_URI": f"mongodb://me:{PASSWORD}@127.0.0.1:1/x"},
    ),
    "malformed URI": wrong(
        f"HIGHTC_MONGO_URI is not a MongoDB URI: expected mongodb://host:27017/hightc: {URI}",
        environment={"HIGHTC_MONGO_URI": f"http://me:{PASSWORD}@host/x"},
    ),
    "misspelt setting": wrong(
        "settings {here}/settings.toml: unknown setting 'processors': expected one of pw_command,",
        "processes,",
        files={"settings.toml": "processors = 2\n"},
    ),
    "password that others can read": wrong(
        "settings {here}/settings.toml: holds mongo_uri but has mode 0644: run: chmod 600 {here}/settings.toml",
        files={"settings.toml": f'mongo_uri = "mongodb://me:{PASSWORD}@127.0.0.1:1/x"\n'},
        mode=0o644,
    ),
    "scratch that is nearly full": wrong(
        "scratch {here}/runs/wrong: expected at least 1e+09 GB free, found ",
        "run where there is more, or lower HIGHTC_SCRATCH_MINIMUM_GB",
        environment={"HIGHTC_SCRATCH_MINIMUM_GB": "1e9"},
    ),
}

FURTHER_CASES = {
    "family that is not installed": wrong(
        MATERIAL + "pseudopotential family 'pseudo-dojo': no folder",
        "run: hightc pseudos install pseudo-dojo",
        replace=('"debian"', '"pseudo-dojo"'),
    ),
    "lattice constant that is no number": wrong(
        MATERIAL + "prototype: expected a line like 'fcc Nb 4.0' (Angstrom), found 'fcc Al nan'",
        replace=("4.05", "nan"),
    ),
    "prototype and file": wrong(
        MATERIAL + "expected either prototype or file, found prototype and file",
        replace=('"fcc Al 4.05"', '"fcc Al 4.05"\nfile = "Al.cif"'),
    ),
    "not text": wrong("{here}/wrong.toml: cannot be read as text", "expected a TOML file in UTF-8", text="\udcff"),
    "misspelt key of a material": wrong(
        "unknown key 'materials.Al.prototyp': expected one of prototype, file, recipe",
        replace=("prototype", "prototyp"),
    ),
    "misspelt number of the recipe": wrong(
        MATERIAL + "unknown setting 'kmesh': expected one of ", "k_mesh,", replace=("k_mesh", "kmesh")
    ),
    "empty table of materials": wrong("no materials: name at least one", text='name = "wrong"\n[materials]\n'),
    "unreadable structure file": wrong(
        MATERIAL + "{here}/odd.cif cannot be read as a structure",
        "expected CIF, POSCAR or pymatgen JSON",
        replace=('prototype = "fcc Al 4.05"', 'file = "odd.cif"'),
        files={"odd.cif": "nothing of the kind\n"},
    ),
    "mesh of one number": wrong(MATERIAL + "k_mesh: ", "found 4", replace=("[4, 4, 4]", "4")),
    "command that is none": wrong(
        "setting 'pw_command': No closing quotation: correct HIGHTC_PW_COMMAND in the environment or pw_command in ",
        environment={"HIGHTC_PW_COMMAND": "'pw.x"},
    ),
    "URI with a password that is not quoted": wrong(
        "HIGHTC_MONGO_URI is not a MongoDB URI", environment={"HIGHTC_MONGO_URI": f"mongodb://me:{PASSWORD}@@host:x/y"}
    ),
    "broken settings file": wrong(
        "settings {here}/settings.toml: not valid TOML: ",
        "(at line 1,",
        "correct that line",
        files={"settings.toml": "processes =\n"},
    ),
    "setting of the wrong kind": wrong(
        "setting 'processes': ", "correct HIGHTC_PROCESSES in the environment", environment={"HIGHTC_PROCESSES": "two"}
    ),
    "work folder that is a file": wrong(
        "folder {here}/file/wrong cannot be made (Not a directory): set HIGHTC_WORK_DIRECTORY to a folder of your own",
        environment={"HIGHTC_WORK_DIRECTORY": "{here}/file"},
        files={"file": ""},
    ),
    "data folder that is a file": wrong(
        "embedded database: {here}/file/mongo cannot be made or used (Not a directory): set HIGHTC_DATA_DIRECTORY",
        environment={"HIGHTC_DATA_DIRECTORY": "{here}/file"},
        files={"file": ""},
    ),
}


def files_below(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if not path.is_dir()}


def prepare(case: Wrong, folder: Path) -> dict[str, str]:
    """Write what the user of a case wrote; returns the settings in the environment."""
    text = ALUMINIUM.replace(*case.replace) if case.text is None else case.text
    (folder / "wrong.toml").write_bytes(text.encode(errors="surrogateescape"))
    for name, content in case.files.items():
        (folder / name).write_text(content)
        (folder / name).chmod(case.mode)
    return {
        "HIGHTC_SETTINGS_FILE": str(folder / "settings.toml"),
        "HIGHTC_DATA_DIRECTORY": str(folder / "data"),
        "HIGHTC_WORK_DIRECTORY": str(folder / "runs"),
        **{name: value.format(here=folder) for name, value in case.environment.items()},
    }


def require_one_message(case: Wrong, folder: Path, said: str) -> None:
    lines = said.splitlines()
    assert len(lines) == 1, said
    assert lines[0].startswith("hightc: ")
    for part in case.expected:
        assert part.format(here=folder) in lines[0]
    assert PASSWORD not in said
    # without a data folder there is no database, so nothing was submitted
    assert not (folder / "data").exists()
    assert files_below(folder) <= {folder / "wrong.toml", *(folder / name for name in case.files)}


def start_wrongly(case: Wrong, folder: Path) -> tuple[Path, subprocess.CompletedProcess[str]]:
    environment = {**Machine(folder).environment, **prepare(case, folder)}
    command = [*HIGHTC, "run", str(folder / "wrong.toml")]
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    return folder, done


@pytest.fixture(scope="module")
def ended(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[dict[str, Future[tuple[Path, subprocess.CompletedProcess[str]]]]]:
    """The cases that were selected, three at a time: an unreachable database is mostly waited for."""
    chosen = [item.callspec.params["name"] for item in request.session.items if "ended" in item.fixturenames]
    with ThreadPoolExecutor(3) as pool:
        yield {name: pool.submit(start_wrongly, CASES[name], tmp_path_factory.mktemp("wrong")) for name in chosen}


@pytest.mark.parametrize("name", CASES)
def test_user_is_told_what_is_wrong_and_nothing_is_left(name, ended) -> None:
    folder, done = ended[name].result()
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    require_one_message(CASES[name], folder, done.stderr)


@pytest.mark.parametrize("name", FURTHER_CASES)
def test_user_is_told_of_further_mistakes(name, tmp_path, monkeypatch, capsys) -> None:
    case = FURTHER_CASES[name]
    for variable in [variable for variable in os.environ if variable.startswith("HIGHTC_")]:
        monkeypatch.delenv(variable)
    for variable, value in prepare(case, tmp_path).items():
        monkeypatch.setenv(variable, value)
    assert cli.main(["run", str(tmp_path / "wrong.toml")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    require_one_message(case, tmp_path, captured.err)


def test_nothing_is_submitted_to_a_database_that_runs(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    try:
        embedded_mongo.start(machine.data / "mongo")
        campaign = tmp_path / "half.toml"
        campaign.write_text(ALUMINIUM + '\n[materials.Nb]\nprototype = "bcc Nb 3.30"\n')
        done = machine.run("run", campaign)
        assert done.returncode == 2
        assert "material 'Nb': pseudopotential of Nb: none in" in done.stderr
        assert machine.collection("fireworks") == machine.collection("workflows") == []
    finally:
        machine.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts file systems")
def test_tiny_file_system_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    work = tmp_path / "runs"
    work.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", work], capture_output=True, check=False)
    if mounted.returncode != 0:
        pytest.skip("this machine does not let root mount a tmpfs")
    try:
        campaign = tmp_path / "wrong.toml"
        campaign.write_text(ALUMINIUM)
        done = Machine(tmp_path).run("run", campaign)
        assert done.returncode == 2
        assert f"scratch {work}/wrong: expected at least 1 GB free, found 0.00105 GB: free some space" in done.stderr
        assert files_below(work) == set()
        assert not Machine(tmp_path).data.exists()
    finally:
        subprocess.run(["umount", work], check=True)


def test_second_run_of_a_campaign_is_refused_wherever_its_folder_is(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    holder = (
        "import sys, time; from pathlib import Path; from hightc.launch.dispatch import hold_campaign\n"
        f"with hold_campaign(Path({str(machine.data)!r}) / 'campaigns' / 'wrong'): print('held', flush=True); input()"
    )
    try:
        campaign = tmp_path / "wrong.toml"
        campaign.write_text(ALUMINIUM)
        with subprocess.Popen(
            [sys.executable, "-c", holder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as other:
            assert other.stdout is not None
            assert other.stdout.readline() == "held\n"
            done = machine.run("run", campaign)
            other.communicate("\n")
        assert done.returncode == 2
        assert "another hightc run works on this campaign: wait for it, or stop it first" in done.stderr
        assert machine.collection("fireworks") == []
    finally:
        machine.stop()


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[tuple[Machine, subprocess.Popen[str]]]:
    """A run whose pw.x never ends."""
    machine = Machine(tmp_path)
    # with an empty input it is only asked for its version
    (tmp_path / "pw.x").write_text('#!/bin/sh\n[ "$2" != /dev/null ] || exit 0\necho begun\nsleep 600\n')
    (tmp_path / "pw.x").chmod(0o755)
    (tmp_path / "settings.toml").write_text(
        f'pw_command = "{tmp_path}/pw.x"\ncores = 1\ndatabase_patience_seconds = 0\n'
    )
    folder = tmp_path / ".config" / "hightc"
    folder.mkdir(parents=True)
    (tmp_path / "settings.toml").rename(folder / "settings.toml")
    (tmp_path / "wrong.toml").write_text(ALUMINIUM)
    with machine.start("run", tmp_path / "wrong.toml") as process:
        end = time.monotonic() + 60
        while not any(path.stat().st_size for path in machine.work.glob("wrong/Al-*/01-relax/pw.out")):
            assert time.monotonic() < end, "pw.x was not started"
            time.sleep(0.1)
        yield machine, process
        process.kill()
    machine.stop()


def living(machine: Machine) -> list[str]:
    """Command lines of processes that work in a folder of the machine."""
    return [
        " ".join(process.info["cmdline"])
        for process in psutil.process_iter(["cmdline", "cwd", "status"])
        if process.info["status"] != psutil.STATUS_ZOMBIE and (process.info["cwd"] or "").startswith(str(machine.work))
    ]


def test_lost_database_ends_the_run_with_where_the_logs_are(busy) -> None:
    machine, process = busy
    embedded_mongo.stop(machine.data / "mongo")
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    last = said.splitlines()[-1]
    assert last.startswith("hightc: MongoDB at embedded server on this machine was lost (")
    assert "hightc run" in last
    assert last.endswith(f"workers' logs: {machine.work}/wrong/workers")
    assert "Traceback" not in said
    assert living(machine) == []


def test_control_c_stops_what_runs_and_the_step_can_be_taken_up(busy) -> None:
    machine, process = busy
    assert living(machine)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "hightc: interrupted; give the same command again to continue"
    assert living(machine) == []
    (launch,) = machine.collection("launches")
    assert launch["state"] == "RUNNING"  # the next run knows it for lost by its worker's name
