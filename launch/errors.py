"""Errors of campaigns.

    LaunchError
    ├── CampaignError       a campaign file that cannot be understood
    ├── SettingsError       settings that cannot be used
    ├── DatabaseError       a database that cannot be reached
    │   └── DatabaseAwayError   one that does not answer now, and may later
    └── InstallError        something that could not be installed

The command line prints the message alone and exits with 2; every other exception is a fault of hightc.
"""

from __future__ import annotations

from hightc.launch.plain_text import plain_text


class LaunchError(Exception):
    """A campaign that cannot be started."""

    def __init__(self, message: str) -> None:
        """Keep the message, fit for a terminal whatever names and files of other people it quotes.

        Parameters
        ----------
        message
            What, where, expected, found and the next step.
        """
        super().__init__(plain_text(message))


class CampaignError(LaunchError):
    """A campaign file that cannot be understood."""


class SettingsError(LaunchError):
    """Settings that cannot be used."""


class DatabaseError(LaunchError):
    """A database that cannot be reached."""


class DatabaseAwayError(DatabaseError):
    """A database that does not answer now, and may later."""


class InstallError(LaunchError):
    """Something that could not be installed."""
