"""What a campaign would take, before anything runs: jobs, core-hours, disk, and what cannot be computed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hightc.launch.campaign import NOT_COMPUTABLE, Campaign, Material, Refusal, read_campaign
from hightc.launch.crew import worker_count
from hightc.launch.dispatch import study_makers
from hightc.launch.progress_line import ProgressLine, Tell
from hightc.launch.settings import Settings
from hightc.launch.status import cause_of
from hightc.launch.studied import studied_of
from hightc.makers.cost import Cost, estimate_cost
from hightc.makers.disk_need import DiskNeed
from hightc.makers.disk_need_studies import estimate_material_need
from hightc.makers.execution import BYTES_PER_GB
from hightc.makers.qe.pseudopotentials import family_directory
from hightc.workflows.magnetic_softness import MagneticSoftnessFlowMaker
from hightc.workflows.screening import ScreeningFlowMaker

MAGNETIC_JOBS = "magnetic softness"
"""Kind under which all steps of a magnetic ladder are counted: each has a name of its own."""

MISSING = re.compile(r"pseudopotential of ([A-Z][a-z]?): (?:none|no file)")
PLACE = re.compile(r"^.*?: material '[^']*': ")


@dataclass(frozen=True)
class MaterialSurvey:
    """What one material takes.

    Attributes
    ----------
    label
        Its label.
    jobs
        Steps that are known beforehand, by kind.
    cost
        Core-seconds; None where a pseudopotential does not tell its electrons.
    disk
        Bytes; None as ``cost``.
    electrons
        The part of ``cost`` that every material takes, before the first gate of a funnel; None without a funnel.
    """

    label: str
    jobs: Mapping[str, int]
    cost: Cost | None
    disk: DiskNeed | None
    electrons: Cost | None = None


@dataclass(frozen=True)
class CampaignSurvey:
    """What a campaign takes.

    Attributes
    ----------
    campaign
        The campaign, with what it refuses.
    materials
        Each material that can be computed.
    kept_gb
        What stays on disk in the end, in GB.
    peak_gb
        That, and the scratch files of as many materials as run side by side, the largest, in GB.
    """

    campaign: Campaign
    materials: tuple[MaterialSurvey, ...]
    kept_gb: float
    peak_gb: float

    @property
    def jobs(self) -> Counter[str]:
        """Steps of all materials by kind."""
        total: Counter[str] = Counter()
        for material in self.materials:
            total.update(material.jobs)
        return total

    @property
    def unknown(self) -> tuple[str, ...]:
        """Labels of materials whose cost cannot be estimated."""
        return tuple(material.label for material in self.materials if material.cost is None)

    @property
    def missing_elements(self) -> tuple[str, ...]:
        """Elements for which no pseudopotential was found."""
        found = (MISSING.search(item.reason) for item in self.campaign.refused)
        return tuple(sorted({match.group(1) for match in found if match}))

    @property
    def refused(self) -> Counter[str]:
        """Refused entries by reason."""
        return Counter(map(reason_of, self.campaign.refused))

    def example(self, reason: str) -> str:
        """Label, or entry, of the first that was refused for a reason, with the reason whole.

        Parameters
        ----------
        reason
            One of `refused`.
        """
        first = next(item for item in self.campaign.refused if reason_of(item) == reason)
        return f"{first.entry}: {PLACE.sub('', first.reason)}"


def reason_of(refusal: Refusal) -> str:
    """What refused entries have in common: the code of a source, or the words of the fault.

    Parameters
    ----------
    refusal
        A refused entry.
    """
    if refusal.code != NOT_COMPUTABLE:
        return refusal.code.replace("_", " ")
    return cause_of(PLACE.sub("", refusal.reason))


def survey_campaign(path: Path, settings: Settings, tell: Tell | None = None) -> CampaignSurvey:
    """Read a campaign file and estimate what each of its materials takes.

    Parameters
    ----------
    path
        Campaign file.
    settings
        Settings of this machine.
    tell
        Where a line of progress goes now and then; None says nothing.

    Raises
    ------
    CampaignError
        If the file or a source of it cannot be used; materials that cannot be computed are counted as refused.
    """
    campaign = read_campaign(path, settings, tell=tell, refuse_all=True)
    line = ProgressLine(tell, "estimating", len(campaign.materials))
    surveys = []
    for done, material in enumerate(campaign.materials):
        line.show(done)
        surveys.append(_survey(material, settings))
    needs = [survey.disk for survey in surveys if survey.disk is not None]
    kept = sum(need.kept(settings.keep) for need in needs)
    scratch = sorted((need.peak - need.kept(settings.keep) for need in needs), reverse=True)
    peak = kept + sum(scratch[: worker_count(settings, len(surveys))]) if surveys else 0.0
    return CampaignSurvey(campaign, tuple(surveys), kept / BYTES_PER_GB, peak / BYTES_PER_GB)


def _survey(material: Material, settings: Settings) -> MaterialSurvey:
    jobs: Counter[str] = Counter()
    for maker in study_makers(material, 1):
        names = [job.name for job, _ in maker.make(material.structure, material.tag).iterflow()]
        if isinstance(maker, ScreeningFlowMaker):
            names += [job.name for job in maker.to_come(material.structure, material.tag)]
        jobs.update([MAGNETIC_JOBS] * len(names) if isinstance(maker, MagneticSoftnessFlowMaker) else names)
    family = family_directory(material.recipe.pseudopotential_family, settings.pseudopotentials_directory)
    studied = studied_of(material, magnetic_runs=jobs[MAGNETIC_JOBS])
    cost = estimate_cost(material.structure, material.recipe, family, studied)
    disk = estimate_material_need(material.structure, material.recipe, family, studied)
    if material.funnel is None or cost is None:
        return MaterialSurvey(material.tag.material, jobs, cost, disk)
    # two spins take twice the time; a spin-polarised recipe has been counted twice already
    moment = (1 if material.recipe.spin_polarized else 2) * cost.scf if material.funnel.moment else 0.0
    electrons = Cost(relax=cost.relax, scf_dense=cost.scf_dense, other_pw=moment)
    return MaterialSurvey(material.tag.material, jobs, replace(cost, other_pw=cost.other_pw + moment), disk, electrons)
