"""GPUs as LXD's gpu devices, and back. Pure.

What each key of such a device does: https://documentation.ubuntu.com/lxd/stable-5.0/reference/devices_gpu/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lab import labels
from lab.driver.delivery import Delivery
from lab.errors import LxdError
from lab.hardware.pci import pci_address
from lab.lxd.model import Gpu, Grant, Instance, MigPart

_CDI_VENDOR: Final = "nvidia.com/"
_CDI: Final = _CDI_VENDOR + "gpu="
_NVIDIA: Final = "10de"
Device = Mapping[str, str]
Pair = tuple[str, "str | None"]
"""PCI address and UUID."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A GPU that an instance was given and that is not where it was."""

    pci: str
    uuid: str | None
    now: Grant | None
    """What has its UUID today; None when it is gone."""


def with_parts(gpus: Iterable[Gpu]) -> Iterator[Grant]:
    """Each of GPUS, followed by its parts."""
    for gpu in gpus:
        yield gpu
        yield from gpu.parts


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
        for device in _gpus(instance)
        for gpu in _passed(device, gpus)
        for grant in _granted(device, gpu)
    }
    return tuple(grant for grant in with_parts(gpus) if grant in held)


def remembered(grants: Iterable[Grant]) -> str:
    """The value of `user.lab.gpus`: `0000:b1:00.0=GPU-…,…`."""
    return ",".join(f"{one.pci}={one.uuid}" if one.uuid else one.pci for one in grants)


def recall(text: str) -> tuple[Pair, ...]:
    """PCI address and UUID (None where it was not known) of what `remembered` wrote."""
    pairs = (pair.partition("=") for pair in text.split(",") if pair)
    return tuple((pci, uuid or None) for pci, _, uuid in pairs)


def missing(instance: Instance, gpus: Sequence[Gpu]) -> tuple[Missing, ...]:
    """The GPUs of INSTANCE that vanished, or are in another slot than its devices name.

    What CDI names by UUID is followed by LXD itself, wherever it is.
    """
    known = recall(instance.config.get(labels.GPUS, ""))
    found = []
    for device in _gpus(instance):
        given = _given(device, known)
        if given is not None and not _finds(device, given, gpus):
            pci, uuid = given
            found.append(Missing(pci=pci, uuid=uuid, now=_where(uuid, gpus)))
    return tuple(dict.fromkeys(found))


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


def _gpus(instance: Instance) -> list[Device]:
    devices = instance.expanded_devices or instance.devices
    return [device for device in devices.values() if device.get("type") == "gpu"]


def _pci(device: Device) -> str | None:
    return pci_address(device["pci"]) if device.get("pci") else None


def _passed(device: Device, gpus: Sequence[Gpu]) -> Sequence[Gpu]:
    if device.get("vendorid", _NVIDIA).lower() != _NVIDIA:
        return ()
    if pci := _pci(device):
        return [gpu for gpu in gpus if gpu.pci == pci]
    if name := _cdi_name(device):
        return _by_name(name, gpus)
    # By number, by product or not at all: LXD 5.0.2 then passes every GPU's node.
    return gpus


def _cdi_name(device: Device) -> str | None:
    """`UUID`, `0`, `0:1` or `all` of a name such as `nvidia.com/gpu=UUID`."""
    kind, equals, name = device.get("id", "").partition("=")
    return name if equals and kind.startswith(_CDI_VENDOR) else None


def _by_name(name: str, gpus: Sequence[Gpu]) -> Sequence[Gpu]:
    number = name.partition(":")[0]
    return [
        gpu
        for index, gpu in enumerate(gpus)
        if name == "all" or number == str(index) or _where(name, [gpu])
    ]


def _granted(device: Device, gpu: Gpu) -> Sequence[Grant]:
    """What DEVICE, which passes GPU, gives of it."""
    named = device.get("mig.uuid") or _cdi_name(device)
    # LXD takes it without its prefix, too.
    parts = [part for part in gpu.parts if part.uuid in {named, f"MIG-{named}"}]
    return parts or ([gpu] if device.get("gputype") == "mig" else gpu.grants)


def _given(device: Device, known: Iterable[Pair]) -> Pair | None:
    """Where DEVICE looks for a GPU, and the UUID that was there when it was given."""
    pci = _pci(device)
    if pci is None:
        name = _cdi_name(device) or ""
        return next((pair for pair in known if pair[1] == name), None)
    part = device.get("mig.uuid")
    if part is not None:
        return pci, f"MIG-{part.removeprefix('MIG-')}"
    return next((pair for pair in known if pair[0] == pci), (pci, None))


def _where(uuid: str | None, gpus: Iterable[Gpu]) -> Grant | None:
    return next((grant for grant in with_parts(gpus) if uuid and grant.uuid == uuid), None)


def _finds(device: Device, given: Pair, gpus: Sequence[Gpu]) -> bool:
    """Whether DEVICE still passes what it was GIVEN."""
    pci, uuid = given
    if _pci(device) is None:
        return _where(uuid, gpus) is not None
    gpu = next((gpu for gpu in gpus if gpu.pci == pci), None)
    if gpu is None:
        return False
    if uuid and uuid.startswith("MIG-"):
        # A reboot takes the parts of a GPU away, and NVIDIA's tools make new ones.
        return _where(uuid, [gpu]) is not None
    # Without UUIDs to compare, the slot has to do.
    return None in {uuid, gpu.uuid} or uuid == gpu.uuid
