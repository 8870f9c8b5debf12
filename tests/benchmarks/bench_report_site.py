"""What the static site of a campaign costs: ``python tests/benchmarks/bench_report_site.py --materials 2000``.

Synthetic materials with documents as large as real ones lie in an embedded server of their own. The site is written,
written again with nothing changed, and once more after ten materials have changed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fakes.finished_materials import finish, template
from fakes.report_results import make_material

from hightc.analysis.documents import MaterialTag
from hightc.launch import embedded_mongo
from hightc.launch.campaign import Campaign
from hightc.launch.dispatch import submit
from hightc.launch.report_site.site import write_site
from hightc.launch.store import Database

N_CHANGED = 10
NAME = "bench"


def fill(database: Database, n_materials: int) -> None:
    """Submit materials and store the documents of each."""
    tags = [MaterialTag(campaign=NAME, material=f"m{number:05d}") for number in range(n_materials)]
    materials = tuple(replace(make_material(tag.material), tag=tag, key=tag.material) for tag in tags)
    submissions = submit(Campaign(NAME, Path("bench.toml"), materials), database, Path("/nowhere"))
    documents = {step: document.model_copy(update={"campaign": NAME}) for step, document in template().items()}
    for start in range(0, n_materials, 100):
        finish(submissions[start : start + 100], database, documents)


def change(database: Database) -> None:
    """Let some materials look as if a step of each had just ended."""
    for number in range(N_CHANGED):
        own = {"metadata.material": f"m{number:05d}"}
        database.launchpad.workflows.update_one(own, {"$set": {"updated_on": datetime.now(UTC)}})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--materials", type=int, default=2000)
    n_materials = parser.parse_args().materials
    with tempfile.TemporaryDirectory() as folder:
        mongo, site = Path(folder) / "mongo", Path(folder) / "site"
        database = Database(uri=embedded_mongo.start(mongo), name="bench", embedded=True)
        try:
            database.prepare()
            fill(database, n_materials)
            for what, prepare in (("written", None), ("unchanged", None), (f"{N_CHANGED} changed", change)):
                if prepare is not None:
                    prepare(database)
                started, worked = time.perf_counter(), time.process_time()
                summary = write_site(database, [NAME], site, name=NAME)
                seconds, own = time.perf_counter() - started, time.process_time() - worked
                print(f"{what}: {seconds:.1f} s, {own:.1f} s of CPU time without the server; {summary.written} pages")
            sizes = [path.stat().st_size for path in site.rglob("*") if path.is_file()]
            pages = [path.stat().st_size for path in (site / "materials").iterdir()]
            table = (site / "assets" / "materials.js").stat().st_size
            print(
                f"{sum(sizes) / 1e6:.0f} MB, {sum(pages) / len(pages) / 1e3:.0f} kB a page, table {table / 1e6:.2f} MB"
            )
        finally:
            database.close()
            embedded_mongo.stop(mongo)


if __name__ == "__main__":
    main()
