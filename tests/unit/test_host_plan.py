"""What a machine's LXD lacks, decided from facts."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from host.setup.actions import (
    CreateBuildersNetwork,
    CreateNetwork,
    CreatePool,
    FillDefaultProfile,
    InstallGpuUnit,
)
from host.setup.facts import Facts
from host.setup.plan import Wishes, plan_setup
from lab.errors import CapacityError, InputError
from lab.lxd.model import Network, Pool, Server

GIB = 1024**3
BARE = Facts(
    server=Server(version="5.0.2", api_extensions=frozenset(), name="fake"),
    pools=(),
    networks=(Network(name="eth0", type="physical", managed=False),),
    profile_devices={},
    subnets=(IPv4Network("192.168.1.0/24"),),
    directory="/var/lib/lxd",
    free_bytes=100 * GIB,
)
ROOT = {"type": "disk", "path": "/", "pool": "fast"}
NIC = {"type": "nic", "nictype": "bridged", "parent": "br0"}
LAN_BRIDGE = Network(name="br0", type="bridge", managed=False)


def test_bare_machine_gets_pool_bridge_and_profile() -> None:
    assert plan_setup(BARE, Wishes()) == (
        CreatePool(name="default", driver="btrfs", size_bytes=80 * GIB),
        CreateNetwork(name="lxdbr0", ipv4="10.77.0.1/24"),
        FillDefaultProfile(
            devices={
                "root": {"type": "disk", "path": "/", "pool": "default"},
                "eth0": {"type": "nic", "name": "eth0", "network": "lxdbr0"},
            }
        ),
    )


def test_names_come_from_the_settings() -> None:
    pool, network, profile = plan_setup(BARE, Wishes(pool="lab", network="labbr0"))
    assert pool == CreatePool(name="lab", driver="btrfs", size_bytes=80 * GIB)
    assert network == CreateNetwork(name="labbr0", ipv4="10.77.0.1/24")
    assert profile == FillDefaultProfile(
        devices={
            "root": {"type": "disk", "path": "/", "pool": "lab"},
            "eth0": {"type": "nic", "name": "eth0", "network": "labbr0"},
        }
    )


def test_machine_that_has_all_is_left_alone() -> None:
    facts = replace(
        BARE,
        pools=(Pool(name="fast", driver="zfs"),),
        networks=(LAN_BRIDGE,),
        profile_devices={"disk0": ROOT, "lan": NIC},
        free_bytes=0,
    )
    assert plan_setup(facts, Wishes()) == ()


def test_existing_pool_and_bridge_are_used_whatever_their_names() -> None:
    facts = replace(
        BARE,
        pools=(Pool(name="tank", driver="zfs"),),
        networks=(Network(name="mybr", type="bridge", managed=True),),
    )
    assert plan_setup(facts, Wishes()) == (
        FillDefaultProfile(
            devices={
                "root": {"type": "disk", "path": "/", "pool": "tank"},
                "eth0": {"type": "nic", "name": "eth0", "network": "mybr"},
            }
        ),
    )


def test_only_the_missing_device_is_added_under_a_free_name() -> None:
    facts = replace(
        BARE,
        pools=(Pool(name="fast", driver="btrfs"),),
        networks=(LAN_BRIDGE,),
        profile_devices={"eth0": NIC, "root": {"type": "disk", "path": "/data", "source": "/data"}},
    )
    assert plan_setup(facts, Wishes()) == (
        FillDefaultProfile(
            devices={"lab-root": {"type": "disk", "path": "/", "pool": "fast"}},
        ),
    )


def test_bridge_of_the_host_is_plugged_in_by_name() -> None:
    facts = replace(BARE, networks=(LAN_BRIDGE,), pools=(Pool(name="default", driver="btrfs"),))
    (profile,) = plan_setup(facts, Wishes(network="br0"))
    assert isinstance(profile, FillDefaultProfile)
    assert profile.devices["eth0"] == {
        "type": "nic",
        "name": "eth0",
        "nictype": "bridged",
        "parent": "br0",
    }


def test_bridge_of_another_daemon_is_not_taken() -> None:
    theirs = Network(name="lxdbr0", type="bridge", managed=False)
    actions = plan_setup(replace(BARE, networks=(theirs,)), Wishes())
    assert [action.name for action in actions if isinstance(action, CreateNetwork)] == ["lxdbr1"]


def test_interface_that_is_no_bridge_is_refused() -> None:
    with pytest.raises(InputError) as refused:
        plan_setup(BARE, Wishes(network="eth0"))
    assert str(refused.value) == (
        "Containers cannot use the network eth0: it is not a bridge (physical).\n"
        "Next: Set `network:` in lab.yaml to a bridge. Without it, labstamp makes a bridge."
    )


def test_full_disk_is_told_before_anything_is_made() -> None:
    with pytest.raises(CapacityError) as refused:
        plan_setup(replace(BARE, free_bytes=12 * GIB), Wishes())
    assert str(refused.value) == (
        "Too little room for a storage pool: 12.0 GiB free in /var/lib/lxd.\n"
        "  It needs 15.0 GiB, and a fifth of the disk stays free for the host: 18.8 GiB in all.\n"
        "Next: Free some space, or give LXD a separate disk, and run this again:\n"
        "      lxc storage create default btrfs source=/dev/DISK"
    )
    assert refused.value.exit_code == 3


@pytest.mark.parametrize(
    ("free", "size"),
    [(19 * GIB, 15 * GIB), (None, None), (100 * 1024 * GIB, 8 * 1024 * GIB)],
)
def test_pool_takes_its_share_within_limits(free: int | None, size: int | None) -> None:
    pool = plan_setup(replace(BARE, free_bytes=free), Wishes())[0]
    assert pool == CreatePool(name="default", driver="btrfs", size_bytes=size)


def test_actions_say_what_they_do() -> None:
    assert [str(action) for action in plan_setup(BARE, Wishes())] == [
        "make storage pool default (btrfs, up to 80.0 GiB)",
        "make bridge lxdbr0 (10.77.0.1/24, NAT)",
        "add root and eth0 to the default profile",
    ]
    assert str(CreatePool(name="p", driver="dir", size_bytes=None)) == "make storage pool p (dir)"
    network = CreateNetwork(name="b", ipv4="auto")
    assert str(network) == "make bridge b (an address of LXD's choice, NAT)"


def test_gpu_boot_unit_is_planned_where_it_can_be_installed() -> None:
    ready = replace(
        BARE,
        pools=(Pool(name="fast", driver="zfs"),),
        networks=(LAN_BRIDGE,),
        profile_devices={"disk0": ROOT, "lan": NIC},
        lacks_gpu_unit=True,
    )
    assert plan_setup(ready, Wishes()) == ()
    assert plan_setup(replace(ready, can_install_units=True), Wishes()) == (InstallGpuUnit(),)


# ---- a network for builders alone ----------------------------------------------------------------

CLOSING = Server(version="5.0.2", api_extensions=frozenset({"network_bridge_acl"}), name="fake")
NAT = Network(name="lxdbr0", type="bridge", managed=True, config={"ipv4.nat": "true"})
PLUGGED = {"disk0": ROOT, "lan": {"type": "nic", "name": "eth0", "network": "lxdbr0"}}


def test_builders_get_a_bridge_of_their_own_beside_that_of_users() -> None:
    made = plan_setup(replace(BARE, server=CLOSING), Wishes(network="labstampbridge0"))
    assert made[1:3] == (
        CreateNetwork(name="labstampbridge0", ipv4="10.77.0.1/24"),
        CreateBuildersNetwork(name="labstampbridgeb", ipv4="10.77.1.1/24"),
    )
    for name in ("lxdbr0", "br-lan", "labstampbridge0"):
        (users, builders) = plan_setup(replace(BARE, server=CLOSING), Wishes(network=name))[1:3]
        assert isinstance(users, CreateNetwork)
        assert isinstance(builders, CreateBuildersNetwork)
        # LXD would delete the one whenever it sets up the other.
        assert not builders.name.startswith(f"{users.name}-")
    there = replace(BARE, server=CLOSING, networks=(NAT,), profile_devices=PLUGGED)
    fast = replace(there, pools=(Pool(name="fast", driver="btrfs"),))
    expected = CreateBuildersNetwork(name="lxdbr0b", ipv4="10.77.0.1/24")
    assert plan_setup(fast, Wishes()) == (expected,)
    assert str(expected) == ("make bridge lxdbr0b for builders alone (10.77.0.1/24, NAT, an ACL)")


@pytest.mark.parametrize(
    "networks",
    [
        (replace(NAT, config={"ipv4.nat": "false"}),),
        (replace(NAT, managed=False),),
        (NAT, Network(name="b", type="bridge", managed=True, config={"user.lab.builders": "true"})),
        (NAT, Network(name="lxdbr0b", type="bridge", managed=False)),
    ],
)
def test_where_builders_stay(networks: tuple[Network, ...]) -> None:
    there = replace(BARE, server=CLOSING, networks=networks, profile_devices=PLUGGED)
    fast = replace(there, pools=(Pool(name="fast", driver="btrfs"),))
    assert plan_setup(fast, Wishes()) == ()
    assert plan_setup(replace(fast, server=BARE.server, networks=(NAT,)), Wishes()) == ()
