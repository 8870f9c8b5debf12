"""A connection to the Materials Project, through its own client (package mp-api, the extra ``mp``)."""

# ruff: noqa: PLC0415 - the client takes seconds to import
from __future__ import annotations

import re
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hightc.launch.sources.api_key import read_api_key
from hightc.launch.sources.errors import SourceAwayError, SourceError, SourceKeyError, SourceLimitError
from hightc.launch.sources.plain_structure import plain_structure
from hightc.launch.sources.structure_archive import identifier_order

if TYPE_CHECKING:
    from pydantic import SecretStr
    from pymatgen.core import Structure

    from hightc.launch.sources.web import Patience

ENDPOINT: Final = "https://api.materialsproject.org/"
FIELDS: Final = ("material_id", "structure", "energy_above_hull")
PAGE: Final = 1000
FORMULAS_AT_ONCE: Final = 50
LONGEST_MESSAGE: Final = 300


@dataclass(frozen=True)
class Phase:
    """One material of the database.

    Attributes
    ----------
    identifier
        Its identifier.
    structure
        As relaxed there, Angstrom.
    above_hull_ev
        Energy above the hull in eV an atom; None where it is not given.
    """

    identifier: str
    structure: Structure
    above_hull_ev: float | None


class MaterialsProject:
    """A connection to the Materials Project.

    Parameters
    ----------
    client
        An ``MPRester`` that returns plain dictionaries.
    address
        Address to name in errors and provenance.
    tries
        Further tries that are made of a request, to name in errors.
    key
        The API key, to keep it out of errors.
    """

    def __init__(self, client: Any, address: str, tries: int, key: SecretStr) -> None:
        self._client = client
        self.address = address
        self._tries = tries
        self._key = key

    @classmethod
    def connect(
        cls, endpoint: str | None, key_file: str | None, folder: Path, patience: Patience | None = None
    ) -> MaterialsProject:
        """Read the key, see whether the server is there, and start the client.

        Parameters
        ----------
        endpoint
            Address of the API; None: the Materials Project's.
        key_file
            File with the key, relative to the folder; None: see `read_api_key`.
        folder
            Folder of the campaign file.
        patience
            How long the server is waited for; by default as for every server.

        Raises
        ------
        SourceError
            If there is no key, no client, or no server.
        """
        from hightc.launch.sources.web import Patience as Waits
        from hightc.launch.sources.web import json_of, patient_session, public_address, require_address

        key = read_api_key(key_file, folder)
        url = require_address(endpoint or ENDPOINT, what="Materials Project: endpoint", secret=True).rstrip("/") + "/"
        address, waits = public_address(url), patience or Waits()
        session = patient_session(waits)
        with _told(address, waits.tries, key):
            response = session.get(f"{url}heartbeat", timeout=waits.timeout_seconds)
        beat = json_of(response)
        if response.status_code == 429:
            raise SourceLimitError(_limit(address, waits.tries))
        if response.status_code != 200 or not isinstance(beat, dict) or not {"db_version", "version"} <= beat.keys():
            msg = (
                f"{address}: expected the heartbeat of the Materials Project, found status {response.status_code}: it "
                "may be down: see https://status.materialsproject.org"
            )
            raise SourceAwayError(msg)
        try:
            from mp_api.client import MPRester
        except ImportError:
            msg = "Materials Project: expected the package mp-api, found none: run: pip install 'hightc[mp]'"
            raise SourceError(msg) from None
        with _told(address, waits.tries, key):
            client = MPRester(
                api_key=key.get_secret_value(),
                endpoint=url,
                session=session,
                use_document_model=False,
                mute_progress_bars=True,
            )
        return cls(client, address, waits.tries, key)

    def search(self, limit: int | None = None, **criteria: Any) -> list[Phase]:
        """Find materials, in the order of their identifiers.

        Parameters
        ----------
        limit
            Most that may be found; None: any number.
        **criteria
            Arguments of the client's ``materials.summary.search``.

        Raises
        ------
        SourceError
            If the server refuses or fails, or more are found.
        """
        page = PAGE if limit is None else min(PAGE, limit + 1)
        chunks = None if limit is None else -(-(limit + 1) // page)
        with _told(self.address, self._tries, self._key):
            found = self._client.materials.summary.search(
                **{"deprecated": False, **criteria}, fields=list(FIELDS), chunk_size=page, num_chunks=chunks
            )
            phases = [_phase(item) for item in found]
        if limit is not None and len(phases) > limit:
            msg = f"{self.address}: expected at most {limit} materials, found more: narrow the filters or raise limit"
            raise SourceError(msg)
        return sorted(phases, key=lambda phase: identifier_order(phase.identifier))

    def phases(self, formulas: Sequence[str]) -> dict[str, tuple[tuple[str, Structure], ...]]:
        """Every phase of each formula, the most stable first.

        Parameters
        ----------
        formulas
            Reduced formulas.

        Returns
        -------
        dict
            Identifier and structure by reduced formula; formulas without one are left out.
        """
        found: dict[str, list[Phase]] = defaultdict(list)
        for start in range(0, len(formulas), FORMULAS_AT_ONCE):
            for phase in self.search(formula=list(formulas[start : start + FORMULAS_AT_ONCE])):
                found[phase.structure.composition.reduced_formula].append(phase)
        return {
            formula: tuple((phase.identifier, phase.structure) for phase in sorted(phases, key=_stability))
            for formula, phases in found.items()
        }

    def successor(self, identifier: str) -> str | None:
        """Identifier of the material that a calculation now belongs to, None where there is none.

        Parameters
        ----------
        identifier
            An identifier that is no material's.
        """
        with _told(self.address, self._tries, self._key):
            found = self._client.materials.search(task_ids=[identifier], fields=["material_id"])
        return str(found[0]["material_id"]) if found else None


def _phase(item: Any) -> Phase:
    hull = item.get("energy_above_hull")
    return Phase(
        identifier=str(item["material_id"]),
        structure=plain_structure(item["structure"]),
        above_hull_ev=None if hull is None else float(hull),
    )


def _stability(phase: Phase) -> tuple[bool, float, tuple[int, str, int]]:
    hull = phase.above_hull_ev
    return hull is None, hull or 0.0, identifier_order(phase.identifier)


def _limit(address: str, tries: int) -> str:
    return f"{address}: still too many requests (429) after {tries} waits: try again in some minutes, or ask for less"


@contextmanager
def _told(address: str, tries: int, key: SecretStr) -> Iterator[None]:
    """Say in our words what the client and the network raise; its advice on versions is not ours to print."""
    from requests.exceptions import RequestException

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except RequestException as error:
        raise SourceAwayError(_away(address, type(error).__name__)) from None
    except SourceError:
        raise
    except (KeyError, TypeError, AttributeError) as error:
        msg = f"{address}: expected materials with structures, found something else ({type(error).__name__})"
        raise SourceAwayError(msg) from None
    except Exception as error:
        told = _of_client(address, tries, error, key)
        if told is None:
            raise
        raise told from None


def _of_client(address: str, tries: int, error: Exception, key: SecretStr) -> SourceError | None:
    """Our error for one of the client's; None for what is a fault of ours."""
    if isinstance(error, ValueError):  # an answer that is no JSON
        return SourceAwayError(_away(address, "no JSON"))
    if type(error).__name__ != "MPRestError":
        return None
    text = " ".join(str(error).split())
    status = re.search(r"error status code (\d+)", text)
    code = int(status.group(1)) if status else 0
    cause = error.__context__
    told: SourceError
    if code == 429:
        told = SourceLimitError(_limit(address, tries))
    elif code in (401, 403):
        told = SourceKeyError(f"{address}: the API key is refused (status {code}): get a new one and set it again")
    elif code >= 500:
        told = SourceAwayError(_away(address, f"status {code}"))
    elif cause is not None and type(cause).__module__.startswith(("requests", "urllib3")):
        told = SourceAwayError(_away(address, type(cause).__name__))
    else:
        shown = text.replace(key.get_secret_value(), "***")
        told = SourceError(f"{address}: the request is refused: {shown[:LONGEST_MESSAGE]}: correct [[sources]]")
    return told


def _away(address: str, found: str) -> str:
    return f"{address}: expected an answer, found {found}: it may be down: see https://status.materialsproject.org"
