"""Pages of hostile words: what was stored, named or said becomes text of the page and nothing else."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fakes.report_results import make_result, make_structure
from fakes.square_lattice import square_document

from hightc.analysis.documents import Gate
from hightc.launch.report import write_report
from hightc.launch.results import Outcome, StepFailure

EVIL = (
    "</script></title><!--<script>alert(1)</script><img src=x onerror=alert(2)> ' \" {{7*7}} javascript:alert(3) \u2028"
)
ON_THE_REPORT = frozenset({"script", "img", "iframe", "object", "embed", "base", "form", "link"})


class Elements(HTMLParser):
    """Every tag with its attributes, and the text of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        if self.found and self.found[-1][0] == "script":
            self.scripts.append(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    gate = Gate(name=EVIL, passed=False, value=1.0, threshold=0.0, unit=EVIL, message=EVIL)
    surface = square_document().model_copy(update={"formula": EVIL, "warnings": (EVIL,), "campaign": EVIL})
    structure = make_structure("Si").model_copy(
        update={"warnings": (EVIL,), "protocol": EVIL, "space_group": EVIL, "gates": (gate,), "formula": EVIL}
    )
    failure = StepFailure(step=EVIL, fw_id=7, reason=EVIL, directory=EVIL)
    results = (
        make_result("Si", Outcome.GATED, structure, gate=gate),
        make_result(EVIL.replace("/", "|"), Outcome.ANSWERED, surface),
        make_result("bad", Outcome.FAILED, failure=failure),
    )
    folder = tmp_path_factory.mktemp("pages")
    write_report(
        results,
        folder / "report.html",
        campaign=EVIL,
        versions={EVIL: EVIL},
        elapsed_seconds=1,
        campaign_file=Path(EVIL),
    )
    return folder


def test_report_has_no_element_or_handler_of_somebody_else(folder: Path) -> None:
    (report,) = (path for path in folder.iterdir() if path.is_file())
    text = report.read_text()
    elements = Elements(text)
    assert not {tag for tag, _ in elements.found} & ON_THE_REPORT
    assert not [name for _, attributes in elements.found for name in attributes if name.startswith("on")]
    links = [attributes["href"] for _, attributes in elements.found if "href" in attributes]
    assert all(link.startswith(("#", "report_files/")) for link in links)
    assert "<!--<script" not in text
    assert "{{7*7}}" in text
    assert text.count("&lt;img src=x") >= 5


def test_page_of_a_surface_runs_its_own_two_scripts_and_nothing_else(folder: Path) -> None:
    (page,) = (path for path in folder.rglob("*fermi-surface.html"))
    elements = Elements(page.read_text())
    scripts = [attributes for tag, attributes in elements.found if tag == "script"]
    assert [script.get("src", script.get("type", "own")) for script in scripts] == [
        "plotly.min.js",
        "application/json",
        "own",
    ]
    assert not {tag for tag, _ in elements.found} & (ON_THE_REPORT - {"script"})
    assert not [name for _, attributes in elements.found for name in attributes if name.startswith("on")]
    figure = max(elements.scripts, key=len)
    assert "<" not in figure
    assert json.loads(figure)["data"]
    assert page.parent.parent == folder
