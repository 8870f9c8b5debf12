"""Requests to servers of structures: patient with busy ones, careful with keys."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from hightc.launch.sources.errors import SourceError

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

LOGGER = logging.getLogger(__name__)
BUSY: Final = (429, 502, 503, 504)
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for.

    Attributes
    ----------
    tries
        Further tries after a refusal.
    backoff_seconds
        First wait where the server names none; each further one is twice as long.
    longest_wait_seconds
        Longest single wait, also where the server asks for a longer one.
    timeout_seconds
        Longest time without an answer.
    """

    tries: int = 5
    backoff_seconds: float = 1.0
    longest_wait_seconds: int = 60
    timeout_seconds: float = 30.0


class _ToldRetry(Retry):
    """Retries that say so: a program that waits for a minute shall not look hung."""

    def sleep(self, response: BaseHTTPResponse | None = None) -> None:
        if response is not None:
            wait = self.get_retry_after(response) or self.get_backoff_time()
            LOGGER.warning("server answers %d: waiting %.0f s, %s tries left", response.status, wait, self.total)
        super().sleep(response)


class _Session(requests.Session):
    """A session whose API key stays with the host that it is for."""

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        if urlsplit(prepared_request.url or "")[:2] != urlsplit(response.request.url or "")[:2]:
            prepared_request.headers.pop("x-api-key", None)
        super().rebuild_auth(prepared_request, response)

    def __enter__(self) -> Self:
        return self


def patient_session(patience: Patience) -> requests.Session:
    """Session that waits and tries again where a server is busy: as long as it is told to, or ever twice as long.

    Parameters
    ----------
    patience
        How often and how long.
    """
    retry = _ToldRetry(
        total=patience.tries,
        backoff_factor=patience.backoff_seconds,
        backoff_max=patience.longest_wait_seconds,
        retry_after_max=patience.longest_wait_seconds,
        status_forcelist=BUSY,
        raise_on_status=False,
    )
    session = _Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    return session


def public_address(url: str) -> str:
    """Address without user, password, query and fragment, fit to be shown and stored.

    Parameters
    ----------
    url
        Any address.
    """
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def require_address(url: str, *, what: str, secret: bool) -> str:
    """Refuse what is no address, or would carry a secret in plain text.

    Parameters
    ----------
    url
        Address as given.
    what
        What to name in the error.
    secret
        Whether a key is sent there; then only https will do, but for this machine.

    Returns
    -------
    str
        The address.

    Raises
    ------
    SourceError
        If it cannot be used.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not host:
        msg = f"{what}: expected an address such as https://api.materialsproject.org, found {url!r}"
        raise SourceError(msg)
    if secret and parts.scheme == "http" and host not in LOOPBACK:
        msg = f"{what}: expected https, since an API key is sent there, found {public_address(url)!r}"
        raise SourceError(msg)
    return url


def json_of(response: requests.Response) -> Any:
    """Content of an answer, None where it is no JSON.

    Parameters
    ----------
    response
        The answer.
    """
    try:
        return response.json()
    except requests.exceptions.JSONDecodeError:
        return None
