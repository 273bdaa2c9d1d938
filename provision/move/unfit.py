"""Which snapshots of a root cannot go along: LXD judges their devices as an instance's. Pure.

And it gives a snapshot no other devices than it has.
"""

from __future__ import annotations

from collections.abc import Iterator

from lab.lxd.devices import Device, of_type, plug_of
from lab.lxd.model import Snapshot
from provision.move.facts import Facts


def unfit(facts: Facts, home: str) -> dict[str, str]:
    """Snapshot → what it names that is not there. HOME: the name of the home's volume there."""
    instance = facts.here.instance
    # As those that are taken for the move will be.
    now = Snapshot(name="move-", devices=instance.devices, profiles=instance.profiles)
    every = (*facts.here.roots, now)
    told = {one.name: next(_reasons(facts, one, home), "") for one in every}
    return {name: why for name, why in told.items() if why}


def _reasons(facts: Facts, snapshot: Snapshot, home: str) -> Iterator[str]:
    there = facts.there
    for profile in snapshot.profiles:
        if profile not in there.profiles:
            yield f"the profile {profile}"
    known = {one.name: one for one in there.networks}
    for nic in of_type("nic", snapshot.devices).values():
        network = known.get(plug_of(nic))
        if network is None or ("network" in nic and not network.managed):
            yield f"the network {plug_of(nic)}"
    volumes = {(there.pool.name, home), *((one.pool, one.name) for one in there.stores.volumes)}
    for device in of_type("disk", snapshot.devices).values():
        yield from _of_disk(device, volumes)


def _of_disk(device: Device, volumes: set[tuple[str, str]]) -> Iterator[str]:
    pool, source, path = (device.get(key, "") for key in ("pool", "source", "path"))
    if path == "/":
        # LXD gives a snapshot's root the pool of its instance.
        return
    if pool and (pool, source) not in volumes:
        yield f"the volume {source} in pool {pool}"
    elif not pool and device.get("required") != "false":
        yield f"the directory {source}"
