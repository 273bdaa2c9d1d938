"""The devices by which an instance has shares. Pure.

The device's name tells the share's: a restored or renamed container has them as before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from lab.lxd.devices import Device, Devices, of_type
from lab.lxd.model import Instance
from lab.settings.shares import ShareKind

_PREFIX: Final = "share-"


def device_name(share: str) -> str:
    return f"{_PREFIX}{share}"


def share_device(
    source: str, place: str, kind: ShareKind, volume: tuple[str, str] | None = None
) -> dict[str, str]:
    """SOURCE is a directory; VOLUME is the pool and the name of one in its place.

    Without a shift of ids, in which every container's root would be the share's owner. Not
    `required`: a container starts, without the share, where the directory is missing.
    """
    device = {"type": "disk", "source": source, "path": place, "required": "false"}
    if volume is not None:
        device |= {"pool": volume[0], "source": volume[1]}
    return {**device, "readonly": "true"} if kind is ShareKind.READ_ONLY else device


def shares_of(instance: Instance) -> Mapping[str, Device]:
    """The shares that INSTANCE has, by name."""
    return shares_among(instance.devices)


def shares_among(devices: Devices) -> Mapping[str, Device]:
    return {
        name.removeprefix(_PREFIX): device
        for name, device in sorted(of_type("disk", devices).items())
        if name.startswith(_PREFIX)
    }


def places_of(devices: Devices) -> tuple[tuple[str, str], ...]:
    """Name of each share, and where it is inside."""
    return tuple((name, each.get("path", "")) for name, each in shares_among(devices).items())


def mounts_of(text: str | None) -> dict[str, list[str]]:
    """Kind and point of the mount of each share, as `user.lab.shares` keeps them."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        name: mount
        for name, mount in found.items()
        if isinstance(mount, list) and len(mount) == 2 and all(isinstance(x, str) for x in mount)
    }
