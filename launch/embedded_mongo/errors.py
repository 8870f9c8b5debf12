"""The exceptions of the embedded server.

EmbeddedMongoError
|-- UnsafeLocationError    the directory or socket is not ours alone
|-- ServerNotRunningError  nobody serves the directory
|-- ServerStartError       the server did not come up
|-- ServerStopError        the server did not go down
|-- WireError              a client broke the wire protocol; its connection is closed
|-- JournalError
|   |-- JournalCorruptError  the journal is damaged before its end
|   `-- JournalWriteError    the journal cannot be written; the server stops
`-- CommandError           becomes the error reply of one command, with MongoDB's code
"""

from enum import IntEnum
from typing import Any


class Code(IntEnum):
    """The MongoDB error codes that the server replies with (names of MongoDB's ``error_codes.yml``)."""

    InternalError = 1
    BadValue = 2
    FailedToParse = 9
    TypeMismatch = 14
    IllegalOperation = 20
    NamespaceNotFound = 26
    IndexNotFound = 27
    PathNotViable = 28
    ConflictingUpdateOperators = 40
    CursorNotFound = 43
    NamespaceExists = 48
    DollarPrefixedFieldName = 52
    InvalidIdField = 53
    NotSingleValueField = 54
    CommandNotFound = 59
    ImmutableField = 66
    InvalidOptions = 72
    InvalidNamespace = 73
    IndexOptionsConflict = 85
    IndexKeySpecsConflict = 86
    ExceededMemoryLimit = 146
    CannotIndexParallelArrays = 171
    NotImplemented = 238
    BSONObjectTooLarge = 10334
    DuplicateKey = 11000
    UnknownField = 40415


class EmbeddedMongoError(RuntimeError):
    """Anything the embedded server refuses or fails to do."""


class UnsafeLocationError(EmbeddedMongoError):
    """A directory, lock or socket that someone else owns or may write."""


class ServerNotRunningError(EmbeddedMongoError):
    """No server lives in the directory."""


class ServerStartError(EmbeddedMongoError):
    """The server process did not answer in time, or ended."""


class ServerStopError(EmbeddedMongoError):
    """The server process was told to end and did not."""


class WireError(EmbeddedMongoError):
    """Bytes that are not the MongoDB wire protocol as this server speaks it."""


class JournalError(EmbeddedMongoError):
    """The journal cannot be used."""


class JournalCorruptError(JournalError):
    """The journal is damaged before its last record."""


class JournalWriteError(JournalError):
    """A write to the journal failed, so that nothing more can be acknowledged."""


class CommandError(EmbeddedMongoError):
    """One command (or one statement of it) failed; the client sees MongoDB's error.

    Parameters
    ----------
    code
        MongoDB's error code.
    message
        What, where, expected, found.
    details
        Further fields of the reply, such as ``keyPattern`` of a duplicate key.
    """

    def __init__(self, code: Code, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.details = details

    def as_reply(self) -> dict[str, Any]:
        """Return the error as the reply document of a failed command."""
        return {
            "ok": 0.0,
            "errmsg": str(self),
            "code": int(self.code),
            "codeName": self.code.name,
            **self.details,
        }

    def as_write_error(self, index: int) -> dict[str, Any]:
        """Return the error as the entry of ``writeErrors`` for the statement at `index`."""
        return {"index": index, "code": int(self.code), "errmsg": str(self), **self.details}


def unsupported(what: str) -> CommandError:
    """Return the error for what MongoDB has and the embedded server does not."""
    return CommandError(
        Code.NotImplemented,
        f"the embedded server does not support {what}; use MongoDB and set HIGHTC_MONGO_URI",
    )
