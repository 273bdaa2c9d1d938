"""GPUs for new containers: chosen, shared out, written into the one create call."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from lab.errors import CapacityError, InputError
from lab.gpu_selection import GpuSelection, parse_selection
from lab.machine import lock
from lab.report import Silent
from lab.settings.gpus import GpuSettings
from lab.settings.settings import Settings
from provision.create.provision import GPUS_LOCK
from tests.support.builders.four_gpus import FOUR, PCI, split, uuid
from tests.support.builders.gpu_lab import (
    EXCLUSIVE,
    HERE,
    VERSION,
    A,
    B,
    C,
    D,
    a_gpu_lab,
    another_machine,
    change,
    give,
    gpus_of,
    held,
)
from tests.support.builders.stamping import BASE, DOCKER, bob, publish, stamp
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeInstance


@pytest.fixture
def lxd() -> FakeLxd:
    return a_gpu_lab()


# ---- new containers --------------------------------------------------------------------------


def test_gpus_are_in_the_one_create_call_by_address(lxd: FakeLxd) -> None:
    done = give(lxd, "idx:2")
    changes = [change for change in lxd.changes if not change.startswith("write_file")]
    assert changes[1:4] == ["create bob", "update_volume home-bob", "start bob"]
    assert gpus_of(lxd) == {"gpu-0000-b1-00-0": {"type": "gpu", "pci": C}}
    config = lxd.store.instances[HERE].config
    assert config["user.lab.gpus"] == f"{C}={uuid(2)}"
    assert config["user.lab.driver"] == VERSION
    assert config["user.lab.delivery"] == "image"
    assert "nvidia.runtime" not in config
    assert done.summary is not None
    assert (done.summary["gpus"], done.summary["driver"], done.summary["drift"]) == (
        [C],
        VERSION,
        False,
    )
    assert done.summary["cards"] == [
        {"index": 2, "pci": C, "uuid": uuid(2), "model": FOUR[2].model, "mig": []}
    ]


@pytest.mark.parametrize(
    ("wish", "pcis"),
    [
        ("none", []),
        ("1", [A]),
        ("2", [A, B]),
        ("all", list(PCI)),
        (f"{B},{uuid(3)}", [B, D]),
        (None, [A]),
    ],
)
def test_what_is_asked_for_is_given(lxd: FakeLxd, wish: str | None, pcis: list[str]) -> None:
    give(lxd, wish)
    assert held(lxd) == pcis


def test_a_host_without_gpus_gives_none_and_says_nothing(lxd: FakeLxd) -> None:
    lxd.host_gpus = ()
    give(lxd, None)
    assert gpus_of(lxd) == {}
    with pytest.raises(CapacityError):
        give(lxd, "1", name="eve")


def test_the_lab_says_what_is_usual(lxd: FakeLxd) -> None:
    give(lxd, None, settings=Settings(gpus=GpuSettings(default=GpuSelection())))
    assert held(lxd) == []
    give(
        lxd,
        None,
        name="eve",
        settings=Settings(gpus=GpuSettings(default=GpuSelection(everything=True))),
    )
    assert held(lxd, "eve") == list(PCI)


def test_the_least_used_gpu_comes_first(lxd: FakeLxd) -> None:
    for name, wish in (("ann", "1"), ("ben", "1"), ("cid", "2"), ("dan", "1"), ("eve", f"{A}")):
        give(lxd, wish, name)
    assert [held(lxd, name) for name in ("ann", "ben", "cid", "dan")] == [[A], [B], [C, D], [A]]
    give(lxd, "1", "fay")
    assert held(lxd, "fay") == [B]


def test_the_plan_names_the_gpus(lxd: FakeLxd) -> None:
    done = stamp(lxd, bob(gpus=parse_selection("2")), only_plan=True)
    assert str(done.actions[1]) == (
        "create the container bob from base 20261121.1 "
        "(all CPUs, 256MiB memory, 3000 processes, 20GiB disk, ids 1065536:65536, "
        f"GPU {A}, GPU {B})"
    )


def test_a_gpu_of_the_default_profile_is_hidden(lxd: FakeLxd) -> None:
    profile = lxd.store.profiles["default"]
    devices = {**profile.devices, "gpu": {"type": "gpu", "id": "0"}}
    lxd.store.profiles["default"] = replace(profile, devices=devices)
    give(lxd, "none")
    assert gpus_of(lxd) == {"gpu": {"type": "none"}}
    assert change(lxd, "none").actions == ()


def test_delivery_runtime_is_said_in_the_create_call(lxd: FakeLxd) -> None:
    server = lxd.store.server
    lxd.store.server = replace(server, api_extensions=server.api_extensions | {"nvidia_runtime"})
    settings = Settings.model_validate({"driver": {"delivery": "runtime"}})
    for release in (BASE, DOCKER):
        publish(lxd, release)
    give(lxd, "1", settings=settings)
    config = lxd.store.instances[HERE].config
    assert config["nvidia.runtime"] == "true"
    assert config["nvidia.driver.capabilities"] == "all"
    assert config["user.lab.delivery"] == "runtime"
    assert "user.lab.driver" not in config
    done = change(lxd, "2", settings=settings)
    assert str(done.actions[0]) == (f"give bob the GPUs {A}, {B}; works after: invoke restart bob")
    change(lxd, "none", settings=settings)
    assert "nvidia.runtime" not in lxd.store.instances[HERE].config


def test_delivery_cdi_names_the_gpu_by_uuid_and_shows_it_by_address(lxd: FakeLxd) -> None:
    server = lxd.store.server
    lxd.store.server = replace(server, api_extensions=server.api_extensions | {"gpu_cdi"})
    settings = Settings.model_validate({"driver": {"delivery": "cdi"}})
    publish(lxd, BASE)
    done = give(lxd, "idx:1", settings=settings)
    assert list(gpus_of(lxd).values()) == [
        {"type": "gpu", "gputype": "physical", "id": f"nvidia.com/gpu={uuid(1)}"}
    ]
    assert not any(key.startswith("nvidia.") for key in lxd.store.instances[HERE].config)
    assert done.summary is not None
    assert done.summary["gpus"] == [B]
    assert "works after: invoke restart bob" in str(change(lxd, "2", settings=settings).actions[0])


def test_a_part_of_a_gpu_brings_what_lxd_wants_for_it(lxd: FakeLxd) -> None:
    part = "MIG-11111111-2222-3333-4444-555555555555"
    lxd.host_gpus = (split(0, part), *FOUR[1:])
    give(lxd, part)
    assert list(gpus_of(lxd).values()) == [
        {"type": "gpu", "gputype": "mig", "pci": A, "mig.uuid": part}
    ]
    assert lxd.store.instances[HERE].config["nvidia.runtime"] == "true"
    with pytest.raises(InputError) as error:
        change(lxd, "none")
    assert error.value.fix == "invoke stop bob, then this command, then: invoke start bob"


# ---- who may have what -----------------------------------------------------------------------


def test_a_taken_gpu_is_refused_with_who_holds_it(lxd: FakeLxd) -> None:
    give(lxd, A, "ann", settings=EXCLUSIVE)
    before = list(lxd.changes)
    with pytest.raises(CapacityError) as error:
        give(lxd, A, settings=EXCLUSIVE)
    assert f"0  {A}  ann" in str(error.value)
    assert lxd.changes == before
    give(lxd, "3", settings=EXCLUSIVE)
    with pytest.raises(CapacityError):
        give(lxd, None, "eve", settings=EXCLUSIVE)
    give(lxd, "none", "eve", settings=EXCLUSIVE)


def test_containers_of_other_projects_count_builders_do_not(lxd: FakeLxd) -> None:
    for project in ("other", "lab-build"):
        lxd.store.projects[project] = {}
    lxd.store.instances["other", "bob"] = FakeInstance(
        devices={"gpu": {"type": "gpu", "pci": A}}, profiles=("default",)
    )
    lxd.store.instances["lab-build", "smoke"] = FakeInstance(
        devices={"gpu": {"type": "gpu", "pci": B}}, profiles=("default",)
    )
    with pytest.raises(CapacityError) as error:
        give(lxd, A, settings=EXCLUSIVE)
    assert "other/bob" in str(error.value)
    give(lxd, "1", settings=EXCLUSIVE)
    assert held(lxd) == [B]


def test_twenty_at_once_under_a_limit_of_four(lxd: FakeLxd) -> None:
    settings = Settings(gpus=GpuSettings(max_users_per_card=4))
    refused: list[str] = []

    def one(name: str) -> None:
        try:
            give(lxd, "1", name, settings=settings)
        except CapacityError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=one, args=(f"u{number}",)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    made = [name for _, name in lxd.store.instances]
    assert len(made) == 16
    assert {pci: sum(held(lxd, name) == [pci] for name in made) for pci in PCI} == dict.fromkeys(
        PCI, 4
    )
    assert len(refused) == 4


def test_the_lock_is_free_while_a_container_boots(
    lxd: FakeLxd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise twenty users would wait for each other's first boot."""
    asked: list[bool] = []
    start = lxd.start

    def watched(name: str) -> None:
        with lock.hold_lock(GPUS_LOCK, Silent(), "look", remote="local", timeout=0.1):
            asked.append(True)
        start(name)

    monkeypatch.setattr(lxd, "start", watched)
    give(lxd, "1")
    assert asked == [True]


def test_of_two_machines_the_later_one_gives_way(
    lxd: FakeLxd, monkeypatch: pytest.MonkeyPatch
) -> None:
    another_machine(lxd, monkeypatch, "create", earlier=True)
    with pytest.raises(CapacityError) as error:
        give(lxd, A, settings=EXCLUSIVE)
    assert str(error.value) == (
        f"{A} was given to another container at the same moment, from another machine.\n"
        "  rival has it now.\n"
        "Next: Try again, and list the GPUs and their users: invoke host.gpus"
    )
    assert HERE not in lxd.store.instances
    assert ("default", "home-bob") not in lxd.store.volumes


def test_of_two_machines_the_earlier_one_keeps_the_gpu(
    lxd: FakeLxd, monkeypatch: pytest.MonkeyPatch
) -> None:
    another_machine(lxd, monkeypatch, "create", earlier=False)
    give(lxd, A, settings=EXCLUSIVE)
    assert held(lxd) == [A]
