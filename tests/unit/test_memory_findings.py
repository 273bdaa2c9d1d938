"""What host.check says of limits of memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from host.check.memory import MemoryFacts, findings, read_memory_facts
from host.finding import Status
from lab.lxd.memory_faults import Extra, extra
from lab.lxd.model import Server
from lab.lxd.swap import swaps_freely, without_swap
from lab.machine.cgroup import Memory
from tests.support.builders.machines import machine_in
from tests.support.builders.stamping import a_lab, bob, stamp
from tests.support.fake_lxd.lxd import FakeLxd

GIB = 1 << 30
# What /1.0 of each lists of the extensions that tell them apart.
SINCE_5_0_3 = {"storage_pool_loop_resize", "operation_wait"}
SINCE_5_0_4 = {*SINCE_5_0_3, "instances_files_modify_permissions"}


def server(version: str, extensions: set[str]) -> Server:
    return Server(version=version, api_extensions=frozenset(extensions), name="lab1")


DEBIAN = server("5.0.2", set())
SLOWING = server("5.0.3", SINCE_5_0_3)
PLAIN = server("5.0.4", SINCE_5_0_4)


@pytest.fixture
def lxd() -> FakeLxd:
    lxd = a_lab()
    stamp(lxd, bob(memory_bytes=GIB))
    return lxd


def test_versions_differ_in_what_they_add() -> None:
    assert [extra(one) for one in (DEBIAN, SLOWING, PLAIN)] == [Extra.PROTECTS, Extra.SLOWS, None]


def test_versions_mean_the_opposite_by_swap() -> None:
    key = "limits.memory.swap"
    assert (without_swap(DEBIAN), without_swap(PLAIN)) == ({}, {key: "false"})
    for config in ({}, {key: "true"}, {key: "1"}):
        assert (swaps_freely(DEBIAN, config), swaps_freely(PLAIN, config)) == (False, True)
    for config in ({key: "false"}, {key: "0"}):
        assert (swaps_freely(DEBIAN, config), swaps_freely(PLAIN, config)) == (True, False)


def test_a_new_container_never_swaps(lxd: FakeLxd) -> None:
    assert "limits.memory.swap" not in lxd.store.instances["default", "bob"].config
    lxd.store.server = replace(PLAIN, api_extensions=PLAIN.api_extensions | {"cloud_init"})
    stamp(lxd, bob(name="eve", account="eve", memory_bytes=GIB))
    assert lxd.store.instances["default", "eve"].config["limits.memory.swap"] == "false"


def test_what_an_admin_says_of_swap_in_the_profile_stays(lxd: FakeLxd) -> None:
    lxd.store.server = replace(PLAIN, api_extensions=PLAIN.api_extensions | {"cloud_init"})
    default = lxd.store.profiles["default"]
    lxd.store.profiles["default"] = replace(default, config={"limits.memory.swap": "true"})
    stamp(lxd, bob(name="eve", account="eve", memory_bytes=GIB))
    assert "limits.memory.swap" not in lxd.store.instances["default", "eve"].config


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (DEBIAN, "LXD 5.0.2 also protects nine tenths of each limit (memory.low), "),
        (SLOWING, "LXD 5.0.3 also slows a container down from nine tenths of each limit (memory.h"),
    ],
)
def test_a_version_that_adds_something_is_told_with_cgroup_v2_alone(one: Server, told: str) -> None:
    (found,) = findings(MemoryFacts(unified=True), one, (), "sudo ")
    assert found.status is Status.WARN
    assert found.found.startswith(told)
    for facts, fine in ((MemoryFacts(), one), (MemoryFacts(unified=True), PLAIN)):
        (found,) = findings(facts, fine, (), "sudo ")
        assert (found.status, found.found) == (
            Status.OK,
            "the kernel holds containers to them alone",
        )


def test_a_container_that_is_protected_or_slowed_is_named() -> None:
    place = Path("/sys/fs/cgroup/lxc.payload.bob")
    held = {
        "ann": Memory(limit=GIB),
        "bob": Memory(limit=GIB, protected=GIB - 1, place=place),
        "eve": Memory(limit=GIB, slowed=GIB // 2, place=place),
    }
    found = list(findings(MemoryFacts(held=held), PLAIN, (), "sudo "))
    assert [(one.subject, one.found, one.fix) for one in found] == [
        (
            "bob",
            "the kernel keeps 1.0 GiB for it alone",
            "echo 0 | sudo tee /sys/fs/cgroup/lxc.payload.bob/memory.low",
        ),
        (
            "eve",
            "the kernel slows it down from 512.0 MiB on",
            "echo max | sudo tee /sys/fs/cgroup/lxc.payload.bob/memory.high",
        ),
    ]


@pytest.mark.parametrize(
    ("one", "config", "fix"),
    [
        (PLAIN, {}, "lxc config set bob limits.memory.swap false"),
        (DEBIAN, {"limits.memory.swap": "false"}, "lxc config set bob limits.memory.swap true"),
        (DEBIAN, {}, None),
        (PLAIN, {"limits.memory.swap": "false"}, None),
    ],
)
def test_who_may_swap_is_named_where_there_is_swap(
    lxd: FakeLxd, one: Server, config: dict[str, str], fix: str | None
) -> None:
    lxd.store.instances["default", "bob"].config |= config
    every = lxd.instances()
    (found,) = findings(MemoryFacts(swap=True), one, every, "")
    assert found.fix == fix
    (found,) = findings(MemoryFacts(swap=False), one, every, "")
    assert found.fix is None


@pytest.mark.parametrize(
    ("files", "limited"),
    [
        ({}, True),  # nothing is to be seen from here
        ({"cgroup.controllers": "cpuset cpu io memory pids\n"}, True),
        ({"cgroup.controllers": "cpuset cpu io pids\n"}, False),
        ({"memory/memory.stat": "", "cpu/x": ""}, True),
        ({"cpu/x": "", "unified/cgroup.controllers": "hugetlb\n"}, False),
        ({"cpu/x": "", "unified/cgroup.controllers": "memory hugetlb\n"}, True),
    ],
)
def test_a_kernel_that_limits_no_memory_is_told(
    lxd: FakeLxd,
    tmp_path: Path,
    files: dict[str, str],
    limited: bool,  # noqa: FBT001
) -> None:
    machine = machine_in(tmp_path)
    for name, text in files.items():
        machine.at(f"/sys/fs/cgroup/{name}").parent.mkdir(parents=True, exist_ok=True)
        machine.at(f"/sys/fs/cgroup/{name}").write_text(text)
    facts = read_memory_facts(lxd, machine, ())
    assert facts.limited is limited
    first = next(iter(findings(facts, PLAIN, (), "")))
    assert first.found.startswith("the kernel does not limit memory") is not limited


def test_the_machine_is_read(lxd: FakeLxd, tmp_path: Path) -> None:
    machine = machine_in(tmp_path)
    every = lxd.instances()
    facts = read_memory_facts(lxd, machine, every)
    assert (facts.unified, facts.swap, list(facts.held)) == (False, False, ["bob"])
    for file, text in (
        ("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n"),
        ("/proc/swaps", "Filename\tType\n/dev/sda2\tpartition\n"),
    ):
        machine.at(file).parent.mkdir(parents=True, exist_ok=True)
        machine.at(file).write_text(text)
    facts = read_memory_facts(lxd, machine, every)
    assert (facts.unified, facts.swap) == (True, True)
