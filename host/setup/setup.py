"""Preparing a machine's LXD: pool, bridge and default profile where there are none."""

from __future__ import annotations

from typing import Final

from host.machine import Machine
from host.setup.actions import (
    Action,
    CreateBuildersNetwork,
    CreateNetwork,
    CreatePool,
    FillDefaultProfile,
    RaiseLimits,
)
from host.setup.facts import Facts, read_facts
from host.setup.plan import Wishes, plan_setup
from host.units import gpu_boot, kernel_limits
from lab import labels
from lab.errors import LxdError
from lab.lxd.port import Lxd
from lab.report import Report
from lab.settings.settings import Settings

_HOST: Final = "host"
_IN_LXD: Final = (CreatePool, CreateNetwork, CreateBuildersNetwork, FillDefaultProfile)


def set_up(
    lxd: Lxd,
    settings: Settings,
    report: Report,
    *,
    machine: Machine,
    only_plan: bool = False,
    only_lxd: bool = False,
) -> tuple[Action, ...]:
    """Make what is missing (ONLY_PLAN: do not) and return it; a second run returns nothing.

    ONLY_LXD: leave the machine itself as it is, its files, units and kernel.
    """
    facts = read_facts(lxd, machine, local=settings.is_local)
    actions = plan_setup(facts, Wishes(pool=settings.pool, network=settings.network))
    if only_lxd:
        actions = tuple(action for action in actions if isinstance(action, _IN_LXD))
    else:
        for obstacle in filter(None, (_no_gpu_unit(facts, machine), _low_limits(facts, machine))):
            report.say(obstacle)
    if not only_plan:
        for action in actions:
            report.phase(_HOST, str(action))
            apply(action, lxd, machine, report)
        if actions:
            report.done(_HOST, "LXD is ready for containers")
    return actions


def apply(action: Action, lxd: Lxd, machine: Machine, report: Report) -> None:
    if isinstance(action, CreatePool):
        size = {} if action.size_bytes is None else {"size": f"{action.size_bytes}B"}
        lxd.create_pool(action.name, action.driver, size)
    elif isinstance(action, CreateNetwork):
        config = {"ipv4.address": action.ipv4, "ipv4.nat": "true", "ipv6.address": "none"}
        lxd.create_network(action.name, config)
    elif isinstance(action, CreateBuildersNetwork):
        _create_builders_network(action, lxd)
    elif isinstance(action, FillDefaultProfile):
        _fill_profile(action, lxd)
    elif isinstance(action, RaiseLimits):
        if refused := kernel_limits.raise_limits(machine):
            report.say(
                f"The kernel did not accept these limits: {', '.join(refused)}. They are in "
                f"{kernel_limits.FILE} for the next boot."
            )
    else:
        gpu_boot.install(machine)


def _create_builders_network(action: CreateBuildersNetwork, lxd: Lxd) -> None:
    gateway = action.ipv4.partition("/")[0]
    # LXD itself lets answers, DHCP and DNS through.
    rule = {"action": "allow", "source": f"{gateway}/32", "state": "enabled"}
    lxd.set_network_acl(action.name, [rule])
    config = {
        "ipv4.address": action.ipv4,
        "ipv4.nat": "true",
        "ipv6.address": "none",
        "security.acls": action.name,
        "security.acls.default.ingress.action": "reject",
        "security.acls.default.egress.action": "allow",
        labels.BUILDERS: "true",
    }
    lxd.create_network(action.name, config)


def _no_gpu_unit(facts: Facts, machine: Machine) -> str | None:
    """Why the GPU boot unit is not part of the plan, where it is lacking."""
    if not facts.lacks_gpu_unit or facts.can_install_units:
        return None
    if not machine.systemd_runs:
        return (
            "There are NVIDIA GPUs, and this machine was not booted with systemd: after each "
            f"boot, before LXD starts, run {gpu_boot.SCRIPT}"
        )
    return "There are NVIDIA GPUs; their boot unit needs root: sudo .venv/bin/invoke host.setup"


def _low_limits(facts: Facts, machine: Machine) -> str | None:
    if facts.low_limits is None or machine.superuser:
        return None
    return "Limits of the kernel are low; raising them needs root: sudo .venv/bin/invoke host.setup"


def _fill_profile(action: FillDefaultProfile, lxd: Lxd) -> None:
    profile = lxd.profile("default")
    if profile is None:
        raise LxdError(
            f"Project {lxd.project} has no profile named default.",
            fix=f"lxc --project {lxd.project} profile create default",
        )
    # Read again: somebody may have filled it meanwhile, and theirs stays.
    lxd.set_profile_devices("default", {**action.devices, **profile.devices})
