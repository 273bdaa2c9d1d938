"""What became of a check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from images.check_kinds.base import BaseCheck
from lab.release import Smoke


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One check's outcome; WHY is empty where it passed. One that was SKIPPED has not PASSED."""

    name: str
    passed: bool
    why: str = ""
    skipped: bool = False
    told: str = ""
    """How it was tried, where that was not the usual way."""

    @property
    def failed(self) -> bool:
        return not (self.passed or self.skipped)

    def __str__(self) -> str:
        mark = "passed" if self.passed else "skipped" if self.skipped else "FAILED"
        told = f" ({self.told})" if self.told and self.passed else ""
        return f"{mark}: {self.name}{told}" + (f": {self.why}" if self.why else "")


def gpu_outcome(checks: Sequence[BaseCheck], verdicts: Sequence[Verdict]) -> Smoke:
    """What VERDICTS say of those CHECKS that ask GPUs; SKIPPED where none of them ran."""
    names = {check.name for check in checks if check.asks_gpus}
    ran = [verdict for verdict in verdicts if verdict.name in names and not verdict.skipped]
    if not ran:
        return Smoke.SKIPPED
    return Smoke.PASSED if all(verdict.passed for verdict in ran) else Smoke.FAILED
