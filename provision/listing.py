"""The containers that are, in the JSON shapes of `invoke list` and `invoke show` (stable)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from lab import labels
from lab.dates import read_period
from lab.host_gpus import HostGpus, read_host_gpus
from lab.lxd.devices import Device, first, of_type, root_of
from lab.lxd.idmap import own_range
from lab.lxd.model import Instance, InstanceState, Profile
from lab.lxd.port import Lxd
from lab.process import in_words, is_alive
from lab.settings.settings import Settings
from provision.expiring import seen_mark
from provision.former import Stage, as_listed, read_mark
from provision.gpu_view import in_brief, in_full
from provision.homes import HOME, home_place
from provision.keys.own import own_keys
from provision.limits import bytes_of, limits_of
from provision.managed import (
    command_that_finishes,
    is_managed,
    is_preparing,
    managed_container,
)
from provision.moving import move_mark
from provision.needs import needs_of
from provision.profile import inherited
from provision.shares.listing import shares_in
from provision.states import Seen, seen, seen_alone, volume_sizes

Row: TypeAlias = dict[str, Any]
"""A JSON object."""
Sizes: TypeAlias = Mapping[tuple[str, str], str | None]
"""Of volumes, as LXD keeps them, by pool and name."""


def containers(lxd: Lxd, settings: Settings) -> list[Row]:
    """Every container of labstamp, by name; one that vanishes meanwhile is left out."""
    host = read_host_gpus(lxd, settings)
    there = map(as_listed, lxd.instances())
    every = sorted(filter(is_managed, there), key=lambda each: each.name)
    found = seen(lxd, every)
    sizes = volume_sizes(lxd, (home[0] for one in found if (home := _unmeasured_home(one))))
    return [_row(one, host, sizes) for one in found]


def show(lxd: Lxd, settings: Settings, name: str) -> Row:
    """One container, with how to reach it; InputError when there is none of ours by NAME."""
    instance = managed_container(lxd, name)
    one = seen_alone(lxd, instance)
    host = read_host_gpus(lxd, settings)
    disks = of_type("disk", instance.expanded_devices).values()
    sizes = volume_sizes(lxd, (disk["pool"] for disk in disks if "pool" in disk))
    return {
        **_row(one, host, sizes),
        **in_full(instance, host),
        "access": _access(instance, one.state),
        "volumes": _volumes(one, sizes),
        "snapshots": list(lxd.snapshots(name)),
        "kept_root": _kept_root(lxd, instance),
        "shares": shares_in(instance, settings),
        "groups": list(needs_of(instance).groups),
        "own_keys": own_keys(lxd, settings, instance),
        "profile": inherited(instance, _profiles(lxd, instance)),
    }


def _profiles(lxd: Lxd, instance: Instance) -> tuple[Profile, ...]:
    found = (lxd.profile(name) for name in instance.profiles)
    return tuple(profile for profile in found if profile is not None)


def _row(one: Seen, host: HostGpus, sizes: Sizes) -> Row:
    instance, state = one.instance, one.state
    root = root_of(instance.expanded_devices)
    config = instance.config
    limits = limits_of(instance)
    return {
        "name": instance.name,
        "owner": config[labels.OWNER],
        "template": config.get(labels.TEMPLATE),
        "version": config.get(labels.VERSION),
        "state": instance.state.value,
        "phase": config.get(labels.PHASE, labels.READY),
        "half_made": _half_made(instance),
        "moved_to": _moved_to(instance),
        "ipv4": list(state.ipv4),
        "ipv6": list(state.ipv6),
        **in_brief(instance, host),
        "cpus": limits.cpus,
        # A share of the host's, which LXD counts itself where it is on another machine.
        "memory_bytes": limits.memory_bytes or (state.memory and state.memory.limit),
        "memory_used_bytes": None if one.trouble else state.memory_bytes,
        "memory_held_bytes": state.memory and state.memory.held,
        "memory_limit": limits.memory,
        "processes": limits.processes,
        "disk_bytes": bytes_of(root[1].get("size")) if root else None,
        "disk_used_bytes": state.disk_bytes.get(root[0]) if root else None,
        **_home(one, sizes),
        "ids": _ids(instance),
        **_time(config),
        "location": instance.location,
        "told_by": one.told_by.value if one.told_by else None,
        "trouble": one.trouble,
        "created_at": instance.created_at.isoformat(timespec="seconds"),
    }


def _moved_to(instance: Instance) -> str | None:
    """The server that has it, where this is only what is kept of it."""
    mark = move_mark(instance)
    return mark.remote if mark is not None and mark.is_moved else None


def _unmeasured_home(one: Seen) -> tuple[str, str] | None:
    """Pool and name of a home whose quota the kernel did not tell."""
    return home_place(one.instance) if one.state.disk_quotas is None else None


def _home(one: Seen, sizes: Sizes) -> Row:
    device = first(one.instance.expanded_devices, HOME)
    if device is None or "pool" not in device[1]:
        return {"home_bytes": None, "home_used_bytes": None}
    return {
        "home_bytes": _quota(one.state, device[0], device[1], sizes),
        "home_used_bytes": one.state.disk_bytes.get(device[0]),
    }


def _quota(state: InstanceState, name: str, device: Device, sizes: Sizes) -> int | None:
    """As the kernel holds the volume to it; else as LXD keeps it."""
    if state.disk_quotas is not None:
        return state.disk_quotas.get(name)
    return bytes_of(sizes.get((device["pool"], device.get("source", ""))))


def _half_made(instance: Instance) -> Row | None:
    """Which process makes it, whether it runs (null: not known here), how to finish it."""
    if not is_preparing(instance):
        return None
    builder = instance.config.get(labels.BUILDER, "")
    alive = is_alive(builder)
    return {
        "by": in_words(builder),
        "at_work": alive,
        "fix": None if alive else command_that_finishes(instance),
    }


def _ids(instance: Instance) -> Row | None:
    """None where it has no range of its own."""
    own = own_range(instance)
    return {"base": own.base, "size": own.size} if own else None


def _time(config: Mapping[str, str]) -> Row:
    """The end of its person's time, and what was done of it; null: nothing yet."""
    until, mark = config.get(labels.UNTIL), seen_mark(config)
    freeze = read_period(config.get(labels.FREEZE))
    return {
        "until": until,
        "expiry": {"state": mark.state.value, "since": mark.since.isoformat()} if mark else None,
        "frozen_until": freeze.last.isoformat() if freeze else None,
        "mail": config.get(labels.MAIL),
    }


def _access(instance: Instance, state: InstanceState) -> Row:
    address = next(iter((*state.ipv4, *state.ipv6)), None)
    rdp = needs_of(instance).ports.get("rdp")
    account = instance.config[labels.OWNER]
    return {
        "ssh": f"ssh {account}@{address}" if address else None,
        "rdp": f"{_in_url(address)}:{rdp}" if address and rdp else None,
        "ports": {},
    }


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _kept_root(lxd: Lxd, instance: Instance) -> Row | None:
    """What `upgrade --back` returns to; null where there is none."""
    name = instance.config.get(labels.KEPT_ROOT)
    kept = lxd.instance(name) if name else None
    mark = read_mark(kept) if kept is not None else None
    if kept is None or mark is None or mark.stage is not Stage.KEPT:
        return None
    return {
        "name": kept.name,
        "template": kept.config.get(labels.TEMPLATE),
        "version": kept.config.get(labels.VERSION),
        "since": mark.since,
        "used_bytes": lxd.state(kept.name).disk_bytes.get("root"),
    }


def _volumes(one: Seen, sizes: Sizes) -> list[Row]:
    return [
        {
            "name": device["source"],
            "pool": device["pool"],
            "path": device.get("path"),
            "size_bytes": _quota(one.state, name, device, sizes),
            "used_bytes": one.state.disk_bytes.get(name),
        }
        for name, device in of_type("disk", one.instance.expanded_devices).items()
        if device.get("pool") and device.get("source")
    ]
