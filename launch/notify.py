"""Word of materials whose Tc exceeds a threshold, by a command or a webhook, once a document."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from rich.console import Console

from hightc.analysis.documents import TcDocument
from hightc.analysis.documents.tc import CriticalTemperature
from hightc.analysis.files import write_text
from hightc.analysis.plots.wording import METHODS
from hightc.launch.results import MaterialResult
from hightc.launch.settings import Settings
from hightc.launch.stored_form import stored_form

TOLD = "notified.json"
"""File of the campaign's folder that says of which documents word was sent."""

PATIENCE_SECONDS = 30.0
"""Longest time that a command may take, or a server may keep silent."""

MOST_OUTPUT = 300
"""Characters of a failed command's last line that are shown."""


class _SendError(Exception):
    """Word that could not be sent, and why."""


class _Told(BaseModel):
    """Of which document word was sent, and how."""

    model_config = ConfigDict(extra="forbid")

    material: str
    tc_kelvin: float
    by: list[str]


_MEMORY = TypeAdapter(dict[str, _Told])


@dataclass(frozen=True)
class Hit:
    """A material whose Tc may be above a threshold.

    Attributes
    ----------
    document
        Its critical temperatures.
    entry
        The one that is highest.
    tc_kelvin
        Upper end of that one in K.
    """

    document: TcDocument
    entry: CriticalTemperature
    tc_kelvin: float


@dataclass(frozen=True)
class _Channel:
    """A way to send word.

    Attributes
    ----------
    name
        command or webhook.
    send
        Sends JSON; raises _SendError.
    """

    name: str
    send: Callable[[bytes], None]


def highest_tc(document: TcDocument) -> Hit | None:
    """Find the highest Tc of a document: at any mu*, the upper end over the smearing plateau where there is one.

    That of the Eliashberg equations, and of Allen and Dynes where these were not solved.

    Parameters
    ----------
    document
        Critical temperatures of a material.

    Returns
    -------
    Hit or None
        None if there is no number.
    """
    solved = [entry for entry in document.critical_temperatures if entry.method == "eliashberg"]
    entries = solved or [entry for entry in document.critical_temperatures if entry.method == "allen_dynes"]
    ends = [(_upper_kelvin(entry), entry) for entry in entries]
    hits = [Hit(document, entry, end) for end, entry in ends if end is not None]
    return max(hits, key=lambda hit: hit.tc_kelvin, default=None)


def _upper_kelvin(entry: CriticalTemperature) -> float | None:
    return entry.tc_kelvin if entry.high_kelvin is None else entry.high_kelvin


def notify_hits(
    results: Sequence[MaterialResult],
    settings: Settings,
    directory: Path,
    console: Console,
    *,
    patience_seconds: float = PATIENCE_SECONDS,
) -> int:
    """Send word of each material whose newest Tc exceeds the threshold, unless it was sent of that document before.

    What cannot be sent is a warning, and is tried again by the next call. A document counts as sent before the
    sending starts: if hightc is killed meanwhile, word may be lost, but never comes twice.

    Parameters
    ----------
    results
        The materials of a campaign.
    settings
        Command, webhook and threshold; without either of the former nothing is done.
    directory
        Folder of the campaign, which remembers what was sent.
    console
        Where to say what was sent and what could not be.
    patience_seconds
        Longest time that the command may take, or the server may keep silent.

    Returns
    -------
    int
        Materials of which word was sent by this call.
    """
    channels = list(_channels(settings, patience_seconds))
    if not channels:
        return 0
    found = [highest_tc(result.tc) for result in results if result.tc is not None]
    hits = [hit for hit in found if hit is not None and hit.tc_kelvin > settings.notify_tc_kelvin]
    memory = _Memory(directory / TOLD)
    sent = set()
    for channel in channels:
        for number, hit in enumerate(hits):
            try:
                done = memory.once(hit, channel, _message(hit, settings.notify_tc_kelvin))
            except (_SendError, OSError) as error:
                left = len(hits) - number
                _say(console, f"warning: {channel.name} of {left} hits not sent: {error}; the next run tries again")
                break
            if done:
                sent.add(hit.document.material)
                _say(console, f"hit: {_sentence(hit, settings.notify_tc_kelvin)}: sent by {channel.name}")
    return len(sent)


def _say(console: Console, line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)


class _Memory:
    """Of which documents word was sent, in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def once(self, hit: Hit, channel: _Channel, message: bytes) -> bool:
        """Send word unless it was sent; whether it was sent now."""
        key = hashlib.sha256(json.dumps(stored_form(hit.document), sort_keys=True).encode()).hexdigest()
        told = self._read()
        entry = told.setdefault(key, _Told(material=hit.document.material, tc_kelvin=hit.tc_kelvin, by=[]))
        if channel.name in entry.by:
            return False
        entry.by.append(channel.name)
        self._write(told)
        try:
            channel.send(message)
        except _SendError:
            entry.by.remove(channel.name)
            self._write(told)
            raise
        return True

    def _read(self) -> dict[str, _Told]:
        try:
            return _MEMORY.validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except ValidationError:
            msg = f"{self.path}: cannot be read: remove it, and word of its hits is sent once more"
            raise _SendError(msg) from None

    def _write(self, told: dict[str, _Told]) -> None:
        kept = {key: entry for key, entry in told.items() if entry.by}
        write_text(self.path, _MEMORY.dump_json(kept, indent=1).decode() + "\n")


def _sentence(hit: Hit, threshold_kelvin: float) -> str:
    return (
        f"{hit.document.material} of campaign {hit.document.campaign}: Tc up to {hit.tc_kelvin:.3g} K "
        f"({METHODS[hit.entry.method]}, mu* = {hit.entry.mu_star:g}), above {threshold_kelvin:g} K"
    )


def _message(hit: Hit, threshold_kelvin: float) -> bytes:
    content: dict[str, Any] = {
        "text": _sentence(hit, threshold_kelvin),
        "campaign": hit.document.campaign,
        "material": hit.document.material,
        "formula": hit.document.formula,
        "tc_kelvin": hit.tc_kelvin,
        "method": hit.entry.method,
        "mu_star": hit.entry.mu_star,
        "threshold_kelvin": threshold_kelvin,
        "document": stored_form(hit.document),
    }
    return json.dumps(content, allow_nan=False).encode()


def _channels(settings: Settings, patience_seconds: float) -> Iterator[_Channel]:
    if settings.notify_command is not None:
        command = shlex.split(settings.notify_command)
        yield _Channel("command", lambda message: _run(command, message, patience_seconds))
    if settings.notify_webhook is not None:
        address = settings.notify_webhook.get_secret_value()
        yield _Channel("webhook", lambda message: _post(address, message, patience_seconds))


def _run(command: Sequence[str], message: bytes, patience_seconds: float) -> None:
    """Run a command with JSON on its standard input; no shell takes part."""
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True
            )
        except (OSError, ValueError) as error:
            msg = f"{command[0]!r}: {getattr(error, 'strerror', None) or error}: correct HIGHTC_NOTIFY_COMMAND"
            raise _SendError(msg) from None
        try:
            process.communicate(message, timeout=patience_seconds)
        except subprocess.TimeoutExpired:
            msg = f"{command[0]}: not done after {patience_seconds:g} s, ended"
            raise _SendError(msg) from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if process.returncode != 0:
            msg = f"{command[0]}: exit code {process.returncode}{_last_line(errors)}"
            raise _SendError(msg)


def _last_line(stream: Any) -> str:
    stream.seek(max(0, stream.seek(0, os.SEEK_END) - 10 * MOST_OUTPUT))
    lines = stream.read().decode(errors="replace").split("\n")
    said = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f": {said[:MOST_OUTPUT]}" if said else ""


def _post(address: str, message: bytes, patience_seconds: float) -> None:
    """Post JSON; a redirection is not followed, since it may lead anywhere. The address is secret but for its host."""
    host = urlsplit(address).hostname
    try:
        with requests.post(
            address,
            data=message,
            headers={"Content-Type": "application/json"},
            timeout=patience_seconds,
            allow_redirects=False,
            stream=True,  # the answer's content is of no interest, however long
        ) as response:
            status = response.status_code
    except requests.RequestException as error:
        msg = f"{host}: {type(error).__name__}"
        raise _SendError(msg) from None
    if not 200 <= status < 300:
        msg = f"{host}: expected an answer from 200 to 299, found {status}: check HIGHTC_NOTIFY_WEBHOOK"
        raise _SendError(msg)
