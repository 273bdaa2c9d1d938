"""GPUs as LXD's gpu devices, and back. Pure.

What each key of such a device does: https://documentation.ubuntu.com/lxd/stable-5.0/reference/devices_gpu/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from lab.driver.delivery import Delivery
from lab.errors import LxdError
from lab.hardware.pci import pci_address
from lab.lxd.devices import Device, devices_of, of_type
from lab.lxd.model import Gpu, Grant, Instance, MigPart

_CDI_VENDOR: Final = "nvidia.com/"
_CDI: Final = _CDI_VENDOR + "gpu="
_NVIDIA: Final = "10de"


def gpus_of(instance: Instance) -> dict[str, Device]:
    """Its gpu devices by name, its profiles' too."""
    return of_type("gpu", devices_of(instance))


def gpu_devices(grants: Iterable[Grant], delivery: Delivery) -> dict[str, dict[str, str]]:
    """The devices that give an instance GRANTS, and nothing else.

    Never LXD's `id` with a number: LXD 5.0.2 passes every GPU then.
    LxdError where CDI must name a GPU whose UUID is not known.
    """
    return {_name(grant): _device(grant, delivery) for grant in grants}


def held_by(instance: Instance, gpus: Sequence[Gpu]) -> tuple[Grant, ...]:
    """What INSTANCE has of GPUS, in their order.

    A GPU that is split stands for itself where its device names none of its parts.
    """
    held = {
        grant
        for device in gpus_of(instance).values()
        for gpu in _passed(device, gpus)
        for grant in _granted(device, gpu)
    }
    return tuple(grant for grant in with_parts(gpus) if grant in held)


def with_parts(gpus: Iterable[Gpu]) -> Iterator[Grant]:
    """Each of GPUS, followed by its parts."""
    for gpu in gpus:
        yield gpu
        yield from gpu.parts


def with_uuid(uuid: str | None, gpus: Iterable[Gpu]) -> Grant | None:
    return next((grant for grant in with_parts(gpus) if uuid and grant.uuid == uuid), None)


def pci_of(device: Device) -> str | None:
    """The PCI address that DEVICE names, as `Gpu.pci` is written."""
    return pci_address(device["pci"]) if device.get("pci") else None


def cdi_name(device: Device) -> str | None:
    """`UUID`, `0`, `0:1` or `all` of a name such as `nvidia.com/gpu=UUID`."""
    kind, equals, name = device.get("id", "").partition("=")
    return name if equals and kind.startswith(_CDI_VENDOR) else None


def _name(grant: Grant) -> str:
    name = "gpu-" + grant.pci.replace(":", "-").replace(".", "-")
    if isinstance(grant, MigPart):
        return f"{name}-{grant.uuid.removeprefix('MIG-')[:8].lower()}"
    return name


def _device(grant: Grant, delivery: Delivery) -> dict[str, str]:
    if isinstance(grant, MigPart):
        # With every delivery: where LXD knows CDI, it makes its name of this by itself.
        return {"type": "gpu", "gputype": "mig", "pci": grant.pci, "mig.uuid": grant.uuid}
    if delivery is not Delivery.CDI:
        return {"type": "gpu", "pci": grant.pci}
    if grant.uuid is None:
        raise LxdError(
            f"The GPU {grant.pci} cannot be given by CDI: its UUID is not known.",
            fix="Set `driver: {delivery: image}` in lab.yaml, or install nvidia-container-cli "
            "where LXD runs.",
        )
    return {"type": "gpu", "gputype": "physical", "id": f"{_CDI}{grant.uuid}"}


def _passed(device: Device, gpus: Sequence[Gpu]) -> Sequence[Gpu]:
    if device.get("vendorid", _NVIDIA).lower() != _NVIDIA:
        return ()
    if pci := pci_of(device):
        return [gpu for gpu in gpus if gpu.pci == pci]
    if name := cdi_name(device):
        return _by_name(name, gpus)
    # By number, by product or not at all: LXD 5.0.2 then passes every GPU's node.
    return gpus


def _by_name(name: str, gpus: Sequence[Gpu]) -> Sequence[Gpu]:
    number = name.partition(":")[0]
    return [
        gpu
        for index, gpu in enumerate(gpus)
        if name == "all" or number == str(index) or with_uuid(name, [gpu])
    ]


def _granted(device: Device, gpu: Gpu) -> Sequence[Grant]:
    """What DEVICE, which passes GPU, gives of it."""
    named = device.get("mig.uuid") or cdi_name(device)
    # LXD takes it without its prefix, too.
    parts = [part for part in gpu.parts if part.uuid in {named, f"MIG-{named}"}]
    return parts or ([gpu] if device.get("gputype") == "mig" else gpu.grants)
