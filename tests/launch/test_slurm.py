"""Campaigns in the jobs of a real Slurm of one node."""

from __future__ import annotations

import argparse
import itertools
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fakes.slurm import Slurm, wait_until, why_no_slurm
from fakes.slurm_jobs import double, hang_once, quadruple, refuse, surroundings
from fakes.tiny_campaign import NAME, submit_jobs
from fakes.tiny_jobs import answer

from hightc.analysis.documents import FermiDocument, TcDocument
from hightc.launch.cluster import Cluster, ClusterError, JobShape, write_cluster
from hightc.launch.cluster_campaign import is_under_way
from hightc.launch.cluster_command import add_cluster
from hightc.launch.cluster_job import STARTED_VARIABLE
from hightc.launch.cluster_launch import QueueLauncher, launch_until_done
from hightc.launch.command_parser import CommandParser
from hightc.launch.queries import documents
from hightc.launch.settings import Settings
from hightc.launch.step_resources import StepResources
from hightc.launch.store import OUTPUTS, Database
from hightc.makers.qe.inputs import read_namelists

pytestmark = pytest.mark.qe

TESTS = Path(__file__).parents[1]
POLL_SECONDS = 0.5
PATIENCE_SECONDS = 90.0

ALUMINIUM = """
name = "queued"
protocol = "draft"
studies = ["{study}"]
mu_star = [0.1]

[pseudopotentials]
family = "debian"
files = {{ Al = "Al.pz-vbc.UPF" }}

[recipe]
k_mesh = [4, 4, 4]
k_mesh_dense = [8, 8, 8]
q_mesh = [2, 2, 2]
degauss_ry = 0.05
ecutwfc_ry = 16
tr2_ph = 1e-12
relax = false

[materials.Al]
prototype = "fcc Al 3.9688"
"""


@pytest.fixture(scope="module")
def slurm() -> Iterator[Slurm]:
    reason = why_no_slurm()
    if reason is not None:
        pytest.skip(reason)
    slurm = Slurm()
    try:
        slurm.start()
        yield slurm
    finally:
        slurm.stop()


@dataclass
class Lab:
    """A cluster on the test's Slurm, and a database whose address only the settings know."""

    slurm: Slurm
    settings: Settings
    database: Database
    directory: Path

    def cluster(self, *, offline: bool = False, processes: int = 1) -> Cluster:
        shape = JobShape(queue="debug", walltime="00:05:00", processes_per_node=processes)
        cluster = write_cluster("lab", shape, self.settings, offline=offline, force=True)
        with cluster.environment_file.open("a") as stream:
            stream.write(f"export PYTHONPATH={shlex.quote(str(TESTS))}\n")
        return cluster

    def launcher(self, *, offline: bool = False, reserve: bool = False) -> QueueLauncher:
        return QueueLauncher(self.cluster(offline=offline), NAME, self.database, self.directory, reserve)

    def finish(self, launcher: QueueLauncher) -> list[str]:
        """Launch until nothing is left to do; what was reported."""
        lines: list[str] = []
        launch_until_done(
            [launcher], lambda: is_under_way(NAME, self.database), poll_seconds=POLL_SECONDS, report=lines.append
        )
        return lines

    def outputs(self) -> list[object]:
        return [entry["output"] for entry in self.database.collections[OUTPUTS].find({})]

    def states(self, fw_ids: tuple[int, ...]) -> list[str]:
        found = self.database.launchpad.fireworks.find({"fw_id": {"$in": list(fw_ids)}}).sort("fw_id", -1)
        return [entry["state"] for entry in found]

    def command(self, *words: str) -> int:
        """Run ``hightc cluster``."""
        parser = CommandParser(prog="hightc")
        add_cluster(parser.add_subparsers())
        options: argparse.Namespace = parser.parse_args(["cluster", *words])
        return int(options.command(options))


@pytest.fixture
def lab(
    slurm: Slurm, settings: Settings, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Lab]:
    monkeypatch.setenv("SLURM_CONF", str(slurm.configuration))
    monkeypatch.setenv("HIGHTC_MONGO_URI", database.uri)
    yield Lab(slurm, settings, database, tmp_path)
    slurm.set_node("resume")
    slurm.ask("scancel", "--full", *slurm.jobs())


def test_campaign_whose_job_was_cancelled_while_ph_x_ran_ends_with_tc(lab, tmp_path, capsys):
    lab.cluster()
    path = tmp_path / "queued.toml"
    path.write_text(ALUMINIUM.format(study="electron_phonon"))
    assert lab.command("launch", "lab", str(path), "--max-jobs", "1", "--once") == 0
    (job,) = lab.slurm.jobs()
    wait_until(lambda: list(tmp_path.glob("runs/queued/Al-*/*-ph-*/ph.out")), PATIENCE_SECONDS)
    lab.slurm.ask("scancel", "--full", job)
    wait_until(lambda: not lab.slurm.jobs(), PATIENCE_SECONDS)
    assert lab.command("launch", "lab", str(path), "--max-jobs", "1", "--poll", "1") == 0
    said = capsys.readouterr().out
    assert "1 steps lost their job and are taken up again" in said
    assert "report: " in said
    (found,) = documents(lab.database, TcDocument)
    assert found.lambda_ > 0
    workers = lab.database.launchpad.launches.distinct("fworker.name")
    assert len(workers) == 2
    assert all(name.startswith("queue@lab:") for name in workers)
    # given again, there is nothing to do
    assert lab.command("launch", "lab", str(path), "--poll", "1") == 0
    assert lab.slurm.jobs() == []


def test_campaign_on_nodes_without_database_loses_nothing_when_the_node_is_drained(lab, tmp_path, capsys):
    lab.cluster(offline=True)
    path = tmp_path / "queued.toml"
    path.write_text(ALUMINIUM.format(study="nesting"))
    assert lab.command("launch", "lab", str(path), "--once") == 0
    assert "jobs are at work; go on with: hightc cluster launch lab" in capsys.readouterr().out
    (job,) = lab.slurm.jobs()
    wait_until(lambda: lab.slurm.state(job) == "RUNNING", PATIENCE_SECONDS)
    lab.slurm.set_node("drain")
    wait_until(lambda: not lab.slurm.jobs(), PATIENCE_SECONDS)
    assert lab.slurm.state(job) == "COMPLETED"
    lab.slurm.set_node("resume")
    assert lab.command("recover-offline") == 0
    assert capsys.readouterr().out == "1 steps ended\n"
    assert lab.command("launch", "lab", str(path), "--poll", "1") == 0
    (found,) = documents(lab.database, FermiDocument, load_arrays=True)
    assert found.material == "Al"
    assert lab.database.launchpad.offline_runs.count_documents({"completed": False}) == 0
    assert all(launch["state"] == "COMPLETED" for launch in lab.database.launchpad.launches.find({}))


def test_job_that_slurm_kills_at_its_time_limit_is_taken_up_again(lab):
    submission = submit_jobs("A", [hang_once(), answer("next")], lab.database, lab.directory, lab.settings)
    launcher = lab.launcher()
    (job,) = launcher.launch()
    hung = lab.directory / submission.material.folder / "01-hang_once" / "hung"
    wait_until(hung.exists, PATIENCE_SECONDS)
    # Slurm counts limits in minutes, but takes an earlier end of a running job
    lab.slurm.ask("scontrol", "update", f"jobid={job}", "EndTime=now+1")
    wait_until(lambda: lab.slurm.state(job) == "TIMEOUT", PATIENCE_SECONDS)
    wait_until(lambda: job not in lab.slurm.jobs(), PATIENCE_SECONDS)
    lines = lab.finish(launcher)
    assert lines[0] == "1 steps lost their job and are taken up again"
    assert sorted(lab.outputs()) == ["after all", "next"]


def time_limit(slurm: Slurm, job: str) -> str:
    words = dict(word.partition("=")[::2] for word in slurm.ask("scontrol", "show", "job", job).split())
    return words["TimeLimit"]


@pytest.mark.slow
def test_reserved_step_that_slurm_kills_at_its_estimated_time_gets_twice_as_much(lab):
    submission = submit_jobs("A", [hang_once()], lab.database, lab.directory, lab.settings)
    numbers = StepResources(core_seconds=60, processes=1, wall_seconds=120, memory_mb=50)
    lab.database.launchpad.fireworks.update_many({}, {"$set": {"spec.resources": numbers.model_dump()}})
    launcher = lab.launcher(reserve=True)
    (job,) = launcher.launch()
    assert time_limit(lab.slurm, job) == "00:02:00"
    wait_until((lab.directory / submission.material.folder / "01-hang_once" / "hung").exists, PATIENCE_SECONDS)
    lab.slurm.ask("scontrol", "update", f"jobid={job}", "EndTime=now+1")
    wait_until(lambda: job not in lab.slurm.jobs(), PATIENCE_SECONDS)
    assert launcher.recover() == list(submission.fw_ids)
    (again,) = launcher.launch()
    assert time_limit(lab.slurm, again) == "00:04:00"
    lab.finish(launcher)
    assert lab.outputs() == ["after all"]


@pytest.mark.slow
def test_materials_are_computed_side_by_side_in_one_job(lab, tmp_path):
    lab.cluster(processes=2)
    path = tmp_path / "queued.toml"
    path.write_text(ALUMINIUM.format(study="nesting") + '[materials.Al2]\nprototype = "fcc Al 4.0"\n')
    assert lab.command("launch", "lab", str(path), "--pack", "--max-jobs", "1", "--poll", "1") == 0
    assert {found.material for found in documents(lab.database, FermiDocument)} == {"Al", "Al2"}
    launches = list(lab.database.launchpad.launches.find({}, {"fworker.name": 1, "time_start": 1, "time_end": 1}))
    assert {launch["fworker"]["name"] for launch in launches} == {launches[0]["fworker"]["name"]}
    spans = sorted((str(launch["time_start"]), str(launch["time_end"])) for launch in launches)
    assert any(later[0] < earlier[1] for earlier, later in itertools.pairwise(spans))


STOPS_ONCE = """\
#!/bin/sh
# pw.x whose time is over at once when it is started for the first time
if [ "$2" != /dev/null ] && [ ! -e "$0.stopped" ]; then
    touch "$0.stopped"
    sed -i 's/max_seconds *=.*/max_seconds = {seconds}/' "$2"
fi
exec pw.x "$@"
"""


def test_program_that_the_clock_stops_goes_on_in_the_next_job_from_where_it_was(lab, tmp_path, monkeypatch):
    cluster = lab.cluster()
    wrapped = tmp_path / "pw_stops_once"
    wrapped.write_text(STOPS_ONCE.format(seconds=0.3))
    wrapped.chmod(0o755)
    monkeypatch.setenv("HIGHTC_PW_COMMAND", str(wrapped))
    path = tmp_path / "queued.toml"
    path.write_text(
        ALUMINIUM.format(study="nesting").replace("[4, 4, 4]", "[16, 16, 16]").replace("[8, 8, 8]", "[16, 16, 16]")
    )
    environment = cluster.environment_file.read_text()
    # the job began three minutes ago, and has two left: too few to go on once a program has stopped
    started = f"export {STARTED_VARIABLE}=$(($(date +%s) - 180))\n"
    cluster.environment_file.write_text(environment + started)
    assert lab.command("launch", "lab", str(path), "--max-jobs", "1", "--once") == 0
    wait_until(lambda: not lab.slurm.jobs(), PATIENCE_SECONDS)
    (launch,) = lab.database.launchpad.launches.find({})
    assert "OutOfTimeError" in launch["action"]["stored_data"]["_exception"]["_stacktrace"]
    assert lab.database.launchpad.fireworks.find_one({"name": "Al relax"})["state"] == "READY"
    cluster.environment_file.write_text(environment)
    assert lab.command("launch", "lab", str(path), "--max-jobs", "1", "--poll", "1") == 0
    (found,) = documents(lab.database, FermiDocument)
    assert found.material == "Al"
    (relaxed,) = tmp_path.glob("runs/queued/Al-*/01-relax/pw.in")
    assert read_namelists(relaxed)["control"]["restart_mode"] == "restart"


@pytest.mark.parametrize("offline", [False, True])
def test_cancelled_job_of_a_reserved_step_is_taken_up_again(lab, offline):
    submission = submit_jobs("A", [hang_once()], lab.database, lab.directory, lab.settings)
    launcher = lab.launcher(offline=offline, reserve=True)
    (job,) = launcher.launch()
    wait_until((lab.directory / submission.material.folder / "01-hang_once" / "hung").exists, PATIENCE_SECONDS)
    assert launcher.recover() == []
    lab.slurm.ask("scancel", "--full", job)
    wait_until(lambda: job not in lab.slurm.jobs(), PATIENCE_SECONDS)
    assert launcher.recover() == list(submission.fw_ids)
    lab.finish(launcher)
    assert lab.outputs() == ["after all"]


def test_job_cancelled_before_it_began_gives_its_step_back(lab):
    submission = submit_jobs("A", [answer("one")], lab.database, lab.directory, lab.settings)
    launcher = lab.launcher(reserve=True)
    lab.slurm.set_node("drain")
    (job,) = launcher.launch()
    assert lab.states(submission.fw_ids) == ["RESERVED"]
    assert launcher.launch() == []
    lab.slurm.ask("scancel", job)
    wait_until(lambda: job not in lab.slurm.jobs(), PATIENCE_SECONDS)
    assert launcher.recover() == list(submission.fw_ids)
    assert lab.states(submission.fw_ids) == ["READY"]


def test_jobs_know_their_time_and_processes_and_never_the_databases_address(lab):
    submit_jobs("A", [surroundings()], lab.database, lab.directory, lab.settings)
    lab.finish(lab.launcher())
    (seen,) = lab.outputs()
    assert "HIGHTC_MONGO_URI" not in seen
    assert seen["HIGHTC_PROCESSES"] == "1"
    # of five minutes, half a minute is for the end, and the start took something
    assert 61 <= float(seen["HIGHTC_WALLTIME_SECONDS"]) <= 300 - 30
    (script,) = lab.directory.glob("workers/launcher_*/FW_submit.script")
    assert lab.database.uri not in script.read_text()


def test_step_without_database_reads_what_others_computed_makes_jobs_and_says_why_it_failed(lab):
    first = double(3)
    submission = submit_jobs("A", [first, quadruple(first.output), refuse()], lab.database, lab.directory, lab.settings)
    lab.finish(lab.launcher(offline=True))
    assert [output for output in lab.outputs() if isinstance(output, int)] == [6, 24]
    assert lab.states(submission.fw_ids) == ["COMPLETED", "COMPLETED", "FIZZLED"]
    launch = lab.database.launchpad.launches.find_one({"state": "FIZZLED"})
    assert "no such luck" in launch["action"]["stored_data"]["_exception"]["_stacktrace"]


def test_refused_job_says_why_and_leaves_its_step_ready(lab):
    submission = submit_jobs("A", [answer("one")], lab.database, lab.directory, lab.settings)
    launcher = lab.launcher(reserve=True)
    file = launcher.cluster.qadapter_file
    file.write_text(file.read_text().replace("queue: debug", "queue: nowhere"))
    with pytest.raises(ClusterError, match="invalid partition"):
        launcher.launch()
    assert lab.states(submission.fw_ids) == ["READY"]


def test_jobs_that_cannot_start_are_not_submitted_for_ever(lab):
    submission = submit_jobs("A", [answer("one")], lab.database, lab.directory, lab.settings)
    launcher = lab.launcher(reserve=True)
    with launcher.cluster.environment_file.open("a") as stream:
        stream.write("echo no module here >&2\nexit 1\n")
    with pytest.raises(ClusterError, match=r"3 jobs ended without beginning a step.*no module here"):
        lab.finish(launcher)
    assert lab.states(submission.fw_ids) == ["READY"]


def test_check_finds_a_working_queue_and_a_partition_that_is_not_there(lab, capsys):
    cluster = lab.cluster()
    assert lab.command("check", "lab") == 0
    cluster.qadapter_file.write_text(cluster.qadapter_file.read_text().replace("queue: debug", "queue: nowhere"))
    assert lab.command("check", "lab") == 1
    assert "no partition nowhere" in capsys.readouterr().out
