"""Cards as LXD's gpu devices, and back. Pure.

What each key of such a device does: https://documentation.ubuntu.com/lxd/stable-5.0/reference/devices_gpu/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from lab import labels
from lab.driver.delivery import Delivery
from lab.errors import LxdError
from lab.hardware.pci import pci_address
from lab.lxd.model import Card, Instance

_CDI_VENDOR: Final = "nvidia.com/"
_CDI: Final = _CDI_VENDOR + "gpu="
_NVIDIA: Final = "10de"
Device = Mapping[str, str]
Pair = tuple[str, "str | None"]
"""PCI address and UUID."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A card that an instance was given and that is not where it was."""

    pci: str
    uuid: str | None
    now: Card | None
    """Where its UUID is found today; None when it is gone."""


def gpu_devices(cards: Iterable[Card], delivery: Delivery) -> dict[str, dict[str, str]]:
    """The devices that give an instance CARDS, and nothing else.

    Never LXD's `id` with a number: LXD 5.0.2 passes every card then.
    LxdError where CDI is to name a card whose UUID nobody tells.
    """
    return {
        _name(card, part): _device(card, part, delivery)
        for card in cards
        for part in (card.mig or (None,))
    }


def held_by(instance: Instance, cards: Sequence[Card]) -> tuple[Card, ...]:
    """Those of CARDS that INSTANCE has; of a card in parts, with those parts in `mig`."""
    held: dict[str, set[str]] = {}
    for device in _gpus(instance):
        for card in _passed(device, cards):
            held.setdefault(card.pci, set()).update(_parts(device, card))
    return tuple(
        replace(card, mig=tuple(part for part in card.mig if part in held[card.pci]))
        for card in cards
        if card.pci in held
    )


def remembered(cards: Iterable[Card]) -> str:
    """The value of `user.lab.gpus`: `0000:b1:00.0=GPU-…,…`."""
    pairs = ((card.pci, id_) for card in cards for id_ in (card.mig or (card.uuid,)))
    return ",".join(f"{pci}={uuid}" if uuid else pci for pci, uuid in pairs)


def recall(text: str) -> tuple[Pair, ...]:
    """PCI address and UUID (None where it was not known) of what `remembered` wrote."""
    pairs = (pair.partition("=") for pair in text.split(",") if pair)
    return tuple((pci, uuid or None) for pci, _, uuid in pairs)


def missing(instance: Instance, cards: Sequence[Card]) -> tuple[Missing, ...]:
    """The cards of INSTANCE that vanished, or are in another slot than its devices name.

    What CDI names by UUID is followed by LXD itself, wherever it is.
    """
    known = recall(instance.config.get(labels.GPUS, ""))
    found = []
    for device in _gpus(instance):
        given = _given(device, known)
        if given is not None and not _finds(device, given, cards):
            pci, uuid = given
            found.append(Missing(pci=pci, uuid=uuid, now=_where(uuid, cards)))
    return tuple(dict.fromkeys(found))


def _name(card: Card, part: str | None) -> str:
    name = "gpu-" + card.pci.replace(":", "-").replace(".", "-")
    return name if part is None else f"{name}-{part.removeprefix('MIG-')[:8].lower()}"


def _device(card: Card, part: str | None, delivery: Delivery) -> dict[str, str]:
    if part is not None:
        # With every delivery: where LXD knows CDI, it makes its name of this by itself.
        return {"type": "gpu", "gputype": "mig", "pci": card.pci, "mig.uuid": part}
    if delivery is not Delivery.CDI:
        return {"type": "gpu", "pci": card.pci}
    if card.uuid is None:
        raise LxdError(
            f"The card {card.pci} cannot be given by CDI: its UUID is not known.",
            fix="Set `driver: {delivery: image}` in lab.yaml, or install nvidia-container-cli "
            "where LXD runs.",
        )
    return {"type": "gpu", "gputype": "physical", "id": f"{_CDI}{card.uuid}"}


def _gpus(instance: Instance) -> list[Device]:
    devices = instance.expanded_devices or instance.devices
    return [device for device in devices.values() if device.get("type") == "gpu"]


def _pci(device: Device) -> str | None:
    return pci_address(device["pci"]) if device.get("pci") else None


def _passed(device: Device, cards: Sequence[Card]) -> Sequence[Card]:
    if device.get("vendorid", _NVIDIA).lower() != _NVIDIA:
        return ()
    if pci := _pci(device):
        return [card for card in cards if card.pci == pci]
    if name := _cdi_name(device):
        return _by_name(name, cards)
    # By number, by product or not at all: LXD 5.0.2 then passes every card's node.
    return cards


def _cdi_name(device: Device) -> str | None:
    """`UUID`, `0`, `0:1` or `all` of a name such as `nvidia.com/gpu=UUID`."""
    kind, equals, name = device.get("id", "").partition("=")
    return name if equals and kind.startswith(_CDI_VENDOR) else None


def _by_name(name: str, cards: Sequence[Card]) -> Sequence[Card]:
    number = name.partition(":")[0]
    return [
        card
        for index, card in enumerate(cards)
        if name in {"all", card.uuid, *card.mig} or number == str(index)
    ]


def _parts(device: Device, card: Card) -> Sequence[str]:
    named = device.get("mig.uuid") or _cdi_name(device)
    # LXD takes it without its prefix, too.
    found = [part for part in card.mig if part in {named, f"MIG-{named}"}]
    return found or ([] if device.get("gputype") == "mig" else card.mig)


def _given(device: Device, known: Iterable[Pair]) -> Pair | None:
    """Where DEVICE looks for a card, and the UUID that was there when it was given."""
    pci = _pci(device)
    if pci is None:
        name = _cdi_name(device) or ""
        return next((pair for pair in known if pair[1] == name), None)
    part = device.get("mig.uuid")
    if part is not None:
        return pci, f"MIG-{part.removeprefix('MIG-')}"
    return next((pair for pair in known if pair[0] == pci), (pci, None))


def _where(uuid: str | None, cards: Sequence[Card]) -> Card | None:
    return next((card for card in cards if uuid and uuid in {card.uuid, *card.mig}), None)


def _finds(device: Device, given: Pair, cards: Sequence[Card]) -> bool:
    """Whether DEVICE still passes what it was GIVEN."""
    pci, uuid = given
    if _pci(device) is None:
        return _where(uuid, cards) is not None
    card = next((card for card in cards if card.pci == pci), None)
    if card is None:
        return False
    if uuid and uuid.startswith("MIG-"):
        # A reboot takes the parts of a card away, and NVIDIA's tools make new ones.
        return uuid in card.mig
    # Without UUIDs to compare, the slot has to do.
    return None in {uuid, card.uuid} or uuid == card.uuid
