"""What FireWorks has stored of times and failures, in words that can be shown; it imports nothing heavy."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

TRACEBACK: Final = "Traceback (most recent call last):"
OWN_ERROR: Final = re.compile(r"^hightc\.[\w.]+: ")
MODULE_OF_ERROR: Final = re.compile(r"^(?:\w+\.)+(?=\w+(?::|$))")
DATABASE_ADDRESS: Final = re.compile(r"mongodb(?:\+srv)?://[^\s'\"]+|(?<=://)[^\s/@]+:[^\s/@]*@")


def utc(moment: datetime | str) -> datetime:
    """A time that FireWorks stored, with its zone.

    Parameters
    ----------
    moment
        As stored: a datetime or ISO 8601, with or without its zone.
    """
    value = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def error_message(trace: str) -> str:
    """Message of the last exception of a traceback; the class is named unless the error is one of hightc's own.

    Parameters
    ----------
    trace
        A formatted traceback, or a reason without one; empty if there is none.
    """
    lines = trace.strip().splitlines()
    start = max((index for index, line in enumerate(lines) if line.endswith(TRACEBACK)), default=-1)
    # frames are indented, the exception is not
    end = next((index for index in range(start + 1, len(lines)) if not lines[index].startswith(" ")), 0)
    message = "\n".join(lines[end:])
    return OWN_ERROR.sub("", message) if OWN_ERROR.match(message) else MODULE_OF_ERROR.sub("", message)


def redact(text: str) -> str:
    """Hide database addresses and passwords that an error message may hold.

    Parameters
    ----------
    text
        Any text.
    """
    return DATABASE_ADDRESS.sub("(hidden)", text)
