"""What of a container is its wish, and what describes the files on its root. Pure.

LXD restores config and devices with the root, as they were: GPUs that somebody else has by now,
ports, limits, marks. The wish of today is put back; what tells which release, which driver and
which owners the files have stays with the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lab import labels
from lab.lxd.model import Instance, Volume
from provision.half_taken import AUTOSTART
from provision.restoring import Wish

_OF_THE_ROOT: Final = frozenset({labels.TEMPLATE, labels.VERSION, labels.DRIVER})
_IMAGES: Final = "image."
_VOLATILE: Final = "volatile."
_MAC: Final = ".hwaddr"
_POWER: Final = "volatile.last_state.power"
_PASSING: Final = frozenset({labels.SNAPSHOT, labels.SYNC, labels.ISOLATE})
"""Notes of runs: of none that is at work, while the lock is held."""
IDENTITY: Final = "volatile.cloud-init.instance-id"
"""cloud-init makes new host keys for ssh where this is not what it noted on the root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Of a container that LXD has restored; None removes."""

    config: Mapping[str, str | None] = field(default_factory=dict)
    devices: Mapping[str, Mapping[str, str] | None] = field(default_factory=dict)


def wish_of(instance: Instance, home: Volume) -> Wish:
    """As they are now."""
    return Wish(
        config={key: value for key, value in instance.config.items() if _is_wish(key)},
        devices=dict(instance.devices),
        profiles=instance.profiles,
        description=instance.description,
        home_size=home.config.get("size"),
    )


def changes_to(wish: Wish, restored: Instance) -> Changes:
    """What makes RESTORED what is wished for, stopped, and started by nobody's boot yet."""
    config: dict[str, str | None] = {
        key: None for key in restored.config if _is_wish(key) or key in _PASSING
    }
    config |= wish.config
    config |= {AUTOSTART: "false", _POWER: "STOPPED"}
    devices: dict[str, Mapping[str, str] | None] = dict.fromkeys(restored.devices)
    devices |= wish.devices
    return Changes(config=config, devices=devices)


def _is_wish(key: str) -> bool:
    if key in _OF_THE_ROOT or key in _PASSING or key.startswith(_IMAGES):
        return False
    return key.endswith(_MAC) if key.startswith(_VOLATILE) else True
