"""A verdict on each check, by what fresh instances showed. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from images.check_kinds.base import BaseCheck
from images.check_kinds.evidence import Case
from images.checks.verdict import Verdict


def judge(checks: Sequence[BaseCheck], case: Case) -> tuple[Verdict, ...]:
    """A verdict per check, in order."""
    return tuple(_judge(check, case) for check in checks)


def _judge(check: BaseCheck, case: Case) -> Verdict:
    if skipped := check.skipped(case):
        return Verdict(name=check.name, passed=False, skipped=True, why=skipped)
    why = check.why(case)
    told = case.first.told if check.over_the_network else ""
    if why and told:
        why = f"{why}; {told}"
    return Verdict(name=check.name, passed=not why, why=why, told=told)
