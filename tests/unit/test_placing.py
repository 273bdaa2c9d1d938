"""Where builders live when the settings name a pool or a network."""

from __future__ import annotations

import pytest

from images.placing import places
from lab.errors import InputError
from lab.lxd.model import Network, Profile
from lab.settings import Settings

PROFILE = Profile(
    name="default",
    devices={
        "root": {"type": "disk", "path": "/", "pool": "default", "size": "10GiB"},
        "nic0": {"type": "nic", "name": "eth0", "network": "lxdbr0"},
    },
)
BRIDGE = Network(name="labbr0", type="bridge", managed=True)
HOST_BRIDGE = Network(name="br0", type="bridge", managed=False)
CARD = Network(name="eno1", type="physical", managed=False)


def test_without_settings_the_profile_does() -> None:
    assert places(Settings(), PROFILE, [BRIDGE]) == {}


def test_a_pool_replaces_the_profile_s_and_nothing_else_of_its_root() -> None:
    assert places(Settings(pool="fast"), PROFILE, []) == {
        "root": {"type": "disk", "path": "/", "pool": "fast", "size": "10GiB"}
    }


@pytest.mark.parametrize(
    ("network", "connection"),
    [
        (BRIDGE, {"network": "labbr0"}),
        (HOST_BRIDGE, {"nictype": "bridged", "parent": "br0"}),
        (CARD, {"nictype": "macvlan", "parent": "eno1"}),
    ],
)
def test_a_network_is_joined_as_its_kind_allows(
    network: Network, connection: dict[str, str]
) -> None:
    assert places(Settings(network=network.name), PROFILE, [BRIDGE, HOST_BRIDGE, CARD]) == {
        "nic0": {"type": "nic", "name": "eth0", **connection}
    }


def test_a_profile_without_devices_is_no_obstacle() -> None:
    assert places(Settings(pool="fast", network="labbr0"), None, [BRIDGE]) == {
        "root": {"type": "disk", "path": "/", "pool": "fast"},
        "eth0": {"type": "nic", "name": "eth0", "network": "labbr0"},
    }


def test_a_network_that_is_not_there() -> None:
    with pytest.raises(InputError) as error:
        places(Settings(network="labbr1"), PROFILE, [BRIDGE])
    assert str(error.value) == (
        'network: LXD has no network labbr1 (did you mean "labbr0"?).\n'
        "  It has: labbr0.\n"
        "Next: Correct `network:` in lab.yaml."
    )
