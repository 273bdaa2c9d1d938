"""What a container has of the server's profiles, and what it never has. Pure.

Devices of the default profile are kept: an admin put them there for every container, such as the
lab's NAS. Keys that decide what the container may do are said outright in the container, and keys
that go past LXD's own safeguards are refused, even if an admin wrote them into the profile.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from lab.errors import InputError
from lab.lxd.model import Instance, Profile

_RUNTIME: Final = "nvidia.runtime"
_SAID_OF_DEVICES: Final = ("type", "path", "source", "pool")


def refuse_raw(profile: Profile) -> None:
    """InputError, exit code 2, that names what PROFILE may not say."""
    raw = sorted(key for key in profile.config if key.startswith("raw."))
    if raw:
        raise InputError(
            f"The {profile.name} profile sets {', '.join(raw)}, and each container would get it.",
            details="raw keys bypass LXD's checks.\n"
            + "\n".join(f"{key}: {profile.config[key]}" for key in raw),
            fix="Remove it, or move it to a profile of the containers that need it:\n"
            + "\n".join(f"lxc profile unset {profile.name} {key}" for key in raw),
        )


def outright(profile: Profile) -> dict[str, str]:
    """What a container says because PROFILE says otherwise; what it is given goes before."""
    # Only where the profile has the key: daemons from LXD 6.10 on do not know it.
    return {_RUNTIME: "false"} if _is_on(profile.config.get(_RUNTIME)) else {}


def inherited(instance: Instance, profiles: Sequence[Profile]) -> dict[str, Any]:
    """What INSTANCE has of its PROFILES, for `show`: `config` and `devices`."""
    config: dict[str, str] = {}
    for profile in profiles:
        config.update(profile.config)
    return {
        "config": {
            key: value for key, value in sorted(config.items()) if key not in instance.config
        },
        "devices": {
            name: {key: device[key] for key in _SAID_OF_DEVICES if key in device}
            for name, device in sorted(instance.expanded_devices.items())
            if name not in instance.devices
        },
    }


def _is_on(value: str | None) -> bool:
    return (value or "").lower() in ("true", "1", "yes", "on")
