"""Where builders, bodies and checked instances live: in the pool and network of the settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from images.workshop import Workshop
from lab.errors import InputError
from lab.lxd.model import Network, Pool, Profile
from lab.names import did_you_mean
from lab.settings import Settings

Devices = Mapping[str, Mapping[str, str]]


def placed(shop: Workshop, needed: Devices) -> Devices:
    """NEEDED and the devices that put an instance where the settings say."""
    settings = shop.settings
    if settings.pool is None and settings.network is None:
        return needed
    return {**needed, **places(settings, shop.lxd.profile("default"), shop.lxd.networks())}


def pool_of(shop: Workshop) -> Pool | None:
    """The pool that builds fill; None where nothing names one."""
    pools = {pool.name: pool for pool in shop.lxd.pools()}
    chosen = shop.settings.pool
    if chosen is None:
        profile = shop.lxd.profile("default")
        devices: Devices = profile.devices if profile else {}
        return pools.get(devices.get(_named(devices, "disk", path="/") or "", {}).get("pool", ""))
    if chosen not in pools:
        raise InputError(
            f"pool: LXD has no storage pool {chosen}{did_you_mean(chosen, pools)}.",
            details=f"It has: {', '.join(pools) or 'none'}.",
            fix="Correct `pool:` in lab.yaml.",
        )
    return pools[chosen]


def places(settings: Settings, profile: Profile | None, networks: Sequence[Network]) -> Devices:
    """What replaces the profile's root and network devices; nothing where its own will do. Pure."""
    own: Devices = profile.devices if profile else {}
    found: dict[str, Mapping[str, str]] = {}
    if settings.pool is not None:
        root = _named(own, "disk", path="/") or "root"
        found[root] = {**own.get(root, {}), "type": "disk", "path": "/", "pool": settings.pool}
    if settings.network is not None:
        nic = _named(own, "nic") or "eth0"
        found[nic] = {
            "type": "nic",
            "name": "eth0",
            **_connection(_chosen(settings.network, networks)),
        }
    return found


def _named(devices: Devices, kind: str, **keys: str) -> str | None:
    """The first device of KIND with these KEYS."""
    wanted = {"type": kind, **keys}
    return next((name for name, one in devices.items() if wanted.items() <= one.items()), None)


def _chosen(name: str, networks: Sequence[Network]) -> Network:
    for network in networks:
        if network.name == name:
            return network
    known = [network.name for network in networks]
    raise InputError(
        f"network: LXD has no network {name}{did_you_mean(name, known)}.",
        details=f"It has: {', '.join(known) or 'none'}.",
        fix="Correct `network:` in lab.yaml.",
    )


def _connection(network: Network) -> dict[str, str]:
    if network.managed:
        return {"network": network.name}
    # A bridge of the host's own; any other interface can be shared by macvlan only.
    kind = "bridged" if network.type == "bridge" else "macvlan"
    return {"nictype": kind, "parent": network.name}
