"""NICs, addresses and ports of a container on the other server. Pure.

Each with what is not kept of them there, in words.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_interface
from typing import Final

from lab.lxd.devices import (
    Device,
    connection,
    devices_of,
    find_network,
    network_of,
    nic_of,
    of_type,
    plug_of,
)
from lab.lxd.model import Instance, Network
from lab.lxd.nic_filters import IPV4, IPV6, ISOLATION, MAC, filtering
from provision.move.facts import There

_PLACE: Final = ("network", "nictype", "parent", "ipv4.address", "ipv6.address")
_FILTERS: Final = (MAC, IPV4, IPV6, ISOLATION)
_ANYWHERE: Final = ("0.0.0.0", "127.0.0.1", "[::]", "[::1]")  # noqa: S104 - what people listen at


def macs_there(instance: Instance, there: There) -> tuple[dict[str, str], list[str]]:
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


def nics_there(instance: Instance, there: There) -> tuple[dict[str, Device], list[str]]:
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
    device = {**nic, **filtering(nic, there.networks, there.wanted).keys}
    inherited = found[0] not in instance.devices and usual is not None and device == usual[1]
    return ({} if inherited else {name: device}), told


def _plug(nic: Device, usual: Device, there: There) -> dict[str, str]:
    """The network of the settings, else one of the same name there, else the usual one."""
    if there.network is not None:
        return connection(find_network(there.network, there.networks))
    same = network_of(nic, there.networks)
    if same is not None and "network" in nic and (not same.managed or _is_empty(same)):
        same = None
    # What a profile says is as that server's admin wants it.
    if usual and (same is None or plug_of(nic) == plug_of(usual)):
        return {key: usual[key] for key in ("network", "nictype", "parent") if key in usual}
    return {key: nic[key] for key in ("network", "nictype", "parent") if key in nic}


def _is_empty(network: Network) -> bool:
    """As one that was made for the names in snapshots alone: nobody gets an address in it."""
    addresses = {network.config.get(key) for key in ("ipv4.address", "ipv6.address")}
    return addresses == {"none"} and "bridge.external_interfaces" not in network.config


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


def ports_there(
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
