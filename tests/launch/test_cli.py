from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import pytest

from hightc.analysis.documents import DOCUMENTS
from hightc.analysis.documents.tc import Method
from hightc.launch import cli, embedded_mongo, query_command
from hightc.launch.settings import Settings
from hightc.launch.settings_listing import setting_sources, unknown_variables
from hightc.makers.qe.recipe import PROTOCOL_NAMES

HEAVY = ("ase", "atomate2", "bson", "fireworks", "jobflow", "numpy", "pydantic", "pymatgen", "pymongo", "rich", "scipy")
HELP_SECONDS = 0.5
PB = Path(__file__).parents[1] / "data" / "epw" / "pb" / "pb.a2f_iso"


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    """The environment without settings of this machine."""
    unwanted = ("HIGHTC_", "PYTHONUNBUFFERED")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return {
        **kept,
        "HIGHTC_SETTINGS_FILE": str(tmp_path / "settings.toml"),
        "HIGHTC_DATA_DIRECTORY": str(tmp_path / "data"),
    }


@pytest.fixture
def here(monkeypatch, environment):
    """The same environment for commands that run in this process."""
    for name in [name for name in os.environ if name.startswith("HIGHTC_")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        if name.startswith("HIGHTC_"):
            monkeypatch.setenv(name, value)


def hightc(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hightc.launch.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **options)


def test_help_takes_less_than_half_a_second():
    seconds = []
    for _ in range(3):  # the fastest of three: other programs share the machine
        start = time.monotonic()
        assert hightc("--help").returncode == 0
        seconds.append(time.monotonic() - start)
    assert min(seconds) < HELP_SECONDS


def test_help_imports_nothing_heavy():
    code = "import sys\nfrom hightc.launch.cli import main\ntry:\n main(['--help'])\nexcept SystemExit:\n pass\n"
    code += "print(sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stderr.strip("[]\n").replace("'", "").split(", ")}
    assert "argparse" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_installed_command_is_the_module():
    script = Path(sys.executable).with_name("hightc")
    done = subprocess.run([script, "--help"], capture_output=True, text=True, check=True)
    assert done.stdout == hightc("--help").stdout


def test_help_says_what_protocols_are_for_and_where_settings_live():
    text = hightc("--help").stdout
    assert all(f"\n  {protocol} " in text for protocol in PROTOCOL_NAMES)
    assert "HIGHTC_SETTINGS_FILE" in text
    assert "~/.config/hightc/settings.toml" in text
    assert "hightc doctor" in text


@pytest.mark.parametrize(
    "command", ["run", "tc", "query", "export", "doctor", "pseudos", "database", "settings", "failures", "version"]
)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([command, "--help"])
    assert ended.value.code == 0
    assert f"usage: hightc {command}" in capsys.readouterr().out


def test_no_command_prints_the_help(capsys):
    assert cli.main([]) == 0
    assert "start here:" in capsys.readouterr().out


def test_choices_of_the_command_line_are_those_of_the_documents():
    assert set(query_command.KINDS) == set(DOCUMENTS)
    assert set(query_command.METHODS) == set(get_args(Method))


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
def test_version_is_that_of_the_distribution(arguments, capsys):
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out == "hightc 0.1.0\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["query", "--lambda", "1"], "expected MIN:MAX such as 0.5:2, 5: or :10, found '1'"),
        (["query", "--tc", "a:b"], "expected MIN:MAX"),
        (["query", "--kind", "guess"], "--kind: invalid choice: 'guess'"),
        (["tc", "x", "--mu-star", "0.1", "0.2"], "0.2: no such option or argument (for several values, repeat the"),
        (["guess"], "invalid choice: 'guess'"),
        (["run", "c.toml", "--workers", "0"], "expected a whole number above 0, found '0'"),
        (["run"], "CAMPAIGN.toml"),
        (["pseudos"], "ACTION"),
    ],
)
def test_wrong_command_line_is_refused_with_2_and_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("hightc: ")
    assert message in said
    command = "" if arguments == ["guess"] else f"{arguments[0]} "
    assert said.endswith(f": see hightc {command}--help\n")
    assert said.count("\n") == 1


@pytest.mark.parametrize("arguments", [["settings"], ["--help"], ["version"], ["tc", "--help"], ["tc", str(PB)]])
@pytest.mark.parametrize(
    ("output", "said"), [(">/dev/full", "cannot write: no space left"), (">&-", "output is closed")]
)
def test_output_that_cannot_be_written_is_one_line_and_2(environment, arguments, output, said):
    command = f"{shlex.join([sys.executable, '-m', 'hightc.launch.cli', *arguments])} {output}"
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True, env=environment, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("hightc: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_expected_error_is_one_message_without_a_traceback(environment, tmp_path):
    done = hightc("run", str(tmp_path / "gone.toml"), env=environment)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"hightc: {tmp_path}/gone.toml: no such file")
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("variable", "value", "arguments", "message"),
    [
        ("HIGHTC_PROCESSES", "none", ["settings"], "hightc: setting 'processes': "),
        ("HIGHTC_MONGO_URI", "http://nowhere", ["query"], "hightc: HIGHTC_MONGO_URI is not a MongoDB URI"),
        ("HIGHTC_CORES", "1", ["pseudos", "show", "Xx"], "hightc: element: expected a chemical symbol"),
        ("HIGHTC_CORES", "1", ["pseudos", "install", "pseudo-dojo", "--table", "x"], "hightc: table 'x': expected"),
        ("HIGHTC_CORES", "1", ["query", "--documents"], "hightc: --documents: whole documents come as JSON"),
    ],
)
def test_errors_of_each_layer_end_with_2(variable, value, arguments, message, monkeypatch, capsys):
    monkeypatch.setenv(variable, value)
    if arguments[0] == "query" and variable != "HIGHTC_MONGO_URI":
        monkeypatch.setenv("HIGHTC_MONGO_URI", "http://nowhere")
    assert cli.main(arguments) == 2
    assert capsys.readouterr().err.startswith(message)


def test_interrupt_ends_with_130_and_one_line(environment):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-m", "hightc.launch.cli", "query"],
            env={**environment, "HIGHTC_MONGO_URI": f"mongodb://127.0.0.1:{port}/hightc"},
            stderr=subprocess.PIPE,
            text=True,
        )
        connection, _ = silent.accept()  # it now waits for an answer
        with connection:
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == "hightc: interrupted; give the same command again to continue\n"


@pytest.mark.parametrize("arguments", [["settings"], ["--help"], ["version"]])
def test_reader_that_went_away_is_no_error_message(environment, arguments):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "hightc.launch.cli", *arguments]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    os.close(writing)
    assert done.stderr == ""
    assert done.returncode in {1, 141}  # rich ends with 1 by itself


@pytest.mark.usefixtures("here")
def test_settings_are_shown_with_where_they_come_from_and_secrets_are_masked(tmp_path, monkeypatch, capsys):
    file = tmp_path / "settings.toml"
    file.write_text('processes = 3\nmongo_uri = "mongodb://me:hunter2@host/hightc"\n')
    file.chmod(0o600)
    monkeypatch.setenv("HIGHTC_THREADS", "5")
    assert cli.main(["settings"]) == 0
    captured = capsys.readouterr().out
    assert "hunter2" not in captured
    lines = {
        line.split("│")[1].strip(): [part.strip() for part in line.split("│")]
        for line in captured.splitlines()
        if "│" in line
    }
    assert lines["processes"][2:4] == ["3", "file"]
    assert lines["threads"][2:4] == ["5", "environment"]
    assert lines["pw_command"][2:4] == ["pw.x", "default"]
    assert lines["mongo_uri"][2:4] == ["********", "file"]
    assert set(Settings.model_fields) <= set(lines)
    assert lines["processes"][4] == Settings.model_fields["processes"].description


@pytest.mark.usefixtures("here")
def test_variable_that_is_no_setting_is_named(monkeypatch, capsys):
    monkeypatch.setenv("HIGHTC_PROCESSORS", "4")
    assert cli.main(["settings"]) == 1
    assert "HIGHTC_PROCESSORS is set, but there is no such setting" in capsys.readouterr().err


def test_variables_are_read_in_any_case_as_settings_are(tmp_path):
    environment = {"hightc_threads": "2", "HIGHTC_SETTINGS_FILE": "x", "PATH": "/bin"}
    assert unknown_variables(environment) == []
    assert setting_sources(tmp_path / "none.toml", environment)["threads"] == "environment"


@pytest.mark.usefixtures("here")
def test_embedded_database_starts_tells_and_stops(tmp_path, capsys):
    directory = tmp_path / "data" / "mongo"
    try:
        assert cli.main(["database", "status"]) == 1
        assert "state: not running" in capsys.readouterr().out
        assert cli.main(["database", "start"]) == 0
        assert capsys.readouterr().out.startswith("mongodb://%2F")
        assert cli.main(["database", "status"]) == 0
        out = capsys.readouterr().out
        assert "state: running" in out
        assert "n_documents: 0" in out
        assert cli.main(["database", "stop"]) == 0
        assert not embedded_mongo.status(directory).running
    finally:
        embedded_mongo.stop(directory)


@pytest.mark.usefixtures("here")
def test_refusal_of_the_embedded_database_is_an_expected_error(tmp_path, capsys):
    directory = tmp_path / "data" / "mongo"
    directory.mkdir(parents=True)
    (directory / "mine").write_text("")
    directory.chmod(0o755)
    assert cli.main(["database", "start"]) == 2
    assert "expected mode 0700" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_embedded_database_says_when_another_one_is_used(monkeypatch, capsys):
    monkeypatch.setenv("HIGHTC_MONGO_URI", "mongodb://host/hightc")
    assert cli.main(["database", "status"]) == 1
    assert "HIGHTC_MONGO_URI is set" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_query_of_an_empty_database_finds_nothing(tmp_path, capsys):
    try:
        arguments = ["query", "--elements", "Nb, O", "--only", "--formula", "NbO", "--lambda", "1:", "--tc", ":20"]
        assert cli.main([*arguments, "--kind", "alpha2f", "--campaign", "c", "--material", "m", "--limit", "3"]) == 0
        captured = capsys.readouterr()
        assert (captured.out, captured.err) == (
            "",
            "no document meets the filters (of the kind tc, unless --kind names another)\n",
        )
        assert cli.main(["query", "--format", "json"]) == 0
        assert capsys.readouterr().out == "[\n]\n"
        assert cli.main(["query", "--tc", "5:1"]) == 2
        assert cli.main(["query", "--elements", "Xx"]) == 2
    finally:
        embedded_mongo.stop(tmp_path / "data" / "mongo")


@pytest.mark.usefixtures("here")
def test_doctor_ends_with_1_where_something_is_missing(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("HIGHTC_PW_COMMAND", str(tmp_path / "gone.x"))
    try:
        assert cli.main(["doctor"]) == 1
    finally:
        embedded_mongo.stop(tmp_path / "data" / "mongo")
    assert "problem: pw.x: program" in capsys.readouterr().out


@pytest.mark.usefixtures("here")
def test_pseudopotentials_are_listed(tmp_path, capsys):
    folder = tmp_path / "data" / "pseudopotentials" / "mine"
    folder.mkdir(parents=True)
    assert cli.main(["pseudos", "list"]) == 0
    assert "mine" in capsys.readouterr().out
