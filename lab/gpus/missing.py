"""GPUs that are not where an instance was given them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lab import labels
from lab.gpus.devices import cdi_name, gpus_of, pci_of, with_uuid
from lab.lxd.devices import Device
from lab.lxd.model import Gpu, Grant, Instance

Pair = tuple[str, "str | None"]
"""PCI address and UUID."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A GPU that an instance was given and that is not where it was."""

    pci: str
    uuid: str | None
    now: Grant | None
    """What has its UUID today; None when it is gone."""


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
    for device in gpus_of(instance).values():
        given = _given(device, known)
        if given is not None and not _finds(device, given, gpus):
            pci, uuid = given
            found.append(Missing(pci=pci, uuid=uuid, now=with_uuid(uuid, gpus)))
    return tuple(dict.fromkeys(found))


def _given(device: Device, known: Iterable[Pair]) -> Pair | None:
    """Where DEVICE looks for a GPU, and the UUID that was there when it was given."""
    pci = pci_of(device)
    if pci is None:
        name = cdi_name(device) or ""
        return next((pair for pair in known if pair[1] == name), None)
    part = device.get("mig.uuid")
    if part is not None:
        return pci, f"MIG-{part.removeprefix('MIG-')}"
    return next((pair for pair in known if pair[0] == pci), (pci, None))


def _finds(device: Device, given: Pair, gpus: Sequence[Gpu]) -> bool:
    """Whether DEVICE still passes what it was GIVEN."""
    pci, uuid = given
    if pci_of(device) is None:
        return with_uuid(uuid, gpus) is not None
    gpu = next((gpu for gpu in gpus if gpu.pci == pci), None)
    if gpu is None:
        return False
    if uuid and uuid.startswith("MIG-"):
        # A reboot takes the parts of a GPU away, and NVIDIA's tools make new ones.
        return with_uuid(uuid, [gpu]) is not None
    # Without UUIDs to compare, the slot has to do.
    return None in {uuid, gpu.uuid} or uuid == gpu.uuid
