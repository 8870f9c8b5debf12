"""FireWorks' adapter to a queueing system, which says why a job was refused."""

from __future__ import annotations

import logging
import os
import shlex
import subprocess

from fireworks.user_objects.queue_adapters.common_adapter import CommonAdapter
from fireworks.utilities.fw_utilities import explicit_serialize

SUBMIT_SECONDS = 120


@explicit_serialize
class QueueAdapter(CommonAdapter):  # type: ignore[misc] # FireWorks has no types
    """FireWorks' CommonAdapter, which says why a job was refused.

    It has a name by which FireWorks need not search all its modules, tests included.
    """

    def get_script_str(self, launch_dir: str) -> str:
        """Batch script, the name of the job's folder one word of the shell whatever it holds."""
        folder = os.path.abspath(launch_dir)  # noqa: PTH100 - as FireWorks writes it
        script: str = super().get_script_str(launch_dir)
        return script.replace(f"\ncd {folder}\n", f"\ncd {shlex.quote(folder)}\n")

    def submit_to_queue(self, script_file: str) -> str | None:
        """Number of the new job; None if it was refused, and why is logged."""
        logger = logging.getLogger(f"qadapter.{self.q_name}")
        command = [self.q_commands[self.q_type]["submit_cmd"], script_file]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=SUBMIT_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            logger.error("%s", error)
            return None
        if answer.returncode != 0:
            logger.error("%s", answer.stderr.strip() or f"code {answer.returncode}")
            return None
        return str(self._parse_jobid(answer.stdout))
