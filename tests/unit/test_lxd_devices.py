"""Devices by their kind, and the networks and pools that they name."""

from __future__ import annotations

import pytest

from lab.errors import InputError
from lab.lxd.devices import (
    choose_pool,
    connection,
    find_network,
    kind_of,
    network_of,
    nic_of,
    of_type,
    plug_of,
    required_pool,
    root_of,
)
from lab.lxd.model import Network, Pool

OURS = Network(name="lxdbr0", type="bridge", managed=True)
OVN = Network(name="ovn0", type="ovn", managed=True)
HOST_BRIDGE = Network(name="br0", type="bridge", managed=False)
CARD = Network(name="eno1", type="physical", managed=False)
NETWORKS = (OURS, OVN, HOST_BRIDGE, CARD)
DEFAULT, FAST = (Pool(name=name, driver="btrfs") for name in ("default", "fast"))
DEVICES = {
    "data": {"type": "disk", "path": "/data", "source": "/srv"},
    "system": {"type": "disk", "path": "/", "pool": "fast"},
    "lan": {"type": "nic", "network": "lxdbr0"},
    "second": {"type": "nic", "nictype": "macvlan", "parent": "eno1"},
}


def test_devices_are_found_by_their_type() -> None:
    assert list(of_type("disk", DEVICES)) == ["data", "system"]
    assert of_type("gpu", DEVICES) == {}
    assert root_of(DEVICES) == ("system", DEVICES["system"])
    assert nic_of(DEVICES) == ("lan", DEVICES["lan"])
    assert (root_of({}), nic_of({})) == (None, None)


@pytest.mark.parametrize(
    ("nic", "plug", "network", "kind"),
    [
        ({"network": "lxdbr0"}, "lxdbr0", OURS, "bridged"),
        ({"network": "ovn0"}, "ovn0", OVN, "ovn"),
        ({"network": "gone"}, "gone", None, ""),
        ({"nictype": "bridged", "parent": "br0"}, "br0", HOST_BRIDGE, "bridged"),
        ({"nictype": "bridged", "parent": "lxdbr0"}, "lxdbr0", OURS, "bridged"),
        ({"nictype": "macvlan", "parent": "eno1"}, "eno1", CARD, "macvlan"),
        ({"nictype": "p2p"}, "", None, "p2p"),
        ({}, "", None, ""),
    ],
)
def test_where_a_nic_is_plugged_in(
    nic: dict[str, str], plug: str, network: Network | None, kind: str
) -> None:
    assert (plug_of(nic), network_of(nic, NETWORKS), kind_of(nic, NETWORKS)) == (
        plug,
        network,
        kind,
    )


@pytest.mark.parametrize(
    ("network", "keys"),
    [
        (OURS, {"network": "lxdbr0"}),
        (OVN, {"network": "ovn0"}),
        (HOST_BRIDGE, {"nictype": "bridged", "parent": "br0"}),
        (CARD, {"nictype": "macvlan", "parent": "eno1"}),
    ],
)
def test_how_a_nic_is_plugged_into_a_network(network: Network, keys: dict[str, str]) -> None:
    assert connection(network) == keys
    assert network_of(keys, NETWORKS) == network


def test_the_network_of_the_settings() -> None:
    assert find_network("br0", NETWORKS) == HOST_BRIDGE
    with pytest.raises(InputError) as error:
        find_network("lxdbr1", (OURS,))
    assert str(error.value) == (
        'network: LXD has no network lxdbr1 (did you mean "lxdbr0"?).\n'
        "  It has: lxdbr0.\n"
        "Next: Correct `network:` in lab.yaml."
    )


def test_the_pool_of_the_settings_then_of_the_root_disk_then_the_only_one() -> None:
    both = (DEFAULT, FAST)
    assert choose_pool("default", DEVICES, both) == DEFAULT
    assert choose_pool(None, DEVICES, both) == FAST
    assert choose_pool(None, {}, (DEFAULT,)) == DEFAULT
    assert choose_pool(None, {}, both) is None
    assert choose_pool(None, {}, ()) is None


@pytest.mark.parametrize(
    ("there", "told"), [((DEFAULT, FAST), "default, fast"), ((), "none")], ids=["two", "none"]
)
def test_a_pool_that_nothing_tells_is_a_fault_of_the_settings(
    there: tuple[Pool, ...], told: str
) -> None:
    with pytest.raises(InputError) as error:
        required_pool(None, {}, there)
    assert str(error.value) == (
        "No storage pool is set, neither in the settings nor in the default profile.\n"
        f"  LXD has the pools: {told}.\n"
        "Next: Set `pool:` in lab.yaml, or prepare the host: invoke host.setup"
    )
    assert error.value.exit_code == 2


@pytest.mark.parametrize(("wish", "name"), [("tank", "tank"), (None, "fast")])
def test_a_pool_that_is_not_there(wish: str | None, name: str) -> None:
    with pytest.raises(InputError) as error:
        choose_pool(wish, DEVICES, (DEFAULT,))
    assert str(error.value) == (
        f"pool: LXD has no storage pool {name}.\n"
        "  It has: default.\n"
        "Next: Correct `pool:` in lab.yaml."
    )
