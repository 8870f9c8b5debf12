from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.devtools import Browser, chromium
from fakes.report_results import MU_STAR, make_alpha2f, make_structure
from fakes.stored_campaign import material_of, store_material

from hightc.analysis.critical_temperature import tc_document
from hightc.analysis.documents import Alpha2FDocument
from hightc.launch.report_site.site import write_site
from hightc.launch.store import Database

LABELS = "[...document.querySelectorAll('#materials tbody th')].map((cell) => cell.textContent)"
COUNT = "document.getElementById('count').textContent"


def scaled(label: str, scale: float) -> Alpha2FDocument:
    document = make_alpha2f(label)
    spectra = tuple(tuple(scale * value for value in spectrum) for spectrum in document.alpha2f)
    return document.model_copy(update={"alpha2f": spectra})


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Path:
    """Three materials with a Tc, b the highest and a the lowest, and one without, whose reason is hostile."""
    for label, scale in (("a", 0.5), ("b", 1.0), ("c", 0.8)):
        spectrum = scaled(label, scale)
        tc = tc_document(spectrum, mu_star=MU_STAR, reference="omega_2")
        documents = {"relax": make_structure(label), "alpha2F": spectrum, "Tc": tc}
        store_material(database, material_of(label), documents)
    trace = "RuntimeError: </script><script>document.title = 'taken'</script><img src=x onerror=alert(1)>"
    store_material(database, material_of("z"), {"relax": make_structure("z")}, failed="scf", reason=trace)
    write_site(database, ["test"], tmp_path / "site", name="test")
    return tmp_path / "site"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with chromium(tmp_path) as browser:
        browser.resize(1200, 900)
        yield browser


def order(browser: Browser, heading: str) -> tuple[list[str], str | None]:
    """Labels after a click on a heading, and what it says of its order."""
    browser.click(f"th[data-key='{heading}'] button")
    state = browser.run(f"document.querySelector(\"th[data-key='{heading}']\").getAttribute('aria-sort')")
    return browser.run(LABELS), state


def test_table_sorts_filters_and_leads_to_pages_whose_figures_are_drawn(site: Path, browser: Browser) -> None:
    address = (site / "index.html").as_uri()
    browser.open(address)
    assert browser.run(LABELS) == ["b", "c", "a", "z"]
    # what is not known comes last either way
    assert order(browser, "lambda") == (["b", "c", "a", "z"], "descending")
    assert order(browser, "lambda") == (["a", "c", "b", "z"], "ascending")
    assert order(browser, "material") == (["a", "b", "c", "z"], "ascending")
    browser.type("input[name=q]", "script")
    assert browser.run(LABELS) == ["z"]
    assert browser.run(COUNT) == "1–1 of 1 materials (of 4 in all)"  # noqa: RUF001 - typographers' dash
    browser.click("button[type=reset]")
    browser.wait(f"{LABELS}.length === 4")
    browser.click("#more summary")
    least = sorted(line["lambda"] for line in known(site).values() if line["lambda"] is not None)[1]
    browser.type("input[name=lambda-min]", f"{least - 1e-6:.6f}")
    assert browser.run(LABELS) == ["b", "c"]
    assert "lambda-min" in browser.run("location.hash")

    browser.click("#map summary")
    browser.wait("document.querySelectorAll('#map-plot .point').length === 2")

    shared = browser.run("location.href")
    browser.open("about:blank")
    browser.open(shared)
    assert browser.run(LABELS) == ["b", "c"]
    browser.click("#materials tbody tr:nth-child(1) a")
    browser.wait("document.title.startsWith('b ') && document.readyState === 'complete'")
    browser.resize(1200, 6000)
    browser.wait("[...document.querySelectorAll('[data-figure]')].every((one) => one.querySelector('.main-svg'))")
    assert browser.run("document.querySelectorAll('[data-figure]').length") == 3
    browser.resize(1200, 6000, dark=True)
    browser.wait("getComputedStyle(document.querySelector('.legendtext')).fill === 'rgb(230, 233, 237)'")
    browser.click(".crumbs a")
    browser.wait("document.title.startsWith('test ')")
    assert browser.complaints == []


def test_what_is_shown_comes_as_csv_and_hostile_text_stays_text(site: Path, browser: Browser) -> None:
    browser.open((site / "index.html").as_uri() + "#no=Nb&sort=-tc_eliashberg_kelvin&outcome=failed&outcome=answered")
    assert len(browser.run(LABELS)) == 4
    browser.run(
        "URL.createObjectURL = (blob) => { window.taken = blob.text(); return '#'; };"
        "HTMLAnchorElement.prototype.click = () => {}"
    )
    browser.click("#csv")
    lines = browser.run("window.taken").splitlines()
    heading = lines[0].split(",")
    assert {"material", "tc_eliashberg_kelvin", "tc_eliashberg_kelvin_low", "lambda_high"} <= set(heading)
    assert [line.split(",")[0] for line in lines[1:]] == ["b", "c", "a", "z"]
    last = lines[-1].split(",")
    assert last[heading.index("tc_eliashberg_kelvin")] == ""
    assert last[heading.index("lambda")] == ""
    assert "<script>" in lines[-1]
    browser.open((site / "materials" / "z.html").as_uri())
    assert browser.run("document.title") == "z · hightc"
    assert browser.run("document.querySelectorAll('img').length") == 0
    assert "onerror" in browser.run("document.querySelector('.reason').textContent")
    assert browser.complaints == []


def known(site: Path) -> dict[str, dict[str, float | None]]:
    text = (site / "assets" / "materials.js").read_text(encoding="utf-8")
    rows = json.loads(re.sub(r"^window.hightcSite = |;\s*$", "", text))["rows"]
    keys = re.findall(r'data-key="(\w+)"', (site / "index.html").read_text(encoding="utf-8"))
    place = keys.index("lambda")
    return {row["cells"][0]: {"lambda": row["cells"][place] and row["cells"][place][0]} for row in rows}
