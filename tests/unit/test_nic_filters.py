"""Which filters a NIC gets: never one that LXD refuses, or that cuts a container off."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab.lxd import nic_filters
from lab.lxd.model import Network
from lab.lxd.nic_filters import IPV4, IPV6, ISOLATION, MAC, Filtering, Wanted, filtering

NIC = {"type": "nic", "name": "eth0", "network": "lxdbr0"}
BRIDGE = Network(
    name="lxdbr0",
    type="bridge",
    managed=True,
    config={"ipv4.address": "10.77.0.1/24", "ipv6.address": "none"},
)
LAN = Network(name="br0", type="bridge", managed=False)
ALL = {MAC: "true", IPV4: "true", IPV6: "true"}


def on(nic: dict[str, str], *networks: Network, **wanted: bool | None) -> Filtering:
    return filtering(nic, networks, Wanted(**wanted))  # type: ignore[arg-type]


def having(*config: str) -> Network:
    """The bridge with CONFIG, each as KEY=VALUE."""
    told = dict(one.split("=") for one in config)
    return replace(BRIDGE, config={**BRIDGE.config, **told})


@pytest.mark.parametrize(
    "network",
    [
        BRIDGE,
        having("ipv6.address=fd42::1/64"),
        having("ipv6.address=fd42::1/64", "ipv6.dhcp=true"),
    ],
)
def test_a_bridge_of_lxds_own_has_them_all(network: Network) -> None:
    assert on(NIC, network) == Filtering(keys=ALL)


def test_a_bridge_named_as_parent_is_the_same() -> None:
    nic = {"type": "nic", "name": "eth0", "nictype": "bridged", "parent": "lxdbr0"}
    assert on(nic, BRIDGE) == Filtering(keys=ALL)


@pytest.mark.parametrize(
    ("network", "family", "why"),
    [
        (having("ipv4.dhcp=false"), IPV4, "IPv4: lxdbr0 has ipv4.dhcp=false"),
        (having("ipv4.address=none"), IPV4, "IPv4: lxdbr0 has no ipv4 address"),
        (
            having("ipv6.address=fd42::1/64", "ipv6.dhcp=false"),
            IPV6,
            "IPv6: lxdbr0 has ipv6.dhcp=false",
        ),
        (
            having("bridge.external_interfaces=eno1"),
            IPV6,
            "IPv6: lxdbr0 has no ipv6 address",
        ),
    ],
)
def test_nobody_is_cut_off_from_addresses_that_somebody_else_gives(
    network: Network, family: str, why: str
) -> None:
    found = on(NIC, network)
    assert found.lacking == (why,)
    assert found.keys == {key: "true" for key in ALL if key != family}


def test_without_br_netfilter_lxd_starts_nothing_with_ipv6() -> None:
    found = on(NIC, BRIDGE, ipv6=False)
    assert found == Filtering(
        keys={MAC: "true", IPV4: "true"},
        lacking=("IPv6: the host's br_netfilter is not loaded",),
    )
    # Of an LXD elsewhere its own answer decides.
    assert on(NIC, BRIDGE, ipv6=None).keys == ALL


def test_a_bridge_of_the_host() -> None:
    nic = {"type": "nic", "name": "eth0", "nictype": "bridged", "parent": "br0"}
    why = "LXD gives no addresses on a bridge that it does not manage"
    assert on(nic, LAN) == Filtering(keys={MAC: "true"}, lacking=(f"IPv4: {why}", f"IPv6: {why}"))
    assert on(nic, LAN, isolation=True).keys == {MAC: "true", ISOLATION: "true"}


def test_in_a_vlan() -> None:
    assert on({**NIC, "vlan": "12"}, BRIDGE).keys == {MAC: "true"}


@pytest.mark.parametrize("kind", ["macvlan", "sriov", "ipvlan", "physical", "routed", "p2p"])
def test_kinds_without_filters(kind: str) -> None:
    nic = {"type": "nic", "name": "eth0", "nictype": kind, "parent": "eno1"}
    told = (f"addresses: LXD has no filters for {kind}",)
    assert on(nic, isolation=True) == Filtering(lacking=told)


def test_open_vswitch_is_not_seen_by_them() -> None:
    assert on(NIC, having("bridge.driver=openvswitch")).keys == {}


def test_what_a_profile_says_outright_stays() -> None:
    found = on({**NIC, MAC: "false", IPV4: "true"}, BRIDGE)
    assert found.keys == {IPV4: "true", IPV6: "true"}
    assert found.lacking == (f"MAC addresses: the profile says {MAC}=false",)


def test_the_settings_say_none() -> None:
    assert on(NIC, BRIDGE, filters=False) == Filtering()
    assert on(NIC, BRIDGE, filters=False, isolation=True).keys == {ISOLATION: "true"}


def test_what_this_host_can_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "bridge-nf-call-ip6tables"
    monkeypatch.setattr(nic_filters, "BRIDGED_IPV6", file)
    assert not nic_filters.bridged_ipv6()
    file.write_text("0\n")
    assert not nic_filters.bridged_ipv6()
    file.write_text("1\n")
    assert nic_filters.bridged_ipv6()
