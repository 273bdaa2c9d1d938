"""How a container was that the end of its person's time removed: kept on the home, and asked again.

Made again is what was asked for, from the release of today, with the limits and devices that it had
since. Its GPUs may be somebody else's by now, so as many are asked for as it had.
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lab import labels
from lab.errors import InputError
from lab.gpu_selection import GpuSelection
from lab.lxd.devices import of_type
from lab.lxd.model import Instance
from lab.shares.devices import shares_among
from provision.create.request import Request
from provision.homes import HOME
from provision.keys.public_key import BadKey, PublicKey, parse_key

_KEPT: Final = ("limits.", "boot.autostart")
_SAID: Final = (labels.TEMPLATE, labels.OWNER, labels.REQUEST, labels.AUTHORIZED, labels.SNAPSHOTS)
_OWN_KINDS: Final = frozenset({"proxy", "disk", "unix-char", "unix-block", "usb"})
"""Devices that somebody gave it by hand; of disks, none that labstamp gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    config: Mapping[str, str] = field(default_factory=dict)
    devices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Those that were given by hand."""
    gpus: int = 0
    backup: str | None = None
    """In which its root is."""

    def request(self, name: str, shares: Container[str]) -> Request:
        """What `provision` is asked for, of SHARES those that it had. The home stays as it is."""
        try:
            asked = dict(json.loads(self.config.get(labels.REQUEST, "")))
            return self._request(name, asked, shares)
        except (ValueError, TypeError, KeyError, BadKey) as error:
            raise _unreadable(str(error)) from error

    def _request(self, name: str, asked: Mapping[str, Any], shares: Container[str]) -> Request:
        had = asked.get("shares")
        return Request(
            name=name,
            account=self.config[labels.OWNER],
            template=self.config[labels.TEMPLATE],
            keys=self._keys(),
            cpus=asked["cpus"],
            memory_bytes=asked["memory"],
            disk_bytes=asked["disk"],
            password=bool(asked["password"]),
            shares=None if had is None else tuple(one for one in had if one in shares),
            gpus=GpuSelection(count=self.gpus),
        )

    def _keys(self) -> tuple[PublicKey, ...]:
        return tuple(map(parse_key, self.config.get(labels.AUTHORIZED, "").splitlines()))

    def rest(self, instance: Instance) -> tuple[dict[str, str], dict[str, Mapping[str, str]]]:
        """Keys and devices that INSTANCE, which was made again, lacks."""
        config = {
            key: value
            for key, value in self.config.items()
            if (_is_kept(key) or key == labels.REQUEST) and instance.config.get(key) != value
        }
        devices = {
            name: device for name, device in self.devices.items() if name not in instance.devices
        }
        return config, devices


def kept_wish(instance: Instance, backup: str | None) -> str:
    """As `user.lab.wish`."""
    told = {
        "config": {
            key: value for key, value in instance.config.items() if _is_kept(key) or key in _SAID
        },
        "devices": {
            name: dict(device)
            for name, device in instance.devices.items()
            if _by_hand(name, device)
        },
        "gpus": len(of_type("gpu", instance.devices)),
        "backup": backup,
    }
    return json.dumps(told, sort_keys=True, separators=(",", ":"))


def read_wish(text: str | None) -> Wish | None:
    """None where there is none."""
    if not text:
        return None
    try:
        told = json.loads(text)
        return Wish(
            config={str(key): str(value) for key, value in told["config"].items()},
            devices={str(name): dict(device) for name, device in told["devices"].items()},
            gpus=int(told["gpus"]),
            backup=None if told["backup"] is None else str(told["backup"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _unreadable(str(error)) from error


def _by_hand(name: str, device: Mapping[str, str]) -> bool:
    own = device.get("path") in {"/", HOME["path"]} or shares_among({name: device})
    return device.get("type") in _OWN_KINDS and not own


def _is_kept(key: str) -> bool:
    return key.startswith(_KEPT) or key == labels.SNAPSHOTS


def _unreadable(why: str) -> InputError:
    return InputError(
        f"The key {labels.WISH} of a home, which says how the container was, cannot be read.",
        details=why,
        fix="Make the container again as it was asked for first; it gets this home: "
        "invoke provision NAME --until DATE …",
    )
