"""A Slurm of one node on this machine, with its own munge, ports and folders; nothing of it outlives `stop`."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

from hightc.makers.execution import die_with_parent

PROGRAMS = ("slurmctld", "slurmd", "munged", "mungekey", "sbatch", "squeue", "scontrol", "scancel")
START_SECONDS = 30.0
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={root}/munge.socket
CryptoType=crypto/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.pid
SlurmctldPort={controller_port}
SlurmdPort={node_port}
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
InactiveLimit=0
KillWait=1
OverTimeLimit=0
MinJobAge=300
SchedulerParameters=bf_interval=1,sched_interval=1,sched_min_interval=0
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 CoresPerSocket=2 RealMemory=1000 State=UNKNOWN
PartitionName=debug Nodes={host} Default=YES MaxTime=01:00:00 State=UP OverSubscribe=NO
"""


def why_no_slurm() -> str | None:
    """What is missing for a Slurm on this machine; None if nothing."""
    missing = [name for name in PROGRAMS if find(name) is None]
    if missing:
        return f"{', '.join(missing)} not installed (Debian: apt-get install slurm-wlm munge)"
    return None


def find(name: str) -> str | None:
    """Full path of a program; daemons lie where only root's PATH leads."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


@dataclass
class Slurm:
    """Daemons of one node."""

    root: Path = field(default_factory=lambda: Path(mkdtemp(prefix="hightc-slurm-", dir="/tmp")))
    _daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def host(self) -> str:
        """Name of the one node."""
        return socket.gethostname().partition(".")[0]

    @property
    def configuration(self) -> Path:
        """What SLURM_CONF names."""
        return self.root / "slurm.conf"

    def start(self) -> None:
        """Start the daemons and wait until the node is idle."""
        self.root.chmod(0o755)
        for name in ("state", "spool"):
            (self.root / name).mkdir()
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        controller_port, node_port = _free_ports(2)
        text = CONFIGURATION.format(
            host=self.host, user=user, root=self.root, controller_port=controller_port, node_port=node_port
        )
        self.configuration.write_text(text)
        key = self.root / "munge.key"
        subprocess.run([str(find("mungekey")), "--create", f"--keyfile={key}"], check=True)
        files = [f"--{name}-file={self.root}/munge.{name}" for name in ("pid", "log", "seed")]
        self._daemon("munged", "--foreground", f"--key-file={key}", f"--socket={self.root}/munge.socket", *files)
        wait_until((self.root / "munge.socket").exists, START_SECONDS)
        self._daemon("slurmctld", "-D", "-f", str(self.configuration))
        self._daemon("slurmd", "-D", "-f", str(self.configuration))
        wait_until(lambda: "idle" in self.ask("sinfo", "-h", "-o", "%t"), START_SECONDS)

    def stop(self) -> None:
        """Cancel what runs, stop the daemons and remove their folder."""
        with suppress(subprocess.CalledProcessError):
            self.ask("scancel", "--full", *self.jobs())
            wait_until(lambda: not self.jobs(), START_SECONDS)
        for daemon in reversed(self._daemons):
            daemon.send_signal(signal.SIGTERM)
            try:
                daemon.wait(timeout=10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self._daemons.clear()
        shutil.rmtree(self.root, ignore_errors=True)

    def ask(self, *command: str) -> str:
        """What a command of Slurm says."""
        environment = {**os.environ, "SLURM_CONF": str(self.configuration)}
        answer = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
        return answer.stdout

    def jobs(self) -> list[str]:
        """Numbers of jobs in the queue."""
        return self.ask("squeue", "-h", "-o", "%A").split()

    def state(self, job: str) -> str:
        """State of a job that may have left the queue, for example TIMEOUT."""
        words = dict(word.partition("=")[::2] for word in self.ask("scontrol", "show", "job", job).split())
        return words.get("JobState", "")

    def set_node(self, state: str) -> None:
        """Drain or resume the node."""
        self.ask("scontrol", "update", f"nodename={self.host}", f"state={state}", "reason=test")

    def _daemon(self, name: str, *arguments: str) -> None:
        with (self.root / f"{name}.out").open("wb") as stream:
            self._daemons.append(
                subprocess.Popen(
                    [*die_with_parent(), str(find(name)), *arguments],
                    env={**os.environ, "SLURM_CONF": str(self.configuration)},
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                )
            )


def wait_until(reached: Callable[[], object], seconds: float) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > end:
            msg = f"not reached within {seconds} s"
            raise TimeoutError(msg)
        time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
