"""The shares of a lab and who has them, in the JSON shape of `invoke shares` (stable)."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from lab.lxd.devices import Device
from lab.lxd.model import Instance
from lab.lxd.port import Lxd
from lab.settings.settings import Settings
from lab.settings.shares import ShareSettings
from lab.shares.devices import shares_of
from lab.shares.ground import Ground, Problem
from lab.shares.sources import look_at
from provision.managed import is_managed

Row: TypeAlias = dict[str, Any]
"""A JSON object."""
_GONE: Final = "lab.yaml has no share of this name."


def list_shares(lxd: Lxd, settings: Settings, ground: Ground | None = None) -> list[Row]:
    """Those of lab.yaml, and those that containers have beside them, by name."""
    has = {one.name: shares_of(one) for one in lxd.instances() if is_managed(one)}
    left = {
        name: {**_of_device(device), "kind": None, "default": False, "problem": _GONE}
        for shares in has.values()
        for name, device in shares.items()
    }
    said = {
        name: _of_settings(share, settings, lxd, ground or Ground())
        for name, share in settings.shares.items()
    }
    return [
        {
            "name": name,
            **row,
            "containers": sorted(each for each, shares in has.items() if name in shares),
        }
        for name, row in sorted({**left, **said}.items())
    ]


def shares_in(instance: Instance, settings: Settings) -> list[Row]:
    """Those of one container, as `show` has them."""
    return [
        {"name": name, **_of_device(device), "kind": _kind(name, settings)}
        for name, device in shares_of(instance).items()
    ]


def _of_device(device: Device) -> Row:
    source, pool = device.get("source"), device.get("pool")
    return {
        "path": None if pool else source,
        "volume": f"{pool}/{source}" if pool else None,
        "at": device.get("path"),
    }


def _of_settings(share: ShareSettings, settings: Settings, lxd: Lxd, ground: Ground) -> Row:
    found = look_at(share, settings, lxd, ground) if settings.is_local else None
    return {
        "path": share.path,
        "volume": "/".join(share.volume) if share.volume else None,
        "at": share.place,
        "kind": share.kind.value,
        "default": share.default if isinstance(share.default, bool) else list(share.default),
        "problem": found.found if isinstance(found, Problem) else None,
    }


def _kind(name: str, settings: Settings) -> str | None:
    """None where lab.yaml has no such share any more."""
    share = settings.shares.get(name)
    return share.kind.value if share else None
