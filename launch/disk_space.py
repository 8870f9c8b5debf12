"""The disk of a campaign: what it will need, whether that is free, and what is let go once a material is finished."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hightc.launch.campaign import Material
from hightc.launch.crew import worker_count
from hightc.launch.settings import Settings
from hightc.launch.store import Database
from hightc.makers.disk import Keep, drop_scratch, held_bytes
from hightc.makers.disk_need import DiskNeed, estimate_disk_need
from hightc.makers.errors import ScratchError
from hightc.makers.execution import BYTES_PER_GB
from hightc.makers.qe.pseudopotentials import family_directory

SETTLED = ("COMPLETED", "DEFUSED")
"""States of workflows that will write nothing more."""


@dataclass(frozen=True)
class CampaignNeed:
    """Disk that a campaign still has to fill.

    Attributes
    ----------
    need_gb
        In GB, as far as it can be estimated.
    free_gb
        What is free where it runs, in GB.
    largest
        Label of the material that needs most; None if none is left.
    unknown
        Labels of materials whose need cannot be estimated.
    """

    need_gb: float
    free_gb: float
    largest: str | None
    unknown: tuple[str, ...]

    @property
    def message(self) -> str:
        """One line for the user; empty if nothing is left to compute."""
        unknown = f"unknown for {', '.join(self.unknown)} (no valence in a pseudopotential)" if self.unknown else ""
        need = f"about {self.need_gb:.2g} GB needed, most for {self.largest}" if self.largest else ""
        said = "; ".join(part for part in (need, unknown) if part)
        return f"disk: {said}; {self.free_gb:.3g} GB free" if said else ""


def campaign_need(
    materials: Sequence[Material], database: Database, directory: Path, settings: Settings
) -> CampaignNeed:
    """Estimate what a campaign has still to write.

    Everything that is kept of each material, and the scratch files of as many as run side by side, the largest first;
    what their folders hold already is taken off.

    Parameters
    ----------
    materials
        Materials of the campaign.
    database
        The database, which knows those that are finished.
    directory
        Folder of the campaign.
    settings
        Settings of this machine.
    """
    query = {"metadata.key": {"$in": [material.key for material in materials]}, "state": {"$in": list(SETTLED)}}
    settled = {entry["metadata"]["key"] for entry in database.launchpad.workflows.find(query, {"metadata.key": 1})}
    left = [material for material in materials if material.key not in settled]
    needs: dict[str, DiskNeed] = {}
    for material in left:
        family = family_directory(material.recipe.pseudopotential_family, settings.pseudopotentials_directory)
        need = estimate_disk_need(material.structure, material.recipe, family, material.wannier)
        if need is not None:
            needs[material.tag.material] = need
    kept = sum(need.kept(settings.keep) for need in needs.values())
    scratch = sorted((need.peak - need.kept(settings.keep) for need in needs.values()), reverse=True)
    held = sum(
        min(held_bytes(directory / material.folder), needs[material.tag.material].peak)
        for material in left
        if material.tag.material in needs
    )
    total = kept + sum(scratch[: worker_count(settings, len(left))]) - held
    return CampaignNeed(
        need_gb=max(0.0, total) / BYTES_PER_GB,
        free_gb=shutil.disk_usage(directory).free / BYTES_PER_GB,
        largest=max(needs, key=lambda label: needs[label].peak, default=None),
        unknown=tuple(material.tag.material for material in left if material.tag.material not in needs),
    )


def require_room(need: CampaignNeed, directory: Path, settings: Settings) -> None:
    """Refuse to start what the disk cannot hold.

    Parameters
    ----------
    need
        What the campaign needs.
    directory
        Folder of the campaign.
    settings
        Settings of this machine.

    Raises
    ------
    ScratchError
        If less is free than is needed above ``scratch_minimum_gb``.
    """
    if need.free_gb >= need.need_gb + settings.scratch_minimum_gb:
        return
    msg = (
        f"scratch {directory}: expected about {need.need_gb:.2g} GB for the campaign and "
        f"{settings.scratch_minimum_gb:g} GB to spare, found {need.free_gb:.3g} GB free; most is for {need.largest}: "
        "free some space, set "
        "HIGHTC_WORK_DIRECTORY to a larger disk, HIGHTC_KEEP=results, or HIGHTC_WORKERS to fewer materials side by side"
    )
    raise ScratchError(msg)


def drop_finished(materials: Iterable[Material], directory: Path, keep: Keep) -> int:
    """Remove the scratch files of materials on which nothing is left to do.

    Parameters
    ----------
    materials
        Materials with an answer, or with a verdict why not.
    directory
        Folder of the campaign.
    keep
        What stays.

    Returns
    -------
    int
        Bytes that were freed.
    """
    return sum(drop_scratch(directory / material.folder, keep) for material in materials)
