"""What a container is to be on the other server, before its first start there. Pure.

Whatever names something of this server (GPUs, pool, network, directories) is replaced or left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from lab import labels
from lab.driver.delivery import Delivery
from lab.gpus.devices import gpu_devices
from lab.lxd.devices import (
    NO_DEVICE,
    Device,
    Devices,
    devices_of,
    of_type,
    root_of,
)
from lab.lxd.idmap import SIZE, IdRange
from lab.lxd.model import Grant, Instance, Server
from lab.lxd.swap import KEY as SWAP
from lab.lxd.swap import swaps_freely, without_swap
from lab.shares.devices import shares_of
from provision.create.gpus import gpu_config
from provision.homes import HOME
from provision.limits import MEMORY
from provision.move.facts import There
from provision.move.plugs import macs_there, nics_there, ports_there

AUTOSTART: Final = "boot.autostart"
PROTECTION: Final = "security.protection.delete"
INSTANCE_ID: Final = "volatile.cloud-init.instance-id"
"""cloud-init makes a new account and new host keys where this is another."""
_ITS_OWN: Final = {"security.idmap.isolated": "true", "security.idmap.size": str(SIZE)}
_KEPT: Final = ("volatile.base_image", INSTANCE_ID)
_PASSING: Final = frozenset(
    {
        labels.MOVE,
        labels.ARRIVAL,
        labels.SNAPSHOT,
        labels.SYNC,
        labels.ISOLATE,
        labels.RENAME,
        labels.SHARES,
        labels.GPUS,
        labels.DELIVERY,
        labels.PHASE,
        labels.BUILDER,
        AUTOSTART,
        PROTECTION,
    }
)
"""Notes of runs here, and what is given anew there."""
_GIVEN: Final = frozenset({"nic", "gpu", "disk", "none", "proxy"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What was chosen for it there."""

    home: str
    """The name of its home's volume."""
    ids: IdRange | None = None
    """None: it shares the daemon's, as it does here; or LXD chooses."""
    lxd_chooses: bool = False
    """It is not known which ids that LXD has."""
    gpus: tuple[Grant, ...] = ()
    delivery: Delivery = Delivery.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Becoming:
    config: Mapping[str, str]
    """Without the marks of a run."""
    devices: Devices
    told: tuple[str, ...] = ()
    """What is other than here, or is not there."""


def becoming(instance: Instance, server: Server, there: There, given: Given) -> Becoming:
    """SERVER: the one that it is on."""
    macs, changed = macs_there(instance, there)
    nics, plugged = nics_there(instance, there)
    ports, closed = ports_there(instance, there, keeps_addresses=not plugged)
    wanted = {
        **{key: value for key, value in instance.config.items() if _is_kept(key)},
        **_swap(instance.config, server, there.server),
        **macs,
        **(given.ids.config if given.ids is not None else {}),
        **(_ITS_OWN if given.lxd_chooses else {}),
        **gpu_config(given.gpus, given.delivery, there.profile),
    }
    if given.gpus or labels.DRIVER in wanted:
        wanted[labels.DELIVERY] = given.delivery.value
    return Becoming(
        config={key: value for key, value in wanted.items() if value},
        devices={
            **dict.fromkeys(of_type("gpu", there.profile.devices), NO_DEVICE),
            **_hiding(instance, there),
            **_root(instance, there),
            **_home(instance, there, given.home),
            **nics,
            **ports,
            **gpu_devices(given.gpus, given.delivery),
        },
        told=(*changed, *plugged, *closed, *_left_out(instance)),
    )


def _is_kept(key: str) -> bool:
    if key.startswith("volatile."):
        return key in _KEPT
    return key not in _PASSING and not key.startswith("security.idmap.")


def _swap(config: Mapping[str, str], here: Server, there: Server) -> dict[str, str]:
    """The same, where the other daemon means the opposite by the same word."""
    if MEMORY not in config or swaps_freely(here, config):
        return {}
    return {SWAP: "", **without_swap(there)}


def _root(instance: Instance, there: There) -> dict[str, Device]:
    found = root_of(devices_of(instance))
    usual = root_of(there.profile.devices)
    name = usual[0] if usual else (found[0] if found else "root")
    return {name: {**(found[1] if found else HOME), "path": "/", "pool": there.pool.name}}


def _home(instance: Instance, there: There, name: str) -> dict[str, Device]:
    own = {
        device: keys
        for device, keys in instance.devices.items()
        if keys.get("type") == "disk" and keys.get("path") == HOME["path"] and "pool" in keys
    }
    return {
        device: {**keys, "pool": there.pool.name, "source": name} for device, keys in own.items()
    }


def _hiding(instance: Instance, there: There) -> dict[str, Device]:
    """What it was kept from in the profile here, and what the profile there has by that name."""
    return {
        name: device
        for name, device in instance.devices.items()
        if device.get("type") == "none" and name in there.profile.devices
    }


def _left_out(instance: Instance) -> Iterator[str]:
    shares = shares_of(instance)
    if shares:
        names = " ".join(shares)
        yield f"its shares: give them on that server: invoke share {instance.name} {names}"
    for name, device in sorted(instance.devices.items()):
        kind, path = device.get("type", ""), device.get("path", "")
        if kind not in _GIVEN:
            yield f"its device {name} ({kind}): of this server"
        elif kind == "disk" and path not in {"/", HOME["path"]} and not name.startswith("share-"):
            source = device.get("source", "")
            what = f"the volume {source} in pool {device['pool']}" if "pool" in device else source
            yield f"its disk {name} at {path}: {what} stays here"
