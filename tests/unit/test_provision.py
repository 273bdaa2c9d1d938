"""Provisioning as a whole, against LXD in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
import yaml

from lab.errors import InputError
from lab.lxd.model import State
from lab.settings.settings import Settings
from tests.support.builders.public_keys import ed25519, fingerprint, key
from tests.support.builders.stamping import (
    INFO,
    a_lab,
    bob,
    refusal,
    stamp,
)
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeInstance

HERE = ("default", "bob")
HOME = ("default", "home-bob")


@pytest.fixture
def lxd() -> FakeLxd:
    return a_lab()


def test_everything_is_in_the_one_create_call(lxd: FakeLxd) -> None:
    done = stamp(lxd, bob(cpus=1, memory_bytes=1 << 30, disk_bytes=10 << 30))
    assert done.changed
    assert lxd.changes == [
        "create_volume home-bob",
        "create bob",
        "write_file bob/etc/ssh/labstamp/keys/bob",
        "write_file bob/etc/ssh/sshd_config.d/00-labstamp.conf",
        "update_volume home-bob",
        *INFO,
        "start bob",
        "update bob",
        "update bob",
    ]
    made = lxd.store.instances[HERE]
    assert made.state is State.RUNNING
    assert made.devices == {
        "root": {"type": "disk", "path": "/", "pool": "default", "size": "10GiB"},
        "home": {"type": "disk", "path": "/home", "pool": "default", "source": "home-bob"},
        "eth0": {
            "type": "nic",
            "name": "eth0",
            "network": "lxdbr0",
            "security.mac_filtering": "true",
            "security.ipv4_filtering": "true",
            "security.ipv6_filtering": "true",
        },
    }
    own = {
        key: value
        for key, value in made.config.items()
        if not key.startswith(("image.", "volatile.", "cloud-init", "user.lab.request"))
    }
    assert own == {
        "limits.cpu": "1",
        "limits.memory": "1GiB",
        "limits.processes": "3000",
        "security.idmap.base": "1065536",
        "security.idmap.isolated": "true",
        "security.idmap.size": "65536",
        "security.privileged": "false",
        "security.protection.delete": "true",
        "user.lab.authorized-keys": ed25519(),
        "user.lab.owner": "bob",
        "user.lab.phase": "ready",
        "user.lab.template": "base",
        "user.lab.version": "20261121.1",
    }
    assert _without_volatile(lxd.store.volumes[HOME]) == {
        "size": "10GiB",
        "user.lab.container": "bob",
        "user.lab.ids": "1065536:65536",
        "user.lab.keys": fingerprint(ed25519()),
        "user.lab.owner": "bob",
        "user.lab.phase": "ready",
        "user.lab.project": "default",
    }


def _without_volatile(config: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in config.items() if not key.startswith("volatile.")}


def test_the_plan_in_words_changes_nothing(lxd: FakeLxd) -> None:
    done = stamp(lxd, bob(template="docker", password=True), only_plan=True)
    assert [str(action) for action in done.actions] == [
        "create the volume home-bob for /home in pool default (30.0 GiB)",
        "create the container bob from docker-nested 20261121.1 "
        "(all CPUs, 256MiB memory, 3000 processes, 30GiB disk, ids 1065536:65536)",
        "let bob log in with 1 ssh key",
        "start bob and wait until ssh and the desktop answer",
        "set a random password for bob, shown once",
        "let bob log in to bob, and protect it against deletion by hand",
    ]
    assert (done.changed, done.summary, done.password) == (False, None, None)
    assert lxd.changes == []


def test_a_template_brings_what_it_needs(lxd: FakeLxd) -> None:
    done = stamp(lxd, bob(template="docker"))
    made = lxd.store.instances[HERE]
    assert made.config["security.nesting"] == "true"
    (account,) = yaml.safe_load(made.config["cloud-init.user-data"])["users"]
    assert account["groups"] == ["sudo", "docker"]
    assert done.summary is not None
    assert done.summary["access"] == {
        "ssh": "ssh bob@" + done.summary["ipv4"][0],
        "rdp": done.summary["ipv4"][0] + ":3389",
        "ports": {},
    }


def test_older_daemons_get_user_data_under_the_older_key(lxd: FakeLxd) -> None:
    lxd.store.server = replace(lxd.store.server, api_extensions=frozenset())
    stamp(lxd, bob())
    config = lxd.store.instances[HERE].config
    assert config["user.user-data"].startswith("#cloud-config\n")
    assert "cloud-init.user-data" not in config


def test_the_network_of_the_settings_replaces_the_profiles(lxd: FakeLxd) -> None:
    stamp(lxd, bob(), settings=Settings(network="lxdbr0"))
    assert lxd.store.instances[HERE].devices["eth0"] == {
        "type": "nic",
        "name": "eth0",
        "network": "lxdbr0",
        "security.mac_filtering": "true",
        "security.ipv4_filtering": "true",
        "security.ipv6_filtering": "true",
    }


def test_a_second_run_changes_nothing(lxd: FakeLxd) -> None:
    first = stamp(lxd, bob(memory_bytes=1 << 30))
    before = list(lxd.changes)
    second = stamp(lxd, bob(memory_bytes=1 << 30))
    assert (second.changed, second.actions, second.password) == (False, (), None)
    assert second.summary == first.summary
    assert lxd.changes == before


def test_the_same_wish_in_other_words_changes_nothing(lxd: FakeLxd) -> None:
    stamp(lxd, bob(template="docker", keys=(key(1), key(2))))
    same = bob(template="docker-nested", keys=(key(2, comment="laptop"), key(1)))
    assert stamp(lxd, same).actions == ()


def test_a_differing_request_is_told_line_by_line(lxd: FakeLxd) -> None:
    stamp(lxd, bob(memory_bytes=512 << 20))
    assert refusal(
        lxd,
        template="docker",
        memory_bytes=1 << 30,
        cpus=1,
        disk_bytes=2 << 30,
        home_bytes=1 << 30,
        keys=(),
    ) == (
        'The container "bob" exists, and was requested with other options.\n'
        "  template: base now, docker-nested requested\n"
        "  CPUs: no limit now, 1 requested\n"
        "  memory: 512.0 MiB now, 1.0 GiB requested\n"
        "  disk: the template's default now, 2.0 GiB requested\n"
        "  home: the same as the disk's now, 1.0 GiB requested\n"
        "  password: none now, one requested\n"
        f"  key: {fingerprint(ed25519())} is present, not requested\n"
        "Next: Change the sizes: invoke resize bob --cpus 1 --memory 1GiB --disk 2GiB --home 1GiB\n"
        "      Repeat the command with the current options, choose another name, or make the\n"
        "      container again (/home is kept): invoke destroy bob, then this command."
    )


def test_a_foreign_instance_is_never_touched(lxd: FakeLxd) -> None:
    lxd.store.instances[HERE] = FakeInstance(profiles=("default",))
    assert refusal(lxd) == (
        'The name "bob" is taken by an instance that labstamp did not make.\n'
        "  It was not changed.\n"
        "Next: Choose another name; lxc list shows which are taken."
    )


@pytest.mark.parametrize(
    ("config", "whose"),
    [({}, "was not made by labstamp"), ({"user.lab.owner": "alice"}, 'belongs to "alice"')],
)
def test_a_foreign_home_is_never_touched(lxd: FakeLxd, config: dict[str, str], whose: str) -> None:
    lxd.store.volumes[HOME] = dict(config)
    assert refusal(lxd) == (
        f'The volume "home-bob" in pool "default" {whose}.\n'
        "  It was not changed.\n"
        "Next: Choose another name for the container, or rename the volume with lxc."
    )


def test_a_home_in_use_elsewhere_is_never_touched(lxd: FakeLxd) -> None:
    lxd.store.volumes[HOME] = {"user.lab.owner": "bob"}
    lxd.store.instances["default", "alice"] = FakeInstance(
        profiles=("default",), devices={"x": {"pool": "default", "source": "home-bob"}}
    )
    assert refusal(lxd).startswith('The volume "home-bob" in pool "default" is used by alice.\n')


def test_a_kept_home_is_used_again_and_may_grow(lxd: FakeLxd) -> None:
    lxd.store.volumes[HOME] = {"user.lab.owner": "bob", "size": "1GiB", "mark": "kept"}
    done = stamp(lxd, bob(home_bytes=2 << 30))
    assert str(done.actions[0]) == (
        "use the kept volume home-bob in pool default as /home again, grown to 2.0 GiB"
    )
    assert lxd.store.volumes[HOME]["mark"] == "kept"
    assert lxd.store.volumes[HOME]["size"] == "2GiB"


def test_a_kept_home_never_shrinks(lxd: FakeLxd) -> None:
    lxd.store.volumes[HOME] = {"user.lab.owner": "bob", "size": "2GiB"}
    assert refusal(lxd, home_bytes=1 << 30) == (
        'The kept volume "home-bob" is larger than the --home asked for.\n'
        "Next: Leave --home out to use the volume unchanged."
    )


def test_a_pool_and_a_network_that_are_not_there(lxd: FakeLxd) -> None:
    with pytest.raises(InputError) as error:
        stamp(lxd, bob(), settings=Settings(pool="defualt"))
    assert str(error.value) == (
        'pool: LXD has no storage pool defualt (did you mean "default"?).\n'
        "  It has: default.\n"
        "Next: Correct `pool:` in lab.yaml."
    )
    with pytest.raises(InputError) as error:
        stamp(lxd, bob(), settings=Settings(network="br0"))
    assert str(error.value) == (
        'network: LXD has no network br0 (did you mean "lxdbr0"?).\n'
        "  It has: lxdbr0.\n"
        "Next: Correct `network:` in lab.yaml."
    )
    assert lxd.changes == []
