from __future__ import annotations

import argparse
import os
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fakes.slurm_jobs import run_out_of_time
from fakes.tiny_campaign import NAME, submit_jobs
from fakes.tiny_jobs import answer
from fireworks import FWorker
from jobflow import SETTINGS

from hightc.launch.claims import CLAIM_SECONDS
from hightc.launch.cluster import ClusterError, JobShape, find_cluster, list_clusters, walltime_seconds, write_cluster
from hightc.launch.cluster_check import check_cluster
from hightc.launch.cluster_command import add_cluster
from hightc.launch.cluster_fit import MOST_LOSSES
from hightc.launch.cluster_launch import QueueLauncher, launch_until_done, why_untaken
from hightc.launch.cluster_offline import run_offline
from hightc.launch.cluster_queue import job_worker_name, living_jobs
from hightc.launch.command_parser import CommandParser
from hightc.launch.step_resources import StepResources

PBS = JobShape(system="pbs", queue="batch", account="physics", nodes=4, processes_per_node=48, walltime="12:30:00")


def command(*words):
    parser = CommandParser(prog="hightc")
    add_cluster(parser.add_subparsers())
    options: argparse.Namespace = parser.parse_args(["cluster", *words])
    return options.command(options)


def place_program(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program on PATH in the place of one that only a centre has."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_files_of_a_new_cluster_are_read_by_fireworks_as_they_were_asked_for(settings):
    shape = JobShape(queue="compute", account="physics", nodes=2, processes_per_node=24, walltime="1-12:00:00")
    cluster = write_cluster("lab", shape, settings, max_jobs=5, force=False)
    script = cluster.qadapter().get_script_str("/somewhere")
    for line in (
        "#SBATCH --nodes=2",
        "#SBATCH --ntasks-per-node=24",
        "#SBATCH --time=1-12:00:00",
        "#SBATCH --partition=compute",
        "#SBATCH --account=physics",
        f". {cluster.environment_file}",
    ):
        assert line in script.splitlines()
    assert cluster.walltime_seconds == 36 * 3600
    assert cluster.fworker().name == "lab"
    assert cluster.most_jobs == 5
    assert not cluster.offline
    assert [entry.name for entry in list_clusters(settings)] == ["lab"]


def test_lines_for_what_was_not_asked_are_left_out(settings):
    script = write_cluster("lab", JobShape(), settings, force=False).qadapter().get_script_str("/somewhere")
    assert "--partition" not in script
    assert "--account" not in script


def test_folder_with_a_space_and_a_quote_is_found_by_jobs(settings, tmp_path):
    elsewhere = settings.model_copy(update={"data_directory": tmp_path / "my lab's"})
    cluster = write_cluster("lab", JobShape(), elsewhere, force=False)
    cluster.environment_file.write_text("echo found\n")
    line = next(line for line in cluster.qadapter().get_script_str("/").splitlines() if line.startswith(". "))
    said = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
    assert said.stdout == "found\n"


def test_files_that_are_there_are_kept_unless_forced(settings):
    cluster = write_cluster("lab", JobShape(), settings, force=False)
    cluster.environment_file.write_text("module load qe\n")
    with pytest.raises(ClusterError, match="--force"):
        write_cluster("lab", JobShape(), settings, force=False)
    assert cluster.environment_file.read_text() == "module load qe\n"
    write_cluster("lab", JobShape(), settings, force=True)
    assert cluster.environment_file.read_text() != "module load qe\n"


@pytest.mark.parametrize("name", ["", "../lab", "a b", "-lab", "lab;rm", "a..b", "x" * 32])
def test_name_that_is_no_plain_word_is_refused(name, settings):
    with pytest.raises(ClusterError, match="cluster name: expected"):
        write_cluster(name, JobShape(), settings, force=False)


@pytest.mark.parametrize("field", ["queue", "account"])
def test_queue_that_is_no_plain_word_is_refused(field):
    with pytest.raises(ClusterError, match=f"{field}: expected"):
        JobShape(**{field: "a\n#SBATCH --exclusive"})


@pytest.mark.parametrize(
    ("text", "seconds"), [("24:00:00", 86400), ("00:05:00", 300), ("2-00:00:00", 172800), ("01:30", 5400)]
)
def test_time_limits_are_read(text, seconds):
    assert walltime_seconds(text) == seconds


@pytest.mark.parametrize("text", ["00:00:00", "a day", "", None, 43200, "1:99:00"])
def test_what_is_no_time_limit_is_refused(text):
    with pytest.raises(ClusterError, match="walltime: expected"):
        walltime_seconds(text)


def test_cluster_that_is_not_known_is_told_with_those_that_are(settings):
    write_cluster("lab", JobShape(), settings, force=False)
    with pytest.raises(ClusterError, match=r"known: lab.*hightc cluster add other"):
        find_cluster("other", settings)


@pytest.mark.parametrize("content", ["- a\n", "_fw_q_type: LSF\n", "{", "a: b\n"])
def test_adapter_file_that_cannot_be_used_is_named(content, settings):
    cluster = write_cluster("lab", JobShape(), settings, force=False)
    cluster.qadapter_file.write_text(content)
    with pytest.raises(ClusterError, match=r"my_qadapter\.yaml"):
        cluster.qadapter()


def test_pbs_job_asks_for_nodes_and_runs_a_reserved_step(settings, database, tmp_path, monkeypatch):
    kept = tmp_path / "submitted"
    place_program(tmp_path / "bin", "qsub", f'cp "$1" {kept}; echo 4711.server', monkeypatch)
    place_program(tmp_path / "bin", "qstat", "echo 'Job ID Name'; echo '4711.server hightc'", monkeypatch)
    submission = submit_jobs("A", [answer("one")], database, tmp_path, settings)
    monkeypatch.setenv("HIGHTC_MONGO_URI", "mongodb://user:secret@host/base")
    monkeypatch.setenv("HIGHTC_PW_COMMAND", "pw.x -x 'y'")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HIGHTC_DATA_DIRECTORY", "data")
    launcher = QueueLauncher(write_cluster("lab", PBS, settings, force=False), NAME, database, tmp_path, reserve=True)
    assert launcher.launch() == ["4711"]
    script = kept.read_text()
    for line in (
        "#PBS -l nodes=4:ppn=48",
        "#PBS -l walltime=12:30:00",
        "#PBS -q batch",
        "#PBS -A physics",
        "#PBS -N A_answer",
    ):
        assert line in script.splitlines()
    assert f"--fw_id {submission.fw_ids[0]}" in script
    assert "--seconds 45000" in script
    assert "secret" not in script
    before = script.split("cd ")[0]
    shell = ["sh", "-c", f'{before}printf %s "$HIGHTC_PW_COMMAND in $HIGHTC_DATA_DIRECTORY"']
    said = subprocess.run(shell, capture_output=True, text=True, check=True)
    assert said.stdout == f"pw.x -x 'y' in {tmp_path / 'data'}"
    assert living_jobs(launcher.cluster) == {"4711"}
    assert launcher.recover() == []
    # the job is gone: the queue no longer shows it
    place_program(tmp_path / "bin", "qstat", "exit 0", monkeypatch)
    assert launcher.recover() == list(submission.fw_ids)


def test_queue_that_does_not_answer_loses_nobody(settings, database, tmp_path, monkeypatch):
    place_program(tmp_path / "bin", "qsub", "echo 4711.server", monkeypatch)
    place_program(tmp_path / "bin", "qstat", "echo 'no server' >&2; exit 1", monkeypatch)
    submission = submit_jobs("A", [answer("one")], database, tmp_path, settings)
    launcher = QueueLauncher(write_cluster("lab", PBS, settings, force=False), NAME, database, tmp_path, reserve=True)
    launcher.launch()
    with pytest.raises(ClusterError, match="no server"):
        launcher.recover()
    assert database.launchpad.fireworks.find_one({"fw_id": submission.fw_ids[0]})["state"] == "RESERVED"


@pytest.mark.parametrize(("age_seconds", "state"), [(CLAIM_SECONDS + 1, "READY"), (1, "RESERVED")])
def test_step_whose_job_was_killed_between_claim_and_launch_is_ready_again(
    age_seconds, state, settings, database, tmp_path
):
    (fw_id,) = submit_jobs("A", [answer("one")], database, tmp_path, settings).fw_ids
    claimed = {"state": "RESERVED", "updated_on": datetime.now(UTC) - timedelta(seconds=age_seconds)}
    database.launchpad.fireworks.update_one({"fw_id": fw_id}, {"$set": claimed})
    launcher = QueueLauncher(write_cluster("lab", PBS, settings, force=False), NAME, database, tmp_path)
    assert launcher.recover() == ([fw_id] if state == "READY" else [])
    assert database.launchpad.fireworks.find_one({"fw_id": fw_id})["state"] == state


def test_step_that_loses_every_job_fails_in_the_end(settings, database, tmp_path, monkeypatch):
    place_program(tmp_path / "bin", "qsub", "echo 4711.server", monkeypatch)
    place_program(tmp_path / "bin", "qstat", "exit 0", monkeypatch)
    (fw_id,) = submit_jobs("A", [answer("one")], database, tmp_path, settings).fw_ids
    launcher = QueueLauncher(write_cluster("lab", PBS, settings, force=False), NAME, database, tmp_path, reserve=True)
    launcher.launch()
    before = {"$set": {"archived_launches": list(range(1000, 1000 + MOST_LOSSES))}}
    database.launchpad.fireworks.update_one({"fw_id": fw_id}, before)
    assert launcher.recover() == []
    assert database.launchpad.fireworks.find_one({"fw_id": fw_id})["state"] == "FIZZLED"
    (launch,) = database.launchpad.launches.find({})
    assert "give jobs more time" in launch["action"]["stored_data"]["_exception"]["_stacktrace"]


NUMBERS = StepResources(core_seconds=600, processes=4, wall_seconds=1800, memory_mb=100)


def give_numbers(database, fw_ids, category="small", **values):
    """Let steps say what they want, as those of a material do whose cost is known."""
    spec = {"spec._category": category, "spec.resources": NUMBERS.model_copy(update=values).model_dump()}
    database.launchpad.fireworks.update_many({"fw_id": {"$in": list(fw_ids)}}, {"$set": spec})


@pytest.mark.parametrize(
    ("said", "walltimes"),
    [
        (
            "slurmstepd: error: *** JOB {} ON n CANCELLED AT 2026-11-23T05:00:00 DUE TO TIME LIMIT ***",
            [1800, 3600, 7200],
        ),
        ("slurmstepd: error: *** JOB {} ON n CANCELLED AT 2026-11-23T05:00:00 ***", [1800, 1800, 1800]),
    ],
)
def test_step_killed_at_the_time_it_was_estimated_to_need_gets_twice_as_much(
    said, walltimes, settings, database, tmp_path, monkeypatch
):
    count, scripts = tmp_path / "count", tmp_path / "scripts"
    scripts.mkdir()
    count.write_text("")
    submits = f'echo x >> {count}; n=$(wc -l < {count}); cp "$1" {scripts}/$n; echo Submitted batch job $n'
    place_program(tmp_path / "bin", "sbatch", submits, monkeypatch)
    place_program(tmp_path / "bin", "squeue", "exit 0", monkeypatch)
    submission = submit_jobs("A", [answer("one")], database, tmp_path, settings)
    give_numbers(database, submission.fw_ids)
    shape = JobShape(nodes=2, processes_per_node=8, walltime="02:00:00")
    launcher = QueueLauncher(write_cluster("lab", shape, settings, force=False), NAME, database, tmp_path, reserve=True)
    folder = tmp_path / submission.material.folder / "01-answer"
    for number, seconds in enumerate(walltimes, start=1):
        assert launcher.launch() == [str(number)]
        script = (scripts / str(number)).read_text().splitlines()
        clock = f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}:00"
        assert f"#SBATCH --time={clock}" in script
        assert "#SBATCH --ntasks=4" in script
        assert "#SBATCH --nodes=1" in script
        assert any(f"--seconds {seconds}" in line for line in script)
        worker = FWorker(name=job_worker_name("lab", str(number)))
        database.launchpad.checkout_fw(worker, str(folder), fw_id=submission.fw_ids[0])
        (folder / f"A_answer-{number}.error").write_text(said.format(number))
        assert launcher.recover() == list(submission.fw_ids)
    # what each job asked for is known of the launches that are kept
    firework = database.launchpad.fireworks.find_one({"fw_id": submission.fw_ids[0]})
    assert len(firework["archived_launches"]) == len(walltimes)
    # no job asks for more than the cluster gives
    assert launcher.launch()
    last = walltimes[-1] if walltimes[-1] == walltimes[0] else 7200
    assert f"--time={last // 3600:02d}:{last % 3600 // 60:02d}:00" in (scripts / "4").read_text()


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """A queue that takes every job, and whose jobs wait for ever."""
    count = tmp_path / "count"
    count.write_text("")
    place_program(
        tmp_path / "bin", "sbatch", f"echo x >> {count}; echo Submitted batch job $(wc -l < {count})", monkeypatch
    )
    place_program(tmp_path / "bin", "squeue", f"seq $(wc -l < {count})", monkeypatch)


@pytest.mark.usefixtures("queue", "run_worker")
def test_step_that_ran_out_of_time_on_a_node_without_database_is_ready_again(settings, database, tmp_path, monkeypatch):
    submission = submit_jobs("A", [run_out_of_time(str(tmp_path))], database, tmp_path, settings)
    give_numbers(database, submission.fw_ids)
    cluster = write_cluster("lab", JobShape(processes_per_node=4), settings, offline=True, force=False)
    launcher = QueueLauncher(cluster, NAME, database, tmp_path)
    folder = tmp_path / submission.material.folder / "01-run_out_of_time"
    for state, seconds in (("READY", 3600), ("COMPLETED", 3600)):
        assert len(launcher.launch()) == 1
        monkeypatch.chdir(folder)
        run_offline(folder)
        SETTINGS.JOB_STORE.close()
        assert launcher.recover() == []
        firework = database.launchpad.fireworks.find_one({"fw_id": submission.fw_ids[0]})
        assert (firework["state"], firework["spec"]["resources"]["wall_seconds"]) == (state, seconds)


@pytest.mark.usefixtures("queue")
def test_clusters_take_the_steps_of_their_categories_and_the_rest_is_told(settings, database, tmp_path):
    for label, category in (("A", "small"), ("B", "parallel"), ("C", "epw")):
        give_numbers(database, submit_jobs(label, [answer(label)], database, tmp_path, settings).fw_ids, category)
    launchers = [
        QueueLauncher(
            write_cluster(name, JobShape(), settings, categories=categories, force=False),
            NAME,
            database,
            tmp_path,
            reserve=True,
        )
        for name, categories in (("short", ["serial", "small"]), ("large", ["parallel"]))
    ]
    assert [len(launcher.launch()) for launcher in launchers] == [1, 1]
    told = why_untaken(launchers)
    assert "cluster short, large does not take: 1 epw; for example C answer" in told
    assert "hightc cluster launch A,B FILE" in told
    assert why_untaken([launchers[0]]).startswith("ready steps that cluster short does not take: 1 epw")


@pytest.mark.usefixtures("queue")
def test_campaign_ends_with_advice_when_only_steps_are_left_that_no_cluster_takes(settings, database, tmp_path):
    submission = submit_jobs("A", [answer("one")], database, tmp_path, settings)
    give_numbers(database, submission.fw_ids, memory_mb=4000)
    cluster = write_cluster("lab", JobShape(memory_mb_per_node=2000), settings, force=False)
    launcher = QueueLauncher(cluster, NAME, database, tmp_path)
    with pytest.raises(ClusterError, match=r"1 small; for example A answer \(about 4000 MB for each process\)"):
        launch_until_done([launcher], lambda: True, poll_seconds=0.1, report=print)


@pytest.mark.usefixtures("queue")
def test_jobs_that_run_steps_side_by_side_are_as_many_as_their_cores_need(settings, database, tmp_path):
    for label in "ABCDEF":
        submission = submit_jobs(label, [answer(label)], database, tmp_path, settings)
        give_numbers(database, submission.fw_ids, processes=2)
    cluster = write_cluster("lab", JobShape(processes_per_node=8), settings, force=False)
    assert len(QueueLauncher(cluster, NAME, database, tmp_path, pack=True).launch()) == 2
    assert QueueLauncher(cluster, NAME, database, tmp_path, pack=True).launch() == []


@pytest.mark.parametrize(("nodes", "reserve"), [(2, False), (1, True)])
def test_packing_needs_one_node_and_jobs_that_take_what_is_ready(nodes, reserve, settings, database, tmp_path):
    cluster = write_cluster("lab", JobShape(nodes=nodes), settings, force=False)
    with pytest.raises(ClusterError, match=f"expected one node, found {nodes}"):
        QueueLauncher(cluster, NAME, database, tmp_path, reserve=reserve, pack=True)


def test_no_more_jobs_are_submitted_than_allowed(settings, database, tmp_path, monkeypatch):
    count = tmp_path / "count"
    place_program(tmp_path / "bin", "qsub", f"echo x >> {count}; echo $(wc -l < {count}).server", monkeypatch)
    place_program(tmp_path / "bin", "qstat", f"seq $(wc -l < {count})", monkeypatch)
    count.touch()
    for label in "ABC":
        submit_jobs(label, [answer(label)], database, tmp_path, settings)
    cluster = write_cluster("lab", PBS, settings, force=False)
    pilots = QueueLauncher(cluster, NAME, database, tmp_path, max_jobs=2)
    assert pilots.launch() == ["1", "2"]
    # those that wait in the queue are enough, also for a launcher that was started anew
    assert QueueLauncher(cluster, NAME, database, tmp_path, max_jobs=8).launch() == ["3"]
    assert QueueLauncher(cluster, NAME, database, tmp_path, max_jobs=8).launch() == []


def test_address_of_the_database_is_its_owners_alone(settings, database, tmp_path):
    cluster = write_cluster("lab", JobShape(), settings, force=False)
    QueueLauncher(cluster, NAME, database, tmp_path)
    assert stat.S_IMODE(cluster.launchpad_file.stat().st_mode) == 0o600
    assert database.uri in cluster.launchpad_file.read_text()


def test_commands_write_list_and_show_a_cluster(settings, capsys):
    assert command("add", "lab", "--system", "pbs", "--walltime", "10:00:00", "--offline") == 0
    assert "hightc cluster check lab" in capsys.readouterr().out
    assert command("list") == 0
    assert capsys.readouterr().out.startswith("lab: ")
    assert command("show", "lab") == 0
    shown = capsys.readouterr().out
    assert "_fw_q_type: PBS" in shown
    assert "offline: true" in shown
    with pytest.raises(ClusterError):
        command("add", "lab")


def test_cluster_is_written_for_categories_and_the_memory_of_its_nodes(settings):
    assert command("add", "short", "--category", "small,serial", "--memory-per-node", "64000") == 0
    worker = find_cluster("short", settings).fworker()
    assert worker.category == ["serial", "small"]
    assert worker.env["memory_mb_per_node"] == 64000
    shown = next(item for item in check_cluster(find_cluster("short", settings), settings) if item.name == "files")
    assert "serial and small steps" in str(shown)
    with pytest.raises(SystemExit):
        command("add", "other", "--category", "tiny")


def test_category_that_no_step_has_is_told(settings):
    cluster = write_cluster("lab", JobShape(), settings, force=False)
    cluster.fworker_file.write_text(cluster.fworker_file.read_text().replace("category: ''", "category: [tiny]"))
    assert "no step has the category tiny" in str(check_cluster(cluster, settings)[0])


def test_check_names_what_is_missing(settings, capsys, monkeypatch, tmp_path):
    cluster = write_cluster("lab", PBS, settings, force=False)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    cluster.environment_file.write_text("if then\n")
    cluster.launchpad_file.write_text("host: x\n")
    cluster.launchpad_file.chmod(0o644)
    assert command("check", "lab") == 1
    said = capsys.readouterr().out
    assert "qsub is not on PATH" in said
    assert f"correct {cluster.environment_file}" in said
    assert f"chmod 600 {cluster.launchpad_file}" in said
    assert "HIGHTC_MONGO_URI" in said
