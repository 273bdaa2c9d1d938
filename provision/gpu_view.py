"""The GPUs and the driver of a container, as `list` and `show` report them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lab import labels
from lab.driver.delivery import Delivery, delivery_of_instance
from lab.errors import CapacityError
from lab.gpus.devices import held_by
from lab.gpus.missing import Missing, missing
from lab.host_gpus import HostGpus
from lab.lxd.model import Gpu, Instance


def in_brief(instance: Instance, host: HostGpus) -> dict[str, Any]:
    """The fields of `list`. `gpus` names what the container's devices do, there or not."""
    gpus = held_by(instance, host.gpus)
    gone = missing(instance, host.gpus)
    return {
        "gpus": sorted({*(gpu.pci for gpu in gpus), *(one.pci for one in gone)}),
        "driver": instance.config.get(labels.DRIVER),
        "drift": _drifts(instance, host, has_gpus=bool(gpus)),
    }


def in_full(instance: Instance, host: HostGpus) -> dict[str, Any]:
    """What `show` adds."""
    gone = missing(instance, host.gpus)
    return {
        "host_driver": host.driver,
        "delivery": instance.config.get(labels.DELIVERY),
        "cards": _held(instance, host.gpus),
        "missing_cards": [
            {"pci": one.pci, "uuid": one.uuid, "now": one.now.pci if one.now else None}
            for one in gone
        ],
        "mend": mend(instance, host.gpus) if gone else None,
    }


def _held(instance: Instance, gpus: Sequence[Gpu]) -> list[dict[str, Any]]:
    """A row for each GPU, with those of its parts that INSTANCE has."""
    held = held_by(instance, gpus)
    addresses = {one.pci for one in held}
    return [
        {
            "index": index,
            "pci": gpu.pci,
            "uuid": gpu.uuid,
            "model": gpu.model,
            "mig": [part.uuid for part in gpu.parts if part in held],
        }
        for index, gpu in enumerate(gpus)
        if gpu.pci in addresses
    ]


def refuse_without_gpus(instance: Instance, gpus: Sequence[Gpu]) -> None:
    """CapacityError where INSTANCE could not start, for want of a GPU that it was given."""
    gone = missing(instance, gpus)
    if not gone:
        return
    name = instance.name
    raise CapacityError(
        f"{name} cannot start: {_called(gone)} not at the old address.",
        details="\n".join(_whereabouts(one) for one in gone),
        fix=f"{mend(instance, gpus)}\nList all GPUs: invoke host.gpus",
    )


def mend(instance: Instance, gpus: Sequence[Gpu]) -> str:
    """The command that gives INSTANCE what is left of its GPUs, where they are now."""
    gone = missing(instance, gpus)
    left = [one for one in held_by(instance, gpus) if one.pci not in {each.pci for each in gone}]
    left += [grant for one in gone if one.now is not None for grant in one.now.grants]
    # All vanished: as many others.
    wish = ",".join(dict.fromkeys(one.label for one in left)) or str(len(gone))
    return f"invoke provision {instance.name} --gpus {wish}"


def _drifts(instance: Instance, host: HostGpus, *, has_gpus: bool) -> bool:
    driver = instance.config.get(labels.DRIVER)
    # Without a word on it: as an image of the days before these keys.
    delivery = delivery_of_instance(instance, Delivery.IMAGE)
    return delivery is Delivery.IMAGE and not host.fits(driver, delivery, with_gpus=has_gpus)


def _called(gone: Sequence[Missing]) -> str:
    names = ", ".join(one.pci for one in gone)
    return f"its GPU {names} is" if len(gone) == 1 else f"its GPUs {names} are"


def _whereabouts(one: Missing) -> str:
    if one.now is not None:
        return f"{one.pci} ({one.uuid}) is at {one.now.pci} now"
    return (
        f"{one.pci}{f' ({one.uuid})' if one.uuid else ''} is missing, or its driver does not run it"
    )
