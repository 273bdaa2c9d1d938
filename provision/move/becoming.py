"""What a container is to be on the other server, before its first start there. Pure.

Whatever names something of this server (GPUs, pool, network, directories) is replaced or left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface
from typing import Final

from lab import labels
from lab.driver.delivery import Delivery
from lab.gpus.devices import gpu_devices
from lab.lxd.devices import (
    NO_DEVICE,
    Device,
    Devices,
    connection,
    devices_of,
    find_network,
    network_of,
    nic_of,
    of_type,
    plug_of,
    root_of,
)
from lab.lxd.idmap import IdRange
from lab.lxd.model import Grant, Instance, Server
from lab.lxd.nic_filters import IPV4, IPV6, ISOLATION, MAC, filtering
from lab.lxd.swap import KEY as SWAP
from lab.lxd.swap import swaps_freely, without_swap
from lab.shares.devices import shares_of
from provision.create.gpus import gpu_config
from provision.homes import HOME
from provision.limits import MEMORY
from provision.move.facts import There

AUTOSTART: Final = "boot.autostart"
PROTECTION: Final = "security.protection.delete"
INSTANCE_ID: Final = "volatile.cloud-init.instance-id"
"""cloud-init makes a new account and new host keys where this is another."""
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
_PLACE: Final = ("network", "nictype", "parent", "ipv4.address", "ipv6.address")
_FILTERS: Final = (MAC, IPV4, IPV6, ISOLATION)
_GIVEN: Final = frozenset({"nic", "gpu", "disk", "none", "proxy"})
_ANYWHERE: Final = ("0.0.0.0", "127.0.0.1", "[::]", "[::1]")  # noqa: S104 - what people listen at


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What was chosen for it there."""

    home: str
    """The name of its home's volume."""
    ids: IdRange | None = None
    """None: it shares the daemon's, as it does here."""
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
    macs, changed = _macs(instance, there)
    nics, plugged = _nics(instance, there)
    ports, closed = _ports(instance, there, keeps_addresses=not plugged)
    wanted = {
        **{key: value for key, value in instance.config.items() if _is_kept(key)},
        **_swap(instance.config, server, there.server),
        **macs,
        **(given.ids.config if given.ids is not None else {}),
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


def _macs(instance: Instance, there: There) -> tuple[dict[str, str], list[str]]:
    """What its first NIC was given by LXD, where nobody there has it."""
    taken = {
        value.lower(): one.name
        for one in there.instances
        for value in _hardware_addresses(one)
        if (one.name, one.project) != (instance.name, there.project)
    }
    found = nic_of(devices_of(instance))
    address = instance.config.get(f"volatile.{found[0]}.hwaddr", "") if found else ""
    if not address or found is None:
        return {}, []
    if address.lower() in taken:
        return {}, [f"its MAC address {address}: {taken[address.lower()]} has it there"]
    return {f"volatile.{_nic_name(found[0], there)}.hwaddr": address}, []


def _nic_name(name: str, there: There) -> str:
    """A device of the same name replaces the profile's."""
    usual = nic_of(there.profile.devices)
    return usual[0] if usual else name


def _hardware_addresses(instance: Instance) -> Iterator[str]:
    for key, value in instance.config.items():
        if key.startswith("volatile.") and key.endswith(".hwaddr"):
            yield value
    for device in of_type("nic", devices_of(instance)).values():
        if "hwaddr" in device:
            yield device["hwaddr"]


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


def _nics(instance: Instance, there: There) -> tuple[dict[str, Device], list[str]]:
    """Its first NIC, plugged in there; others are an admin's own wish for this server."""
    found = nic_of(devices_of(instance))
    usual = nic_of(there.profile.devices)
    if found is None:
        return {}, []
    name, told = _nic_name(found[0], there), list[str]()
    keys = {key: value for key, value in found[1].items() if key not in (*_PLACE, *_FILTERS)}
    plug = _plug(found[1], usual[1] if usual else {}, there)
    fixed = {
        key: value
        for key, value in found[1].items()
        if key in {"ipv4.address", "ipv6.address"} and _fits(value, plug, there)
    }
    told += [
        f"its fixed address {found[1][key]}: not of the network there"
        for key in ("ipv4.address", "ipv6.address")
        if key in found[1] and key not in fixed
    ]
    nic = {**keys, **plug, **fixed}
    others = [other for other in of_type("nic", instance.devices) if other != found[0]]
    told += [f"its NIC {other}: only its first is moved" for other in others]
    return {name: {**nic, **filtering(nic, there.networks, there.wanted).keys}}, told


def _plug(nic: Device, usual: Device, there: There) -> dict[str, str]:
    """The network of the settings, else one of the same name there, else the usual one."""
    if there.network is not None:
        return connection(find_network(there.network, there.networks))
    same = network_of(nic, there.networks)
    # What a profile says is as that server's admin wants it.
    if usual and (same is None or plug_of(nic) == plug_of(usual)):
        return {key: usual[key] for key in ("network", "nictype", "parent") if key in usual}
    return {key: nic[key] for key in ("network", "nictype", "parent") if key in nic}


def _fits(address: str, plug: Device, there: There) -> bool:
    network = network_of(plug, there.networks)
    family = "ipv4.address" if "." in address else "ipv6.address"
    own = network.config.get(family, "") if network is not None else ""
    if "/" not in own or address in _addresses(there):
        return False
    try:
        return ip_address(address) in ip_interface(own).network
    except ValueError:
        return False


def _addresses(there: There) -> set[str]:
    nics = (of_type("nic", devices_of(one)).values() for one in there.instances)
    return {nic.get("ipv4.address", "") for every in nics for nic in every}


def _ports(
    instance: Instance, there: There, *, keeps_addresses: bool
) -> tuple[dict[str, Device], list[str]]:
    taken = {
        device.get("listen", ""): one.name
        for one in there.instances
        for device in of_type("proxy", devices_of(one)).values()
        if (one.name, one.project) != (instance.name, there.project)
    }
    kept: dict[str, Device] = {}
    told: list[str] = []
    for name, device in of_type("proxy", instance.devices).items():
        listen = device.get("listen", "")
        host = listen.partition(":")[2].rpartition(":")[0]
        if listen in taken:
            told.append(f"its port {listen} (device {name}): {taken[listen]} has it there")
        elif host not in _ANYWHERE:
            told.append(f"its port {listen} (device {name}): an address of this server")
        elif device.get("nat") == "true" and not keeps_addresses:
            told.append(f"its port {listen} (device {name}): its fixed address is not kept")
        else:
            kept[name] = device
    return kept, told


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
