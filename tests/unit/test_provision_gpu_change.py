"""Other GPUs for containers that are there, and GPUs that are not where they were."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.errors import CapacityError, InputError, LxdError
from lab.lxd.model import State
from tests.support.builders.four_gpus import FOUR, PARTS, gpu, split, uuid
from tests.support.builders.gpu_lab import (
    EXCLUSIVE,
    HERE,
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
from tests.support.fake_lxd.lxd import FakeLxd


@pytest.fixture
def lxd() -> FakeLxd:
    return a_gpu_lab()


def test_gpus_alone_change_nothing_else(lxd: FakeLxd) -> None:
    give(lxd, "1", template="docker", memory_bytes=1 << 30)
    before = len(lxd.changes)
    done = change(lxd, C)
    assert str(done.actions[0]) == (
        f"give bob the GPUs {C}, take {A} from bob; running processes keep these GPUs until: "
        "invoke restart bob"
    )
    assert lxd.changes[before:] == ["update bob"]
    assert held(lxd) == [C]
    assert lxd.store.instances[HERE].config["user.lab.gpus"] == f"{C}={uuid(2)}"
    assert lxd.store.instances[HERE].state is State.RUNNING
    assert change(lxd, C).actions == ()
    change(lxd, "none")
    assert held(lxd) == []
    assert "user.lab.gpus" not in lxd.store.instances[HERE].config


def test_the_same_request_with_other_gpus_changes_them(lxd: FakeLxd) -> None:
    give(lxd, "1", memory_bytes=1 << 30)
    give(lxd, "2", memory_bytes=1 << 30)
    assert held(lxd) == [A, B]


def test_another_difference_still_ends_it(lxd: FakeLxd) -> None:
    give(lxd, "1", memory_bytes=1 << 30)
    with pytest.raises(InputError) as error:
        give(lxd, "2", memory_bytes=2 << 30)
    assert "memory: 1.0 GiB now, 2.0 GiB requested" in str(error.value)
    assert held(lxd) == [A]


def test_without_gpus_the_gpus_stay(lxd: FakeLxd) -> None:
    give(lxd, "2")
    assert give(lxd, None).actions == ()
    assert held(lxd) == [A, B]


def test_a_count_keeps_the_gpus_that_it_has(lxd: FakeLxd) -> None:
    give(lxd, D)
    give(lxd, A, "ann")
    change(lxd, "2")
    assert held(lxd) == [B, D]
    change(lxd, "1")
    assert held(lxd) == [B]


def test_lxds_own_id_is_replaced(lxd: FakeLxd) -> None:
    """On LXD 5.0.2 `id: 2` passes every GPU."""
    give(lxd, "none")
    devices = lxd.store.instances[HERE].devices
    devices["gpu0"] = {"type": "gpu", "id": "2"}
    devices["mine"] = {"type": "gpu", "pci": C}
    change(lxd, f"{C}")
    assert gpus_of(lxd) == {"mine": {"type": "gpu", "pci": C}}


def test_what_lxd_refuses_is_undone(lxd: FakeLxd, monkeypatch: pytest.MonkeyPatch) -> None:
    give(lxd, "1")
    lxd.failures["update bob"] = LxdError("LXD could not change bob.")
    with pytest.raises(LxdError):
        change(lxd, "2")
    assert held(lxd) == [A]


# ---- GPUs that vanished or moved ------------------------------------------------------------


def test_a_gpu_that_moved_is_found_by_its_uuid(lxd: FakeLxd) -> None:
    give(lxd, A, "ann", settings=EXCLUSIVE)
    give(lxd, D, settings=EXCLUSIVE)
    lxd.host_gpus = (FOUR[0], gpu(3, pci="0000:17:00.0"), FOUR[1], FOUR[2])
    done = give(lxd, None, settings=EXCLUSIVE)
    assert done.summary is not None
    assert done.summary["missing_cards"] == [{"pci": D, "uuid": uuid(3), "now": "0000:17:00.0"}]
    assert done.summary["mend"] == "invoke provision bob --gpus 0000:17:00.0"
    assert held(lxd) == [D]
    change(lxd, "1", settings=EXCLUSIVE)
    assert held(lxd) == ["0000:17:00.0"]


def test_a_part_that_moved_is_found_alone(lxd: FakeLxd) -> None:
    lxd.host_gpus = (*FOUR[:3], split(3, *PARTS))
    give(lxd, PARTS[1])
    moved = tuple(replace(part, pci="0000:17:00.0") for part in lxd.host_gpus[3].parts)
    lxd.host_gpus = (*FOUR[:3], gpu(3, pci="0000:17:00.0", parts=moved))
    done = give(lxd, None)
    assert done.summary is not None
    assert done.summary["missing_cards"] == [{"pci": D, "uuid": PARTS[1], "now": "0000:17:00.0"}]
    assert done.summary["mend"] == f"invoke provision bob --gpus {PARTS[1]}"


def test_a_gpu_that_vanished_is_replaced_by_a_count(lxd: FakeLxd) -> None:
    give(lxd, f"{A},{D}")
    lxd.host_gpus = FOUR[:3]
    done = give(lxd, None)
    assert done.summary is not None
    assert (done.summary["gpus"], done.summary["mend"]) == (
        [A, D],
        f"invoke provision bob --gpus {A}",
    )
    change(lxd, "2")
    assert held(lxd) == [A, B]


def test_a_change_gives_way_to_another_machine_and_is_undone(
    lxd: FakeLxd, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(lxd, C, settings=EXCLUSIVE)
    before = replace(lxd.store.instances[HERE])
    another_machine(lxd, monkeypatch, "update", earlier=False)
    with pytest.raises(CapacityError):
        change(lxd, f"{A},{C}", settings=EXCLUSIVE)
    assert lxd.store.instances[HERE] == before
