"""``hightc gui``: the campaigns' workflows in a browser."""

from __future__ import annotations

import argparse
import socket
from contextlib import closing
from typing import Final

from hightc.launch.command_parser import CommandParser, add_command

LOOPBACK: Final = "127.0.0.1"
EPILOG: Final = """\
examples:
  hightc gui                          print an address of this machine to open in a browser
  hightc gui --campaign nb            one campaign
  ssh -N -L 8000:127.0.0.1:8000 HOST  and hightc gui --port 8000 on HOST, to read http://127.0.0.1:8000 elsewhere

The pages are FireWorks'; everything they load comes from this machine, so they work without the internet. They only
read. On loopback every user of this machine can open them; a password is asked for where one is set, and has to be set
for any other --host: HIGHTC_GUI_PASSWORD, or gui_password in a settings file of mode 0600; the user is HIGHTC_GUI_USER
(default: hightc). The connection is not encrypted: across a network prefer the tunnel above.

exit codes: 0 ended by Ctrl-C; 2 could not start (one line says why)"""


def add_gui(commands: argparse._SubParsersAction[CommandParser]) -> None:
    """Add the command.

    Parameters
    ----------
    commands
        Sub-commands of ``hightc``.
    """
    parser = add_command(
        commands,
        "gui",
        show_gui,
        "the workflows of the campaigns in a browser",
        description="Serve FireWorks' pages of the campaigns' workflows, with their graphs, until Ctrl-C.",
        epilog=EPILOG,
    )
    parser.add_argument("--campaign", metavar="NAME", help="name of a campaign; all by default")
    parser.add_argument("--port", metavar="N", type=_port, default=0, help="port (default: a free one)")
    parser.add_argument(
        "--host", metavar="ADDRESS", default=LOOPBACK, help=f"address to listen on (default: {LOOPBACK})"
    )


def _port(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text) <= 65535):
        msg = f"expected a port from 1 to 65535, found {text!r}"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def show_gui(options: argparse.Namespace) -> int:
    """Serve the pages until Ctrl-C.

    Parameters
    ----------
    options
        Options of the command.

    Returns
    -------
    int
        Exit code: 0.

    Raises
    ------
    LaunchError
        If the database cannot be reached or has no such campaign, the address cannot be listened on, or it needs a
        password.
    """
    # a help text must not wait for the database's packages
    from hightc.launch.errors import LaunchError  # noqa: PLC0415
    from hightc.launch.gui import WorkflowPages, make_pages_server  # noqa: PLC0415
    from hightc.launch.gui_login import login_for  # noqa: PLC0415
    from hightc.launch.settings import load_settings  # noqa: PLC0415
    from hightc.launch.store import open_database  # noqa: PLC0415

    settings = load_settings()
    login = login_for(options.host, settings)
    with closing(open_database(settings)) as database:
        of_campaign = {"metadata.campaign": options.campaign}
        if options.campaign and not database.launchpad.workflows.count_documents(of_campaign, limit=1):
            msg = f"campaign {options.campaign!r}: expected one of the database, found none: hightc status lists all"
            raise LaunchError(msg)
        pages = WorkflowPages(database, campaign=options.campaign, login=login, host=options.host)
        server = make_pages_server(pages, options.host, options.port)
        print(f"{address(options.host, server.port)}   Ctrl-C ends it", flush=True)
        if login is not None:
            print(f"user {login.user}, password as set in gui_password", flush=True)
        server.serve_forever()
    return 0


def address(host: str, port: int) -> str:
    """Address to open in a browser.

    Parameters
    ----------
    host
        Name or address that is listened on; all of this machine's go by its name.
    port
        The port.
    """
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not listened on
        host = socket.gethostname()
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
