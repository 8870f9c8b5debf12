"""Steps that stopped because the job of a queue ended: they are unfinished, and ready for the next job."""

from __future__ import annotations

from typing import Any

from fireworks import LaunchPad

from hightc.launch.cluster_fit import MOST_LOSSES, ask_for_more_time
from hightc.makers.errors import OUT_OF_TIME


def is_out_of_time(action: Any) -> bool:
    """Whether a launch ended for lack of time alone.

    Parameters
    ----------
    action
        FireWorks' action of a launch; None if it has none.
    """
    stored = getattr(action, "stored_data", None) or {}
    details = (stored.get("_exception") or {}).get("_details")
    return isinstance(details, dict) and details.get(OUT_OF_TIME) is True


def put_back(launchpad: LaunchPad, launch_id: int, action: Any) -> dict[str, Any] | None:
    """Make the step of a launch ready again, which keeps its folder, and let its next job have more time.

    A step that has been stopped so often that it will never end is left to fail.

    Parameters
    ----------
    launchpad
        The LaunchPad.
    launch_id
        The launch.
    action
        FireWorks' action of it, kept with the launch.

    Returns
    -------
    dict or None
        The launch, which FireWorks calls fizzled; None if the step was not made ready.
    """
    fields = {"fw_id": 1, "archived_launches": 1}
    fireworks = list(launchpad.fireworks.find({"launches": launch_id}, fields))
    if any(len(firework["archived_launches"]) >= MOST_LOSSES for firework in fireworks):
        return None
    for firework in fireworks:
        ask_for_more_time(launchpad, firework["fw_id"])
        launchpad.rerun_fw(firework["fw_id"])
    launch = launchpad.get_launch_by_id(launch_id)
    launch.state, launch.action = "FIZZLED", action
    launchpad.launches.find_one_and_replace({"launch_id": launch_id}, launch.to_db_dict(), upsert=True)
    found: dict[str, Any] = launch.to_dict()
    return found
