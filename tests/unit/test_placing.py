"""What builders get of a server: its pool and its network, and nothing else of its profiles."""

from __future__ import annotations

from pathlib import Path

import pytest

from images.placement import apart, places
from lab import labels
from lab.errors import InputError
from lab.lxd.model import Network, Pool, Profile
from lab.settings.settings import Settings
from tests.support.builders.tiny_builds import PROJECT, make_checkout, tiny_lab

PROFILE = Profile(
    name="default",
    devices={
        "root": {"type": "disk", "path": "/", "pool": "default", "size": "10GiB"},
        "nic0": {"type": "nic", "name": "eth0", "network": "lxdbr0"},
    },
)
BRIDGE = Network(name="labbr0", type="bridge", managed=True)
HOST_BRIDGE = Network(name="br0", type="bridge", managed=False)
GPU = Network(name="eno1", type="physical", managed=False)


POOL = Pool(name="default", driver="btrfs")
FAST = Pool(name="fast", driver="btrfs")
NIC = {"type": "nic", "name": "eth0"}
ROOT = {"type": "disk", "path": "/", "pool": "default"}


def test_without_settings_it_is_where_the_profile_says() -> None:
    assert places(Settings(), PROFILE, [BRIDGE], [POOL, FAST]) == {
        "root": ROOT,
        "eth0": {**NIC, "network": "lxdbr0"},
    }


def test_a_pool_of_the_settings() -> None:
    placed = places(Settings(pool="fast"), PROFILE, [], [POOL, FAST])
    assert placed["root"] == {**ROOT, "pool": "fast"}


@pytest.mark.parametrize(
    ("network", "connection"),
    [
        (BRIDGE, {"network": "labbr0"}),
        (HOST_BRIDGE, {"nictype": "bridged", "parent": "br0"}),
        (GPU, {"nictype": "macvlan", "parent": "eno1"}),
    ],
)
def test_a_network_is_joined_as_its_kind_allows(
    network: Network, connection: dict[str, str]
) -> None:
    placed = places(Settings(network=network.name), PROFILE, [BRIDGE, HOST_BRIDGE, GPU], [POOL])
    assert placed["eth0"] == {**NIC, **connection}


def test_a_profile_without_devices_is_no_obstacle() -> None:
    assert places(Settings(pool="fast", network="labbr0"), None, [BRIDGE], [FAST]) == {
        "root": {**ROOT, "pool": "fast"},
        "eth0": {**NIC, "network": "labbr0"},
    }


LABS = Profile(
    name="default",
    # Of a university lab's published guide, and of others that people copy.
    config={
        "boot.autostart": "true",
        "security.privileged": "true",
        "security.nesting": "true",
        "nvidia.runtime": "true",
        "raw.idmap": "both 1000 1000",
        "limits.memory": "64MiB",
    },
    devices={
        "nas": {"type": "disk", "source": "/srv/nas", "path": "/mnt/nas"},
        "cards": {"type": "gpu"},
        "rootfs": {"type": "disk", "path": "/", "pool": "default", "size": "10GiB"},
        "lan": {
            "type": "nic",
            "name": "enp5s0",
            "nictype": "bridged",
            "parent": "br0",
            "vlan": "12",
            "ipv4.address": "10.0.0.7",
            "hwaddr": "00:16:3e:00:00:07",
            "limits.max": "10Mbit",
        },
        "second": {"type": "nic", "name": "eth1", "network": "lxdbr0"},
    },
)


def test_of_a_lab_s_own_profile_nothing_is_taken_but_where_its_disk_and_its_network_are() -> None:
    assert places(Settings(), LABS, [HOST_BRIDGE], [POOL]) == {
        "root": ROOT,
        "eth0": {**NIC, "nictype": "bridged", "parent": "br0", "vlan": "12"},
    }


def test_without_a_root_disk_the_only_pool_will_do() -> None:
    bare = Profile(name="default", devices={"eth0": {**NIC, "network": "lxdbr0"}})
    assert places(Settings(), bare, [], [FAST])["root"] == {**ROOT, "pool": "fast"}
    with pytest.raises(InputError) as error:
        places(Settings(), bare, [], [POOL, FAST])
    assert str(error.value) == (
        "No storage pool is set, neither in the settings nor in the default profile.\n"
        "  LXD has the pools: default, fast.\n"
        "Next: Set `pool:` in lab.yaml, or prepare the host: invoke host.setup"
    )


def test_without_a_network_it_is_asked_for() -> None:
    bare = Profile(name="default", devices={"root": ROOT})
    with pytest.raises(InputError, match="the default profile has no NIC"):
        places(Settings(), bare, [BRIDGE], [POOL])


def test_a_build_without_a_network_ends_before_it_makes_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LXD_DIR", str(tmp_path))
    lxd = tiny_lab()
    lxd.set_profile_devices("default", {"root": {**ROOT, "pool": "default"}})
    made = {one.name for one in lxd.in_project(PROJECT).instances()}
    with pytest.raises(InputError, match="the default profile has no NIC"):
        make_checkout(tmp_path).build(lxd)
    assert {one.name for one in lxd.in_project(PROJECT).instances()} == made


@pytest.mark.parametrize("kind", ["physical", "routed", "ipvlan", "p2p"])
def test_a_network_that_builders_cannot_share(kind: str) -> None:
    nic = {**NIC, "nictype": kind, "parent": "eno1"}
    profile = Profile(name="default", devices={"root": ROOT, "lan": nic})
    with pytest.raises(InputError) as error:
        places(Settings(), profile, [], [POOL])
    assert str(error.value) == (
        f"Builders cannot share the network of the default profile: lan is {kind}.\n"
        "Next: Name a bridge as `network:` in lab.yaml."
    )


def test_a_network_that_is_not_there() -> None:
    with pytest.raises(InputError) as error:
        places(Settings(network="labbr1"), PROFILE, [BRIDGE], [POOL])
    assert str(error.value) == (
        'network: LXD has no network labbr1 (did you mean "labbr0"?).\n'
        "  It has: labbr0.\n"
        "Next: Correct `network:` in lab.yaml."
    )


def test_a_pool_that_is_not_there() -> None:
    with pytest.raises(InputError, match="LXD has no storage pool fats"):
        places(Settings(pool="fats"), PROFILE, [BRIDGE], [POOL, FAST])


OWN = Network(name="lxdbr0b", type="bridge", managed=True, config={labels.BUILDERS: "true"})


def test_builders_go_to_a_network_of_their_own_where_there_is_one() -> None:
    assert apart({"root": ROOT, "eth0": NIC}, [BRIDGE]) == {"root": ROOT, "eth0": NIC}
    assert apart({"root": ROOT, "eth0": NIC}, [BRIDGE, OWN]) == {
        "root": ROOT,
        "eth0": {**NIC, "network": "lxdbr0b"},
    }
