"""`share` and `unshare`: look, plan, change; while the container runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from lab.errors import InputError
from lab.lxd.devices import devices_of as all_devices
from lab.lxd.idmap import own_range
from lab.lxd.model import Instance, State
from lab.lxd.port import Lxd
from lab.machine.container_processes import sees
from lab.names import did_you_mean, quote
from lab.report import Report
from lab.settings.settings import Settings
from lab.shares.devices import device_name, shares_of
from lab.shares.ground import Ground
from lab.shares.sources import directory_of
from provision.managed import container_lock
from provision.shares.facts import read_sharings
from provision.shares.plan import Action, AttachAgain, ChangeShares, Facts, plan_share, plan_unshare
from provision.shares.prepare import (
    CloseShare,
    PrepareShare,
    close,
    insist_on_root,
    is_named,
    is_prepared,
    prepare,
)
from provision.shares.sharing import Sharing, refuse_overlaps, refuse_without_ids
from provision.whole import whole_container


def share(
    lxd: Lxd,
    settings: Settings,
    name: str,
    names: Sequence[str],
    report: Report,
    *,
    only_plan: bool = False,
    ground: Ground | None = None,
) -> tuple[Action, ...]:
    """Give the container NAME the shares NAMES, beside those it has. () where it has them."""
    here = ground or Ground()
    with container_lock(settings, name, report, f"share {name}"):
        instance = whole_container(lxd, name)
        sharings = read_sharings(names, settings, lxd, here)
        refuse_without_ids(instance, sharings)
        mine = {device_name(one.name) for one in sharings}
        others = {key: one for key, one in all_devices(instance).items() if key not in mine}
        refuse_overlaps(sharings, others)
        facts = replace(
            _facts(lxd, instance, settings, here, sharings), unseen=_unseen(lxd, instance)
        )
        actions = plan_share(sharings, facts)
        if not only_plan:
            insist_on_root(actions, here)
            apply(actions, lxd, settings, report, here)
        return actions


def unshare(
    lxd: Lxd,
    settings: Settings,
    name: str,
    names: Sequence[str],
    report: Report,
    *,
    only_plan: bool = False,
    ground: Ground | None = None,
) -> tuple[Action, ...]:
    """Take the shares NAMES from the container NAME; also those that lab.yaml has no more."""
    with container_lock(settings, name, report, f"unshare {name}"):
        instance = whole_container(lxd, name)
        wanted = tuple(dict.fromkeys(names))
        has = shares_of(instance)
        _refuse_unknown(name, wanted, (*has, *settings.shares))
        here = ground or Ground()
        actions = plan_unshare(wanted, _facts(lxd, instance, settings, here))
        if not only_plan:
            apply(actions, lxd, settings, report, here)
        return actions


def apply(
    actions: Iterable[Action], lxd: Lxd, settings: Settings, report: Report, ground: Ground
) -> None:
    """Rights on the server before the device: a container never has a share it cannot use.

    They go after it, in the reverse order: without the device they give nothing.
    """
    name = ""
    for action in actions:
        name = action.name
        match action:
            case PrepareShare():
                prepare(action, settings, report, ground)
            case ChangeShares():
                report.phase(name, "change its shares")
                lxd.update(name, config=action.config, devices=action.devices)
            case AttachAgain():
                report.phase(name, "attach its shares again")
                lxd.update(name, devices=dict.fromkeys(action.devices))
                lxd.update(name, devices=action.devices)
            case CloseShare():
                close(action, settings, report)
    if name:
        report.done(name, "has the shares that were requested")


def _unseen(lxd: Lxd, instance: Instance) -> frozenset[str]:
    init = lxd.init_pid(instance.name) if instance.state is State.RUNNING else None
    if init is None:
        return frozenset()
    has = shares_of(instance).items()
    return frozenset(name for name, one in has if not sees(init, one.get("path", "")))


def rights_of(lxd: Lxd, instance: Instance, settings: Settings) -> tuple[CloseShare, ...]:
    """What INSTANCE leaves behind on the server when it is removed."""
    facts = _facts(lxd, instance, settings, Ground())
    return tuple(
        CloseShare(name=instance.name, path=path, ids=facts.ids)
        for path in sorted(facts.named)
        if facts.ids is not None
    )


def _facts(
    lxd: Lxd,
    instance: Instance,
    settings: Settings,
    ground: Ground,
    sharings: Sequence[Sharing] = (),
) -> Facts:
    ids = own_range(instance)
    if not settings.is_local or ids is None:
        # The paths are another machine's; without ids of its own it has no rights by name.
        return Facts(instance=instance, ids=None, prepared=frozenset(settings.shares))
    where = {
        **{name: one.path for name, one in settings.shares.items() if one.path},
        **{name: directory_of(one, lxd, ground) for name, one in shares_of(instance).items()},
    }
    looked = {*where.values(), *(one.source.path for one in sharings)} - {""}
    return Facts(
        instance=instance,
        ids=ids,
        where=where,
        prepared=frozenset(one.name for one in sharings if is_prepared(one, instance.name, ids)),
        named=frozenset(path for path in looked if is_named(path, ids)),
    )


def _refuse_unknown(name: str, wanted: Sequence[str], known: Sequence[str]) -> None:
    if not wanted:
        raise InputError("unshare needs the name of a share.", fix=f"List them: invoke show {name}")
    for one in wanted:
        if one not in known:
            raise InputError(
                f"{name} has no share {quote(one)}{did_you_mean(one, known)}.",
                fix=f"List its shares: invoke show {name}",
            )
