"""Errors of sources of materials.

    CampaignError
    └── SourceError             a source that cannot be used at all
        ├── SourceKeyError      an API key that is missing, malformed, refused, or readable by others
        ├── SourceLimitError    a server that still answers "too many requests" after the waits
        └── SourceAwayError     a server that cannot be reached or does not answer as it should

One entry that cannot be used, among others that can, is no error but a `RefusedEntry`.
"""

from __future__ import annotations

from hightc.launch.errors import CampaignError


class SourceError(CampaignError):
    """A source that cannot be used at all."""


class SourceKeyError(SourceError):
    """An API key that is missing, malformed, refused, or readable by others."""


class SourceLimitError(SourceError):
    """A server that still answers "too many requests" after the waits."""


class SourceAwayError(SourceError):
    """A server that cannot be reached or does not answer as it should."""
