"""How long ``hightc status`` and queries take: ``python tests/benchmarks/bench_queries.py --steps 20000``.

A database of one campaign is written without running anything: as many steps as are asked for, with their launches and
workflows, and two documents for each material, of which there are a fifth as many. It is on an embedded server of its
own, or on the MongoDB of HIGHTC_TEST_MONGO_URI. Each line is the time in this process, and the documents examined for
it; ``hightc status`` is the whole command, the start of Python with it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for what tests share

from fakes.chosen_server import chosen_server, with_database
from fakes.examined import EXAMINER
from fakes.many_steps import CAMPAIGN, SMALL, fill_outputs, fill_steps

from hightc.analysis.documents import TcDocument
from hightc.launch import embedded_mongo
from hightc.launch.lost_runs import failed_steps, running_steps
from hightc.launch.queries import documents
from hightc.launch.status import read_status
from hightc.launch.store import Database

QUERIES: dict[str, dict[str, Any]] = {
    "all": {},
    "formula": {"formula": "Nb7H"},
    "elements": {"elements": ["H", "Nb"]},
    "small campaign": {"campaign": SMALL},
    "lambda 1.99:": {"lambda_range": (1.99, None)},
    "Tc 5:5.1": {"tc_range": (5.0, 5.1)},
    "where": {"where": ["omega_log_mev > 5.99"]},
    "sort": {"sort": "tc_kelvin", "descending": True},
}


def show(name: str, database: Database, work: Callable[[], Any]) -> None:
    """Print how long it takes the second time, and what was examined."""
    with EXAMINER.watching(database.uri) as seen:
        work()
    start = time.perf_counter()
    found = work()
    seconds = time.perf_counter() - start
    print(f"{name:32}{seconds:8.3f} s {seen.total:8d} examined {len(found):8d} found", flush=True)


def measure(database: Database, folder: Path, n_steps: int) -> None:
    """Fill the database and ask."""
    start = time.perf_counter()
    database.prepare()
    fill_steps(database, n_steps)
    fill_outputs(database, n_steps // 5)
    print(f"{n_steps} steps, {2 * (n_steps // 5)} documents: written in {time.perf_counter() - start:.1f} s")
    show("read_status", database, lambda: read_status(database).campaigns)
    show("recover", database, lambda: running_steps(database, CAMPAIGN, folder, run_alive=False))
    show("recover, failures", database, lambda: failed_steps(database, CAMPAIGN))
    for name, filters in QUERIES.items():
        show(f"query, {name}", database, lambda: list(documents(database, TcDocument, **filters)))  # noqa: B023
    for name in ("all", "sort"):
        first = QUERIES[name]
        show(f"query, {name}, first 10", database, lambda: list(islice(documents(database, TcDocument, **first), 10)))  # noqa: B023
    environment = {**os.environ, "HIGHTC_MONGO_URI": database.uri, "HIGHTC_SETTINGS_FILE": str(folder / "none.toml")}
    start = time.perf_counter()
    command = [sys.executable, "-m", "hightc.launch.cli", "status"]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, env=environment)
    print(f"{'hightc status':32}{time.perf_counter() - start:8.3f} s")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, nargs="+", default=[20_000])
    options = parser.parse_args()
    given = chosen_server(os.environ)
    with tempfile.TemporaryDirectory(prefix="bench_queries_") as scratch:
        for n_steps in options.steps:
            folder, name = Path(scratch) / str(n_steps), f"hightc_bench_{uuid4().hex[:8]}"
            uri = given or embedded_mongo.start(folder)
            database = Database(uri=with_database(uri, name), name=name, embedded=given is None)
            try:
                measure(database, Path(scratch), n_steps)
            finally:
                database.client.drop_database(name)
                database.close()
                if given is None:
                    embedded_mongo.stop(folder)


if __name__ == "__main__":
    main()
