"""Which cards a container is to have, and what that takes of its devices and keys. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab import labels
from lab.driver.delivery import Delivery, delivery_of_instance, instance_config
from lab.errors import InputError
from lab.gpus.allocation import Users, allocate
from lab.gpus.devices import gpu_devices, held_by, missing, remembered
from lab.lxd.model import Card, Instance, Profile, State
from provision.create.actions import ChangeCards
from provision.create.drift import refuse_drift
from provision.create.facts import Facts
from provision.create.request import Request
from provision.profile import outright
from provision.releases import Offer

_NOT_HERE = {"type": "none"}
"""What hides a profile's device of the same name."""
Devices = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The cards of a new container, with what its create call says of them."""

    cards: tuple[Card, ...] = ()
    devices: Devices = field(default_factory=dict)
    config: Mapping[str, str] = field(default_factory=dict)


def share(request: Request, offer: Offer, facts: Facts) -> Share:
    """CapacityError, InputError or DriftError where what is asked for cannot be given."""
    gpus = facts.gpus
    wish = gpus.usual if request.gpus is None else request.gpus
    cards = allocate(wish, gpus.cards, gpus.users, gpus.policy, name=request.name)
    refuse_drift(offer.release, gpus, with_cards=bool(cards))
    config = _config(cards, gpus.delivery, facts.profile)
    if cards or offer.release.driver:
        config[labels.DELIVERY] = gpus.delivery.value
    if gpus.delivery is Delivery.IMAGE:
        config[labels.DRIVER] = offer.release.driver
    return Share(
        cards=cards,
        devices={**_hidden(facts.profile.devices), **gpu_devices(cards, gpus.delivery)},
        config={key: value for key, value in config.items() if value},
    )


def change_of_cards(request: Request, instance: Instance, facts: Facts) -> tuple[ChangeCards, ...]:
    """() without --gpus, and where INSTANCE has what is asked for."""
    if request.gpus is None:
        return ()
    gpus = facts.gpus
    users = _with_moved(instance, gpus.cards, gpus.users)
    cards = allocate(request.gpus, gpus.cards, users, gpus.policy, name=request.name)
    delivery = delivery_of_instance(instance, gpus.delivery)
    devices = _device_changes(instance, gpu_devices(cards, delivery))
    wanted = _config(cards, delivery, facts.profile)
    if cards:
        wanted[labels.DELIVERY] = delivery.value
    config = {key: to for key, to in wanted.items() if instance.config.get(key) != to}
    if not devices and not config:
        return ()
    running = instance.state is not State.STOPPED
    if running:
        _refuse_parts(instance, devices)
    before = held_by(instance, gpus.cards)
    return (
        ChangeCards(
            name=instance.name,
            devices=devices,
            config=config,
            added=tuple(card for card in cards if card not in before),
            given=_labels(cards),
            taken=tuple(label for label in _labels(before) if label not in _labels(cards)),
            running=running,
            restart=running and not _takes_effect(delivery, facts, devices),
        ),
    )


def _config(cards: Sequence[Card], delivery: Delivery, profile: Profile) -> dict[str, str | None]:
    # LXD gives parts of cards through nvidia.runtime alone, except by CDI.
    parts = any(card.mig for card in cards) and delivery is not Delivery.CDI
    config = instance_config(Delivery.RUNTIME if parts else delivery) if cards else {}
    none = dict.fromkeys(instance_config(Delivery.RUNTIME))
    return {labels.GPUS: remembered(cards) or None, **none, **outright(profile), **config}


def _hidden(profile: Devices) -> dict[str, dict[str, str]]:
    """Guides put all cards into the default profile; labstamp decides for each container."""
    return {name: _NOT_HERE for name, device in profile.items() if device.get("type") == "gpu"}


def _device_changes(instance: Instance, wanted: Devices) -> dict[str, Mapping[str, str] | None]:
    """From INSTANCE's gpu devices to WANTED. One that gives a wanted card already stays."""
    own = {name: device for name, device in instance.devices.items() if device.get("type") == "gpu"}
    kept = {name for name, device in own.items() if device in wanted.values()}
    there = [own[name] for name in kept]
    inherited = {
        name: device
        for name, device in instance.expanded_devices.items()
        if name not in instance.devices
    }
    changes: dict[str, Mapping[str, str] | None] = {name: None for name in own if name not in kept}
    changes |= _hidden(inherited)
    changes |= {name: device for name, device in wanted.items() if device not in there}
    return changes


def _with_moved(instance: Instance, cards: Sequence[Card], users: Users) -> Users:
    """A card that moved to another slot is INSTANCE's there, too."""
    moved = {one.now.pci for one in missing(instance, cards) if one.now is not None}
    return {
        key: (*names, instance.name) if key in moved and instance.name not in names else names
        for key, names in users.items()
    }


def _refuse_parts(instance: Instance, devices: Mapping[str, Mapping[str, str] | None]) -> None:
    """LXD's devices_gpu reference: a MIG device cannot be plugged into what runs."""
    touched = [instance.devices.get(name, {}) for name in devices]
    touched += [device for device in devices.values() if device is not None]
    if any(device.get("gputype") == "mig" for device in touched):
        name = instance.name
        raise InputError(
            f"{name} runs, and parts of cards (MIG) are not changed while it does.",
            fix=f"invoke stop {name}, then this command, then: invoke start {name}",
        )


def _takes_effect(
    delivery: Delivery, facts: Facts, devices: Mapping[str, Mapping[str, str] | None]
) -> bool:
    """Whether a running container can use what it is given, without a restart."""
    if delivery is Delivery.RUNTIME:
        # Its hook looks at the cards only when the container starts. Taking away works live.
        return not any(device and device.get("type") == "gpu" for device in devices.values())
    return delivery is not Delivery.CDI or facts.server.has("gpu_cdi_hotplug")


def _labels(cards: Sequence[Card]) -> tuple[str, ...]:
    return tuple(part for card in cards for part in (card.mig or (card.pci,)))
