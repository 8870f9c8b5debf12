"""The disk of a campaign: what it will need, whether that is free, and what is let go once a material is finished."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hightc.launch.bulk_launchpad import find_among
from hightc.launch.campaign import Material
from hightc.launch.crew import worker_count
from hightc.launch.dispatch import study_makers
from hightc.launch.settings import Settings
from hightc.launch.store import Database
from hightc.launch.studied import studied_of
from hightc.makers.disk import Keep, drop_scratch, held_bytes
from hightc.makers.disk_need import DiskNeed
from hightc.makers.disk_need_studies import estimate_material_need
from hightc.makers.errors import ScratchError
from hightc.makers.execution import BYTES_PER_GB
from hightc.makers.qe.pseudopotentials import family_directory
from hightc.workflows.magnetic_softness import MagneticSoftnessFlowMaker

MOST_ESTIMATED = 200
"""Materials of which the disk is estimated one by one."""

MOST_LABELS = 10
"""Materials that one line names."""

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
    sampled
        Materials that the estimate is made of, the largest among them; None: all.
    before_gates
        Whether it is that of materials before the first gate of a funnel: who goes on is not known.
    """

    need_gb: float
    free_gb: float
    largest: str | None
    unknown: tuple[str, ...]
    sampled: int | None = None
    before_gates: bool = False

    @property
    def message(self) -> str:
        """One line for the user; empty if nothing is left to compute."""
        labels = ", ".join(self.unknown[:MOST_LABELS]) + (", ..." if len(self.unknown) > MOST_LABELS else "")
        unknown = f"unknown for {labels} (no valence in a pseudopotential)" if self.unknown else ""
        made_of = f" (estimated from {self.sampled} materials)" if self.sampled else ""
        until = " before the first gate" if self.before_gates else ""
        need = f"about {self.need_gb:.2g} GB needed{until}{made_of}, most for {self.largest}" if self.largest else ""
        said = "; ".join(part for part in (need, unknown) if part)
        return f"disk: {said}; {self.free_gb:.3g} GB free" if said else ""


def campaign_need(
    materials: Sequence[Material], database: Database, directory: Path, settings: Settings
) -> CampaignNeed:
    """Estimate what a campaign has still to write.

    Everything that is kept of each material, and the scratch files of as many as run side by side, the largest first;
    what their folders hold already is taken off. Of more than `MOST_ESTIMATED` materials, the largest and every so
    many of the others are estimated, and stand for all: one estimate takes 15 ms.

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
    keys = [material.key for material in materials]
    found = find_among(database.launchpad.workflows, "metadata.key", keys, {"metadata.key": 1, "state": 1, "_id": 0})
    settled = {entry["metadata"]["key"] for entry in found if entry["state"] in SETTLED}
    left = [material for material in materials if material.key not in settled]
    weights = _sample(left)
    estimated = {number: _estimate(left[number], settings) for number in weights}
    needs = {number: need for number, need in estimated.items() if need is not None}
    kept = sum(weights[number] * need.kept(settings.keep) for number, need in needs.items())
    scratch = sorted((need.peak - need.kept(settings.keep) for need in needs.values()), reverse=True)
    held = _held(left, {number: need.peak if need else 0.0 for number, need in estimated.items()}, directory)
    total = kept + sum(scratch[: worker_count(settings, len(left))]) - held
    largest = max(needs, key=lambda number: needs[number].peak, default=None)
    return CampaignNeed(
        need_gb=max(0.0, total) / BYTES_PER_GB,
        free_gb=shutil.disk_usage(directory).free / BYTES_PER_GB,
        largest=None if largest is None else left[largest].tag.material,
        unknown=tuple(left[number].tag.material for number, need in estimated.items() if need is None),
        sampled=len(weights) if len(weights) < len(left) else None,
        before_gates=any(material.funnel and material.funnel.after("electrons") for material in left),
    )


def _sample(materials: Sequence[Material]) -> dict[int, float]:
    """Which materials are estimated, and how many each stands for: the largest for itself alone."""
    if len(materials) <= MOST_ESTIMATED:
        return dict.fromkeys(range(len(materials)), 1.0)
    sizes = [material.structure.volume * material.recipe.ecutwfc_ry**1.5 for material in materials]
    ordered = sorted(range(len(materials)), key=lambda number: -sizes[number])
    largest, others = ordered[: MOST_ESTIMATED // 4], ordered[MOST_ESTIMATED // 4 :]
    count = MOST_ESTIMATED - len(largest)
    chosen = [others[number * len(others) // count] for number in range(count)]
    return dict.fromkeys(largest, 1.0) | dict.fromkeys(chosen, len(others) / count)


def _estimate(material: Material, settings: Settings) -> DiskNeed | None:
    family = family_directory(material.recipe.pseudopotential_family, settings.pseudopotentials_directory)
    ladders = [maker for maker in study_makers(material, 1) if isinstance(maker, MagneticSoftnessFlowMaker)]
    runs = sum(len(maker.make(material.structure, material.tag).jobs) for maker in ladders)
    need = estimate_material_need(material.structure, material.recipe, family, studied_of(material, magnetic_runs=runs))
    if need is None or material.funnel is None or not material.funnel.after("electrons"):
        return need
    # who passes the first gate is not known; each later step looks at the free space itself
    return replace(need, scf=0.0, ph=0.0, dvscf=0.0, working=0.0, wannier=None)


def _held(materials: Sequence[Material], peaks: Mapping[int, float], directory: Path) -> float:
    """Bytes that folders of materials hold, no more of each than it needs, or than those estimated need on average."""
    usual = sum(peaks.values()) / len(peaks) if peaks else 0.0
    there = {entry.name for entry in directory.iterdir()}
    return sum(
        min(held_bytes(directory / material.folder), peaks.get(number, usual))
        for number, material in enumerate(materials)
        if material.folder in there
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
