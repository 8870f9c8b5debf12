from __future__ import annotations

from pathlib import Path

import pytest

from hightc.launch.errors import SettingsError
from hightc.launch.settings import Settings, load_settings

URI = "mongodb://me:hunter2@host/hightc"


@pytest.fixture
def file(tmp_path, settings):
    path = tmp_path / "settings.toml"
    path.touch(mode=0o600)
    return path


def test_environment_wins_over_the_file_and_arguments_over_both(file, monkeypatch):
    file.write_text("processes = 2\nthreads = 2\nworkers = 2\n")
    monkeypatch.setenv("HIGHTC_THREADS", "3")
    monkeypatch.setenv("HIGHTC_WORKERS", "3")
    found = load_settings(workers=4)
    assert (found.processes, found.threads, found.workers) == (2, 3, 4)


def test_file_is_found_below_the_configuration_home(file, monkeypatch, tmp_path):
    monkeypatch.delenv("HIGHTC_SETTINGS_FILE")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "hightc").mkdir()
    (tmp_path / "hightc" / "settings.toml").write_text("processes = 7\n")
    assert load_settings().processes == 7


def test_missing_file_is_no_error(settings):
    assert load_settings().processes == 1


def test_uri_is_shown_by_no_representation(file):
    file.write_text(f'mongo_uri = "{URI}"\n')
    found = load_settings()
    assert "hunter2" not in f"{found!r} {found} {found.model_dump_json()}"
    assert found.mongo_uri is not None
    assert found.mongo_uri.get_secret_value() == URI


@pytest.mark.parametrize(("mode", "refused"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_file_with_a_uri_must_be_the_users_alone(mode, refused, file):
    file.write_text(f'mongo_uri = "{URI}"\n')
    file.chmod(mode)
    if refused:
        with pytest.raises(SettingsError, match=rf"has mode {mode:04o}: run: chmod 600 {file}$"):
            load_settings()
    else:
        assert load_settings().mongo_uri is not None


def test_file_without_a_uri_may_be_read_by_all(file):
    file.write_text("processes = 2\n")
    file.chmod(0o644)
    assert load_settings().processes == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("processors = 2", r"unknown setting 'processors': expected one of pw_command, .*, workers\b"),
        ("processes = 0", r"setting 'processes': Input should be greater than or equal to 1: correct HIGHTC_PROCESSES"),
        ("pw_command = ''", r"setting 'pw_command': expected a command, found nothing: correct HIGHTC_PW_COMMAND"),
        ("mpi_command = '\"'", r"setting 'mpi_command': No closing quotation: correct HIGHTC_MPI_COMMAND"),
        ("notify_command = ' '", r"setting 'notify_command': expected a command, found nothing"),
        (
            "notify_webhook = 'http://host/x'",
            r"setting 'notify_webhook': expected an address that starts with https://",
        ),
        ("notify_webhook = 'https://'", r"setting 'notify_webhook': expected an address"),
        ("notify_webhook = 'http://localhost@host/x'", r"setting 'notify_webhook': expected an address"),
        ("notify_webhook = 'http://['", r"setting 'notify_webhook': "),
        ("notify_tc_kelvin = -1", r"setting 'notify_tc_kelvin': Input should be greater than or equal to 0"),
        ("notify_tc_kelvin = inf", r"setting 'notify_tc_kelvin': Input should be a finite number"),
        ("walltime_seconds = 10", r"setting 'walltime_seconds': Input should be greater than 60"),
        ("processes =", r"not valid TOML: .*line 1.*: correct that line"),
    ],
)
def test_wrong_setting_is_named_with_where_to_correct_it(line, message, file):
    file.write_text(f"{line}\n")
    with pytest.raises(SettingsError, match=message) as refused:
        load_settings()
    assert str(file) in str(refused.value)


def test_message_about_a_wrong_setting_holds_no_secret(file):
    file.write_text(f'mongo_uri = ["{URI}"]\n')
    with pytest.raises(SettingsError, match="setting 'mongo_uri'") as refused:
        load_settings()
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("command", ["srun -n {processes} --mpi=pmix", "/opt/qe/bin/pw.x", "'/opt/my qe/pw.x' -v"])
def test_command_may_have_arguments_and_spaces(command, monkeypatch, settings):
    monkeypatch.setenv("HIGHTC_PW_COMMAND", command)
    assert load_settings().pw_command == command


def test_home_is_meant_by_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = Settings(work_directory=Path("~/runs"), data_directory=Path("~/data"))
    assert (settings.work_directory, settings.data_directory) == (tmp_path / "runs", tmp_path / "data")


@pytest.mark.parametrize("address", ["https://host/hook?key=1", "http://localhost:8000/x", "http://[::1]:8000"])
def test_webhook_is_https_or_on_this_machine_and_is_shown_by_no_representation(address, settings):
    found = Settings(notify_webhook=address)
    assert found.notify_webhook is not None
    assert found.notify_webhook.get_secret_value() == address
    assert address not in f"{found!r} {found} {found.model_dump_json()}"


def test_file_with_a_webhook_must_be_the_users_alone(file):
    file.write_text('notify_webhook = "https://host/key"\n')
    file.chmod(0o644)
    with pytest.raises(SettingsError, match=r"notify_webhook but has mode 0644"):
        load_settings()
