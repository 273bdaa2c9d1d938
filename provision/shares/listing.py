"""The shares of a lab and who has them, in the JSON shape of `invoke shares` (stable)."""

from __future__ import annotations

from typing import Any, TypeAlias

from lab.lxd.model import Instance
from lab.lxd.port import Lxd
from lab.settings.settings import Settings
from lab.shares.devices import shares_of
from lab.shares.ground import Ground, Problem, look
from provision.managed import is_managed

Row: TypeAlias = dict[str, Any]
"""A JSON object."""


def list_shares(lxd: Lxd, settings: Settings, ground: Ground | None = None) -> list[Row]:
    """Those of lab.yaml, and those that containers have beside them, by name."""
    has = {one.name: shares_of(one) for one in lxd.instances() if is_managed(one)}
    devices = {name: dict(device) for shares in has.values() for name, device in shares.items()}
    return [
        {
            **_row(name, devices.get(name, {}), settings, ground),
            "name": name,
            "containers": sorted(each for each, shares in has.items() if name in shares),
        }
        for name in sorted({*settings.shares, *devices})
    ]


def shares_in(instance: Instance, settings: Settings) -> list[Row]:
    """Those of one container, as `show` has them."""
    return [
        {
            "name": name,
            "path": device.get("source"),
            "at": device.get("path"),
            "kind": _kind(name, settings),
        }
        for name, device in shares_of(instance).items()
    ]


def _row(name: str, device: dict[str, str], settings: Settings, ground: Ground | None) -> Row:
    share = settings.shares.get(name)
    if share is None:
        return {
            "path": device.get("source"),
            "at": device.get("path"),
            "kind": None,
            "default": False,
            "problem": "lab.yaml has no share of this name.",
        }
    default = share.default if isinstance(share.default, bool) else list(share.default)
    found = (
        look(share.path, settings.share_paths, share.kind, ground or Ground())
        if settings.is_local
        else None
    )
    return {
        "path": share.path,
        "at": share.place,
        "kind": share.kind.value,
        "default": default,
        "problem": found.found if isinstance(found, Problem) else None,
    }


def _kind(name: str, settings: Settings) -> str | None:
    """None where lab.yaml has no such share any more."""
    share = settings.shares.get(name)
    return share.kind.value if share else None
