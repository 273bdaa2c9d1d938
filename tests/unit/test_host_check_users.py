"""What `invoke host.check` finds about those that have GPUs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from host.finding import Status
from host.machine import Machine
from lab import labels
from lab.lxd.model import MigPart
from tests.support.builders.gpu_machine import GPUS, OURS, give, lxd_with_gpus, problems
from tests.support.builders.machines import give_network, machine_in
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeInstance


@pytest.fixture
def lxd() -> FakeLxd:
    return lxd_with_gpus()


def test_containers_that_were_started_without_uvm(lxd: FakeLxd, machine: Machine) -> None:
    gpu = {"gpu-a": {"pci": "0000:31:00.0"}}
    give(lxd, "ann", gpu, config=OURS, dev=("nvidia0",))
    give(lxd, "ben", gpu, dev=("nvidia0",), project="web")
    give(lxd, "eve", gpu, config=OURS, dev=("nvidia0", "nvidia-uvm"))
    give(lxd, "off", gpu, config=OURS, dev=())
    lxd.stop("off")
    assert [(one.name, one.subject, one.status, one.fix) for one in problems(lxd, machine)] == [
        ("container-nodes", "ann", Status.FAIL, "invoke restart ann"),
        ("container-nodes", "web/ben", Status.FAIL, "lxc restart --project web ben"),
    ]


def test_gpu_chosen_by_lxds_number(lxd: FakeLxd, machine: Machine) -> None:
    # The board's own VGA is card0: LXD's 3 is the third GPU here, nvidia-smi's 2.
    give(lxd, "ben", {"gpu0": {"id": "3"}})
    (problem,) = problems(lxd, machine)
    assert problem.found == "its device gpu0 is chosen by LXD's id 3"
    assert problem.why == (
        "LXD numbers GPUs differently from nvidia-smi (LXD counts the board's VGA card, too), and "
        "LXD 5.0.2 "
        "may "
        "pass every GPU: 4 here."
    )
    assert problem.fix == "lxc config device set ben gpu0 id= pci=0000:b1:00.0"


def test_device_that_names_no_gpu_gets_the_least_used(lxd: FakeLxd, machine: Machine) -> None:
    give(lxd, "ann", {"gpu-a": {"pci": "0000:31:00.0"}}, config=OURS)
    give(lxd, "ben", {"gpu0": {}}, project="web")
    (problem,) = problems(lxd, machine)
    assert problem.subject == "web/ben"
    assert problem.found == "its device gpu0 names no GPU"
    assert problem.fix == "lxc config device set --project web ben gpu0 id= pci=0000:4b:00.0"


def test_device_of_a_profile_is_overridden_for_the_container(
    lxd: FakeLxd, machine: Machine
) -> None:
    profile = lxd.store.profiles["default"]
    devices = {**profile.devices, "gpu": {"type": "gpu", "id": "1"}}
    lxd.set_profile_devices("default", devices)
    lxd.store.instances["default", "ben"] = FakeInstance(profiles=("default",))
    (problem,) = problems(lxd, machine)
    assert problem.fix == "lxc config device override ben gpu id= pci=0000:31:00.0"


def test_ours_keeps_its_other_gpus(lxd: FakeLxd, machine: Machine) -> None:
    give(lxd, "ann", {"gpu-a": {"pci": "0000:ca:00.0"}, "gpu0": {"id": "1"}}, config=OURS)
    (problem,) = problems(lxd, machine)
    assert problem.fix == "invoke provision ann --gpus 0000:ca:00.0,0000:31:00.0"


def test_cdi_parts_and_other_makers_name_their_gpu(lxd: FakeLxd, machine: Machine) -> None:
    lxd.store.host_gpus = tuple(
        replace(gpu, parts=(MigPart(pci=gpu.pci, uuid="MIG-1"),)) if gpu.uuid == "GPU-2" else gpu
        for gpu in GPUS
    )
    give(
        lxd,
        "ben",
        {
            "a": {"gputype": "physical", "id": "nvidia.com/gpu=GPU-2"},
            "b": {"gputype": "mig", "pci": "0000:b1:00.0", "mig.uuid": "MIG-1"},
            "c": {"vendorid": "1002"},
        },
    )
    assert problems(lxd, machine) == []


def test_gpu_that_moved_to_another_slot_is_found_by_its_uuid(
    lxd: FakeLxd, machine: Machine
) -> None:
    told = {**OURS, labels.GPUS: "0000:e4:00.0=GPU-2,0000:31:00.0=GPU-0"}
    devices = {"gpu-a": {"pci": "0000:e4:00.0"}, "gpu-b": {"pci": "0000:31:00.0"}}
    give(lxd, "ann", devices, config=told)
    (problem,) = problems(lxd, machine)
    assert (problem.name, problem.status) == ("cards-there", Status.FAIL)
    assert problem.found == "0000:e4:00.0 moved to 0000:b1:00.0"
    assert problem.fix == "invoke provision ann --gpus 0000:31:00.0,0000:b1:00.0"


def test_gpu_that_is_gone(lxd: FakeLxd, machine: Machine) -> None:
    give(lxd, "ann", {"gpu-a": {"pci": "0000:e4:00.0"}}, config=OURS)
    give(lxd, "ben", {"gpu0": {"pci": "0000:E4:00.0"}, "gpu1": {"pci": "0000:31:00.0"}})
    assert [(one.found, one.fix) for one in problems(lxd, machine)] == [
        ("0000:e4:00.0 is missing", "invoke provision ann --gpus 1"),
        ("0000:e4:00.0 is missing", "lxc config device remove ben gpu0"),
    ]


def test_host_that_lost_its_last_gpu_still_names_who_had_one(tmp_path: Path) -> None:
    lxd = FakeLxd()
    give(lxd, "ann", {"gpu-a": {"pci": "0000:e4:00.0"}}, config=OURS)
    give(lxd, "ben", {"gpu0": {"id": "1"}})
    give_network(tmp_path)
    (problem,) = problems(lxd, machine_in(tmp_path))
    assert problem.fix == "invoke provision ann --gpus none"


def test_what_is_being_made_is_left_to_who_makes_it(lxd: FakeLxd, machine: Machine) -> None:
    give(lxd, "ann", {"gpu0": {"id": "1"}}, config={labels.PHASE: labels.PREPARING})
    assert problems(lxd, machine) == []


def test_instance_that_cannot_be_looked_into_is_no_problem(lxd: FakeLxd, machine: Machine) -> None:
    give(lxd, "vm", {"gpu0": {"pci": "0000:31:00.0"}})
    lxd.store.instances["default", "vm"].files.clear()
    assert problems(lxd, machine) == []
