"""Jobs that a running job makes: their names, folders and places in the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path

from jobflow import CURRENT_JOB, Flow, Job, Response

from hightc.makers.errors import CalculationError

LAUNCH_DIR = "_launch_dir"
"""Where FireWorks runs a job."""

PRIORITY = "_priority"
"""Which of the jobs that could run FireWorks takes first: the highest."""

MADE = "steps_made"
"""Configuration, by the class of the Maker, of the steps that a job may make when it runs, over its own."""

TO_COME = "steps_to_come"
"""Steps that a job may add when it runs, each with its name and the configuration it would have had at submission."""


def running_job() -> Job:
    """The job that runs now.

    Raises
    ------
    CalculationError
        If none does: a Maker's function was called without jobflow.
    """
    job = CURRENT_JOB.job
    if job is None:
        msg = "expected to run as a job, found none: run the Maker's job with jobflow"
        raise CalculationError(msg)
    return job


def replace_by(jobs: Mapping[str, Job], maker_name: str, output: object = None) -> Response[object]:
    """Go on with other jobs, each in a folder of its own below that of the running job.

    They are named and configured like the running job, unless :data:`MADE` says otherwise. Without this, jobflow would
    give each the configuration of the running job, folder included.

    Parameters
    ----------
    jobs
        The jobs in the order they run, by the name of their folder.
    maker_name
        Name that the running job had from its Maker's class; what was put before it is put before each new name.
    output
        What the running job stores itself.
    """
    parent = running_job()
    before, found, _ = parent.name.partition(maker_name)
    prefix = before if found else ""
    parent.config.pass_manager_config = False
    parent.config_updates = []
    for position, (folder, job) in enumerate(jobs.items()):
        job.name = f"{prefix}{job.name}"
        job.config.manager_config = deepcopy(parent.config.manager_config)
        own = job.config.manager_config.get(MADE, {}).get(type(getattr(job, "maker", None)).__name__, {})
        job.config.manager_config |= deepcopy(own)
        if LAUNCH_DIR in job.config.manager_config:
            job.config.manager_config[LAUNCH_DIR] = str(Path.cwd() / folder)
        if PRIORITY in job.config.manager_config:
            # in order, and before any other job that follows upon the running one
            job.config.manager_config[PRIORITY] += 1 - (position + 1) / (len(jobs) + 1)
    return Response(output=output, replace=Flow(list(jobs.values()), name=parent.name))


class FollowingFlow(Flow):
    """Jobs that may refer to others that have run before, as jobflow's own flows in a response may not."""

    def __init__(self, jobs: Sequence[Job], earlier: Iterable[str], name: str) -> None:
        """Keep the uuids before jobflow looks for them.

        Parameters
        ----------
        jobs
            The jobs.
        earlier
            Uuids of jobs that have run.
        name
            Name of the flow.
        """
        self.earlier = tuple(earlier)
        super().__init__(list(jobs), name=name)

    @property
    def job_uuids(self) -> tuple[str, ...]:
        """Uuids of the jobs and of those before."""
        return (*super().job_uuids, *self.earlier)


def follow_with(
    jobs: Sequence[Job], maker_name: str, earlier: Iterable[str], output: object, *, ahead: float = 0.0
) -> Response[object]:
    """Go on with further steps of the material, beside the running one as if they had been submitted with it.

    Each takes the configuration that :data:`TO_COME` of the running job has for its name; what is left of that goes to
    the last, which adds further ones.

    Parameters
    ----------
    jobs
        The jobs in order.
    maker_name
        Name that the running job had from its Maker's class; what was put before it is put before each new name.
    earlier
        Uuids of finished jobs that they refer to.
    output
        What the running job stores.
    ahead
        What is added to their priorities, 0 to 1: among steps of one kind the highest runs first.
    """
    parent = running_job()
    before, found, _ = parent.name.partition(maker_name)
    to_come = {entry["step"]: entry["configuration"] for entry in parent.config.manager_config.get(TO_COME, ())}
    parent.config.pass_manager_config = False
    parent.config_updates = []
    names = [job.name for job in jobs]
    rest = [{"step": step, "configuration": one} for step, one in to_come.items() if step not in names]
    for job in jobs:
        configuration = deepcopy(to_come.get(job.name, {}))
        if PRIORITY in configuration:
            configuration[PRIORITY] += ahead
        if rest and job is jobs[-1]:
            configuration[TO_COME] = rest
        job.config.manager_config = configuration
        job.name = f"{before if found else ''}{job.name}"
    return Response(output=output, addition=FollowingFlow(jobs, earlier, parent.name))


def take_the_place_of(job: Job, uuid: str, index: int) -> None:
    """Let a job store its output as a newer one of another job, which all that refer to it then take.

    Parameters
    ----------
    job
        The new job, not yet part of a flow.
    uuid
        Of the job whose place it takes.
    index
        Greater than that of every output stored there before.
    """
    job.set_uuid(uuid)
    job.index = index


def groups(first: int, last: int, count: int) -> Sequence[tuple[int, int]]:
    """Contiguous groups of numbers, as even as can be.

    Parameters
    ----------
    first, last
        The first and the last number.
    count
        How many groups at most.

    Returns
    -------
    sequence of tuple of 2 int
        First and last number of each.
    """
    n = last - first + 1
    count = min(n, count)
    edges = [first + round(index * n / count) for index in range(count + 1)]
    return [(edges[index], edges[index + 1] - 1) for index in range(count)]
