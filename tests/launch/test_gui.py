from __future__ import annotations

import base64
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np
import pytest
from fakes.tiny_campaign import NAME
from fakes.tiny_jobs import answer, fail
from matplotlib.image import imread
from pydantic import SecretStr
from werkzeug.test import Client

from hightc.launch.errors import InstallError, LaunchError, SettingsError
from hightc.launch.gui import (
    ICONS_PATH,
    JQUERY_PATH,
    WorkflowPages,
    database_secrets,
    jquery,
    make_pages_server,
)
from hightc.launch.gui_command import address
from hightc.launch.gui_login import Login, is_loopback, login_for
from hightc.launch.settings import Settings, load_settings
from hightc.launch.store import Database

PASSWORD = "correct-horse"  # noqa: S105 - nobody's
EVERYWHERE = "0.0.0.0"  # noqa: S104 - a test's server lives for a second, with a password
PAGES = (
    *("/", "/wf/", "/wf/1", "/fw/", "/fw/1", "/fw/COMPLETED/", "/wf/FIZZLED/name/ASCENDING/"),
    *("/report/days/7/", "/dashboard/", "/wf/metadata/campaign/tiny/"),
)
FILES = (
    *("/wf/1/json", "/fw/1/details", "/reports/fireworks/days/7/fig.png", "/reports/workflows/days/7/fig.png"),
    *(JQUERY_PATH, ICONS_PATH, "/static/js/cytoscape.min.js", "/static/css/flat-ui.css"),
)
CODE = """\
from hightc.launch.command_parser import CommandParser
from hightc.launch.errors import LaunchError
from hightc.launch.gui_command import add_gui
import sys
parser = CommandParser(prog="hightc")
add_gui(parser.add_subparsers())
options = parser.parse_args(["gui", *sys.argv[1:]])
try:
    raise SystemExit(options.command(options))
except LaunchError as error:
    print(f"hightc: {error}", file=sys.stderr)
    raise SystemExit(2)
"""

chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(chromium is None, reason="no Chromium to draw the pages")


@pytest.fixture
def workflows(run_worker):
    """Three fireworks in a chain that ran, and one that failed."""
    run_worker.submit("Al", [answer(1), answer(2), answer(3)])
    run_worker.submit("Pb", [fail("not converged"), answer(1)])
    run_worker()
    return run_worker


@pytest.fixture
def pages(workflows, database) -> Client:
    return Client(WorkflowPages(database))


class References(HTMLParser):
    """Everything that a page loads or leads to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found += [value or "" for name, value in attrs if name in {"src", "href", "action", "data", "srcset"}]


@contextmanager
def listening(pages: WorkflowPages, host: str = "127.0.0.1"):
    server = make_pages_server(pages, host, 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield address(host, server.port)
    finally:
        server.shutdown()
        thread.join()


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def chrome(url: str, folder, *options: str) -> str:
    assert chromium is not None
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", f"--user-data-dir={folder / 'chromium'}"]
    command += ["--window-size=1200,1000", "--virtual-time-budget=8000", *options, url]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def test_every_page_and_every_file_answers(pages):
    assert {path: pages.get(path).status_code for path in PAGES + FILES} == dict.fromkeys(PAGES + FILES, 200)


def test_an_empty_database_has_pages(database):
    pages = Client(WorkflowPages(database))
    for path in ("/", "/wf/", "/fw/", "/report/days/7/", "/reports/fireworks/days/7/fig.png"):
        assert pages.get(path).status_code == 200, path


def test_no_page_refers_to_another_machine_and_what_it_loads_is_there(pages):
    for page in PAGES:
        text = pages.get(page).text
        found = References(text).found
        assert found
        assert [reference for reference in found if re.match(r"(?:\w+:)?//", reference)] == []
        for reference in set(re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="([^"]+)"', text)):
            assert pages.get(reference).status_code == 200, reference


def test_no_style_sheet_imports_from_another_machine(pages):
    sheets = {link for page in PAGES for link in References(pages.get(page).text).found if link.endswith(".css")}
    assert "/static/css/flat-ui.css" in sheets
    for sheet in sheets:
        assert not re.search(r"""(?:@import|url\()[^;)]*(?:https?:)?//""", pages.get(sheet).text), sheet


def test_browser_is_told_to_load_nothing_from_elsewhere(pages):
    policy = pages.get("/wf/1").headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy


def test_graph_data_are_the_chain(pages):
    data = pages.get("/wf/1/json").json
    assert [node["data"]["name"] for node in data["nodes"]] == ["Al answer"] * 3
    assert len(data["edges"]) == 2


@needs_chromium
def test_graph_is_drawn_without_a_network(workflows, database, tmp_path):
    picture = tmp_path / "workflow.png"
    with listening(WorkflowPages(database)) as url:
        dom = chrome(f"{url}wf/1", tmp_path, "--dump-dom")
        chrome(f"{url}wf/1", tmp_path, f"--screenshot={picture}")
    assert "<canvas data-id=" in dom.partition('<div id="cy">')[2], "cytoscape drew"
    assert 'class="icon fa fa-plus"' in dom, "jQuery made the buttons"
    # the frame of the graph is 500 pixels high and begins below the states, which end above row 130
    green = np.all(np.abs(imread(picture)[135:640, :, :3] * 255 - (0x24, 0xC7, 0x5A)) < 2, axis=2).sum(axis=1) > 20
    assert np.count_nonzero(np.diff(green.astype(int)) == 1) == 3, "one finished node below another"


@pytest.mark.parametrize(
    "path", ["/wf/99", "/wf/99/json", "/fw/99", "/fw/99/details", "/reports/fireworks/no/7/fig.png"]
)
def test_what_does_not_exist_is_not_found(path, pages):
    assert pages.get(path).status_code == 404


def test_other_campaigns_are_left_out_everywhere(workflows, database):
    ours, other = Client(WorkflowPages(database, campaign=NAME)), Client(WorkflowPages(database, campaign="other"))
    assert ours.get("/wf/1").status_code == ours.get("/fw/1/details").status_code == 200
    assert {other.get(path).status_code for path in ("/wf/1", "/wf/1/json", "/fw/1", "/fw/1/details")} == {404}
    assert "Al (tiny)" in ours.get("/").text
    assert "Al (tiny)" not in other.get("/").text
    assert "Al (tiny)" not in other.get("/wf/").text
    assert "no stats" in other.get("/report/days/7/").text
    figures = {pages.get("/reports/workflows/days/7/fig.png").data for pages in (ours, other)}
    assert len(figures) == 2


def test_a_report_does_not_change_what_later_pages_show(workflows, database):
    pages = Client(WorkflowPages(database, campaign=NAME))
    before = pages.get("/wf/").data
    for interval in ("minutes/1", "days/7"):
        pages.get(f"/report/{interval}/")
    database.launchpad.workflows.update_many({}, {"$set": {"updated_on": datetime(2000, 1, 1, tzinfo=UTC)}})
    database.launchpad.fireworks.update_many({}, {"$set": {"updated_on": "2000-01-01T00:00:00.000000+00:00"}})
    assert before.count(b"/wf/") == pages.get("/wf/").data.count(b"/wf/")
    assert "Al answer" in pages.get("/fw/").text


def test_password_is_asked_for_everywhere(workflows, database):
    pages = Client(WorkflowPages(database, login=Login("me", PASSWORD)))
    for path in PAGES + FILES:
        refused = pages.get(path)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"].startswith("Basic ")
    assert pages.get("/", headers=basic("me", PASSWORD)).status_code == 200
    wrong = [basic("me", "wrong"), basic("you", PASSWORD), basic("", ""), {"Authorization": "Bearer x"}]
    assert {pages.get("/", headers=headers).status_code for headers in wrong} == {401}


@pytest.mark.parametrize("host", [EVERYWHERE, "192.0.2.1", "::", "login.example.org"])
def test_address_that_others_reach_needs_a_password(host):
    assert not is_loopback(host)
    with pytest.raises(SettingsError, match="expected a password, found none: set HIGHTC_GUI_PASSWORD"):
        login_for(host, Settings())
    with pytest.raises(SettingsError, match="at least 8 characters") as refused:
        login_for(host, Settings(gui_password=SecretStr("hunter2")))
    assert "hunter2" not in str(refused.value)
    login = login_for(host, Settings(gui_password=SecretStr(PASSWORD)))
    assert login == Login("hightc", PASSWORD)
    assert PASSWORD not in repr(login)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_asks_for_a_password_only_where_one_is_set(host):
    assert is_loopback(host)
    assert login_for(host, Settings()) is None
    assert login_for(host, Settings(gui_password=SecretStr(PASSWORD))) == Login("hightc", PASSWORD)


def test_name_of_another_site_for_this_machine_is_refused_without_a_login(workflows, database):
    pages = Client(WorkflowPages(database))
    hosts = {"127.0.0.1:8000": 200, "localhost": 200, "[::1]:8000": 200, "rebound.example.org": 400}
    assert {host: pages.get("/wf/", headers={"Host": host}).status_code for host in hosts} == hosts
    with_login = Client(WorkflowPages(database, login=Login("me", PASSWORD)))
    headers = {"Host": "node.example.org", **basic("me", PASSWORD)}
    assert with_login.get("/wf/", headers=headers).status_code == 200


def test_file_with_a_password_must_be_the_users_alone(settings, tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(f'gui_password = "{PASSWORD}"\n')
    path.chmod(0o644)
    with pytest.raises(SettingsError, match=r"holds gui_password but has mode 0644: run: chmod 600"):
        load_settings()
    path.chmod(0o600)
    assert PASSWORD not in repr(load_settings())


def test_no_page_shows_where_the_database_is(workflows, database):
    authority = database.uri.partition("://")[2].rpartition("/")[0]
    database.launchpad.fireworks.update_one({"fw_id": 1}, {"$set": {"spec.note": f"lost {database.uri}"}})
    pages = Client(WorkflowPages(database))
    for path in ("/fw/1", "/fw/1/details", *PAGES):
        assert authority not in pages.get(path).text
    assert "lost mongodb://********" in pages.get("/fw/1/details").json["spec"]["note"]


def test_secrets_of_an_address_are_its_login_and_its_hosts():
    found = database_secrets("mongodb://me:pass%2Fword@one:27018,two/hightc?replicaSet=a")
    assert set(found) == {"me:pass%2Fword@one:27018,two", "me:pass%2Fword", "one:27018", "two:27017"}
    assert len(found[0]) == max(map(len, found))
    assert database_secrets("mongodb://localhost") == ("localhost:27017",)


def test_silent_database_is_said_without_its_address(settings):
    # nothing listens on port 1; the driver gives up after its server selection timeout of 5 s
    database = Database(uri="mongodb://me:hunter22@127.0.0.1:1/hightc", name="hightc", embedded=False)
    try:
        told = Client(WorkflowPages(database)).get("/wf/1")
    finally:
        database.close()
    assert told.status_code == 503
    assert "database does not answer" in told.text
    assert not re.search("hunter22|127.0.0.1|me:", told.text)


def test_taken_port_is_an_error_that_names_it(workflows, database):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(LaunchError, match=rf"cannot listen on 127\.0\.0\.1 port {port}: .* give another --port"):
            make_pages_server(WorkflowPages(database), "127.0.0.1", port)


def test_missing_jquery_is_said_with_what_brings_it():
    with pytest.raises(InstallError, match="pip install xstatic-jquery"):
        jquery("xstatic.pkg.no_such_library")


def test_address_is_one_that_a_browser_understands():
    assert address("127.0.0.1", 80) == "http://127.0.0.1:80/"
    assert address("::1", 80) == "http://[::1]:80/"
    assert address(EVERYWHERE, 80) == f"http://{socket.gethostname()}:80/"


def run_gui(database, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "HIGHTC_MONGO_URI": database.uri, **variables}
    command = [sys.executable, "-c", CODE, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def test_command_prints_its_address_asks_for_the_password_and_ends_by_ctrl_c(workflows, database):
    command = run_gui(database, "--host", EVERYWHERE, "--campaign", NAME, HIGHTC_GUI_PASSWORD=PASSWORD)
    with command as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            first = process.stdout.readline()
            found = re.fullmatch(r"http://\S+:(\d+)/   Ctrl-C ends it\n", first)
            assert found, process.stderr.read()
            url = f"http://127.0.0.1:{found[1]}/wf/1"
            with pytest.raises(urllib.error.HTTPError, match="401"):
                urllib.request.urlopen(url, timeout=30)
            request = urllib.request.Request(url, headers=basic("hightc", PASSWORD))
            with urllib.request.urlopen(request, timeout=30) as told:  # noqa: S310 - http to this machine
                assert told.status == 200
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)
            output, errors = process.stdout.read(), process.stderr.read()
        finally:
            process.kill()
    assert (process.returncode, errors) == (0, "")
    assert output == "user hightc, password as set in gui_password\n"
    assert PASSWORD not in first + output + errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--host", EVERYWHERE), "others can reach it: expected a password, found none"),
        (("--campaign", "no"), "campaign 'no': expected one of the database, found none"),
        (("--port", "70000"), "expected a port from 1 to 65535, found '70000'"),
    ],
)
def test_command_that_cannot_start_says_why_in_one_line(arguments, message, settings, database):
    process = run_gui(database, *arguments)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (2, "")
    assert message in errors
    assert "Traceback" not in errors
