"""The address that a container keeps while its roots change places.

LXD forgets it as soon as a NIC is taken away, and the next container that starts may get it. So the
next root asks for it by name, before the present one loses its NIC, until it has booted with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_interface

from lab.lxd.devices import Device, Devices, network_of, of_type
from lab.lxd.model import Instance, Network, State
from lab.lxd.port import Lxd

_ADDRESS = "ipv4.address"


def held_address(lxd: Lxd, instance: Instance) -> str:
    """That of its only NIC, where LXD gives it by DHCP; empty where there is none to be held."""
    found = _only_nic(instance)
    if found is None or instance.state is not State.RUNNING:
        return ""
    network = network_of(found[1], lxd.networks())
    given = next(iter(lxd.state(instance.name).ipv4), "")
    return given if network is not None and _gives(network, given) else ""


def asking_for(address: str, instance: Instance) -> dict[str, Mapping[str, str]]:
    """The NIC of INSTANCE, as one that gets ADDRESS; nothing for an empty one."""
    found = _only_nic(instance)
    return {found[0]: {**found[1], _ADDRESS: address}} if found and address else {}


def asked_for(instance: Instance, wanted: Devices) -> dict[str, Mapping[str, str] | None]:
    """The changes by which INSTANCE asks for no address any more; WANTED: its own devices then."""
    return {
        name: wanted.get(name)
        for name, device in of_type("nic", instance.devices).items()
        if _ADDRESS in device and _ADDRESS not in wanted.get(name, {})
    }


def _only_nic(instance: Instance) -> tuple[str, Device] | None:
    """None where it asks for an address of its own."""
    nics = of_type("nic", instance.expanded_devices)
    found = next(iter(nics.items()), None)
    return found if found and len(nics) == 1 and _ADDRESS not in found[1] else None


def _gives(network: Network, address: str) -> bool:
    own = network.config.get(_ADDRESS, "")
    if not (network.managed and network.type == "bridge" and "/" in own and address):
        return False
    if network.config.get("ipv4.dhcp", "true") in {"false", "0", "no", "off"}:
        return False
    return ip_address(address) in ip_interface(own).network
