"""``hightc report``: the results of campaigns as a folder of pages that open without a server."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hightc.launch.command_parser import CommandParser, add_command

if TYPE_CHECKING:
    from hightc.launch.progress_line import Tell
    from hightc.launch.report_site.site import SiteSummary
    from hightc.launch.settings import Settings
    from hightc.launch.store import Database

SITE: Final = "site"

EPILOG: Final = """\
examples:
  hightc report nb.toml                 hightc-runs/nb/site/index.html: open it in a browser, copy the folder anywhere
  hightc report nb                      the same by the campaign's name, from the database alone
  hightc report nb niobates -o pages    several campaigns in one table
  hightc report --all                   every campaign of the database

The table sorts and filters by element, Tc, lambda, N(E_F), softness and stability; the page of a material has its
structure, phonons, alpha2F, gaps, gates, inputs and versions, with figures to zoom. Given again, the command writes
only the pages of materials of which something was stored since. hightc run may go on meanwhile.

exit codes: 0 done; 1 done, but a material has no page (the reason is told); 2 could not start"""


def add_report(commands: argparse._SubParsersAction[CommandParser]) -> None:
    """Add the command.

    Parameters
    ----------
    commands
        Sub-commands of ``hightc``.
    """
    parser = add_command(
        commands,
        "report",
        show_report,
        "a static site of campaigns: a table that sorts and filters, a page a material",
        description="Write the results of campaigns as a static site that opens offline, for thousands of materials.",
        epilog=EPILOG,
    )
    parser.add_argument("campaign", nargs="*", help="campaign file, or name of a campaign in the database")
    parser.add_argument("--all", action="store_true", help="every campaign of the database")
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        type=Path,
        help=f"folder of the site (default: {SITE}/ in the campaign's folder)",
    )
    parser.add_argument("--anew", action="store_true", help="write every page, also those that nothing has changed")


def show_report(options: argparse.Namespace) -> int:
    """Write the site.

    Parameters
    ----------
    options
        Options of the command.

    Returns
    -------
    int
        Exit code: 1 if a material has no page, else 0.

    Raises
    ------
    LaunchError
        If no campaign is named, the database cannot be reached or has no such campaign, or the folder is not a site's.
    """
    # a help text must not wait for the database's packages
    from pymongo.errors import ConnectionFailure  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    from hightc.launch.errors import DatabaseError, LaunchError  # noqa: PLC0415
    from hightc.launch.settings import load_settings  # noqa: PLC0415
    from hightc.launch.store import open_database  # noqa: PLC0415

    if bool(options.campaign) == options.all:
        msg = "report: expected campaign files or names, or --all: hightc status lists the campaigns"
        raise LaunchError(msg)
    settings, console = load_settings(), Console()

    def tell(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    with closing(open_database(settings)) as database:
        try:
            summary = _write(options, database, settings, tell)
        except ConnectionFailure as error:
            msg = (
                f"MongoDB at {database.address} was lost ({type(error).__name__}): mend it, and give the command again"
            )
            raise DatabaseError(msg) from None
    for reason in summary.left_out:
        tell(f"no page: {reason}")
    tell(f"pages: {summary.written} written, {summary.kept} unchanged, {summary.removed} removed")
    tell(f"site: {summary.index.absolute()}")
    return 1 if summary.left_out else 0


def _write(options: argparse.Namespace, database: Database, settings: Settings, tell: Tell) -> SiteSummary:
    from hightc.launch.report_site.materials import campaign_names  # noqa: PLC0415
    from hightc.launch.report_site.site import write_site  # noqa: PLC0415
    from hightc.launch.report_site.state import page_name  # noqa: PLC0415

    names = campaign_names(database) if options.all else list(dict.fromkeys(_name(text) for text in options.campaign))
    _require_campaigns(names, database)
    single = len(names) == 1 and not options.all
    folder = settings.work_directory / page_name(names[0]) if single else settings.work_directory
    return write_site(
        database,
        names,
        options.output or folder / SITE,
        name=names[0] if single else "campaigns",
        campaign_file=options.campaign[0] if single and _is_file(options.campaign[0]) else None,
        anew=options.anew,
        tell=tell,
    )


def _is_file(text: str) -> bool:
    return text.endswith(".toml") or "/" in text


def _name(text: str) -> str:
    """Name of the campaign of a file, or the name itself."""
    from hightc.launch.campaign_file import parse_campaign_file  # noqa: PLC0415

    return parse_campaign_file(Path(text)).name or Path(text).stem if _is_file(text) else text


def _require_campaigns(names: list[str], database: Database) -> None:
    from hightc.launch.errors import LaunchError  # noqa: PLC0415

    if not names:
        msg = "report: expected a campaign in the database, found none: hightc run launch/examples/quickstart.toml"
        raise LaunchError(msg)
    for name in names:
        if not database.launchpad.workflows.count_documents({"metadata.campaign": name}, limit=1):
            msg = f"campaign {name!r}: expected one of the database, found none: hightc status lists all"
            raise LaunchError(msg)
