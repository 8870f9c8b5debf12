from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pymongo import MongoClient

from hightc.launch import embedded_mongo
from hightc.launch.doctor import (
    check_database,
    check_directory,
    check_packages,
    check_pseudopotentials,
    check_settings,
    diagnose,
)
from hightc.launch.findings import Finding, show_findings
from hightc.launch.program_checks import check_mpi, check_process_death, check_programs
from hightc.launch.settings import Settings, load_settings
from hightc.makers.qe.pseudopotentials import DEFAULT_PSEUDO_DOJO

BANNERS = {"pw": "PWSCF", "ph": "PHONON", "q2r": "Q2R", "matdyn": "MATDYN", "epw": "EPW"}
BROKEN = "echo 'error while loading shared libraries: libmkl.so' >&2; exit 127"


def write_program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def banner(program: str, version: str = "7.2") -> str:
    """What Quantum ESPRESSO prints before it misses its input, as recorded from 6.7."""
    return (
        f'echo "     Program {program} v.{version} starts on 22Nov2026 at 16:37:36 "\n'
        'echo "     Parallel version (MPI), running on     ${FAKE_RANKS:-1} processors"\nexit 1'
    )


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch, tmp_path):
    for name in ("MONGO_URI", "DATA_DIRECTORY", "WORK_DIRECTORY", "PROCESSES", "CORES", "PW_COMMAND"):
        monkeypatch.delenv(f"HIGHTC_{name}", raising=False)
    monkeypatch.setenv("HIGHTC_SETTINGS_FILE", str(tmp_path / "settings.toml"))


@pytest.fixture
def programs(tmp_path) -> dict[str, str]:
    """Fake programs, and an mpirun that starts two ranks."""
    folder = tmp_path / "bin"
    folder.mkdir()
    commands = {
        f"{name}_command": write_program(folder / f"{name}.x", banner(title)) for name, title in BANNERS.items()
    }
    mpirun = write_program(folder / "mpirun", 'shift 2\nFAKE_RANKS=2 exec "$@"')
    return {**commands, "mpi_command": f"{mpirun} -np {{processes}}"}


@pytest.fixture
def settings(tmp_path, programs) -> Settings:
    return load_settings(data_directory=tmp_path / "data", work_directory=tmp_path / "runs", **programs)


def by_name(findings) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def test_programs_that_name_their_version_are_ok(settings):
    found = by_name(check_programs(settings))
    assert list(found) == ["pw.x", "ph.x", "q2r.x", "matdyn.x", "epw.x"]
    assert all(finding.status == "ok" for finding in found.values())
    assert found["pw.x"].found == f"7.2 ({settings.pw_command})"


def test_absent_program_is_a_problem_with_the_command_that_installs_it(settings, tmp_path):
    without = settings.model_copy(update={"pw_command": str(tmp_path / "gone.x")})
    finding = by_name(check_programs(without))["pw.x"]
    assert finding.status == "problem"
    assert "apt-get install quantum-espresso" in finding.advice
    assert "HIGHTC_PW_COMMAND" in finding.advice


def test_absent_epw_is_a_warning_because_only_one_route_needs_it(settings, tmp_path):
    found = by_name(check_programs(settings.model_copy(update={"epw_command": str(tmp_path / "gone.x")})))
    assert found["epw.x"].status == "warning"
    assert "only the Wannier route" in found["epw.x"].found


def test_epw_counts_its_own_versions(settings, tmp_path):
    other = write_program(tmp_path / "bin" / "epw.x", banner("EPW", "5.3.1"))
    assert "Quantum ESPRESSO" not in by_name(check_programs(settings.model_copy(update={"epw_command": other})))


def test_program_that_cannot_load_its_libraries_is_a_problem_that_quotes_it(settings, tmp_path):
    broken = write_program(tmp_path / "bin" / "broken.x", BROKEN)
    finding = by_name(check_programs(settings.model_copy(update={"ph_command": broken})))["ph.x"]
    assert finding.status == "problem"
    assert "exit code 127, error while loading shared libraries: libmkl.so" in finding.found
    assert f"run: {broken} < /dev/null" in finding.advice


def test_program_that_hangs_is_a_problem(settings, tmp_path):
    slow = write_program(tmp_path / "bin" / "slow.x", "exec sleep 60")
    found = by_name(check_programs(settings.model_copy(update={"q2r_command": slow}), timeout_seconds=0.5))
    assert found["q2r.x"].status == "problem"
    assert "no answer within 0.5 s" in found["q2r.x"].found


def test_programs_of_different_versions_are_a_warning(settings, tmp_path):
    other = write_program(tmp_path / "bin" / "other.x", banner("MATDYN", "6.7MaX"))
    found = by_name(check_programs(settings.model_copy(update={"matdyn_command": other})))
    assert found["Quantum ESPRESSO"].status == "warning"
    assert found["Quantum ESPRESSO"].found == "versions 6.7MaX, 7.2"


def test_two_ranks_that_know_of_each_other_are_ok(settings):
    assert check_mpi(settings).status == "ok"


def test_mpirun_of_another_mpi_is_a_problem(settings, tmp_path):
    stranger = write_program(tmp_path / "bin" / "stranger", 'shift 2\n"$@"; "$@"')
    finding = check_mpi(settings.model_copy(update={"mpi_command": f"{stranger} -np {{processes}}", "processes": 2}))
    assert finding.status == "problem"
    assert "do not know of each other" in finding.found
    assert "HIGHTC_MPI_COMMAND" in finding.advice


def test_absent_mpirun_is_a_problem_only_where_several_cores_are_used(settings, tmp_path):
    without = settings.model_copy(update={"mpi_command": f"{tmp_path}/gone -np {{processes}}", "processes": 2})
    assert check_mpi(without).status == "problem"
    assert "openmpi-bin" in check_mpi(without).advice
    assert check_mpi(without.model_copy(update={"processes": 1, "cores": 1})).status == "warning"


def test_failing_mpirun_is_a_problem_that_quotes_it(settings, tmp_path):
    failing = write_program(tmp_path / "bin" / "failing", "echo 'no slots available' >&2; exit 1")
    finding = check_mpi(settings.model_copy(update={"mpi_command": f"{failing} -np {{processes}}", "processes": 2}))
    assert finding.status == "problem"
    assert "no slots available" in finding.found


def test_missing_setpriv_is_a_warning(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = check_process_death()
    assert finding.status == "warning"
    assert "apt-get install util-linux" in finding.advice
    refusing = tmp_path / "old"
    refusing.mkdir()
    write_program(refusing / "setpriv", "exit 1")  # util-linux before 2.33 does not know --pdeathsig
    monkeypatch.setenv("PATH", str(refusing))
    assert check_process_death().status == "warning"
    write_program(tmp_path / "setpriv", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert check_process_death().status == "ok"


def test_no_pseudopotentials_are_a_problem(settings, tmp_path):
    (finding,) = check_pseudopotentials(settings, tmp_path / "no-debian")
    assert finding.status == "problem"
    assert finding.advice == "run: hightc pseudos install pseudo-dojo"


def test_debian_alone_is_a_warning(settings, tmp_path):
    debian = tmp_path / "debian"
    debian.mkdir()
    found = by_name(check_pseudopotentials(settings, debian))
    assert found["pseudopotentials debian"].status == "ok"
    assert found["pseudopotentials pseudo-dojo"].status == "warning"


def test_damaged_table_is_a_problem_with_the_command_that_mends_it(settings, tmp_path):
    folder = settings.pseudopotentials_directory / DEFAULT_PSEUDO_DOJO
    folder.mkdir(parents=True)
    (folder / "SHA256SUMS").write_text(f"{'0' * 64}  Pb.upf\n")
    (finding,) = check_pseudopotentials(settings, tmp_path / "no-debian")
    assert finding.status == "problem"
    assert "damaged: Pb.upf" in finding.found
    assert finding.advice.endswith(f"--table {DEFAULT_PSEUDO_DOJO}")


def test_embedded_database_is_started_and_written(settings):
    try:
        found = by_name(check_database(settings))
        assert found["database"].status == "ok"
        assert "was started" in found["database"].found
        assert "was running" in by_name(check_database(settings))["database"].found
        (fireworks,) = (finding for name, finding in found.items() if name.startswith("FireWorks"))
        assert (fireworks.status, fireworks.found) == ("ok", "no fireworks yet")
    finally:
        embedded_mongo.stop(settings.data_directory / "mongo")


def test_fireworks_are_counted_and_lost_counters_are_a_problem(settings, tmp_path):
    directory = tmp_path / "mongo"
    uri = embedded_mongo.start(directory)
    try:
        there = load_settings(mongo_uri=uri)
        with MongoClient(uri) as client:
            client["hightc"]["fireworks"].insert_many([{"fw_id": 1, "state": "READY"}, {"fw_id": 2, "state": "READY"}])
            (_, lost) = check_database(there)
            assert (lost.status, lost.found) == ("problem", "2 READY, but no counters")
            client["hightc"]["fw_id_assigner"].insert_one({"next_fw_id": 3})
            (_, kept) = check_database(there)
            assert (kept.status, kept.found) == ("ok", "2 READY")
            assert client["hightc"]["hightc_doctor"].count_documents({}) == 0
    finally:
        embedded_mongo.stop(directory)


def test_wrong_uri_is_a_problem_that_names_the_variable():
    (finding,) = check_database(load_settings(mongo_uri="nonsense"))
    assert finding.status == "problem"
    assert "HIGHTC_MONGO_URI is not a MongoDB URI" in finding.advice


def test_folder_that_others_can_enter_is_refused_for_the_embedded_database(settings):
    directory = settings.data_directory / "mongo"
    directory.mkdir(parents=True)
    (directory / "mine").write_text("")
    directory.chmod(0o755)
    (finding,) = check_database(settings)
    assert finding.status == "problem"
    assert "expected mode 0700" in finding.advice


def test_folder_that_does_not_exist_yet_is_judged_by_the_one_above(settings, tmp_path):
    finding = check_directory("work directory", tmp_path / "a" / "b", "HIGHTC_WORK_DIRECTORY", settings)
    assert finding.status == "ok"
    assert not (tmp_path / "a").exists()


def test_folder_that_cannot_be_written_is_a_problem(settings):
    finding = check_directory("work directory", Path("/proc/hightc"), "HIGHTC_WORK_DIRECTORY", settings)
    assert finding.status == "problem"
    assert "HIGHTC_WORK_DIRECTORY" in finding.advice


def test_full_disk_is_a_problem(settings, tmp_path):
    greedy = settings.model_copy(update={"scratch_minimum_gb": 1e9})
    finding = check_directory("work directory", tmp_path, "HIGHTC_WORK_DIRECTORY", greedy)
    assert finding.status == "problem"
    assert "HIGHTC_SCRATCH_MINIMUM_GB" in finding.advice


def test_installed_packages_satisfy_each_other():
    finding = check_packages()
    assert finding.status == "ok", finding
    assert "fireworks 2." in finding.found


def test_missing_package_is_a_problem_with_the_command_that_installs_it():
    finding = check_packages(["hightc-that-nobody-wrote"])
    assert finding.status == "problem"
    assert finding.advice == "run: pip install 'hightc-that-nobody-wrote'"


def test_settings_file_that_others_can_change_is_a_warning(tmp_path):
    (before,) = check_settings()
    assert (before.status, "none at" in before.found) == ("ok", True)
    path = tmp_path / "settings.toml"
    path.write_text("processes = 2\n")
    path.chmod(0o666)
    (finding,) = check_settings()
    assert finding.status == "warning"
    assert finding.advice.endswith(f"chmod go-w {path}")
    path.chmod(0o644)
    (finding,) = check_settings()
    assert finding.status == "ok"


def test_misspelt_variable_is_a_warning(monkeypatch):
    monkeypatch.setenv("HIGHTC_PROCESSORS", "4")
    found = by_name(check_settings())
    assert found["environment"].status == "warning"
    assert "HIGHTC_PROCESSORS" in found["environment"].found


def test_exit_code_is_1_only_with_a_problem_and_every_advice_is_printed(capsys):
    fine = [Finding("a", "ok", "there"), Finding("b", "warning", "half there", "run: this")]
    assert show_findings(fine) == 0
    assert show_findings([*fine, Finding("c", "problem", "gone [sic]", "run: that")]) == 1
    out = capsys.readouterr().out
    assert "warning: b: run: this" in out
    assert "problem: c: run: that" in out
    assert "gone [sic]" in out
    assert "3 checks: 1 problems, 1 warnings" in out


def test_everything_is_looked_at_and_every_problem_has_advice(settings, tmp_path):
    try:
        findings = diagnose(settings, tmp_path / "no-debian")
    finally:
        embedded_mongo.stop(settings.data_directory / "mongo")
    names = [finding.name for finding in findings]
    assert {"Python packages", "settings file", "pw.x", "MPI", "setpriv", "database", "work directory"} < set(names)
    assert all(finding.advice for finding in findings if finding.status != "ok")
    assert [finding.name for finding in findings if finding.status == "problem"] == ["pseudopotentials pseudo-dojo"]


@pytest.mark.qe
@pytest.mark.skipif(shutil.which("pw.x") is None, reason="Quantum ESPRESSO is not installed")
def test_installed_quantum_espresso_is_recognised_alone_and_in_two_processes():
    real = load_settings()
    assert {finding.status for finding in check_programs(real)} == {"ok"}
    assert check_mpi(real).status == "ok"
