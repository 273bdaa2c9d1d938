"""Which snapshots of a root cannot go along: LXD judges their devices as an instance's. Pure.

And it gives a snapshot no other devices than it has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lab.lxd.devices import Device, of_type, plug_of
from lab.lxd.model import Snapshot
from provision.move.facts import Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    what: str
    fix: str = ""
    """A command for that server, after which it is not lacking."""


def unfit(facts: Facts, home: str) -> dict[str, tuple[Lacking, ...]]:
    """Snapshot → what it names that is not there. HOME: the name of the home's volume there."""
    instance = facts.here.instance
    # As those that are taken for the move will be.
    now = Snapshot(name="move-", devices=instance.devices, profiles=instance.profiles)
    every = (*facts.here.roots, now)
    told = {one.name: tuple(_lacking(facts, one, home)) for one in every}
    return {name: why for name, why in told.items() if why}


def _lacking(facts: Facts, snapshot: Snapshot, home: str) -> Iterator[Lacking]:
    there = facts.there
    for profile in snapshot.profiles:
        if profile not in there.profiles:
            yield Lacking(what=f"the profile {profile}", fix=f"lxc profile create {profile}")
    known = {one.name: one for one in there.networks}
    for nic in of_type("nic", snapshot.devices).values():
        network = known.get(plug_of(nic))
        if network is None or ("network" in nic and not network.managed):
            yield Lacking(what=f"the network {plug_of(nic)}", fix=_same_name(nic))
    volumes = {(there.pool.name, home), *((one.pool, one.name) for one in there.stores.volumes)}
    for device in of_type("disk", snapshot.devices).values():
        yield from _of_disk(device, volumes)


def _same_name(nic: Device) -> str:
    """A network without addresses is enough: nothing is ever plugged into it."""
    plain = "ipv4.address=none ipv6.address=none"
    return f"lxc network create {nic['network']} {plain}" if "network" in nic else ""


def _of_disk(device: Device, volumes: set[tuple[str, str]]) -> Iterator[Lacking]:
    pool, source, path = (device.get(key, "") for key in ("pool", "source", "path"))
    if path == "/":
        # LXD gives a snapshot's root the pool of its instance.
        return
    if pool and (pool, source) not in volumes:
        yield Lacking(what=f"the volume {source} in pool {pool}")
    elif not pool and device.get("required") != "false":
        yield Lacking(what=f"the directory {source}")
