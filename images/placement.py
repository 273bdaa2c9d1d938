"""What builders, sources, bodies and judged instances get: a root disk and one NIC, and no profile.

A server's profiles are read, to learn its pool and its network, and never inherited: a lab's
default profile may mount its NAS, start everything at boot, or make containers privileged. An
instance of the build project has what is named here, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from images.context import BuildContext
from lab import labels
from lab.errors import InputError
from lab.lxd.devices import (
    NIC,
    ROOT,
    Devices,
    choose_pool,
    connection,
    find_network,
    nic_of,
    required_pool,
)
from lab.lxd.model import Network, Pool, Profile
from lab.lxd.nic_filters import Wanted, bridged_ipv6, filtering
from lab.settings.settings import Settings

NO_PROFILES: Final = ()
"""For each `InstanceSpec` of the build project."""
GROUNDS: Final = {
    # What is stopped on purpose does not start with LXD, also after a crash while it ran.
    "boot.autostart": "false",
    "security.privileged": "false",
}
"""Config that each instance of the build project says outright."""

_CONNECTION: Final = ("network", "nictype", "parent", "vlan", "mtu")
"""Of a profile's NIC: where it is plugged in. Addresses, limits and filters are its users' own."""
_SHARED: Final = ("bridged", "macvlan", "sriov")
"""Kinds of NIC that any number of instances may have, without an address of the settings."""


def placed(context: BuildContext) -> Devices:
    """The root disk and the NIC of a builder, where possible on a network of builders' own."""
    networks = context.lxd.networks()
    devices = places(
        context.settings, context.lxd.profile("default"), networks, context.lxd.pools()
    )
    return apart(devices, networks)


def apart(devices: Devices, networks: Sequence[Network]) -> Devices:
    """DEVICES, on the network of builders alone where NETWORKS have one. Pure."""
    own = next((one for one in networks if one.managed and labels.BUILDERS in one.config), None)
    if own is None:
        return devices
    return {**devices, "eth0": {**NIC, "name": "eth0", **connection(own)}}


def placed_as_users(context: BuildContext) -> Devices:
    """The same as users' containers have it: judged is what they get."""
    networks = context.lxd.networks()
    devices = places(
        context.settings, context.lxd.profile("default"), networks, context.lxd.pools()
    )
    wanted = Wanted(
        filters=context.settings.network_filters,
        ipv6=bridged_ipv6() if context.settings.is_local else False,
    )
    filters = filtering(devices["eth0"], networks, wanted).keys
    return {**devices, "eth0": {**devices["eth0"], **filters}}


def pool_of(context: BuildContext) -> Pool | None:
    """The pool that builds fill; None where neither settings nor profile name one."""
    profile = context.lxd.profile("default")
    return choose_pool(context.settings.pool, _devices(profile), context.lxd.pools())


def places(
    settings: Settings, profile: Profile | None, networks: Sequence[Network], pools: Sequence[Pool]
) -> Devices:
    """Root and NIC by the settings, else by what PROFILE says of them. Pure.

    InputError where neither names a pool or a network.
    """
    devices = _devices(profile)
    return {
        "root": {**ROOT, "pool": required_pool(settings.pool, devices, pools).name},
        "eth0": {**NIC, "name": "eth0", **_nic(settings, devices, networks)},
    }


def _devices(profile: Profile | None) -> Devices:
    return profile.devices if profile else {}


def _nic(settings: Settings, devices: Devices, networks: Sequence[Network]) -> Mapping[str, str]:
    if settings.network is not None:
        return connection(find_network(settings.network, networks))
    nic = nic_of(devices)
    if nic is None:
        raise InputError(
            "It is not known on which network to build: the default profile has no NIC.",
            fix="Set `network:` in lab.yaml, or prepare the host: invoke host.setup",
        )
    name, device = nic
    kind = device.get("nictype", "bridged")
    if "network" not in device and kind not in _SHARED:
        raise InputError(
            f"Builders cannot share the network of the default profile: {name} is {kind}.",
            fix="Name a bridge as `network:` in lab.yaml.",
        )
    return {key: device[key] for key in _CONNECTION if key in device}
