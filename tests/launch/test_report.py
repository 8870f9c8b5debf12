from __future__ import annotations

import io
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from fakes.report_results import (
    MU_STAR,
    STRUCTURE,
    make_alpha2f,
    make_provenance,
    make_result,
    make_structure,
)
from rich.console import Console

from hightc.analysis.critical_temperature import tc_document
from hightc.analysis.documents import (
    CriticalTemperature,
    Gate,
    MaterialTag,
    PathSegment,
    PhononBandsDocument,
    TcDocument,
)
from hightc.analysis.documents.base import identity
from hightc.analysis.documents.tc import Method
from hightc.analysis.plots.wording import METHODS, kelvin, numerical_error, tc_range, tc_text
from hightc.launch import report_table
from hightc.launch.report import duration, write_report
from hightc.launch.report_facts import next_step
from hightc.launch.report_funnel import funnel
from hightc.launch.report_table import result_table
from hightc.launch.results import MaterialResult, Outcome, StepFailure
from hightc.launch.stored_words import redact
from hightc.makers.gates import force_gate, metal_gate, pressure_gate

PASSWORD = "hunter2"  # noqa: S105 - what must not be shown


@pytest.fixture(scope="module")
def answered() -> MaterialResult:
    spectrum = make_alpha2f("Po")
    tc = tc_document(spectrum, mu_star=MU_STAR, reference="omega_2")
    return make_result("Po", Outcome.ANSWERED, make_structure("Po"), spectrum, tc)


@pytest.fixture(scope="module")
def results(answered: MaterialResult) -> tuple[MaterialResult, ...]:
    failure = StepFailure(
        step="bad relax",
        fw_id=7,
        reason=f"pw.x stopped <script>alert(1)</script> at mongodb://user:{PASSWORD}@host/db",
        directory="/runs/test/bad/01-relax",
    )
    gap = metal_gate(0.52)
    return (
        make_result("Si", Outcome.GATED, make_structure("Si", gap_ev=0.52), gate=gap),
        answered,
        make_result("<img src=x onerror=alert(2)>", Outcome.FAILED, failure=failure),
        make_result("late", Outcome.UNFINISHED, make_structure("late")),
    )


@pytest.fixture(scope="module")
def page(results: tuple[MaterialResult, ...], tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    versions = {"hightc": "0.1.0", "python": "3.11"}
    write_report(results, path, campaign="test", versions=versions, elapsed_seconds=75, campaign_file=Path("test.toml"))
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]
    return path.read_text(encoding="utf-8")


class Elements(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))


def section(page: str, heading: str) -> str:
    return next(part for part in page.split("<section")[1:] if f"<h2>{heading} " in part)


def render(results: tuple[MaterialResult, ...], width: int, **options: Any) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(result_table(results, **options))
    return stream.getvalue()


def entry(status: str, tc: float | None, low: float | None = None, high: float | None = None) -> CriticalTemperature:
    return CriticalTemperature(
        method="eliashberg", mu_star=0.1, status=status, tc_kelvin=tc, low_kelvin=low, high_kelvin=high
    )


def test_page_fetches_nothing_and_runs_nothing(page: str) -> None:
    elements = Elements(page).found
    assert not {tag for tag, _ in elements} & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    for _, attributes in elements:
        assert not {"src", "srcset", "data", "action"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("href", "xlink:href"):
            assert attributes.get(name, "#").startswith("#")
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)
    addresses = set(re.findall(r"https?://[^\s\"<]+", page))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_ids_are_unique_and_every_reference_has_its_target(page: str) -> None:
    elements = Elements(page).found
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [
        attributes[name][1:] for _, attributes in elements for name in ("href", "xlink:href") if name in attributes
    ]
    assert set(targets + re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)


def test_labels_and_messages_are_escaped(page: str) -> None:
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(2)&gt;" in page
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "too coarse &amp; &lt;b&gt;noisy&lt;/b&gt;" in page


def test_no_database_address_reaches_page_or_terminal(page: str, results: tuple[MaterialResult, ...]) -> None:
    for text in (page, render(results, 120)):
        assert PASSWORD not in text
        assert "mongodb:" not in text
        assert "(hidden)" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mongodb+srv://a:b@c.d/e is down", "(hidden) is down"),
        ("proxy http://user:pw@host:80/x", "proxy http://(hidden)host:80/x"),
        ("K_POINTS 8 8 8 at /runs/a:b/c", "K_POINTS 8 8 8 at /runs/a:b/c"),
    ],
)
def test_redaction_takes_addresses_with_passwords_and_nothing_else(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_every_method_and_mu_star_is_on_page_and_terminal(
    page: str, results: tuple[MaterialResult, ...], answered: MaterialResult
) -> None:
    assert answered.tc is not None
    part = re.sub(r"</?span[^>]*>", "", section(page, "Po"))
    table = render(results, 80)
    for mu in MU_STAR:
        assert f"μ* {mu:.2f}" in part
        assert f"mu* {mu:.2f}" in table
    for method, name in METHODS.items():
        assert name in part
        assert name in table
        for mu in MU_STAR:
            found = answered.tc.find(method, mu)
            assert tc_text(found, "–") in part  # noqa: RUF001 - the page's dash
            assert tc_text(found) in table
    assert "μ* belongs to ω₂" in part
    assert "mu* belongs to omega_2" in table


def test_insulator_shows_its_reason_and_number_but_no_tc(page: str) -> None:
    part = section(page, "Si")
    assert "insulator: gap 0.520 eV" in part
    assert "0.52 eV, threshold 0.1 eV" in part
    assert "hightc run test.toml" in part
    assert not re.search(r"\d K\b", part)
    assert '<table class="temperatures"' not in part
    assert "<svg" not in part


def test_page_holds_figures_inputs_corrections_and_versions(page: str) -> None:
    part = section(page, "Po")
    assert part.count("<svg") == 2
    for text in ("ScfHandler", "mixing_beta 0.7 -&gt; 0.3", "nothing", "Pm-3m"):
        assert text in part
    for text in ("k_mesh_dense", "16 × 16 × 16", "test-family", 'title="' + "ab" * 32, "/runs/test/Po-012345"):  # noqa: RUF001
        assert text in part
    assert page.count("mixing_beta") == 3  # relaxed materials, once each: not a second time among the warnings
    assert "hightc 0.1.0 · python 3.11 · pw.x 6.7MaX" in page
    assert "took 1 min 15 s" in page


def test_page_shows_phonon_bands_where_there_are_any(answered: MaterialResult, tmp_path: Path) -> None:
    bands = PhononBandsDocument(
        **identity(MaterialTag(campaign="test", material="Po"), STRUCTURE),
        structure=STRUCTURE,
        q_mesh=(2, 2, 2),
        q_fractional=((0.0, 0.0, 0.0), (0.5, 0.0, 0.0)),
        distance_per_angstrom=(0.0, 0.95),
        segments=(PathSegment(start=0, stop=2, start_label="GAMMA", stop_label="X"),),
        frequencies_mev=((0.0, 0.0, 0.0), (5.0, 5.0, 9.0)),
        lowest_frequency_mev=0.0,
        protocol="draft",
        provenance=make_provenance("07-bands"),
    )
    more = replace(answered, documents={**answered.documents, "phonon_bands": (bands,)})
    sizes = []
    for results, shown in (((answered,), False), ((more,), True)):
        path = tmp_path / "report.html"
        write_report(results, path, campaign="test", versions={}, elapsed_seconds=None)
        part = section(path.read_text(encoding="utf-8"), "Po")
        assert ("<b>Phonon bands</b>" in part) is shown
        assert ("m0-bands" in part) is shown
        sizes.append(len(part))
    assert sizes[1] - sizes[0] < 50_000


def test_funnel_counts_and_names_who_dropped_out(results: tuple[MaterialResult, ...]) -> None:
    stages = {stage.name: stage for stage in funnel(results)}
    assert [stage.count for stage in stages.values()] == [4, 3, 2, 0, 0, 0]
    assert [result.label for _, result in stages["metal"].dropped] == ["Si"]
    # the synthetic answer has no phonons, so it does not count as stable
    assert [result.label for _, result in stages["stable"].dropped] == ["Po", "late"]


def test_cell_that_is_not_relaxed_is_not_counted_as_an_insulator() -> None:
    gates = {
        "strained": (metal_gate(0.0), pressure_gate(7.0, 0.0), force_gate(0.0, 1e-4)),
        "restless": (metal_gate(0.0), pressure_gate(0.0, 0.0), force_gate(1.0, 1e-4)),
        "insulator": (metal_gate(0.5), pressure_gate(0.0, 0.0), force_gate(0.0, 1e-4)),
    }
    made = [make_result(name, Outcome.GATED, make_structure(name, gates=found)) for name, found in gates.items()]
    dropped = {stage.name: [result.label for _, result in stage.dropped] for stage in funnel(made)}
    assert dropped["relaxed"] == ["strained", "restless"]
    assert dropped["metal"] == ["insulator"]


@pytest.mark.parametrize("gate", [pressure_gate(7.0, 0.0), force_gate(1.0, 1e-4), metal_gate(1.0)])
def test_every_gate_has_advice_of_its_own(results: tuple[MaterialResult, ...], gate: Gate) -> None:
    step = next_step(replace(results[0], gate=gate))
    assert step is not None
    assert "change the material" not in step


def test_answers_without_a_number_read_differently() -> None:
    texts = {
        tc_text(None),
        tc_text(entry("invalid", None)),
        tc_text(entry("below_range", None)),
        tc_text(entry("no_superconductivity", 0.0, 0.0, 0.0)),
        tc_text(entry("found", 1.2345, 1.0, 1.5)),
    }
    assert texts == {"not computed", "undefined", "below range", "none (0 K)", "1.23 (1.00-1.50)"}
    assert tc_text(entry("no_superconductivity", 0.0, 0.0, 0.3)) == "none (0 K) (0-0.30)"
    assert tc_text(entry("found", 1.2)) == "1.20 (no interval)"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1e-20, "<0.001"), (0.0123, "0.012"), (7.196, "7.20"), (39.04, "39.0"), (203.4, "203")],
)
def test_small_temperatures_never_read_as_zero(value: float, text: str) -> None:
    assert kelvin(value) == text


def test_range_over_mu_star_says_what_it_leaves_out(answered: MaterialResult) -> None:
    assert answered.tc is not None

    def document(*entries: CriticalTemperature) -> TcDocument:
        assert answered.tc is not None
        return answered.tc.model_copy(update={"critical_temperatures": entries})

    method: Method = "eliashberg"
    assert tc_range(None, method) == "not computed"
    assert tc_range(document(), method) == "not computed"
    assert tc_range(document(entry("below_range", None)), method) == "below range"
    assert tc_range(document(entry("no_superconductivity", 0.0)), method) == "none (0 K)"
    assert tc_range(document(entry("found", 2.0, 1.5, 2.5), entry("found", 1.0, 0.5, 1.5)), method) == "0.50-2.50 K"
    assert tc_range(document(entry("found", 2.0), entry("below_range", None)), method) == "2.00 K, else below range"


def with_error(result: MaterialResult, error_kelvin: float) -> MaterialResult:
    """The same answer with another numerical error of its Eliashberg Tc."""
    assert result.tc is not None
    entries = [
        one.model_copy(update={"error_estimate_kelvin": error_kelvin}) if one.method == "eliashberg" else one
        for one in result.tc.critical_temperatures
    ]
    return with_tc(result, {"critical_temperatures": tuple(entries)})


def with_tc(result: MaterialResult, changes: dict[str, Any]) -> MaterialResult:
    assert result.tc is not None
    return replace(result, documents={**result.documents, "tc": (result.tc.model_copy(update=changes),)})


def rendered(result: MaterialResult, folder: Path) -> str:
    write_report((result,), folder / "report.html", campaign="test", versions={}, elapsed_seconds=None)
    return section((folder / "report.html").read_text(encoding="utf-8"), "Po")


@pytest.mark.parametrize(
    ("tc", "error", "shown"),
    [
        (5.79, 1e-7, None),
        (5.79, 0.0049, None),
        (5.79, 0.005, "0.005"),
        (0.052, 0.0004, None),
        (0.052, 0.0005, "0.0005"),
        (203.4, 0.6, "0.6"),
        (203.4, 0.4, None),
        (5.79, None, None),
        (0.0, 0.1, None),
        (1e-4, 1e-4, None),
    ],
)
def test_numerical_error_is_told_where_it_reaches_the_last_digit(
    tc: float, error: float | None, shown: str | None
) -> None:
    one = entry("found" if tc else "no_superconductivity", tc).model_copy(update={"error_estimate_kelvin": error})
    assert numerical_error(one) == shown
    assert numerical_error(None) is None


def test_page_tells_a_numerical_error_only_where_it_matters(answered: MaterialResult, tmp_path: Path) -> None:
    assert "±" not in rendered(answered, tmp_path)
    part = rendered(with_error(answered, 0.25), tmp_path)
    assert part.count("±0.2<") == len(MU_STAR)
    assert "± is the numerical error of the solution" in part


def test_page_shows_what_moves_tc_beside_the_spectrum(answered: MaterialResult, page: str, tmp_path: Path) -> None:
    assert answered.tc is not None
    assert answered.tc.sensitivity is not None
    part = section(page, "Po")
    coefficient = answered.tc.sensitivity.isotope_coefficient
    assert coefficient is not None
    assert f"isotope coefficient</th><td>{coefficient:.2f}" in part
    assert "per 0.01 of μ* at 0.10" in part
    assert "coupling helps most where" in part
    for changes in ({"sensitivity": None}, {"alpha2f_sha256": "of another spectrum"}):
        bare = rendered(with_tc(answered, changes), tmp_path)
        assert "isotope" not in bare
        assert "coupling helps most" not in bare
        assert bare.count("<svg") == 2


@pytest.mark.parametrize("width", [80, 120])
def test_terminal_table_fits_and_cuts_nothing(results: tuple[MaterialResult, ...], width: int) -> None:
    text = render(results, width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    for said in ("lambda 1.", "plateau 0.100-0.300 eV", "insulator: gap 0.520 eV", "/runs/test/bad/01-relax"):
        assert said in text
    assert "4 materials: 1 answered, 1 gated, 1 failed, 1 unfinished" in text


def test_mu_star_nobody_asked_for_is_not_computed_rather_than_zero(results: tuple[MaterialResult, ...]) -> None:
    text = render(results, 80, mu_star=(0.10, 0.20))
    assert text.count("not computed") == len(METHODS) + 1  # one a method, one in the legend
    assert "mu* 0.13" not in text


def test_large_campaign_is_ranked_by_tc(results: tuple[MaterialResult, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_table, "MOST_BLOCKS", 3)
    rows = render(results, 120).splitlines()
    assert rows[1].startswith("Po")
    assert "K" in rows[1]


def test_gate_without_advice_of_its_own_still_says_what_to_do(results: tuple[MaterialResult, ...]) -> None:
    gate = Gate(name="other", passed=False, value=None, threshold=None, unit="", message="stopped by another gate")
    text = render((replace(results[0], gate=gate),), 80)
    assert "stopped by another gate" in text
    assert "change the material in the campaign file; then: hightc run <campaign file>" in " ".join(text.split())
    assert "number" not in text
    assert "1 material: 1 gated" in text


@pytest.mark.parametrize(("seconds", "text"), [(4.6, "5 s"), (125, "2 min 5 s"), (7260, "2 h 1 min")])
def test_duration_keeps_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_report_is_imported_without_matplotlib() -> None:
    code = "import hightc.launch.report, sys; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=False).returncode == 0
