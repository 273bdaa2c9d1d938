"""GPUs as devices of an instance, and back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab import labels
from lab.driver.delivery import Delivery
from lab.errors import LxdError
from lab.gpus.devices import gpu_devices, held_by
from lab.gpus.missing import Missing, missing, recall, remembered
from lab.lxd.model import Gpu, Grant, Instance, MigPart
from tests.support.builders.four_gpus import (
    FOUR,
    PARTS,
    PCI,
    SPLIT,
    gpu,
    instance,
    parts,
    split,
    uuid,
)

Gpus = tuple[Gpu, ...]
Grants = tuple[Grant, ...]


def test_of_a_split_gpu_parts_alone_can_be_given() -> None:
    (whole, split_one, _) = SPLIT
    assert whole.grants == (whole,)
    assert split_one.grants == parts(1, *PARTS)
    assert [one.label for one in (whole, *split_one.grants)] == [PCI[0], *PARTS]


@pytest.mark.parametrize("delivery", [Delivery.IMAGE, Delivery.RUNTIME, Delivery.NONE])
def test_gpus_are_given_by_address(delivery: Delivery) -> None:
    assert gpu_devices((FOUR[0], FOUR[2]), delivery) == {
        "gpu-0000-31-00-0": {"type": "gpu", "pci": "0000:31:00.0"},
        "gpu-0000-b1-00-0": {"type": "gpu", "pci": "0000:b1:00.0"},
    }


def test_cdi_names_them_by_uuid() -> None:
    assert gpu_devices((FOUR[2],), Delivery.CDI) == {
        "gpu-0000-b1-00-0": {
            "type": "gpu",
            "gputype": "physical",
            "id": f"nvidia.com/gpu={uuid(2)}",
        }
    }
    with pytest.raises(LxdError) as caught:
        gpu_devices((gpu(2, uuid=None),), Delivery.CDI)
    assert caught.value.brief == (
        "The GPU 0000:b1:00.0 cannot be given by CDI: its UUID is not known."
    )


@pytest.mark.parametrize("delivery", list(Delivery))
def test_parts_are_devices_of_their_own(delivery: Delivery) -> None:
    assert gpu_devices(parts(1, *PARTS[:2]), delivery) == {
        f"gpu-0000-4b-00-0-0000000{n}": {
            "type": "gpu",
            "gputype": "mig",
            "pci": "0000:4b:00.0",
            "mig.uuid": PARTS[n],
        }
        for n in (0, 1)
    }


@pytest.mark.parametrize("delivery", [Delivery.IMAGE, Delivery.RUNTIME, Delivery.CDI])
@pytest.mark.parametrize(
    "gpus", [(), FOUR[:1], FOUR, (SPLIT[0], *parts(1, *PARTS[:2]))], ids=["0", "1", "4", "parts"]
)
def test_what_is_given_is_what_is_held(gpus: Grants, delivery: Delivery) -> None:
    host = SPLIT if any(isinstance(one, MigPart) for one in gpus) else FOUR
    one = instance("ann", *gpu_devices(gpus, delivery).values())
    assert held_by(one, host) == gpus


@pytest.mark.parametrize(
    ("device", "held"),
    [
        ({"type": "gpu"}, FOUR),
        ({"type": "gpu", "id": "2"}, FOUR),
        ({"type": "gpu", "vendorid": "1002"}, ()),
        ({"type": "gpu", "pci": "b1:00.0"}, (FOUR[2],)),
        ({"type": "gpu", "id": "nvidia.com/gpu=1"}, (FOUR[1],)),
        ({"type": "gpu", "id": f"nvidia.com/gpu={uuid(3)}"}, (FOUR[3],)),
        ({"type": "gpu", "id": "nvidia.com/gpu=all"}, FOUR),
        ({"type": "none"}, ()),
        ({"type": "disk", "path": "/"}, ()),
    ],
)
def test_devices_of_others_are_understood(device: dict[str, str], held: Gpus) -> None:
    assert held_by(instance("bob", device), FOUR) == held


@pytest.mark.parametrize(
    ("device", "held"),
    [
        (
            {"gputype": "mig", "pci": PCI[1], "mig.uuid": PARTS[0].removeprefix("MIG-")},
            SPLIT[1].parts[:1],
        ),
        ({"gputype": "mig", "pci": PCI[1], "mig.gi": "3", "mig.ci": "0"}, (SPLIT[1],)),
        ({"id": f"nvidia.com/mig={PARTS[1]}"}, SPLIT[1].parts[1:2]),
        ({"pci": PCI[1]}, SPLIT[1].parts),
    ],
)
def test_parts_given_by_others_are_understood(device: dict[str, str], held: Grants) -> None:
    assert held_by(instance("bob", {"type": "gpu", **device}), SPLIT) == held


def test_a_profile_gives_gpus_too() -> None:
    one = replace(instance("bob", {"type": "gpu", "pci": PCI[0]}), devices={})
    assert held_by(one, FOUR) == FOUR[:1]


@pytest.mark.parametrize(
    ("gpus", "text", "pairs"),
    [
        ((), "", ()),
        (FOUR[:1], f"{PCI[0]}={uuid(0)}", ((PCI[0], uuid(0)),)),
        (
            (gpu(0, uuid=None), FOUR[3]),
            f"{PCI[0]},{PCI[3]}={uuid(3)}",
            ((PCI[0], None), (PCI[3], uuid(3))),
        ),
        (
            parts(1, *PARTS[:2]),
            f"{PCI[1]}={PARTS[0]},{PCI[1]}={PARTS[1]}",
            ((PCI[1], PARTS[0]), (PCI[1], PARTS[1])),
        ),
    ],
)
def test_gpus_are_remembered_by_address_and_uuid(
    gpus: Grants,
    text: str,
    pairs: tuple[tuple[str, str | None], ...],
) -> None:
    assert remembered(gpus) == text
    assert recall(text) == pairs


def stamped(*gpus: Grant, delivery: Delivery = Delivery.IMAGE) -> Instance:
    devices = gpu_devices(gpus, delivery).values()
    return instance("ann", *devices, **{labels.GPUS: remembered(gpus)})


@pytest.mark.parametrize(
    ("now", "found"),
    [
        (FOUR, ()),
        (FOUR[1:], (Missing(pci=PCI[0], uuid=uuid(0), now=None),)),
        ((), (Missing(pci=PCI[0], uuid=uuid(0), now=None),)),
        (
            (gpu(0, pci=PCI[3]),),
            (Missing(pci=PCI[0], uuid=uuid(0), now=gpu(0, pci=PCI[3])),),
        ),
        (
            (gpu(0, uuid=uuid(1)), gpu(1, uuid=uuid(0))),
            (Missing(pci=PCI[0], uuid=uuid(0), now=gpu(1, uuid=uuid(0))),),
        ),
        ((gpu(0, uuid=uuid(7)),), (Missing(pci=PCI[0], uuid=uuid(0), now=None),)),
        ((gpu(0, uuid=None),), ()),
    ],
    ids=["there", "gone", "all-gone", "moved", "swapped", "replaced", "uuids-unknown"],
)
def test_a_gpu_that_vanished_or_moved(now: Gpus, found: tuple[Missing, ...]) -> None:
    assert missing(stamped(FOUR[0]), now) == found


def test_cdi_finds_a_moved_gpu_by_itself() -> None:
    one = stamped(FOUR[0], delivery=Delivery.CDI)
    assert missing(one, (gpu(0, pci=PCI[3]),)) == ()
    assert missing(one, FOUR[1:]) == (Missing(pci=PCI[0], uuid=uuid(0), now=None),)


def test_a_part_that_was_made_anew_is_missing() -> None:
    one = stamped(*parts(1, *PARTS[:2]))
    assert missing(one, SPLIT) == ()
    assert len(missing(one, FOUR)) == 2
    assert missing(one, (split(1, *PARTS[1:]),)) == (Missing(pci=PCI[1], uuid=PARTS[0], now=None),)


def test_a_part_that_moved_with_its_gpu_is_that_part_alone() -> None:
    (there, *_) = moved = parts(2, *PARTS)
    one = stamped(*parts(1, PARTS[0]))
    assert missing(one, (gpu(2, parts=moved),)) == (Missing(pci=PCI[1], uuid=PARTS[0], now=there),)


def test_gpus_that_labstamp_did_not_give_are_missed_by_their_slot() -> None:
    one = instance("old", {"type": "gpu", "pci": "99:00.0"}, {"type": "gpu", "id": "2"})
    assert missing(one, FOUR) == (Missing(pci="0000:99:00.0", uuid=None, now=None),)
