"""What a site knows of its own pages, so that unchanged ones are not written again."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterable
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from hightc.analysis.files import write_text
from hightc.launch.campaign_file import LABEL
from hightc.launch.errors import LaunchError

STATE: Final = ".site.json"
SAVE_SECONDS: Final = 20.0
"""Least time between two saves while pages are written: an interrupted run goes on near where it stopped."""

OWN_PAGE: Final = re.compile(r"(?:materials|fermi)/(?:[\w+.-]+/)?[\w+.-]+\.html")
"""Pages that a site may remove."""

DIGEST_LENGTH: Final = 10


class SiteState:
    """Digest and table line of each page, kept in a file of the site's folder.

    Attributes
    ----------
    entries
        By page, relative to the folder: ``digest``, and what the index shows of the material.
    made_with
        Digest of what makes the pages.
    """

    def __init__(self, directory: Path, said: str = "") -> None:
        """Read what an earlier run left; what another version of hightc wrote counts as nothing.

        Parameters
        ----------
        directory
            Folder of the site; it need not exist.
        said
            What else stands on every page.

        Raises
        ------
        LaunchError
            If the folder holds files and was not made by this command.
        """
        self._path = directory / STATE
        self._saved = time.monotonic()
        self.made_with = _made_with(said)
        self.entries: dict[str, dict[str, Any]] = {}
        self._pages: set[str] = set()
        if not self._path.exists():
            if directory.is_dir() and any(directory.iterdir()):
                msg = f"{directory}: expected an empty folder or a site of hightc, found other files: name another one"
                raise LaunchError(msg)
            return
        try:
            stored = json.loads(self._path.read_text(encoding="utf-8"))
            self._pages = {str(page) for page in stored["pages"]}
            self.entries = stored["entries"] if stored["made_with"] == self.made_with else {}
        except (ValueError, KeyError, TypeError):
            return  # cut off: all pages are made anew

    def is_current(self, page: str, digest: str) -> bool:
        """Whether a page was written of the same documents, and is there.

        Parameters
        ----------
        page
            Its path, relative to the folder.
        digest
            Of what is stored of its material now.
        """
        known = self.entries.get(page)
        return known is not None and known["digest"] == digest and (self._path.parent / page).is_file()

    def save(self, *, now: bool = False) -> None:
        """Write the file, unless that was done a moment ago.

        Parameters
        ----------
        now
            Write it in any case.
        """
        if now or time.monotonic() - self._saved > SAVE_SECONDS:
            pages = sorted(self._pages.union(self.entries))
            kept = {"made_with": self.made_with, "pages": pages, "entries": self.entries}
            write_text(self._path, json.dumps(kept, separators=(",", ":"), allow_nan=False))
            self._saved = time.monotonic()

    def drop(self, keep: Iterable[str]) -> int:
        """Forget and remove the pages of materials that are gone.

        Parameters
        ----------
        keep
            Pages that stay.

        Returns
        -------
        int
            How many pages of materials were removed.
        """
        gone = self._pages.union(self.entries).difference(keep)
        self._pages -= gone
        for page in gone:
            self.entries.pop(page, None)
            for path in (page, page.replace("materials/", "fermi/", 1)):
                if OWN_PAGE.fullmatch(path) and ".." not in path:
                    (self._path.parent / path).unlink(missing_ok=True)
        return len(gone)


def page_name(label: str) -> str:
    """Name of a file or folder for a label; one that is no label gets a digest, and nothing of it is lost.

    Parameters
    ----------
    label
        Label of a material, or name of a campaign.
    """
    if LABEL.fullmatch(label) and ".." not in label:
        return label
    plain = re.sub(r"[^A-Za-z0-9]+", "_", label)[:40].strip("_")
    return f"{plain or 'x'}-{hashlib.sha256(label.encode()).hexdigest()[:DIGEST_LENGTH]}"


def _made_with(said: str) -> str:
    """Digest of what makes the pages: other templates make all pages anew."""
    content = hashlib.sha256(f"{version('hightc')} {said}".encode())
    folder = files("hightc.launch")
    shared = (entry for entry in folder.iterdir() if entry.name.startswith("report"))
    for source in sorted((*shared, *folder.joinpath("report_site").iterdir()), key=lambda entry: entry.name):
        if source.is_file():
            content.update(source.read_bytes())
    return content.hexdigest()
