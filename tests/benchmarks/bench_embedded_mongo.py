"""Figures of the embedded server on this machine: ``python tests/benchmarks/bench_embedded_mongo.py``.

Every insert that is counted was acknowledged, hence on disk. With HIGHTC_TEST_MONGO_URI the same figures are those
of a real MongoDB (except the restart).
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from fireworks import Firework, LaunchPad, Workflow
from fireworks.user_objects.firetasks.script_task import ScriptTask
from pymongo import MongoClient

from hightc.launch import embedded_mongo

N_DOCUMENTS = 20_000
N_JOBS = 100


def insert_rate(uri: str, n_clients: int, seconds: float = 3.0) -> float:
    """Return acknowledged inserts of one 1 kB document a second, summed over the clients."""
    counts = [0] * n_clients

    def insert(number: int) -> None:
        with MongoClient(uri) as client:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                client.bench[f"insert{n_clients}"].insert_one({"n": counts[number], "pad": "x" * 1000})
                counts[number] += 1

    threads = [threading.Thread(target=insert, args=(number,)) for number in range(n_clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def milliseconds(work: Callable[[], object], repetitions: int = 50) -> float:
    """Return the mean time of `work`."""
    start = time.perf_counter()
    for _ in range(repetitions):
        work()
    return (time.perf_counter() - start) / repetitions * 1e3


def fireworks_collection(launchpad: LaunchPad) -> None:
    """Fill the launchpad with 20,000 fireworks, one in a thousand of them ready."""
    launchpad.reset("", require_password=False)
    documents = []
    for number in range(1, N_DOCUMENTS + 1):
        spec = {"_priority": number % 10, "pad": "y" * 400}
        document = Firework(ScriptTask.from_str("true"), name=f"n{number}", spec=spec, fw_id=number).to_db_dict()
        documents.append(document | {"state": "COMPLETED" if number % 1000 else "READY", "launches": [number]})
    start = time.perf_counter()
    for first in range(0, N_DOCUMENTS, 500):
        launchpad.fireworks.insert_many(documents[first : first + 500])
    print(f"insert_many by 500, indexed: {N_DOCUMENTS / (time.perf_counter() - start):8.0f} fireworks/s")


def lookups(launchpad: LaunchPad) -> None:
    """Print the times of FireWorks' typical operations among 20,000 fireworks."""
    fireworks = launchpad.fireworks
    ready, urgent = {"$set": {"state": "READY"}}, [("spec._priority", -1), ("created_on", 1)]
    cases: dict[str, Callable[[], object]] = {
        "find_one by fw_id": lambda: fireworks.find_one({"fw_id": 12_345}),
        "update_one by fw_id": lambda: fireworks.update_one({"fw_id": 12_345}, {"$inc": {"spec.k": 1}}),
        "checkout, 20 ready": lambda: fireworks.find_one_and_update({"state": "READY"}, ready, sort=urgent),
    }
    for name, work in cases.items():
        print(f"{name:28}{milliseconds(work):8.2f} ms")
    print(f"{'find_one without an index':28}{milliseconds(lambda: fireworks.find_one({'spec.no': 1}), 5):8.2f} ms")
    fireworks.update_many({}, ready)
    work = cases["checkout, 20 ready"]
    print(f"{'checkout, 20,000 ready':28}{milliseconds(work, 5):8.2f} ms")


def jobs_rate(uri: str, directory: Path) -> float:
    """Return short FireWorks jobs a second with two rapidfire workers, their start excluded."""
    launchpad = LaunchPad(host=uri, name="bench_jobs", uri_mode=True, strm_lvl="ERROR")
    launchpad.reset("", require_password=False)
    launchpad.bulk_add_wfs([Workflow([Firework(ScriptTask.from_str("true"))]) for _ in range(N_JOBS)])
    settings = directory / "launchpad.yaml"
    launchpad.to_file(str(settings))
    program = "from fireworks.scripts.rlaunch_run import rlaunch; rlaunch()"
    workers = []
    for number in range(2):
        place = directory / f"worker{number}"
        place.mkdir()
        command = [sys.executable, "-W", "ignore", "-c", program, "-s", "-l", str(settings), "rapidfire"]
        workers.append(subprocess.Popen(command, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    for worker in workers:
        worker.wait()
    launches = list(launchpad.launches.find({}, {"time_start": 1, "time_end": 1}))
    first = min(datetime.fromisoformat(launch["time_start"]) for launch in launches)
    last = max(datetime.fromisoformat(launch["time_end"]) for launch in launches)
    assert len(launches) == N_JOBS
    launchpad.connection.close()
    return N_JOBS / (last - first).total_seconds()


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory(dir=Path.home()) as scratch:
        directory = Path(scratch) / "db"
        real = os.environ.get("HIGHTC_TEST_MONGO_URI")
        uri = real or embedded_mongo.start(directory)
        for n_clients in (1, 4):
            print(f"insert_one, {n_clients} client(s):      {insert_rate(uri, n_clients):8.0f} /s acknowledged")
        launchpad = LaunchPad(host=uri, name="bench", uri_mode=True, strm_lvl="ERROR")
        fireworks_collection(launchpad)
        lookups(launchpad)
        launchpad.connection.close()
        print(f"FireWorks, 2 workers:       {jobs_rate(uri, Path(scratch)):8.1f} jobs/s")
        if real is None:
            before = embedded_mongo.status(directory)
            rss = (Path("/proc") / str(before.pid) / "status").read_text().partition("VmRSS:")[2].split()[0]
            embedded_mongo.stop(directory)
            start = time.perf_counter()
            embedded_mongo.start(directory)
            print(
                f"restart with replay:        {time.perf_counter() - start:8.2f} s for {before.n_documents} documents, "
                f"{before.journal_bytes / 1e6:.0f} MB of journal; memory before {int(rss) / 1e3:.0f} MB "
                f"for {(before.data_bytes or 0) / 1e6:.0f} MB of data"
            )
            embedded_mongo.stop(directory)


if __name__ == "__main__":
    main()
