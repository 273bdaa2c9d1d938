"""The devices of profiles and instances, and the networks and pools that they name. Pure.

https://documentation.ubuntu.com/lxd/stable-5.0/reference/devices/
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, TypeAlias

from lab.errors import InputError
from lab.lxd.model import Instance, Network, Pool
from lab.names import did_you_mean

Device: TypeAlias = Mapping[str, str]
Devices: TypeAlias = Mapping[str, Device]
Named: TypeAlias = tuple[str, Device]
"""A device and its name."""

ROOT: Final[Device] = {"type": "disk", "path": "/"}
NIC: Final[Device] = {"type": "nic"}
NO_DEVICE: Final[Device] = {"type": "none"}
"""Hides what a profile, or the instance that is copied, has by the same name."""


def devices_of(instance: Instance) -> Devices:
    """Its profiles' too."""
    return instance.expanded_devices or instance.devices


def of_type(kind: str, devices: Devices) -> dict[str, Device]:
    return {name: device for name, device in devices.items() if device.get("type") == kind}


def first(devices: Devices, wanted: Device) -> Named | None:
    """The first of DEVICES that has all keys of WANTED."""
    return next((one for one in devices.items() if wanted.items() <= one[1].items()), None)


def root_of(devices: Devices) -> Named | None:
    return first(devices, ROOT)


def nic_of(devices: Devices) -> Named | None:
    """The first: others are an admin's own wish."""
    return first(devices, NIC)


def plug_of(nic: Device) -> str:
    """The network or the interface that NIC is plugged into; empty where it names none."""
    return nic.get("network") or nic.get("parent") or ""


def network_of(nic: Device, networks: Sequence[Network]) -> Network | None:
    """Also of a NIC that names the bridge of one of NETWORKS as its `parent`."""
    return _by_name(networks).get(plug_of(nic))


def kind_of(nic: Device, networks: Sequence[Network]) -> str:
    """`bridged`, `macvlan`, …, as LXD calls what NIC is; empty where it is not known."""
    if "network" not in nic:
        return nic.get("nictype", "")
    network = network_of(nic, networks)
    if network is None:
        return ""
    return "bridged" if network.type == "bridge" else network.type


def connection(network: Network) -> dict[str, str]:
    """The keys of a NIC that plug it into NETWORK."""
    if network.managed:
        return {"network": network.name}
    # A bridge of the host's own; any other interface can be shared by macvlan only.
    kind = "bridged" if network.type == "bridge" else "macvlan"
    return {"nictype": kind, "parent": network.name}


def find_network(name: str, networks: Sequence[Network]) -> Network:
    """The one called NAME; InputError, about the settings, where LXD has none."""
    there = _by_name(networks)
    if name not in there:
        raise _missing(
            "network: LXD has no network", name, there, fix="Correct `network:` in lab.yaml."
        )
    return there[name]


def choose_pool(wish: str | None, devices: Devices, pools: Sequence[Pool]) -> Pool | None:
    """WISH, from the settings; else that of the root disk in DEVICES; else the only one.

    None where nothing tells. InputError where LXD has none of that name.
    """
    root = root_of(devices)
    name = wish or (root[1].get("pool") if root else None)
    if not name:
        return pools[0] if len(pools) == 1 else None
    there = {pool.name: pool for pool in pools}
    if name not in there:
        raise _missing(
            "pool: LXD has no storage pool", name, there, fix="Correct `pool:` in lab.yaml."
        )
    return there[name]


def required_pool(wish: str | None, devices: Devices, pools: Sequence[Pool]) -> Pool:
    """As `choose_pool`; InputError, about the settings, where nothing tells."""
    pool = choose_pool(wish, devices, pools)
    if pool is None:
        raise InputError(
            "No storage pool is set, neither in the settings nor in the default profile.",
            details=f"LXD has the pools: {', '.join(one.name for one in pools) or 'none'}.",
            fix="Set `pool:` in lab.yaml, or prepare the host: invoke host.setup",
        )
    return pool


def _by_name(networks: Sequence[Network]) -> dict[str, Network]:
    return {network.name: network for network in networks}


def _missing(told: str, name: str, there: Collection[str], *, fix: str) -> InputError:
    return InputError(
        f"{told} {name}{did_you_mean(name, there)}.",
        details=f"It has: {', '.join(there) or 'none'}.",
        fix=fix,
    )
