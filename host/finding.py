"""Results of host.check: what was found, its effect, the command that fixes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from lab.errors import LabError


class Status(str, Enum):
    OK = "ok"
    WARN = "warn"
    """Users get what they were given; something will go wrong one day, or is not as meant."""
    FAIL = "fail"
    """Somebody's GPUs do not work now, or nobody's container can be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    name: str
    """Of the check, the same on every machine."""
    found: str
    subject: str | None = None
    """The container, pool, network or limit it is about, where a check is made for each."""
    status: Status = Status.OK
    why: str | None = None
    fix: str | None = None
    """A command line, ready to be typed. With status OK there is none."""


class HostCheckFailed(LabError):
    """`host.check` found a failure (exit 3, as where the machine cannot give what was asked)."""

    exit_code = 3


def document(findings: Sequence[Finding]) -> dict[str, Any]:
    """The stable JSON document of `invoke host.check --json` (docs/reference.md)."""
    return {
        "checks": [
            {
                "name": one.name,
                "subject": one.subject,
                "status": one.status.value,
                "found": one.found,
                "why": one.why,
                "fix": one.fix,
            }
            for one in findings
        ]
    }


def verdict(findings: Sequence[Finding]) -> HostCheckFailed | None:
    """None unless something failed."""
    failed = [one for one in findings if one.status is Status.FAIL]
    if not failed:
        return None
    names = dict.fromkeys(one.name for one in failed)
    return HostCheckFailed(
        f"{len(failed)} of {len(findings)} checks failed: {', '.join(names)}.",
        fix="Run the commands above, from the first to the last. Then run again: invoke host.check",
    )
