"""What a check of this machine found, and how it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.table import Table

from hightc.launch.families import print_table

Status = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Attributes
    ----------
    name
        What was looked at.
    status
        ``problem``: campaigns cannot run; ``warning``: some cannot, or something is lost; ``ok``.
    found
        What is there.
    advice
        What to do about it; empty if nothing.
    """

    name: str
    status: Status
    found: str
    advice: str = ""


def show_findings(findings: Sequence[Finding]) -> int:
    """Print findings, then what to do about each.

    Parameters
    ----------
    findings
        What was found.

    Returns
    -------
    int
        Exit code: 1 if there is a problem.
    """
    table = Table("check", "status", "found")
    for finding in findings:
        table.add_row(finding.name, finding.status, finding.found)
    print_table(table)
    for finding in findings:
        if finding.advice:
            print(f"{finding.status}: {finding.name}: {finding.advice}")
    problems = sum(finding.status == "problem" for finding in findings)
    warnings = sum(finding.status == "warning" for finding in findings)
    print(f"{len(findings)} checks: {problems} problems, {warnings} warnings")
    return 1 if problems else 0
