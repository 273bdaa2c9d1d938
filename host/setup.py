"""Preparing a machine's LXD: pool, bridge and default profile where there are none."""

from __future__ import annotations

from typing import Final

from host.actions import Action, CreateNetwork, CreatePool, FillDefaultProfile
from host.facts import read_facts
from host.plan import Wishes, plan_setup
from lab.errors import LxdError
from lab.lxd.port import Lxd
from lab.report import Report
from lab.settings import Settings

_HOST: Final = "host"


def set_up(
    lxd: Lxd, settings: Settings, report: Report, *, only_plan: bool = False
) -> tuple[Action, ...]:
    """Make what is missing (ONLY_PLAN: do not) and return it; a second run returns nothing."""
    facts = read_facts(lxd, local=settings.remote == "local")
    actions = plan_setup(facts, Wishes(pool=settings.pool, network=settings.network))
    if not only_plan:
        for action in actions:
            report.phase(_HOST, str(action))
            apply(action, lxd)
        if actions:
            report.done(_HOST, "LXD is ready for containers")
    return actions


def apply(action: Action, lxd: Lxd) -> None:
    if isinstance(action, CreatePool):
        size = {} if action.size_bytes is None else {"size": f"{action.size_bytes}B"}
        lxd.create_pool(action.name, action.driver, size)
    elif isinstance(action, CreateNetwork):
        config = {"ipv4.address": action.ipv4, "ipv4.nat": "true", "ipv6.address": "none"}
        lxd.create_network(action.name, config)
    else:
        _fill_profile(action, lxd)


def _fill_profile(action: FillDefaultProfile, lxd: Lxd) -> None:
    profile = lxd.profile("default")
    if profile is None:
        raise LxdError(f"Project {lxd.project} has no profile named default.")
    # Read again: somebody may have filled it meanwhile, and theirs stays.
    lxd.set_profile_devices("default", {**action.devices, **profile.devices})
