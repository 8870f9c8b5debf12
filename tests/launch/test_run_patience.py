"""``hightc run`` whose embedded database is killed: it is started again, and what runs is not disturbed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from fakes.campaign_machine import Machine
from fakes.tiny_campaign import write_campaign

from hightc.launch import embedded_mongo

PATIENCE_SECONDS = 60


def wait_for(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, f"waited {PATIENCE_SECONDS} s for {what}"
        time.sleep(0.1)


def test_killed_embedded_database_is_started_again_while_the_program_runs_on(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    # with an empty input it is only asked for its version
    (tmp_path / "pw.x").write_text('#!/bin/sh\n[ "$2" != /dev/null ] || exit 0\necho $$\nexec sleep 600\n')
    (tmp_path / "pw.x").chmod(0o755)
    text = write_campaign(tmp_path).read_text() + 'studies = ["nesting"]\n'
    (tmp_path / "tiny.toml").write_text(text)
    folder = tmp_path / ".config" / "hightc"
    folder.mkdir(parents=True)
    (folder / "settings.toml").write_text(f'pw_command = "{tmp_path}/pw.x"\ncores = 1\n')
    data = machine.data / "mongo"
    with machine.start("run", tmp_path / "tiny.toml") as process:
        try:
            wait_for(lambda: any(path.stat().st_size for path in machine.work.glob("tiny/Al-*/01-*/pw.out")), "pw.x")
            (output,) = machine.work.glob("tiny/Al-*/01-*/pw.out")
            program = int(output.read_text())
            os.kill(embedded_mongo.status(data).pid or 0, signal.SIGKILL)
            wait_for(lambda: embedded_mongo.status(data).running, "the database to be back")
            time.sleep(1)
            assert process.poll() is None
            os.kill(program, 0)
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=PATIENCE_SECONDS)
        finally:
            process.kill()
            machine.stop()
    assert process.returncode == 130, said
    assert said.count("database is away since") == said.count("database is back after") == 1
    assert int(output.read_text()) == program
