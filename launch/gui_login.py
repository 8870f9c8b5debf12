"""Who may read the pages of ``hightc gui``: everybody on this machine, or who knows the password."""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from hightc.launch.errors import SettingsError

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from hightc.launch.settings import Settings

SHORTEST_PASSWORD: Final = 8


@dataclass(frozen=True)
class Login:
    """Who may read the pages.

    Attributes
    ----------
    user, password
        What the browser has to send.
    """

    user: str
    password: str = field(repr=False)

    def admits(self, request: Request) -> bool:
        """Whether a request brings both."""
        given = request.authorization
        if given is None or given.type != "basic":
            return False
        expected, found = f"{self.user}:{self.password}", f"{given.username}:{given.password}"
        return hmac.compare_digest(expected.encode(), found.encode())


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone.

    Parameters
    ----------
    host
        Name or address to listen on.
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def login_for(host: str, settings: Settings) -> Login | None:
    """Login that an address needs; None on loopback where no password is set.

    Parameters
    ----------
    host
        Name or address to listen on.
    settings
        Settings of this machine.

    Raises
    ------
    SettingsError
        If others could read the pages without a password, or with a weak one.
    """
    password = settings.gui_password.get_secret_value() if settings.gui_password else ""
    if not password and is_loopback(host):
        return None
    where = "HIGHTC_GUI_PASSWORD in the environment, or gui_password in a settings file of mode 0600"
    if not password:
        msg = f"gui on {host}: others can reach it: expected a password, found none: set {where}"
        raise SettingsError(msg)
    if len(password) < SHORTEST_PASSWORD:
        msg = f"gui: expected a password of at least {SHORTEST_PASSWORD} characters, found a shorter one: set {where}"
        raise SettingsError(msg)
    return Login(settings.gui_user, password)
