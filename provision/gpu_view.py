"""The GPUs and the driver of a container, as `list` and `show` report them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lab import labels
from lab.driver.delivery import Delivery, delivery_of_instance
from lab.driver.version import drifts
from lab.errors import CapacityError
from lab.gpus.allocation import index_of
from lab.gpus.devices import Missing, held_by, missing
from lab.host_gpus import HostGpus
from lab.lxd.model import Gpu, Instance


def in_brief(instance: Instance, host: HostGpus) -> dict[str, Any]:
    """The fields of `list`. `gpus` names what the container's devices do, there or not."""
    gpus = held_by(instance, host.gpus)
    gone = missing(instance, host.gpus)
    return {
        "gpus": sorted({*(gpu.pci for gpu in gpus), *(one.pci for one in gone)}),
        "driver": instance.config.get(labels.DRIVER),
        "drift": _drifts(instance, gpus, host),
    }


def in_full(instance: Instance, host: HostGpus) -> dict[str, Any]:
    """What `show` adds."""
    gone = missing(instance, host.gpus)
    return {
        "host_driver": host.driver,
        "delivery": instance.config.get(labels.DELIVERY),
        "cards": [
            {
                "index": index_of(gpu, host.gpus),
                "pci": gpu.pci,
                "uuid": gpu.uuid,
                "model": gpu.model,
                "mig": list(gpu.mig),
            }
            for gpu in held_by(instance, host.gpus)
        ],
        "missing_cards": [
            {"pci": one.pci, "uuid": one.uuid, "now": one.now.pci if one.now else None}
            for one in gone
        ],
        "mend": mend(instance, host.gpus) if gone else None,
    }


def refuse_without_gpus(instance: Instance, gpus: Sequence[Gpu]) -> None:
    """CapacityError where INSTANCE could not start, for want of a GPU that it was given."""
    gone = missing(instance, gpus)
    if not gone:
        return
    name = instance.name
    raise CapacityError(
        f"{name} cannot start: {_called(gone)} not where it was.",
        details="\n".join(_whereabouts(one) for one in gone),
        fix=f"{mend(instance, gpus)}\nList all GPUs: invoke host.gpus",
    )


def mend(instance: Instance, gpus: Sequence[Gpu]) -> str:
    """The command that gives INSTANCE what is left of its GPUs, where they are now."""
    gone = missing(instance, gpus)
    there = [gpu for gpu in held_by(instance, gpus) if gpu.pci not in {one.pci for one in gone}]
    left = [*there, *(one.now for one in gone if one.now is not None)]
    parts = [part for gpu in left for part in (gpu.mig or (gpu.pci,))]
    # All vanished: as many others.
    wish = ",".join(dict.fromkeys(parts)) or str(len(gone))
    return f"invoke provision {instance.name} --gpus {wish}"


def _drifts(instance: Instance, gpus: Sequence[Gpu], host: HostGpus) -> bool:
    driver = instance.config.get(labels.DRIVER)
    # Without a word on it: as an image of the days before these keys.
    delivery = delivery_of_instance(instance, Delivery.IMAGE)
    return delivery is Delivery.IMAGE and drifts(host.driver, driver, due=bool(gpus))


def _called(gone: Sequence[Missing]) -> str:
    names = ", ".join(one.pci for one in gone)
    return f"its GPU {names} is" if len(gone) == 1 else f"its GPUs {names} are"


def _whereabouts(one: Missing) -> str:
    if one.now is not None:
        return f"{one.pci} ({one.uuid}) is at {one.now.pci} now"
    return f"{one.pci}{f' ({one.uuid})' if one.uuid else ''} is gone, or its driver does not run it"
