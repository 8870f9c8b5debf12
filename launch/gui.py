"""FireWorks' web pages on the campaigns' database: everything they load comes from this machine."""

from __future__ import annotations

import io
import re
import socket
import threading
import warnings
from collections.abc import Iterable
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from fireworks.features.fw_report import FWReport
from fireworks.flask_site.app import app as fireworks_app
from matplotlib.backends.backend_agg import FigureCanvasAgg
from pymongo.errors import PyMongoError
from werkzeug.exceptions import BadRequest, HTTPException, NotFound, ServiceUnavailable, Unauthorized
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from hightc.launch.errors import InstallError, LaunchError
from hightc.launch.gui_login import Login, is_loopback

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from werkzeug.serving import BaseWSGIServer

    from hightc.launch.store import Database

REALM: Final = 'Basic realm="hightc", charset="UTF-8"'
HIDDEN: Final = "********"
MONGODB_PORT: Final = 27017

JQUERY_PACKAGE: Final = "xstatic.pkg.jquery"
JQUERY_PATH: Final = "/static/js/jquery.min.js"
ICONS_PATH: Final = "/static/font-awesome-4.0.3/css/font-awesome.css"
ICONS: Final = """\
.fa { font-style: normal; }
.fa-plus:before { content: "+"; }
.fa-minus:before { content: "\\2212"; }
.fa-expand:before { content: "\\2922"; }
"""
"""Signs of the graph's buttons: FireWorks 2.1.4 names Font Awesome but does not contain it."""

REMOTE_JQUERY: Final = re.compile(r'src="(?:https?:)?//[^"]*/jquery[^"/]*\.js"')
REMOTE_REFERENCE: Final = re.compile(r'\s(?:src|href)="(?:https?:)?//[^"]*"')
REMOTE_IMPORT: Final = re.compile(r"""@import\s+url\(["']?(?:https?:)?//[^)]*\);""")

EDGE_STYLE: Final = "'target-arrow-shape': 'triangle'"
EDGE_COLOURS: Final = ", 'line-color': '#888', 'target-arrow-color': '#888'"
"""FireWorks draws the arrows of the graph in a grey that is hardly seen on its page."""

FIREWORKS_CONFIGURATION: Final = {"PROPAGATE_EXCEPTIONS": True, "JSONIFY_MIMETYPE": "application/json"}
"""A silent database is answered for here; FireWorks 2.1.4 calls its JSON a page, in which a browser runs scripts."""

CONTENT_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; frame-ancestors 'none'"
)
"""FireWorks' pages have scripts and styles inside, and their templates compile text; nothing comes from elsewhere."""


class WorkflowPages:
    """FireWorks' pages as a WSGI application.

    FireWorks keeps its database in its module, and its reports change the query they are given: one request is answered
    after another, each with both set anew.

    Parameters
    ----------
    database
        The database.
    campaign
        Campaign to show; every one by default.
    login
        Who may read; everybody who reaches the server by default.
    host
        Address it is served on: on loopback without a login, only requests to this machine by name are answered, so
        that no page of the web can read this one through a name of its own (DNS rebinding).

    Raises
    ------
    InstallError
        If jQuery is not installed.
    """

    def __init__(
        self, database: Database, *, campaign: str | None = None, login: Login | None = None, host: str = "127.0.0.1"
    ) -> None:
        self._database = database
        self._campaign = campaign
        self._login = login
        self._by_name_of_this_machine = login is None and is_loopback(host)
        self._own: dict[str, tuple[bytes | str, str]] = {
            JQUERY_PATH: (jquery(), "text/javascript"),
            ICONS_PATH: (ICONS, "text/css"),
        }
        self._secrets = database_secrets(database.uri)
        self._turn = threading.Lock()
        fireworks_app.config.update(FIREWORKS_CONFIGURATION)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        try:
            answer: Response = self._answer(Request(environ))
        except PyMongoError as error:
            fault = ServiceUnavailable(f"The database does not answer ({type(error).__name__}). Is it running?")
            answer = Response.force_type(fault.get_response(environ), environ)
        except HTTPException as error:
            answer = Response.force_type(error.get_response(environ), environ)
            if isinstance(error, Unauthorized):
                answer.headers["WWW-Authenticate"] = REALM
        answer.headers["Content-Security-Policy"] = CONTENT_POLICY
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Referrer-Policy"] = "no-referrer"
        return answer(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if self._by_name_of_this_machine and not is_loopback(re.sub(r":\d+$", "", request.host).strip("[]")):
            raise BadRequest("These pages are for this machine: open them as http://127.0.0.1 or http://localhost.")
        if self._login and not self._login.admits(request):
            raise Unauthorized("Log in with the user and password of hightc's settings gui_user and gui_password.")
        if request.path in self._own:
            content, kind = self._own[request.path]
            return Response(content, mimetype=kind)
        endpoint, values = _view_of(request)
        with self._turn:
            launchpad = self._database.launchpad
            if endpoint == "simple":
                return _figure(launchpad, self._query("spec"), self._query("metadata"), **values)
            self._require_known(values)
            fireworks_app.lp = launchpad
            fireworks_app.BASE_Q, fireworks_app.BASE_Q_WF = self._query("spec"), self._query("metadata")
            answer = Response.from_app(fireworks_app, request.environ, buffered=True)
        return self._made_local(answer)

    def _query(self, place: str) -> dict[str, Any]:
        return {f"{place}.campaign": self._campaign} if self._campaign else {}

    def _require_known(self, values: dict[str, Any]) -> None:
        """Answer 404 where FireWorks fails: no such number, or one of another campaign."""
        for name, collection, key, place in (
            ("fw_id", self._database.launchpad.fireworks, "fw_id", "spec"),
            ("wf_id", self._database.launchpad.workflows, "nodes", "metadata"),
        ):
            if name in values:
                query = {key: values[name], **self._query(place)}
                if not collection.count_documents(query, limit=1):
                    shown = f"campaign {self._campaign}" if self._campaign else "this database"
                    raise NotFound(f"There is no firework {values[name]} in {shown}.")

    def _made_local(self, answer: Response) -> Response:
        if answer.mimetype in {"text/html", "text/css", "text/javascript", "application/json"}:
            text = answer.get_data(as_text=True)
            if answer.mimetype == "text/html":
                text = REMOTE_JQUERY.sub(f'src="{JQUERY_PATH}"', text)
                text = REMOTE_REFERENCE.sub("", text)
            text = REMOTE_IMPORT.sub("", text).replace(EDGE_STYLE, EDGE_STYLE + EDGE_COLOURS)
            for secret in self._secrets:
                text = text.replace(secret, HIDDEN)
            answer.set_data(text)
        return answer


def _view_of(request: Request) -> tuple[str, dict[str, Any]]:
    """FireWorks' name of the page that is asked for, and what its address says; nothing where it has none."""
    try:
        endpoint, values = fireworks_app.url_map.bind_to_environ(request.environ).match()
    except HTTPException:
        return "", {}
    return endpoint, dict(values)


def _figure(
    launchpad: Any,
    firework_query: dict[str, Any],
    workflow_query: dict[str, Any],
    *,
    coll: str,
    interval: str,
    num_intervals: str,
) -> Response:
    """Bars of what was done when; FireWorks' own page of it leaves the query out."""
    query = workflow_query if coll == "workflows" else firework_query
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "No artists with labels", UserWarning)  # an empty database has no bars
            figure = FWReport(launchpad).plot_stats(coll, interval, int(num_intervals), additional_query=query)
    except ValueError as error:
        raise NotFound(str(error)) from None
    image = io.BytesIO()
    FigureCanvasAgg(figure).print_png(image)
    return Response(image.getvalue(), mimetype="image/png")


def jquery(package: str = JQUERY_PACKAGE) -> bytes:
    """JQuery, which FireWorks' pages load from the web.

    Parameters
    ----------
    package
        Python package that holds it.

    Raises
    ------
    InstallError
        If it is not installed.
    """
    try:
        return files(package).joinpath("data", "jquery.min.js").read_bytes()
    except (ModuleNotFoundError, FileNotFoundError):
        msg = "jQuery, which draws the workflows, is not installed: pip install xstatic-jquery"
        raise InstallError(msg) from None


def database_secrets(uri: str) -> tuple[str, ...]:
    """Parts of the database's URI that no page may show, the longest first.

    Parameters
    ----------
    uri
        The URI.
    """
    authority = re.split(r"[/?]", uri.partition("://")[2], maxsplit=1)[0]
    login, _, hosts = authority.rpartition("@")
    found = {authority, login} if ":" in login else set()
    for host in hosts.split(","):
        found.add(host if re.search(r":\d+$|%2F", host) else f"{host}:{MONGODB_PORT}")
    return tuple(sorted(found, key=len, reverse=True))


class _QuietHandler(WSGIRequestHandler):
    """Writes faults to standard error, but not every request."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


def make_pages_server(pages: WorkflowPages, host: str, port: int) -> BaseWSGIServer:
    """Listen; its ``serve_forever`` answers until ``shutdown`` or Ctrl-C, and then closes it.

    Parameters
    ----------
    pages
        The pages.
    host
        Name or address to listen on.
    port
        Port; 0 for a free one, found in the server's ``port``.

    Raises
    ------
    LaunchError
        If the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        advice = "give another --port, or none for a free one" if port else "give an address of this machine"
        msg = f"gui: cannot listen on {host} port {port or '(any)'}: {error.strerror}: {advice}"
        raise LaunchError(msg) from None
    with listener:  # werkzeug duplicates it; left to bind by itself, it would end the program on a taken port
        bound = listener.getsockname()[1]
        return make_server(host, bound, pages, threaded=True, request_handler=_QuietHandler, fd=listener.fileno())
