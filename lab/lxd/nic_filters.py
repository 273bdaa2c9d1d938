"""Which of LXD's filters a container's NIC can have, and why it has not the others. Pure.

A user is root inside, so he can take any address and answer for anybody on his network. What LXD
5.0.2 does with each key was tried: it refuses some, and with others it cuts off a container whose
addresses it does not give itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lab.lxd.devices import kind_of, network_of
from lab.lxd.model import Network

MAC: Final = "security.mac_filtering"
IPV4: Final = "security.ipv4_filtering"
IPV6: Final = "security.ipv6_filtering"
ISOLATION: Final = "security.port_isolation"

BRIDGED_IPV6: Final = Path("/proc/sys/net/bridge/bridge-nf-call-ip6tables")
"""`1` where the kernel has br_netfilter: without it LXD starts no NIC with IPV6."""

_NONE: Final = ("", "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the settings want, and what the host can do."""

    filters: bool = True
    isolation: bool = False
    ipv6: bool | None = True
    """Whether the host's kernel can filter IPv6 on bridges; None where LXD is elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filtering:
    keys: Mapping[str, str] = field(default_factory=dict)
    """What is added to the NIC."""
    lacking: tuple[str, ...] = ()
    """What is not filtered though the settings want it, and why."""


def bridged_ipv6() -> bool:
    """Whether this host can filter IPv6 on its bridges."""
    try:
        return BRIDGED_IPV6.read_text(encoding="ascii").strip() == "1"
    except OSError:
        return False


def filtering(nic: Mapping[str, str], networks: Sequence[Network], wanted: Wanted) -> Filtering:
    """What NIC gets beside its own keys; what it says of a filter itself stays."""
    if not (wanted.filters or wanted.isolation):
        return Filtering()
    network, kind = network_of(nic, networks), kind_of(nic, networks)
    if kind != "bridged":
        return Filtering(lacking=(f"addresses: LXD has no filters for {kind or 'its kind'}",))
    if network is not None and network.config.get("bridge.driver") == "openvswitch":
        return Filtering(lacking=("addresses: LXD's filters do not work on Open vSwitch",))
    keys: dict[str, str] = {}
    lacking: list[str] = []
    if wanted.filters:
        for key, why in _judged(nic, network, wanted):
            if nic.get(key, "true") != "true":
                lacking.append(f"{_NAMES[key]}: the profile says {key}={nic[key]}")
            elif why:
                lacking.append(f"{_NAMES[key]}: {why}")
            else:
                keys[key] = "true"
    if wanted.isolation:
        keys[ISOLATION] = "true"
    return Filtering(keys=keys, lacking=tuple(lacking))


_NAMES: Final = {MAC: "MAC addresses", IPV4: "IPv4", IPV6: "IPv6"}


def _judged(
    nic: Mapping[str, str], network: Network | None, wanted: Wanted
) -> Iterator[tuple[str, str]]:
    """Each key, and why the NIC cannot have it; empty where it can."""
    yield MAC, ""
    yield IPV4, _why_not(nic, network) or (_unserved(network, "ipv4") if network else "")
    yield IPV6, _why_not(nic, network) or (_why_not_ipv6(network, wanted) if network else "")


def _why_not(nic: Mapping[str, str], network: Network | None) -> str:
    if network is None or not network.managed:
        return "LXD gives no addresses on a bridge that it does not manage"
    if nic.get("vlan") or nic.get("vlan.tagged"):
        return "LXD cannot filter addresses in a VLAN"
    return ""


def _unserved(network: Network, family: str) -> str:
    """LXD drops all of a FAMILY in which it gives no addresses, though somebody else may."""
    if network.config.get(f"{family}.address", "") in _NONE:
        return f"{network.name} has no {family} address"
    if network.config.get(f"{family}.dhcp") == "false":
        return f"{network.name} has {family}.dhcp=false"
    return ""


def _why_not_ipv6(network: Network, wanted: Wanted) -> str:
    if wanted.ipv6 is False:
        return "the host's br_netfilter is not loaded"
    lonely = not network.config.get("bridge.external_interfaces")
    if network.config.get("ipv6.address", "") in _NONE and lonely:
        # Nobody on it has addresses, so all of IPv6 may be dropped, and with it false routers.
        return ""
    return _unserved(network, "ipv6")
