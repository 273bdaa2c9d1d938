"""Changing a container whose user may have filled its root."""

from __future__ import annotations

from collections.abc import Mapping

from lab.errors import LxdError
from lab.lxd.model import Instance
from lab.lxd.port import Lxd


def put(
    lxd: Lxd,
    name: str,
    *,
    config: Mapping[str, str | None] | None = None,
    devices: Mapping[str, Mapping[str, str] | None] | None = None,
) -> None:
    """Change NAME, also where its root is full: LXD makes the change, and then fails to write its
    copy there."""
    try:
        lxd.update(name, config=config, devices=devices)
    except LxdError:
        found = lxd.instance(name)
        if found is None or not _holds(found, config or {}, devices or {}):
            raise


def _holds(
    instance: Instance,
    config: Mapping[str, str | None],
    devices: Mapping[str, Mapping[str, str] | None],
) -> bool:
    kept = all((instance.config.get(key) or None) == (config[key] or None) for key in config)
    return kept and all(instance.devices.get(name) == devices[name] for name in devices)
