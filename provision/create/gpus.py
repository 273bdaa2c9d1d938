"""Which GPUs a container is to have, and what that takes of its devices and keys. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab import labels
from lab.driver.delivery import Delivery, delivery_of_instance, instance_config
from lab.errors import InputError
from lab.gpu_selection import GpuSelection
from lab.gpus.allocation import Users, allocate
from lab.gpus.devices import gpu_devices, held_by
from lab.gpus.missing import missing, remembered
from lab.lxd.devices import NO_DEVICE, Devices, of_type
from lab.lxd.model import Gpu, Grant, Instance, MigPart, Profile, State
from provision.create.actions import ChangeGpus
from provision.create.drift import refuse_drift, refuse_drift_in
from provision.create.facts import Facts
from provision.create.request import Request
from provision.profile import outright
from provision.releases import Offer


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The GPUs of a new container, with what its create call says of them."""

    gpus: tuple[Grant, ...] = ()
    devices: Devices = field(default_factory=dict)
    config: Mapping[str, str] = field(default_factory=dict)


def share(request: Request, offer: Offer, facts: Facts) -> Share:
    """CapacityError, InputError or DriftError where what is asked for cannot be given."""
    known, delivery = facts.gpus, facts.gpus.delivery
    usual = known.usual if facts.source is None else GpuSelection()
    wish = usual if request.gpus is None else request.gpus
    gpus = allocate(wish, known.host.gpus, known.users, known.policy, name=request.name)
    if facts.source is None:
        refuse_drift(offer.release, known, with_gpus=bool(gpus))
    elif gpus:
        refuse_drift_in(facts.source.name, offer.release, known)
    config = gpu_config(gpus, delivery, facts.profile)
    if gpus or offer.release.driver:
        config[labels.DELIVERY] = delivery.value
    if delivery is Delivery.IMAGE:
        config[labels.DRIVER] = offer.release.driver
    return Share(
        gpus=gpus,
        devices={**_hidden(facts.profile.devices), **gpu_devices(gpus, delivery)},
        config={key: value for key, value in config.items() if value},
    )


def change_of_gpus(request: Request, instance: Instance, facts: Facts) -> tuple[ChangeGpus, ...]:
    """() without --gpus, and where INSTANCE has what is asked for."""
    if request.gpus is None:
        return ()
    known, there = facts.gpus, facts.gpus.host.gpus
    users = _with_moved(instance, there, known.users)
    gpus = allocate(request.gpus, there, users, known.policy, name=request.name)
    delivery = delivery_of_instance(instance, known.delivery)
    devices = _device_changes(instance, gpu_devices(gpus, delivery))
    wanted = gpu_config(gpus, delivery, facts.profile)
    if gpus:
        wanted[labels.DELIVERY] = delivery.value
    config = {key: to for key, to in wanted.items() if instance.config.get(key) != to}
    if not devices and not config:
        return ()
    running = instance.state is not State.STOPPED
    if running:
        _refuse_parts(instance, devices)
    before = held_by(instance, there)
    return (
        ChangeGpus(
            name=instance.name,
            devices=devices,
            config=config,
            added=tuple(gpu for gpu in gpus if gpu not in before),
            given=_labels(gpus),
            taken=tuple(label for label in _labels(before) if label not in _labels(gpus)),
            running=running,
            restart=running and not _takes_effect(delivery, facts, devices),
        ),
    )


def gpu_config(
    gpus: Sequence[Grant], delivery: Delivery, profile: Profile
) -> dict[str, str | None]:
    """The keys of a container that has GPUS; None for one that it must not have."""
    # LXD gives parts of GPUs through nvidia.runtime alone, except by CDI.
    parts = any(isinstance(one, MigPart) for one in gpus) and delivery is not Delivery.CDI
    config = instance_config(Delivery.RUNTIME if parts else delivery) if gpus else {}
    none = dict.fromkeys(instance_config(Delivery.RUNTIME))
    return {labels.GPUS: remembered(gpus) or None, **none, **outright(profile), **config}


def _hidden(profile: Devices) -> Devices:
    """Guides put all GPUs into the default profile; labstamp decides for each container."""
    return dict.fromkeys(of_type("gpu", profile), NO_DEVICE)


def _device_changes(instance: Instance, wanted: Devices) -> dict[str, Mapping[str, str] | None]:
    """From INSTANCE's gpu devices to WANTED. One that gives a wanted GPU already stays."""
    own = of_type("gpu", instance.devices)
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


def _with_moved(instance: Instance, gpus: Sequence[Gpu], users: Users) -> Users:
    """A GPU that moved to another slot is INSTANCE's there, too."""
    moved = {one.now.label for one in missing(instance, gpus) if one.now is not None}
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
            f"{name} is running; parts of GPUs (MIG) can be changed only while it is stopped.",
            fix=f"invoke stop {name}, then this command, then: invoke start {name}",
        )


def _takes_effect(
    delivery: Delivery, facts: Facts, devices: Mapping[str, Mapping[str, str] | None]
) -> bool:
    """Whether a running container can use what it is given, without a restart."""
    if delivery is Delivery.RUNTIME:
        # Its hook looks at the GPUs only when the container starts. Taking away works live.
        return not any(device and device.get("type") == "gpu" for device in devices.values())
    return delivery is not Delivery.CDI or facts.server.has("gpu_cdi_hotplug")


def _labels(gpus: Sequence[Grant]) -> tuple[str, ...]:
    return tuple(one.label for one in gpus)
