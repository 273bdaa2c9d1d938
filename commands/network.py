"""What host/ knows of the network, for provisioning and building, which fail of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from lab.errors import CheckError, LabError, LxdError, NoNetwork

if TYPE_CHECKING:
    from host.finding import Finding
    from lab.lxd.port import Lxd
    from lab.report import Report
    from lab.settings.settings import Settings

Find: TypeAlias = "Callable[[Lxd, Settings, bool], tuple[Finding, ...]]"
"""What is in the way of the network; of builders' networks, too, where the last is true."""


def find_obstacles(lxd: Lxd, settings: Settings, builds: bool) -> tuple[Finding, ...]:
    from host.check.check import obstacles
    from host.machine import Machine

    return obstacles(lxd, settings, Machine(), builds=builds)


@contextmanager
def explained(
    lxd: Lxd,
    settings: Settings,
    report: Report,
    *,
    builds: bool = False,
    find: Find = find_obstacles,
) -> Iterator[None]:
    """Report at once what blocks the containers' network, and again with an error raised inside.

    BUILDS: of the network of builders, too.
    """
    for one in _found_by(find, lxd, settings, builds):
        report.say(f"{_found(one)}. Fix: {one.fix}")
    try:
        yield
    except (LxdError, CheckError, NoNetwork) as error:
        # Checked again: it may have been fixed, or broken, meanwhile.
        explain(error, _found_by(find, lxd, settings, builds))
        raise


def explain(error: LabError, obstacles: tuple[Finding, ...]) -> None:
    """Add OBSTACLES to the details of ERROR, and their fixes to its fix."""
    if not obstacles:
        return
    error.details = "\n".join(filter(None, (error.details, *map(_found, obstacles))))
    error.fix = "\n".join(filter(None, (*(one.fix for one in obstacles), error.fix)))


def _found_by(find: Find, lxd: Lxd, settings: Settings, builds: bool) -> tuple[Finding, ...]:
    try:
        return find(lxd, settings, builds)
    except LabError:
        # What was asked for has errors of its own to tell.
        return ()


def _found(one: Finding) -> str:
    return f"The network {one.subject}: {one.found}"
