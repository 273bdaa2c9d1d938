"""What `invoke list` and `show` tell, and whom they ask for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from commands.views.containers import COLUMNS, of_container, row
from lab.errors import LxdError
from lab.lxd.model import Instance, InstanceState, Volume
from lab.machine import lock
from lab.machine.cgroup import Memory
from lab.sizes import format_share
from provision.listing import containers, show
from tests.support.builders.stamping import SETTINGS, a_lab, bob, stamp
from tests.support.fake_lxd.lxd import FakeLxd

BOB = ("default", "bob")
MIB, GIB = 1 << 20, 1 << 30


class Asked(FakeLxd):
    """Notes of whom LXD was asked."""

    def state(self, name: str) -> InstanceState:
        self.store.changes.append(f"state {name}")
        return super().state(name)

    def volumes(self, pool: str) -> tuple[Volume, ...]:
        self.store.changes.append(f"volumes {pool}")
        return super().volumes(pool)


class Told(Asked):
    """Whose kernel tells of bob alone."""

    def local_states(self, instances: Sequence[Instance]) -> Mapping[str, InstanceState]:
        memory = Memory(used=3 * GIB, held=GIB, limit=4 * GIB)
        state = InstanceState(
            state=instances[0].state,
            ipv4=("10.77.0.9",),
            disk_bytes={"root": GIB, "home": 5 * MIB},
            disk_quotas={"root": 2 * GIB, "home": 3 * GIB},
            memory_bytes=3 * GIB,
            memory=memory,
        )
        return {one.name: state for one in instances if one.name == "bob"}


@pytest.fixture
def lxd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeLxd:
    monkeypatch.setattr(lock, "have_place", lambda _remote: tmp_path)
    lxd = a_lab()
    stamp(lxd, bob(memory_bytes=4 * GIB, disk_bytes=2 * GIB, home_bytes=3 * GIB))
    return lxd


def cells(container: Mapping[str, Any]) -> dict[str, str]:
    return dict(zip(COLUMNS, row(container), strict=True))


def test_lxd_is_asked_of_nothing_that_the_kernel_tells(lxd: FakeLxd) -> None:
    lxd.store.changes.clear()
    found = containers(Told(store=lxd.store), SETTINGS)
    assert lxd.store.changes == []
    assert (found[0]["told_by"], found[0]["ipv4"]) == ("kernel", ["10.77.0.9"])
    assert (found[0]["home_bytes"], found[0]["home_used_bytes"]) == (3 * GIB, 5 * MIB)
    assert (found[0]["memory_used_bytes"], found[0]["memory_held_bytes"]) == (3 * GIB, GIB)


def test_lxd_is_asked_of_the_others_alone(lxd: FakeLxd) -> None:
    stamp(lxd, bob(name="eve", account="eve"))
    lxd.store.changes.clear()
    found = containers(Told(store=lxd.store), SETTINGS)
    assert lxd.store.changes == ["state eve", "volumes default"]
    assert [one["told_by"] for one in found] == ["kernel", "lxd"]
    assert (found[1]["home_used_bytes"], found[1]["memory_held_bytes"]) == (MIB, None)


def test_a_pool_that_cannot_be_listed_hides_nothing_else(
    lxd: FakeLxd, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(pool: str) -> tuple[Volume, ...]:
        raise LxdError(f"LXD could not list the volumes of {pool}.")

    lxd.store.tells_states = False
    assert containers(lxd, SETTINGS)[0]["home_bytes"] == 3 * GIB
    monkeypatch.setattr(lxd, "volumes", fails)
    assert (containers(lxd, SETTINGS)[0]["home_bytes"], lxd.store.tells_states) == (None, False)


def test_the_table_shows_what_each_has_and_uses(lxd: FakeLxd) -> None:
    found = cells(containers(Told(store=lxd.store), SETTINGS)[0])
    shares = (found["memory"], found["root"], found["home"])
    assert shares == ("1/4 GiB", "1/2 GiB", "<0.1/3 GiB")


def test_a_share_of_a_host_elsewhere_is_shown_as_it_is(lxd: FakeLxd) -> None:
    lxd.store.tells_states = False
    lxd.store.instances[BOB].config["limits.memory"] = "50%"
    assert cells(containers(lxd, SETTINGS)[0])["memory"] == "1.0 MiB/50%"
    here = containers(Told(store=lxd.store), SETTINGS)[0]
    assert (here["memory_bytes"], cells(here)["memory"]) == (4 * GIB, "1/4 GiB")


def test_show_tells_root_home_memory_and_what_a_profile_limits(lxd: FakeLxd) -> None:
    config = lxd.store.instances[BOB].config
    del config["limits.memory"], config["limits.processes"]
    default = lxd.store.profiles["default"]
    limits = {"limits.cpu": "2", "limits.memory": "4GiB", "limits.processes": "900"}
    lxd.store.profiles["default"] = replace(default, config=limits)
    shown = show(Told(store=lxd.store), SETTINGS, "bob")
    assert (shown["cpus"], shown["memory_bytes"], shown["processes"]) == (2, 4 * GIB, 900)
    lines = dict(of_container(shown)[1])
    assert {key: lines[key] for key in ("cpus", "memory", "processes", "disk", "home")} == {
        "cpus": "2 (limit of a profile)",
        "memory": "1.0 GiB of 4.0 GiB used, and 2.0 GiB more, mostly cache (limit of a profile)",
        "processes": "900 at most (limit of a profile)",
        "disk": "1.0 GiB of 2.0 GiB used",
        "home": "5.0 MiB of 3.0 GiB used, kept by destroy",
    }


@pytest.mark.parametrize(
    ("used", "size", "text"),
    [
        (1288490189, 20 * GIB, "1.2/20 GiB"),
        (0, 20 * GIB, "0/20 GiB"),
        (1, 20 * GIB, "<0.1/20 GiB"),
        (None, 512 * MIB, "?/512 MiB"),
        (100 * MIB, 100 * MIB, "100/100 MiB"),
        (3 * GIB, 5 * GIB // 2, "3/2.5 GiB"),
        (100 * MIB, None, "100.0 MiB"),
        (None, None, "?"),
    ],
)
def test_shares(used: int | None, size: int | None, text: str) -> None:
    assert format_share(used, size) == text
