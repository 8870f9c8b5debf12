"""The table of commands: name, the fields each understands, and dispatch."""

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hightc.launch.embedded_mongo.cursors import Cursors
from hightc.launch.embedded_mongo.engine import Engine
from hightc.launch.embedded_mongo.errors import Code, CommandError, unsupported
from hightc.launch.embedded_mongo.wire import Request, decode

Reply = dict[str, Any]

_log = logging.getLogger(__name__)

# Fields that any command may carry and that change no answer of a single server without sessions.
_HARMLESS = frozenset(
    {
        "$db",
        "$readPreference",
        "$clusterTime",
        "lsid",
        "comment",
        "maxTimeMS",
        "readConcern",
        "writeConcern",
        "apiVersion",
        "apiStrict",
        "apiDeprecationErrors",
        "collation",
    }
)


@dataclass
class Context:
    """What a command works on.

    Parameters
    ----------
    engine
        The databases.
    cursors
        The open cursors.
    database
        Name of the database the command is for.
    command
        The command document.
    sequences
        Its document sequences as raw BSON, by field name.
    connection
        Number of the client's connection.
    """

    engine: Engine
    cursors: Cursors
    database: str
    command: dict[str, Any]
    sequences: dict[str, list[bytes]] = field(default_factory=dict)
    connection: int = 0

    @property
    def name(self) -> str:
        """The command's name as the client wrote it."""
        return next(iter(self.command))

    @property
    def namespace(self) -> str:
        """``database.collection``, for a command whose value is the collection."""
        collection = self.command[self.name]
        if not isinstance(collection, str) or not collection:
            raise CommandError(Code.InvalidNamespace, f"collection name for {self.name} must be a nonempty string")
        return f"{self.database}.{collection}"

    def statements(self, name: str) -> list[dict[str, Any]]:
        """Return the list `name`, from its document sequence or the command, decoded."""
        if name in self.sequences:
            return [decode(body) for body in self.sequences[name]]
        statements = self.command.get(name)
        if not isinstance(statements, list) or not statements:
            raise CommandError(Code.FailedToParse, f"{self.name}: {name} must be a nonempty array")
        return statements


Handler = Callable[[Context], Reply]


@dataclass(frozen=True)
class _Entry:
    handler: Handler
    understood: frozenset[str]


_TABLE: dict[str, _Entry] = {}


def command(*names: str, understands: str = "", ignores: str = "") -> Callable[[Handler], Handler]:
    """Enter a handler into the table.

    Parameters
    ----------
    names
        Names of the command; they are matched without regard to case, as MongoDB does for the oldest.
    understands
        Fields the handler reads, separated by spaces.
    ignores
        Fields that change no answer here, separated by spaces. Any other field is refused: an option that is
        not understood must not be silently without effect.
    """

    def enter(handler: Handler) -> Handler:
        known = frozenset(understands.split()) | frozenset(ignores.split()) | _HARMLESS
        for name in names:
            _TABLE[name.lower()] = _Entry(handler, known)
        return handler

    return enter


def run(engine: Engine, cursors: Cursors, request: Request, connection: int = 0) -> Reply:
    """Run one request and return its reply, an error reply when it fails."""
    document = dict(request.command)
    context = Context(engine, cursors, str(document.get("$db", "admin")), document, request.sequences, connection)
    try:
        entry = _TABLE.get(context.name.lower())
        if entry is None:
            raise CommandError(Code.CommandNotFound, f"no such command: '{context.name}'")
        _require_understood(context, entry)
        return entry.handler(context)
    except CommandError as error:
        return error.as_reply()
    except Exception as error:  # noqa: BLE001 - the boundary: it must become an error reply
        # The traceback without the error's message, which may hold what is in a document.
        trace = "".join(traceback.format_tb(error.__traceback__))
        _log.error("command %s failed with %s:\n%s", context.name, type(error).__name__, trace)
        return CommandError(
            Code.InternalError, f"{type(error).__name__} in {context.name}: see the embedded server's log"
        ).as_reply()


def _require_understood(context: Context, entry: _Entry) -> None:
    if "txnNumber" in context.command or "startTransaction" in context.command:
        raise CommandError(
            Code.IllegalOperation, "Transaction numbers are only allowed on a replica set member or mongos"
        )
    for name in (*context.command, *context.sequences):
        if name not in entry.understood and name != context.name:
            raise CommandError(
                Code.UnknownField, f"BSON field '{context.name}.{name}' is an unknown or unsupported field"
            )
    require_simple(context.command.get("collation"))


def require_simple(collation: Any) -> None:
    """Refuse a collation other than the binary one."""
    if collation and collation.get("locale") != "simple":
        raise unsupported("collations")
