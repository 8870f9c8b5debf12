"""Steps that were taken and never begun: the claim arrived at the database, its answer never at the worker."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from hightc.launch.patience import CLAIMED_BY
from hightc.launch.store import Database

CLAIM_SECONDS = 60.0
"""Longer than a living worker holds a firework without a launch when the database was away in between."""

CLAIM_POLL_SECONDS = 10.0


@dataclass
class Claims:
    """Steps that are taken and not begun.

    Attributes
    ----------
    patience_seconds
        How long a claim may last before it is undone.
    """

    patience_seconds: float = CLAIM_SECONDS
    _since: dict[tuple[int, str], float] = field(default_factory=dict)
    _looked: float = float("-inf")

    def release(self, campaign: str, database: Database) -> list[int]:
        """Undo the claims of a campaign that have lasted for too long; it looks now and then only.

        Parameters
        ----------
        campaign
            Name of the campaign.
        database
            The database.

        Returns
        -------
        list of int
            Fireworks that are ready again.
        """
        now = time.monotonic()
        if now - self._looked < min(CLAIM_POLL_SECONDS, self.patience_seconds):
            return []
        # what was seen before a long silence of the database is no older than before it
        kept = self._since if now - self._looked < 2 * CLAIM_POLL_SECONDS else {}
        fireworks = database.launchpad.fireworks
        taken = {"spec.campaign": campaign, "state": "RESERVED", "launches": []}
        found = {
            (int(entry["fw_id"]), str(entry["updated_on"])): entry
            for entry in fireworks.find(taken, {"fw_id": 1, "updated_on": 1})
        }
        self._looked = time.monotonic()
        self._since = {claim: kept.get(claim, self._looked) for claim in found}
        old = [claim for claim, since in self._since.items() if self._looked - since >= self.patience_seconds]
        for claim in old:
            same = {**taken, "fw_id": claim[0], "updated_on": found[claim]["updated_on"]}
            fireworks.update_one(same, {"$set": {"state": "READY"}, "$unset": {CLAIMED_BY: True}})
        return [fw_id for fw_id, _ in old]
