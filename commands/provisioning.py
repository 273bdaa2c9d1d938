"""Provisioning, and building a release that drifts first where the lab says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from commands.cli import connect_to, keep_quotas, rebuild
from commands.network import explained
from lab import console

if TYPE_CHECKING:
    from lab.settings.settings import Settings
    from provision.create.provision import Copy, Provisioned
    from provision.create.request import Request


class Stamp(Protocol):
    def __call__(self, settings: Settings, wish: Request, *, plan: bool) -> Provisioned: ...


def stamp(
    settings: Settings, wish: Request, *, plan: bool, copy: Copy | None = None
) -> Provisioned:
    """Make the container; DriftError where its release has to be built first."""
    from provision.create import provision

    lxd = connect_to(settings)
    with console.reporter() as report:
        if plan:
            return provision.provision(lxd, settings, wish, report, copy=copy, only_plan=True)
        keep_quotas(settings, report)
        with explained(lxd, settings, report):
            return provision.provision(lxd, settings, wish, report, copy=copy)


def stamp_or_build(
    settings: Settings,
    wish: Request,
    *,
    plan: bool,
    stamp: Stamp = stamp,
    build: Callable[[str], None] = rebuild,
) -> Provisioned | None:
    """None where the plan is to build a release first; what follows is not known before."""
    from provision.create.drift import DriftError

    try:
        return stamp(settings, wish, plan=plan)
    except DriftError as drift:
        if settings.driver.on_drift == "refuse":
            raise
        console.print_note(drift.brief)
        template = drift.template
    if plan:
        console.print_text(f"build {template} for the host's driver, then make {wish.name} from it")
        return None
    build(template)
    return stamp(settings, wish, plan=plan)
