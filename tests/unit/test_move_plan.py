"""What a move is planned from both servers: every obstacle at once, and what is other there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab import labels
from lab.errors import CapacityError, InputError, LxdUnreachable
from lab.lxd.model import Pool, Profile
from lab.report import Silent
from lab.settings.settings import Settings
from provision import lifecycle
from provision.move.move import move
from provision.move.remote import settings_of, told_of
from tests.support.builders.four_gpus import FOUR
from tests.support.builders.moving import (
    BOB,
    EXTENSIONS,
    HOME,
    SETTINGS,
    a_server,
    as_server,
    context_of,
    run,
    running,
    told,
    two_labs,
)
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeInstance

Labs = tuple[FakeLxd, FakeLxd]
MAC = "volatile.eth0.hwaddr"
FULL = Pool(name="default", driver="btrfs", total_bytes=40 << 30, used_bytes=40 << 30)


@pytest.fixture
def labs() -> Labs:
    """Nobody is on the second server."""
    return two_labs()[0], a_server(2)


def refusal(labs: Labs, kind: type[Exception] = InputError) -> list[str]:
    """The lines that say why, when nothing at all is changed."""
    before = [list(lxd.changes) for lxd in labs]
    with pytest.raises(kind) as error:
        run(*labs)
    assert [list(lxd.changes) for lxd in labs] == before
    lines = str(error.value).splitlines()
    assert lines[0] == "bob cannot be moved to lab2. Nothing was changed."
    return [line.strip() for line in lines[1:-1]]


def test_the_plan_says_what_goes_and_changes_nothing(labs: Labs) -> None:
    here, there = labs
    assert told(here, there) == (
        "bob: move to lab2 (https://lab2.example:8443), 3.0 MiB\n"
        "  first its root, /home and snapshots are copied while it runs; it is stopped once, what "
        "has changed since is copied, and the copy is started there\n"
        "  kept: /home, its account, ssh keys, password, host keys, limits and snapshots; "
        "ids there: 1065536:65536\n"
        "  here it stays stopped until: invoke move bob --forget"
    )
    assert (here.changes, there.changes) == ([], [])


def test_every_obstacle_is_told_at_once(labs: Labs) -> None:
    here, there = labs
    here.store.profiles["nas"] = Profile(name="nas")
    here.update("bob", config={labels.KEPT_ROOT: "bob-kept", labels.SYNC: "{}"})
    here.update("bob", profiles=["default", "nas"])
    here.changes.clear()
    there.store.instances[BOB] = FakeInstance(profiles=("default",))
    there.store.pools["default"] = FULL
    as_server(there, api_extensions=EXTENSIONS - {"custom_volume_refresh"}, version="4.0.9")
    assert refusal(labs) == [
        "its driver is being changed; first: invoke sync-drivers bob",
        "it has a kept root, which would stay here; first: invoke upgrade bob --forget",
        "the LXD there (4.0.9) cannot do it: it lacks custom_volume_refresh",
        "there is no profile nas there",
        "there is an instance bob there",
        "its files are 3.0 MiB, and the pool default there has 0 B left",
    ]


def test_only_a_lack_of_room_is_a_lack_of_room(labs: Labs) -> None:
    labs[1].store.pools["default"] = FULL
    assert len(refusal(labs, CapacityError)) == 1


def test_the_server_that_it_is_on_is_no_other(labs: Labs) -> None:
    as_server(labs[1], certificate=labs[0].store.server.certificate)
    assert refusal(labs) == ["lab2 is the server that it is on"]


def test_what_has_its_name_there_is_in_its_way(labs: Labs) -> None:
    here, there = labs
    there.store.instances["default", "BOB"] = FakeInstance(profiles=("default",))
    there.store.volumes["default", "home-bob"] = {labels.OWNER: "bob", labels.CONTAINER: "bob"}
    assert refusal(labs) == [
        "there is an instance BOB there, which is the same name for LXD",
        "there is a kept home of an earlier container bob there: home-bob in pool default; on "
        "that server: invoke destroy bob --purge",
    ]
    assert running(here)


def test_back_again_only_when_what_was_kept_is_gone(labs: Labs) -> None:
    here, there = labs
    run(here, there)
    # From the other side.
    assert refusal((there, here)) == [
        "what is kept of an earlier move has its name there; on that server: "
        "invoke move bob --forget"
    ]


def test_gpus_are_given_anew_by_their_number(labs: Labs) -> None:
    here, there = labs
    here.host_gpus, there.host_gpus = FOUR, FOUR[2:]
    devices = {f"gpu-{number}": {"type": "gpu", "pci": FOUR[number].pci} for number in range(2)}
    noted = ",".join(FOUR[number].pci for number in range(2))
    here.update("bob", devices=devices, config={labels.GPUS: noted})
    assert f"GPUs there: {FOUR[2].pci}, {FOUR[3].pci}" in told(here, there)
    run(here, there)
    found = there.store.instances[BOB]
    given = {one["pci"] for one in found.devices.values() if one.get("type") == "gpu"}
    assert given == {FOUR[2].pci, FOUR[3].pci}
    assert all(one.pci in found.config[labels.GPUS] for one in FOUR[2:])
    # Nobody is kept from them by what stays stopped.
    kept = here.store.instances[BOB]
    assert not any(one.get("type") == "gpu" for one in kept.devices.values())


def test_too_few_gpus_are_an_obstacle(labs: Labs) -> None:
    here, there = labs
    here.host_gpus, there.host_gpus = FOUR, FOUR[:1]
    devices = {f"gpu-{number}": {"type": "gpu", "pci": FOUR[number].pci} for number in range(2)}
    here.update("bob", devices=devices)
    here.changes.clear()
    lines = refusal(labs, CapacityError)
    assert len(lines) == 1
    assert lines[0].startswith("there: 2 GPUs are requested, 1 available.")


def test_a_driver_that_does_not_fit_needs_a_release_there(labs: Labs) -> None:
    here, there = labs
    here.host_gpus = FOUR
    there.host_gpus = tuple(replace(gpu, driver="550.54.14") for gpu in FOUR)
    here.update(
        "bob",
        devices={"gpu-0": {"type": "gpu", "pci": FOUR[0].pci}},
        config={labels.DRIVER: "535.261.03"},
    )
    here.changes.clear()
    assert "not kept: NVIDIA's userland, which does not fit the host there" in told(here, there)
    there.store.aliases.clear()
    lines = refusal(labs)
    assert lines == [
        "it has NVIDIA's userland 535.261.03, the host there has 550.54.14, and there is no "
        "release of its template there to take another from; on that server: invoke build-images"
    ]


def test_what_names_this_server_is_left_out_and_told(labs: Labs) -> None:
    here, there = labs
    here.update(
        "bob",
        devices={
            "share-data": {
                "type": "disk",
                "source": "/srv/data",
                "path": "/data",
                "required": "false",
            },
            "nas": {"type": "disk", "source": "/srv/nas", "path": "/nas"},
            "tty": {"type": "unix-char", "path": "/dev/ttyX"},
            "web": {"type": "proxy", "listen": "tcp:0.0.0.0:8080", "connect": "tcp:127.0.0.1:80"},
            "ssh": {"type": "proxy", "listen": "tcp:192.0.2.7:2222", "connect": "tcp:127.0.0.1:22"},
        },
    )
    there.store.instances["default", "cleo"] = FakeInstance(
        config={MAC: here.store.instances[BOB].config[MAC]},
        devices={"eth0": {"type": "nic", "network": "lxdbr0"}},
        profiles=("default",),
    )
    lines = [line.strip() for line in told(here, there).splitlines() if "not kept" in line]
    assert lines == [
        f"not kept: its MAC address {here.store.instances[BOB].config[MAC]}: cleo has it there",
        "not kept: its port tcp:192.0.2.7:2222 (device ssh): an address of this server",
        "not kept: its shares: give them on that server: invoke share bob data",
        "not kept: its disk nas at /nas: /srv/nas stays here",
        "not kept: its device tty (unix-char): of this server",
        "not kept: its root's snapshots monday: they name the directory /srv/nas, which that "
        "server may lack. Those of /home are kept",
    ]
    run(here, there)
    assert set(there.store.instances[BOB].devices) == {"root", "home", "eth0", "web"}


def test_a_port_that_is_taken_there_is_told(labs: Labs) -> None:
    here, there = labs
    web = {"type": "proxy", "listen": "tcp:0.0.0.0:8080", "connect": "tcp:127.0.0.1:80"}
    here.update("bob", devices={"web": web})
    there.store.instances["default", "cleo"] = FakeInstance(
        devices={"www": web}, profiles=("default",)
    )
    assert "its port tcp:0.0.0.0:8080 (device web): cleo has it there" in told(here, there)


def test_a_pool_of_another_kind_is_told(labs: Labs) -> None:
    here, there = labs
    there.store.pools["default"] = Pool(name="default", driver="zfs")
    assert "not kept: hard links, which become files of their own (btrfs to zfs)" in told(
        here, there
    )


def test_swap_stays_off_where_the_daemon_means_the_opposite(labs: Labs) -> None:
    here, there = labs
    as_server(there, api_extensions=EXTENSIONS | {"operation_wait"}, version="5.21.3")
    run(here, there)
    assert there.store.instances[BOB].config["limits.memory.swap"] == "false"


def test_a_home_of_another_name_is_no_obstacle(labs: Labs) -> None:
    here, there = labs
    there.store.volumes[HOME] = {}
    run(here, there)
    device = there.store.instances[BOB].devices["home"]
    assert device["source"] == "home-bob-2"
    lifecycle.destroy(there, SETTINGS, "bob", purge=True, report=Silent())
    assert list(there.store.volumes) == [HOME]


def test_servers_are_named_in_the_settings_or_by_url() -> None:
    found = settings_of("lab2", SETTINGS)
    assert (found.remote, found.project) == ("https://lab2.example:8443", "default")
    assert settings_of("https://10.0.0.9:8443", Settings()).remote == "https://10.0.0.9:8443"
    with pytest.raises(InputError) as error:
        settings_of("lab3", SETTINGS)
    assert str(error.value) == (
        'There is no server "lab3" (did you mean "lab2"?).\n'
        "  lab.yaml has under `remotes:`: lab2.\n"
        "Next: Write it into `remotes:` in lab.yaml, or give its URL: https://HOST:8443"
    )


def test_what_is_wrong_with_that_server_is_not_taken_for_this_one_s(labs: Labs) -> None:
    here, there = labs
    own = SETTINGS.remotes["lab2"].model_copy(update={"pool": "ssd"})
    settings = SETTINGS.model_copy(update={"remotes": {"lab2": own}})
    with pytest.raises(InputError) as error:
        move(context_of(here, there, settings=settings), "bob")
    assert str(error.value) == (
        "lab2: pool: LXD has no storage pool ssd.\n  It has: default.\n"
        "Next: Correct `pool:` of lab2 below `remotes:` in lab.yaml."
    )
    with pytest.raises(InputError, match="lab2: project: LXD has no project lab"):
        move(context_of(here, there.in_project("lab")), "bob")
    assert (here.changes, there.changes) == ([], [])


@pytest.mark.parametrize(
    ("word", "fix"),
    [
        ("lab2", "Check `url` of lab2 below `remotes:` in lab.yaml"),
        ("https://10.0.0.9:8443", "Check the URL"),
    ],
)
def test_where_that_server_is_named_is_told(word: str, fix: str) -> None:
    with pytest.raises(LxdUnreachable) as error, told_of(word):
        raise LxdUnreachable("It is gone.", fix="Check `remote` in lab.yaml")
    assert str(error.value) == f"{word}: It is gone.\nNext: {fix}"


def test_snapshots_of_the_root_stay_where_the_other_server_has_not_what_they_name(
    labs: Labs,
) -> None:
    here, there = labs
    bridge = there.store.networks.pop("lxdbr0")
    there.store.networks["lab"] = replace(bridge, name="lab")
    usual = there.store.profiles["default"].devices
    plugged = {**usual, "eth0": {**usual["eth0"], "network": "lab"}}
    there.store.profiles["default"] = Profile(name="default", devices=plugged)
    assert (
        "its root's snapshots monday: they name the network lxdbr0, which that server may lack. "
        "Those of /home are kept. To take them along, first on that server: "
        "lxc network create lxdbr0 ipv4.address=none ipv6.address=none\n"
    ) in told(here, there)
    run(here, there)
    assert there.store.instances[BOB].devices["eth0"]["network"] == "lab"
    assert there.snapshots("bob") == ()
    assert there.volume_snapshots(*HOME) == ("monday",)
    assert here.snapshots("bob") == ("monday",)


def test_an_empty_network_for_the_names_in_snapshots_is_not_plugged_into(labs: Labs) -> None:
    here, there = labs
    there.store.networks["lab"] = replace(there.store.networks["lxdbr0"], name="lab")
    none = {"ipv4.address": "none", "ipv6.address": "none"}
    there.store.networks["lxdbr0"] = replace(there.store.networks["lxdbr0"], config=none)
    usual = there.store.profiles["default"].devices
    plugged = {**usual, "eth0": {**usual["eth0"], "network": "lab"}}
    there.store.profiles["default"] = Profile(name="default", devices=plugged)
    # A NIC of its own: one that is as the profile says follows the profile anyway.
    here.update("bob", devices={"eth0": {"type": "nic", "name": "eth0", "network": "lxdbr0"}})
    run(here, there)
    assert there.store.instances[BOB].devices.get("eth0", plugged["eth0"])["network"] == "lab"
    assert there.snapshots("bob") == ("monday",)


def test_ids_that_are_not_known_there_are_chosen_by_its_daemon() -> None:
    here, there = two_labs()
    there.store.id_range = None
    assert "ids there: those that its LXD chooses" in told(here, there)
