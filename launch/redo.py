"""Materials that are computed once more from their first steps, because somebody asks for it."""

from __future__ import annotations

from hightc.launch.dispatch import ACTIVE
from hightc.launch.errors import LaunchError
from hightc.launch.store import Database

UNDER_WAY = tuple(state for state in ACTIVE if state != "READY")


def redo(campaign: str, material: str, database: Database) -> int:
    """Make the first steps of a material ready again; all that follow upon them run once more.

    What running jobs added goes when they run again, and each document is replaced by the new one. Programs whose
    finished run of the same content lies on disk are not started unless ``HIGHTC_REUSE=false``.

    Parameters
    ----------
    campaign, material
        Name of the campaign, label of the material.
    database
        The database.

    Returns
    -------
    int
        How many steps are ready.

    Raises
    ------
    LaunchError
        If there is no such material, or a step of it runs.
    """
    launchpad = database.launchpad
    query = {"metadata.campaign": campaign, "metadata.material": material}
    found = list(launchpad.workflows.find(query, {"nodes": 1, "parent_links": 1}))
    if not found:
        msg = f"material {material!r}: expected one of campaign {campaign}, found none: hightc funnel {campaign}"
        raise LaunchError(msg)
    # an older workflow of the same label has other numbers, which the campaign no longer asks for
    workflow = max(found, key=lambda one: max(one["nodes"]))
    runs = {"fw_id": {"$in": workflow["nodes"]}, "state": {"$in": list(UNDER_WAY)}}
    if launchpad.fireworks.count_documents(runs, limit=1):
        msg = f"material {material!r} of campaign {campaign}: a step of it runs: wait for it, or stop it first"
        raise LaunchError(msg)
    children = {int(fw_id) for fw_id, parents in workflow["parent_links"].items() if parents}
    first = [fw_id for fw_id in workflow["nodes"] if fw_id not in children]
    for fw_id in first:
        launchpad.rerun_fw(fw_id)
    return len(first)
