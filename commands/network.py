"""What host/ knows of the network, for provisioning and building, which fail of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lab.errors import CheckError, LabError, LxdError, NoNetwork

if TYPE_CHECKING:
    from host.finding import Finding
    from lab.lxd.port import Lxd
    from lab.report import Report
    from lab.settings.settings import Settings


@contextmanager
def explained(
    lxd: Lxd, settings: Settings, report: Report, *, builds: bool = False
) -> Iterator[None]:
    """Report at once what blocks the containers' network, and again with an error raised inside.

    BUILDS: of the network of builders, too.
    """
    for one in _obstacles(lxd, settings, builds=builds):
        report.say(f"{_found(one)}. Fix: {one.fix}")
    try:
        yield
    except (LxdError, CheckError, NoNetwork) as error:
        # Checked again: it may have been fixed, or broken, meanwhile.
        explain(error, _obstacles(lxd, settings, builds=builds))
        raise


def explain(error: LabError, obstacles: tuple[Finding, ...]) -> None:
    """Add OBSTACLES to the details of ERROR, and their fixes to its fix."""
    if not obstacles:
        return
    error.details = "\n".join(filter(None, (error.details, *map(_found, obstacles))))
    error.fix = "\n".join(filter(None, (*(one.fix for one in obstacles), error.fix)))


def _obstacles(lxd: Lxd, settings: Settings, *, builds: bool) -> tuple[Finding, ...]:
    from host.check.check import obstacles
    from host.machine import Machine

    try:
        return obstacles(lxd, settings, Machine(), builds=builds)
    except LabError:
        # What was asked for has errors of its own to tell.
        return ()


def _found(one: Finding) -> str:
    return f"The network {one.subject}: {one.found}"
