"""The containers that are, in the JSON shapes of `invoke list` and `invoke show` (stable)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeAlias

from lab import labels
from lab.errors import LxdError, LxdUnreachable, NotFound
from lab.host_gpus import HostGpus, read_host_gpus
from lab.lxd.devices import of_type, root_of
from lab.lxd.idmap import own_range
from lab.lxd.model import Instance, InstanceState, Profile
from lab.lxd.port import Lxd
from lab.process import in_words, is_alive
from lab.settings.settings import Settings
from provision.former import Stage, as_listed, read_mark
from provision.gpu_view import in_brief, in_full
from provision.keys.own import own_keys
from provision.limits import bytes_of, cpus_of
from provision.managed import (
    command_that_finishes,
    is_managed,
    is_preparing,
    managed_container,
)
from provision.needs import needs_of
from provision.profile import inherited
from provision.shares.listing import shares_in

_LOOKS_AT_ONCE: Final = 32
"""More than there are likely to be that LXD is stuck with."""

Row: TypeAlias = dict[str, Any]
"""A JSON object."""


def containers(lxd: Lxd, settings: Settings) -> list[Row]:
    """Every container of labstamp, by name; one that vanishes meanwhile is left out."""
    host = read_host_gpus(lxd, settings)
    there = map(as_listed, lxd.instances())
    every = sorted(filter(is_managed, there), key=lambda each: each.name)
    with ThreadPoolExecutor(max_workers=_LOOKS_AT_ONCE) as pool:
        rows = pool.map(lambda instance: _row_or_trouble(lxd, instance, host), every)
        return [row for row in rows if row is not None]


def _row_or_trouble(lxd: Lxd, instance: Instance, host: HostGpus) -> Row | None:
    """None when it vanished meanwhile."""
    try:
        return _row(instance, lxd.state(instance.name), host)
    except NotFound:
        return None
    except LxdUnreachable:
        raise
    except LxdError as error:
        # Said beside its name: the others are to be seen all the same.
        unknown = InstanceState(state=instance.state)
        return _row(instance, unknown, host) | {"trouble": error.brief, "memory_used_bytes": None}


def show(lxd: Lxd, settings: Settings, name: str) -> Row:
    """One container, with how to reach it; InputError when there is none of ours by NAME."""
    instance = managed_container(lxd, name)
    state = lxd.state(name)
    host = read_host_gpus(lxd, settings)
    return {
        **_row(instance, state, host),
        **in_full(instance, host),
        "access": _access(instance, state),
        "volumes": _volumes(lxd, instance, state),
        "snapshots": list(lxd.snapshots(name)),
        "kept_root": _kept_root(lxd, instance),
        "shares": shares_in(instance, settings),
        "own_keys": own_keys(lxd, settings, instance),
        "profile": inherited(instance, _profiles(lxd, instance)),
    }


def _profiles(lxd: Lxd, instance: Instance) -> tuple[Profile, ...]:
    found = (lxd.profile(name) for name in instance.profiles)
    return tuple(profile for profile in found if profile is not None)


def _row(instance: Instance, state: InstanceState, host: HostGpus) -> Row:
    root = root_of(instance.expanded_devices)
    config = instance.config
    return {
        "name": instance.name,
        "owner": config[labels.OWNER],
        "template": config.get(labels.TEMPLATE),
        "version": config.get(labels.VERSION),
        "state": instance.state.value,
        "phase": config.get(labels.PHASE, labels.READY),
        "half_made": _half_made(instance),
        "ipv4": list(state.ipv4),
        "ipv6": list(state.ipv6),
        **in_brief(instance, host),
        "cpus": cpus_of(config.get("limits.cpu")),
        "memory_bytes": bytes_of(config.get("limits.memory")),
        "memory_used_bytes": state.memory_bytes,
        "memory_limit": config.get("limits.memory"),
        "processes": int(config["limits.processes"])
        if config.get("limits.processes", "").isdecimal()
        else None,
        "disk_bytes": bytes_of(root[1].get("size")) if root else None,
        "disk_used_bytes": state.disk_bytes.get(root[0]) if root else None,
        "ids": _ids(instance),
        "location": instance.location,
        "trouble": None,
        "created_at": instance.created_at.isoformat(timespec="seconds"),
    }


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


def _volumes(lxd: Lxd, instance: Instance, state: InstanceState) -> list[Row]:
    rows: list[Row] = []
    for name, device in of_type("disk", instance.expanded_devices).items():
        pool, source = device.get("pool"), device.get("source")
        if not pool or not source:
            continue
        sizes = {each.name: each.config.get("size") for each in lxd.volumes(pool)}
        rows.append(
            {
                "name": source,
                "pool": pool,
                "path": device.get("path"),
                "size_bytes": bytes_of(sizes.get(source)),
                "used_bytes": state.disk_bytes.get(name),
            }
        )
    return rows
