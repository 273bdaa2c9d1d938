"""Other limits and quotas for a container that is there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lab import labels
from lab.errors import CapacityError, InputError, LxdError
from lab.lxd.model import Pool, State
from lab.machine import lock
from lab.machine.cgroup import Memory
from lab.report import Silent
from provision.resize.plan import Change
from provision.resize.resize import resize
from provision.resize.sizes import Sizes, following
from tests.support.builders.death import deaths
from tests.support.builders.stamping import SETTINGS, a_lab, bob, refusal, stamp
from tests.support.fake_lxd.lxd import FakeLxd

BOB = ("default", "bob")
HOME = ("default", "home-bob")
GIB = 1 << 30
ALL = Sizes(cpus=1, memory=2 * GIB, disk=6 * GIB, home=3 * GIB, processes=900)


@pytest.fixture
def lxd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeLxd:
    monkeypatch.setattr(lock, "have_place", lambda _remote: tmp_path)
    lxd = a_lab()
    stamp(lxd, bob(memory_bytes=GIB, disk_bytes=4 * GIB))
    lxd.store.instances[BOB].config["limits.processes"] = "3000"
    lxd.changes.clear()
    return lxd


def run(lxd: FakeLxd, sizes: Sizes, *, only_plan: bool = False) -> tuple[Change, ...]:
    return resize(lxd, SETTINGS, "bob", sizes, Silent(), only_plan=only_plan)


def has(lxd: FakeLxd) -> tuple[str | None, ...]:
    config, devices = lxd.store.instances[BOB].config, lxd.store.instances[BOB].devices
    limits = (config.get(f"limits.{key}") for key in ("cpu", "memory", "processes"))
    return (*limits, devices["root"]["size"], lxd.store.volumes[HOME]["size"])


def test_all_is_changed_while_it_runs_and_a_second_run_changes_nothing(lxd: FakeLxd) -> None:
    before = lxd.store.instances[BOB].devices["root"]
    changes = run(lxd, ALL)
    assert [str(change) for change in changes] == [
        "cpus: not set now, 1 requested",
        "memory: 1.0 GiB now, 2.0 GiB requested",
        "processes: 3000 now, 900 requested",
        "disk: 4.0 GiB now, 6.0 GiB requested",
        "home: 4.0 GiB now, 3.0 GiB requested",
    ]
    assert has(lxd) == ("1", "2GiB", "900", "6GiB", "3GiB")
    assert lxd.store.instances[BOB].devices["root"] == {**before, "size": "6GiB"}
    assert lxd.store.instances[BOB].state is State.RUNNING
    lxd.changes.clear()
    assert run(lxd, ALL) == ()
    assert lxd.changes == []


def test_cpus_whose_change_was_cut_off_are_changed_again(lxd: FakeLxd) -> None:
    run(lxd, Sizes(cpus=1))
    lxd.store.instances[BOB].config["limits.cpu"] = "01"
    assert [str(change) for change in run(lxd, Sizes(cpus=1))] == ["cpus: 01 now, 1 requested"]
    assert has(lxd)[0] == "1"


def test_what_is_not_named_stays(lxd: FakeLxd) -> None:
    before = has(lxd)
    run(lxd, Sizes(memory=3 * GIB))
    assert has(lxd) == (before[0], "3GiB", *before[2:])


def test_a_plan_changes_nothing(lxd: FakeLxd) -> None:
    assert len(run(lxd, ALL, only_plan=True)) == 5
    assert lxd.changes == []


def test_provision_names_the_resize_and_finds_it_done_afterwards(lxd: FakeLxd) -> None:
    wish = {"memory_bytes": 2 * GIB, "disk_bytes": 4 * GIB, "home_bytes": 5 * GIB, "cpus": 1}
    told = refusal(lxd, **wish)
    assert told.endswith("Change the sizes: invoke resize bob --cpus 1 --memory 2GiB --home 5GiB")
    also = refusal(lxd, **wish, password=True)
    assert "--home 5GiB\n      Repeat the command with" in also
    run(lxd, Sizes(cpus=1, memory=2 * GIB, home=5 * GIB))
    lxd.changes.clear()
    assert not stamp(lxd, bob(**wish)).changed


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        (Sizes(disk=256 << 20), "--disk 256.0 MiB is too small."),
        (Sizes(home=1 << 20), "--home 1.0 MiB is too small."),
        (Sizes(memory=16), "--memory 16 B is too small."),
        (Sizes(cpus=0), "--cpus 0: a container needs at least 1 CPU."),
        (Sizes(processes=3), "--processes 3 is too small."),
    ],
)
def test_what_makes_no_sense_is_refused(lxd: FakeLxd, sizes: Sizes, told: str) -> None:
    with pytest.raises(InputError) as error:
        run(lxd, sizes)
    assert (error.value.brief, lxd.changes) == (told, [])


def test_nothing_named_is_refused() -> None:
    with pytest.raises(InputError, match="resize needs at least one size"):
        Sizes()


def test_a_quota_below_what_is_in_it_is_refused(lxd: FakeLxd) -> None:
    with pytest.raises(CapacityError) as error:
        run(lxd, Sizes(home=16 << 20))
    assert str(error.value) == (
        "16.0 MiB is too small for the home: 1.0 MiB are in use.\n"
        "Next: Give at least 17.0 MiB, or delete files in it first."
    )
    assert lxd.changes == []


def test_a_quota_above_the_pool_is_refused(lxd: FakeLxd) -> None:
    lxd.store.pools["default"] = Pool(
        name="default", driver="btrfs", total_bytes=5 * GIB, used_bytes=0
    )
    with pytest.raises(CapacityError, match="for the disk is more than the pool has"):
        run(lxd, Sizes(disk=6 * GIB))


def test_a_half_made_one_is_not_resized(lxd: FakeLxd) -> None:
    lxd.store.instances[BOB].config[labels.PHASE] = labels.PREPARING
    with pytest.raises(InputError, match='The container "bob" is only half made'):
        run(lxd, ALL)


def test_killed_before_any_change_the_next_run_finishes(lxd: FakeLxd) -> None:
    for killed in deaths(lxd, lambda one: run(one, ALL), least=2):
        run(killed, ALL)
        assert has(killed) == ("1", "2GiB", "900", "6GiB", "3GiB")


def test_the_request_follows_and_keeps_the_rest() -> None:
    kept = json.dumps({"template": "base", "cpus": None, "memory": 1, "keys": ["SHA256:x"]})
    assert json.loads(following(kept, Sizes(memory=2, home=3)) or "") == {
        "template": "base",
        "cpus": None,
        "memory": 2,
        "keys": ["SHA256:x"],
    }
    assert following("no JSON", Sizes(memory=2)) is None


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        (GIB, "but the kernel still limits it to 1.0 GiB."),
        (None, "but the kernel does not limit it."),
    ],
)
def test_a_limit_that_the_kernel_does_not_hold_is_told(
    lxd: FakeLxd, limit: int | None, told: str
) -> None:
    lxd.store.memories["bob"] = Memory(held=0, limit=limit)
    with pytest.raises(LxdError) as error:
        run(lxd, Sizes(memory=2 * GIB))
    assert error.value.brief == f"LXD has set 2.0 GiB of memory for bob, {told}"


def test_a_limit_below_what_is_held_is_refused(lxd: FakeLxd) -> None:
    lxd.store.memories["bob"] = Memory(held=GIB // 2, limit=GIB)
    with pytest.raises(CapacityError) as refused:
        run(lxd, Sizes(memory=GIB // 2))
    assert (refused.value.details, lxd.changes) == ("Its processes hold 512.0 MiB.", [])


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (
            Memory(protected=GIB),
            "The kernel also keeps 1.0 GiB for bob, which nobody else can have",
        ),
        (Memory(slowed=GIB), "The kernel also slows bob down from 1.0 GiB on, where it seems to"),
    ],
)
def test_what_the_kernel_does_beside_the_limit_is_told(
    lxd: FakeLxd, more: Memory, told: str
) -> None:
    lxd.store.memories["bob"] = replace(more, held=0, limit=2 * GIB)
    said: list[str] = []
    report = Listening(said)
    resize(lxd, SETTINGS, "bob", Sizes(memory=2 * GIB), report)
    assert len(said) == 1
    assert said[0].startswith(told)
    assert said[0].endswith("Fix, as root: invoke restart bob")


class Listening(Silent):
    def __init__(self, said: list[str]) -> None:
        self._said = said

    def say(self, text: str) -> None:
        self._said.append(text)


def test_a_limit_of_a_profile_is_told_and_becomes_its_own(lxd: FakeLxd) -> None:
    config = lxd.store.instances[BOB].config
    del config["limits.memory"], config["limits.processes"]
    default = lxd.store.profiles["default"]
    limits = {"limits.cpu": "2", "limits.memory": "25%", "limits.processes": "900"}
    lxd.store.profiles["default"] = replace(default, config=limits)
    changes = run(lxd, Sizes(cpus=2, memory=2 * GIB, processes=800))
    assert [str(change) for change in changes] == [
        "cpus: 2, from a profile, now, 2 requested",
        "memory: 25%, from a profile, now, 2.0 GiB requested",
        "processes: 900, from a profile, now, 800 requested",
    ]
    assert has(lxd)[:3] == ("2", "2GiB", "800")
    assert run(lxd, Sizes(cpus=2, memory=2 * GIB, processes=800)) == ()


@pytest.mark.parametrize(("extensions", "swap"), [((), None), (("operation_wait",), "false")])
def test_a_limit_of_memory_is_one_of_swap_too(
    lxd: FakeLxd, extensions: tuple[str, ...], swap: str | None
) -> None:
    server = lxd.store.server
    lxd.store.server = replace(server, api_extensions=server.api_extensions | {*extensions})
    run(lxd, Sizes(memory=2 * GIB))
    assert lxd.store.instances[BOB].config.get("limits.memory.swap") == swap
    lxd.store.instances[BOB].config["limits.memory.swap"] = "true"
    run(lxd, Sizes(memory=3 * GIB))
    assert lxd.store.instances[BOB].config["limits.memory.swap"] == "true"
