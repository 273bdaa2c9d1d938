"""The container that is copied: what is known of it before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lab import labels
from lab.errors import InputError
from lab.lxd.devices import NO_DEVICE, Devices, devices_of, root_of
from lab.lxd.model import Image, Instance, Volume
from lab.lxd.port import Lxd
from lab.release import Release
from provision.homes import home_place
from provision.releases import Offer
from provision.whole import whole_container

_VOLATILE = "volatile."
_IMAGE = "image."


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    instance: Instance
    offer: Offer
    """The release that it was made from, as it is now: with its own quota and driver."""
    root_used: int | None = None
    home: Volume | None = None
    """To be copied, too; None: the copy gets an empty home."""
    home_used: int | None = None

    @property
    def name(self) -> str:
        return self.instance.name

    @property
    def account(self) -> str:
        return self.instance.config[labels.OWNER]

    @property
    def pool(self) -> str | None:
        root = root_of(devices_of(self.instance))
        return root[1].get("pool") if root else None

    @property
    def not_copied(self) -> tuple[Mapping[str, str], Devices]:
        """What LXD copies unless another value is given: keys, and devices, of which none are."""
        keys = {key: "" for key in self.instance.config if not key.startswith((_VOLATILE, _IMAGE))}
        return keys, dict.fromkeys(self.instance.devices, NO_DEVICE)


def read_source(lxd: Lxd, name: str, *, with_home: bool) -> Source:
    """The container NAME, running or not; InputError where it cannot be copied now."""
    instance = whole_container(lxd, name)
    if instance.config.get(labels.SYNC):
        raise InputError(
            f"The driver of {name} is being changed.",
            fix="Wait until it ends. If that run was interrupted, continue it: "
            f"invoke sync-drivers {name}",
        )
    root = root_of(devices_of(instance))
    home = _home(lxd, instance) if with_home else None
    return Source(
        instance=instance,
        offer=_offer(instance),
        root_used=lxd.state(name).disk_bytes.get(root[0]) if root else None,
        home=home,
        home_used=lxd.volume_used(home.pool, home.name) if home else None,
    )


def _offer(instance: Instance) -> Offer:
    properties = {
        key.removeprefix(_IMAGE): value
        for key, value in instance.config.items()
        if key.startswith(_IMAGE)
    }
    release = Release.of(
        Image(fingerprint="", properties=properties, created_at=instance.created_at)
    )
    if release is None:
        raise InputError(
            f"It is not known from which template {instance.name} was made.",
            details="Its keys image.lab.… are missing.",
            fix="Choose another container, or make one from a template: invoke provision NAME",
        )
    root = root_of(devices_of(instance))
    size = root[1].get("size") if root else None
    return Offer(
        release=replace(
            release,
            driver=instance.config.get(labels.DRIVER, release.driver),
            needs=replace(release.needs, disk=size),
        ),
        fingerprint=instance.image or "",
    )


def _home(lxd: Lxd, instance: Instance) -> Volume:
    place = home_place(instance)
    found = next(
        (one for one in lxd.volumes(place[0]) if one.name == place[1]) if place else iter(()), None
    )
    if found is None:
        raise InputError(
            f"{instance.name} has no home volume to copy.", fix="Leave --with-home out."
        )
    return found
