"""GPUs, and instances that have some."""

from __future__ import annotations

from collections.abc import Mapping

from lab.lxd.model import Gpu, Instance, MigPart, State
from tests.support.fake_lxd.store import EPOCH

PCI = ("0000:31:00.0", "0000:4b:00.0", "0000:b1:00.0", "0000:ca:00.0")
PARTS = tuple(f"MIG-0000000{n}-1111-5111-8111-111111111111" for n in range(3))


def uuid(number: int) -> str:
    return f"GPU-0000000{number}-0000-0000-0000-000000000000"


def gpu(number: int, **changes: object) -> Gpu:
    values = {
        "pci": PCI[number],
        "uuid": uuid(number),
        "model": "NVIDIA GeForce RTX 4090",
        "driver": "535.261.03",
    }
    return Gpu(**{**values, **changes})  # type: ignore[arg-type]


def parts(number: int, *uuids: str) -> tuple[MigPart, ...]:
    return tuple(MigPart(pci=PCI[number], uuid=uuid) for uuid in uuids)


def split(number: int, *uuids: str, **changes: object) -> Gpu:
    """The GPU NUMBER in the parts UUIDS."""
    return gpu(number, parts=parts(number, *uuids), **changes)


FOUR = tuple(gpu(number) for number in range(4))
SPLIT = (gpu(0), split(1, *PARTS), gpu(2))
"""The second is in three parts."""


def instance(name: str, *devices: Mapping[str, str], **config: str) -> Instance:
    named = {f"d{number}": device for number, device in enumerate(devices)}
    return Instance(
        name=name,
        state=State.STOPPED,
        config=config,
        devices=named,
        expanded_devices=named,
        created_at=EPOCH,
    )
