"""One build, judging or pruning at a time in a lab: all make and take away the same instances."""

from __future__ import annotations

from contextlib import AbstractContextManager

from lab.machine.lock import hold_lock
from lab.report import Report
from lab.settings.settings import Settings


def build_lock(settings: Settings, report: Report, what: str) -> AbstractContextManager[None]:
    """Hold the lab's build lock while WHAT is done; see `lab.machine.lock.hold_lock`."""
    return hold_lock(f"build-{settings.build_project}", report, what, remote=settings.remote)
