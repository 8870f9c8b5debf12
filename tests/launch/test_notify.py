from __future__ import annotations

import io
import json
import shlex
import socket
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import psutil
import pytest
from fakes.report_results import make_result
from fakes.stored_documents import make_tc, temperature
from rich.console import Console

from hightc.launch.notify import TOLD, highest_tc, notify_hits
from hightc.launch.results import Outcome
from hightc.launch.settings import Settings

MU = (0.10, 0.13, 0.16)


def tc(material, *kelvins, method="eliashberg", high=None):
    return make_tc(material, None, *(temperature(method, mu, k, high) for mu, k in zip(MU, kelvins, strict=True)))


def results(*documents):
    return [make_result(document.material, Outcome.ANSWERED, document) for document in documents]


def settings_with(**fields) -> Settings:
    return Settings(cores=1, **fields)


@pytest.fixture
def recorder(tmp_path, settings):
    """A command that appends its standard input, a line a call, to a file."""
    script = tmp_path / "record it.py"
    script.write_text("import sys\nopen(sys.argv[1], 'a').write(sys.stdin.read() + '\\n')\n")
    log = tmp_path / "log"
    return shlex.join([sys.executable, str(script), str(log)]), log


def told(log) -> list[dict]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def notify(found, settings, directory, **options) -> tuple[int, str]:
    stream = io.StringIO()
    return notify_hits(found, settings, directory, Console(file=stream, width=60), **options), stream.getvalue()


@pytest.mark.parametrize(
    ("document", "kelvin"),
    [
        (tc("a", 9.0, 8.0, 7.0), 9.0),
        (tc("a", 9.0, 8.0, 7.0, high=9.5), 9.5),
        (tc("a", 9.0, 8.0, 7.0, method="allen_dynes"), 9.0),
        (tc("a", 9.0, 8.0, 7.0, method="mcmillan"), None),
        (tc("a", None, None, None), None),
        (tc("a", 0.0, 0.0, 0.0), 0.0),
        (make_tc("a", None, temperature("eliashberg", 0.1, 4.0, None), temperature("allen_dynes", 0.1, 8.0, 9.0)), 4.0),
    ],
)
def test_highest_tc_is_the_upper_end_of_the_most_exact_theory_at_any_mu_star(document, kelvin):
    hit = highest_tc(document)
    assert (None if hit is None else hit.tc_kelvin) == kelvin


def test_command_gets_each_hit_above_the_threshold_as_json_and_never_twice(recorder, tmp_path):
    command, log = recorder
    settings = settings_with(notify_command=command, notify_tc_kelvin=5.0)
    found = results(tc("high", 9.0, 8.0, 7.0), tc("low", 4.0, 3.0, 2.0), tc("at", 5.0, 4.0, 3.0))
    count, said = notify(found, settings, tmp_path)
    assert count == 1
    assert said.startswith("hit: high of campaign screen: Tc up to 9 K (Eliashberg, mu* = 0.1), above 5 K: sent by")
    (message,) = told(log)
    assert (message["material"], message["tc_kelvin"], message["mu_star"]) == ("high", 9.0, 0.1)
    assert message["document"]["critical_temperatures"][1]["tc_kelvin"] == 8.0
    assert message["text"] in said
    assert notify(found, settings, tmp_path) == (0, "")
    assert len(told(log)) == 1


def test_newer_document_of_a_material_is_a_new_hit(recorder, tmp_path):
    command, log = recorder
    settings = settings_with(notify_command=command, notify_tc_kelvin=5.0)
    old, new = results(tc("a", 9.0, 8.0, 7.0)), results(tc("a", 9.1, 8.0, 7.0))
    assert [notify(found, settings, tmp_path)[0] for found in (old, new, old)] == [1, 1, 0]
    assert [message["tc_kelvin"] for message in told(log)] == [9.0, 9.1]


def test_only_the_newest_document_of_a_material_counts(recorder, tmp_path):
    (result,) = results(tc("a", 90.0, 80.0, 70.0))
    both = replace(result, documents={"tc": (*result.documents["tc"], tc("a", 1.0, 0.9, 0.8))})
    assert notify([both], settings_with(notify_command=recorder[0]), tmp_path) == (0, "")


def test_nothing_is_done_without_command_and_webhook(tmp_path, settings):
    assert notify(results(tc("a", 90.0, 80.0, 70.0)), settings, tmp_path) == (0, "")
    assert not (tmp_path / TOLD).exists()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import sys; sys.exit('no route to host')", "exit code 1: no route to host; the next run tries again"),
        ("import os; os.kill(os.getpid(), 9)", "exit code -9; the next run"),
    ],
)
def test_failed_command_is_one_warning_and_is_tried_again(recorder, tmp_path, code, message):
    found = results(tc("a", 19.0, 18.0, 17.0), tc("b", 19.0, 18.0, 17.0))
    failing = settings_with(notify_command=shlex.join([sys.executable, "-c", code]))
    count, said = notify(found, failing, tmp_path)
    assert count == 0
    assert said.startswith("warning: command of 2 hits not sent: ")
    assert message in said
    assert said.count("\n") == 1
    assert notify(found, settings_with(notify_command=recorder[0]), tmp_path)[0] == 2


def test_command_that_does_not_exist_is_a_warning(tmp_path, settings):
    count, said = notify(results(tc("a", 19.0, 18.0, 17.0)), settings_with(notify_command="/gone/tell me"), tmp_path)
    assert (count, "No such file or directory: correct HIGHTC_NOTIFY_COMMAND" in said) == (0, True)


def test_command_that_does_not_end_is_ended_with_what_it_started(tmp_path, settings):
    script = f"sleep 60 & echo $! > {tmp_path}/pid; wait"
    asked = settings_with(notify_command=shlex.join(["sh", "-c", script]))
    count, said = notify(results(tc("a", 19.0, 18.0, 17.0)), asked, tmp_path, patience_seconds=1.0)
    assert count == 0
    assert "not done after 1 s, ended" in said
    _, alive = psutil.wait_procs(
        [process for process in psutil.process_iter() if process.pid == int((tmp_path / "pid").read_text())], timeout=5
    )
    assert not alive


def test_server_that_keeps_silent_is_a_warning(tmp_path, settings):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        asked = settings_with(notify_webhook=f"http://127.0.0.1:{silent.getsockname()[1]}/x")
        count, said = notify(results(tc("a", 19.0, 18.0, 17.0)), asked, tmp_path, patience_seconds=0.2)
    assert (count, "127.0.0.1: ReadTimeout" in said) == (0, True)


def test_command_is_run_without_a_shell(recorder, tmp_path):
    command, log = recorder
    settings = settings_with(notify_command=f"{command} ; touch {tmp_path}/made $(touch {tmp_path}/made)")
    assert notify(results(tc("$(touch made)", 19.0, 18.0, 17.0)), settings, tmp_path)[0] == 1
    assert told(log)[0]["material"] == "$(touch made)"
    assert not (tmp_path / "made").exists()


def test_command_that_reads_nothing_is_no_error(tmp_path, settings):
    command = shlex.join([sys.executable, "-c", "pass"])
    assert notify(results(tc("a", 19.0, 18.0, 17.0)), settings_with(notify_command=command), tmp_path)[0] == 1


def test_memory_that_is_not_hightcs_is_a_warning_and_nothing_is_sent(recorder, tmp_path):
    (tmp_path / TOLD).write_text("[]")
    count, said = notify(results(tc("a", 19.0, 18.0, 17.0)), settings_with(notify_command=recorder[0]), tmp_path)
    assert (count, told(recorder[1])) == (0, [])
    assert f"{tmp_path / TOLD}: cannot be read: remove it" in said


def test_memory_that_cannot_be_written_is_a_warning_and_nothing_is_sent(recorder, tmp_path):
    found = results(tc("a", 19.0, 18.0, 17.0))
    count, said = notify(found, settings_with(notify_command=recorder[0]), tmp_path / "gone")
    assert (count, told(recorder[1])) == (0, [])
    assert said.startswith("warning: ")


@pytest.fixture
def hook():
    """A server that keeps what is posted and answers with the status of its path."""
    posted = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append((self.path, self.headers["Content-Type"], json.loads(content)))
            self.send_response(int(self.path.strip("/")))
            self.send_header("Location", "/200")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", posted
    server.shutdown()
    thread.join()
    server.server_close()


def test_webhook_gets_each_hit_once_as_json(hook, tmp_path, settings):
    url, posted = hook
    asked = settings_with(notify_webhook=f"{url}/200")
    found = results(tc("a", 19.0, 18.0, 17.0))
    assert [notify(found, asked, tmp_path)[0] for _ in range(2)] == [1, 0]
    ((_, content_type, message),) = posted
    assert (content_type, message["material"], message["document"]["kind"]) == ("application/json", "a", "tc")


@pytest.mark.parametrize("status", [307, 404, 500])
def test_refusal_and_redirection_of_a_webhook_are_warnings_without_its_secret(hook, tmp_path, settings, status):
    url, posted = hook
    asked = settings_with(notify_webhook=f"{url}/{status}")
    count, said = notify(results(tc("a", 19.0, 18.0, 17.0)), asked, tmp_path)
    assert (count, len(posted)) == (0, 1)
    assert f"127.0.0.1: expected an answer from 200 to 299, found {status}" in said
    assert f"/{status}" not in said


def test_webhook_that_nobody_serves_is_a_warning_and_the_command_is_told(hook, recorder, tmp_path):
    url, _ = hook
    asked = settings_with(notify_webhook="http://127.0.0.1:9/secret", notify_command=recorder[0])
    found = results(tc("a", 19.0, 18.0, 17.0))
    count, said = notify(found, asked, tmp_path)
    assert (count, len(told(recorder[1]))) == (1, 1)
    assert "warning: webhook of 1 hits not sent: 127.0.0.1: ConnectionError" in said
    assert "secret" not in said
    # each way remembers for itself
    assert notify(found, settings_with(notify_webhook=f"{url}/200", notify_command=recorder[0]), tmp_path)[0] == 1
    assert len(told(recorder[1])) == 1
