"""What a machine's LXD lacks before containers can be made: decides, does nothing."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network
from itertools import count
from typing import Final

from host.builders_bridge import can_be_apart
from host.setup.actions import (
    Action,
    CreateBuildersNetwork,
    CreateNetwork,
    CreatePool,
    FillDefaultProfile,
    InstallGpuUnit,
    RaiseLimits,
)
from host.setup.facts import Facts
from host.setup.subnet import bridge_address
from lab import labels
from lab.errors import CapacityError, InputError
from lab.lxd.devices import NIC, ROOT, connection, nic_of, root_of
from lab.lxd.model import Network
from lab.sizes import format_size

_GIB: Final = 1024**3
_LEAST: Final = 15 * _GIB
"""Two templates, their bodies and a container or two."""
_MOST: Final = 8 * 1024 * _GIB
"""The limit of ext4 is 16 TiB for a file; larger pools need a disk of their own."""
_SHARE: Final = 0.8
"""The host keeps a fifth of its disk free of containers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """Names from the settings; None: what is there, else LXD's usual name."""

    pool: str | None = None
    network: str | None = None


def plan_setup(facts: Facts, wishes: Wishes) -> tuple[Action, ...]:
    """What is missing; existing pools, networks and devices of the profile stay as they are."""
    actions: list[Action] = []
    added: dict[str, Mapping[str, str]] = {}
    profile = facts.profile_devices
    root, nic = root_of(profile), nic_of(profile)

    named = root[1].get("pool") if root else None
    pool = wishes.pool or named or _one_of((p.name for p in facts.pools), "default")
    if pool not in {found.name for found in facts.pools}:
        actions.append(CreatePool(name=pool, driver="btrfs", size_bytes=_pool_size(facts)))
    if not root:
        added[_free("root", profile)] = {**ROOT, "pool": pool}

    if wishes.network is not None or not nic:
        network = _wanted_network(facts, wishes.network)
        if network.name not in {found.name for found in facts.networks}:
            address = bridge_address(facts.subnets)
            actions.append(CreateNetwork(name=network.name, ipv4=address))
        if not nic:
            added[_free("eth0", profile)] = {**NIC, "name": "eth0", **connection(network)}

    builders = _builders_network(facts, wishes, actions)
    if builders is not None:
        actions.append(builders)
    if added:
        actions.append(FillDefaultProfile(devices=added))
    if facts.low_limits is not None and facts.superuser:
        actions.append(RaiseLimits(limits=facts.low_limits))
    if facts.lacks_gpu_unit and facts.can_install_units:
        actions.append(InstallGpuUnit())
    return tuple(actions)


def _builders_network(
    facts: Facts, wishes: Wishes, actions: Sequence[Action]
) -> CreateBuildersNetwork | None:
    """Where users' containers are on a bridge with NAT, which is all that builders need, too."""
    if any(labels.BUILDERS in network.config for network in facts.networks):
        return None
    made = {action.name: action for action in actions if isinstance(action, CreateNetwork)}
    nic = nic_of(facts.profile_devices)
    plugged_in = nic[1].get("network") if nic else None
    users = next(iter(made), None) or wishes.network or plugged_in
    there = {network.name: network for network in facts.networks}
    plugged = there.get(users or "")
    if users in made:
        plugged = Network(name=users, type="bridge", managed=True, config={"ipv4.nat": "true"})
    if plugged is None or not can_be_apart(plugged, facts.server):
        return None
    address = bridge_address(facts.subnets, _bridged((*made.values(), *facts.networks)))
    # Kernels take 15 characters. No dash: whenever LXD sets up a bridge, it deletes every interface
    # whose name goes on with one, as those of its tunnels (lxd/network/driver_bridge.go, 5.0.2).
    name = f"{plugged.name[:14]}b"
    if address == "auto" or name in {*there, plugged.name}:
        return None
    return CreateBuildersNetwork(name=name, ipv4=address)


def _bridged(bridges: Iterable[CreateNetwork | Network]) -> Sequence[IPv4Network]:
    """The subnets of LXD's own BRIDGES."""
    addresses = (
        one.ipv4 if isinstance(one, CreateNetwork) else one.config.get("ipv4.address", "")
        for one in bridges
    )
    return [IPv4Interface(address).network for address in addresses if "/" in address]


def _pool_size(facts: Facts) -> int | None:
    if facts.free_bytes is None:
        return None
    size = min(int(facts.free_bytes * _SHARE), _MOST)
    if size < _LEAST:
        raise CapacityError(
            f"Too little room for a storage pool: {format_size(facts.free_bytes)} free "
            f"in {facts.directory}.",
            details=f"It needs {format_size(_LEAST)}, and a fifth of the disk stays free "
            f"for the host: {format_size(int(_LEAST / _SHARE))} in all.",
            fix="Free some space, or give LXD a separate disk, and run this again:\n"
            "lxc storage create default btrfs source=/dev/DISK",
        )
    return size // _GIB * _GIB


def _wanted_network(facts: Facts, name: str | None) -> Network:
    """One that is there, or the one to make."""
    by_name = {network.name: network for network in facts.networks}
    if name is None:
        bridges = (n.name for n in facts.networks if n.managed and n.type == "bridge")
        # `lxdbr0` without LXD managing it is somebody else's: another daemon's, a leftover.
        usual = (f"lxdbr{number}" for number in count())
        name = _one_of(bridges, next(name for name in usual if name not in by_name))
    found = by_name.get(name)
    if found is not None and not found.managed and found.type != "bridge":
        raise InputError(
            f"Containers cannot use the network {name}: it is not a bridge ({found.type}).",
            fix="Set `network:` in lab.yaml to a bridge. Without it, labstamp makes a bridge.",
        )
    return found or Network(name=name, type="bridge", managed=True)


def _one_of(present: Iterable[str], usual: str) -> str:
    """The usual one if it is there, else the first that is, else the usual one to be made."""
    names = sorted(present)
    return usual if usual in names or not names else names[0]


def _free(name: str, taken: Container[str]) -> str:
    return name if name not in taken else f"lab-{name}"
