"""The settings and devices that templates may request of LXD: one list for all containers.

A definition is written by the lab, an image may be anybody's: both name keys and devices, and
some of them would make a user root on the server. So what is not listed is refused.
`lab.refused` knows why, for the words that people read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from lab.errors import InputError
from lab.names import quote
from lab.refused import refused_as, why_no_device, why_no_key, why_no_value
from lab.release import Needs, Release


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """What may be given: all of a text matches PATTERN. LIKE goes on after "must be"."""

    pattern: re.Pattern[str]
    like: str
    example: str

    def takes(self, text: str) -> bool:
        return len(text) <= _LONGEST and self.pattern.fullmatch(text) is not None


_LONGEST: Final = 4096


def _value(pattern: str, like: str, example: str) -> Value:
    return Value(pattern=re.compile(pattern, re.ASCII), like=like, example=example)


# LXD takes all of these.
_TRUE: Final = r"(?i:true|1|yes|on)"
_FALSE: Final = r"(?i:false|0|no|off)"
_SIZE: Final = r"[1-9][0-9]{0,14}(?:B|[kMGTP]B|[KMGTP]iB)?"

_SWITCH: Final = _value(f"{_TRUE}|{_FALSE}", "true or false", "true")
_ONLY_ON: Final = _value(_TRUE, "true, since it only removes rights", "true")
_ONLY_OFF: Final = _value(_FALSE, "false", "false")
_ORDER: Final = _value(r"[0-9]{1,4}", "a number of at most four digits", "10")
_RANK: Final = _value(r"[0-9]|10", "a number from 0 to 10", "5")
_AMOUNT: Final = _value(_SIZE, "a size such as 8GiB", "8GiB")
_SIZE_OR_SHARE: Final = _value(
    rf"{_SIZE}|(?:[1-9][0-9]?|100)%", "a size such as 8GiB, or a share such as 50%", "50%"
)
_LIMIT: Final = _value(
    r"(?:unlimited|[0-9]{1,15})(?::(?:unlimited|[0-9]{1,15}))?",
    "a number, unlimited, or SOFT:HARD",
    "unlimited",
)
# The kernel has no unlimited for it.
_FILES: Final = _value(r"[0-9]{1,10}(?::[0-9]{1,10})?", "a number, or SOFT:HARD", "65536")
_PLAIN: Final = _value(r"[ -~]{0,1000}", "a line of ASCII", "C.UTF-8")

KEYS: Final[Mapping[str, Value]] = {
    # When a container starts and stops. The seconds are short: others wait for them.
    "boot.autostart": _SWITCH,
    "boot.autostart.delay": _value(r"[0-9]|[1-5][0-9]", "at most 59 seconds", "5"),
    "boot.autostart.priority": _ORDER,
    "boot.host_shutdown_timeout": _value(
        r"[0-9]{1,2}|[12][0-9]{2}|300", "at most 300 seconds", "60"
    ),
    "boot.stop.priority": _ORDER,
    # The names that `lxc exec` and init are given. No others: hooks of LXD's that run on the
    # server see them, too (NVIDIA_VISIBLE_DEVICES, LD_PRELOAD).
    "environment.LANG": _PLAIN,
    "environment.LC_ALL": _PLAIN,
    "environment.TERM": _PLAIN,
    "environment.TZ": _PLAIN,
    # Less than there is, for the template's own sake; and RLIMITs, which raise no one's share.
    "limits.cpu": _value(
        r"[0-9]{1,4}(?:-[0-9]{1,4})?(?:,[0-9]{1,4}(?:-[0-9]{1,4})?)*",
        "a number of cores, or a set such as 0-3",
        "2",
    ),
    "limits.cpu.allowance": _value(
        r"(?:[1-9][0-9]?|100)%|[1-9][0-9]{0,3}ms/[1-9][0-9]{0,3}ms",
        "a share such as 50%, or a time such as 25ms/100ms",
        "50%",
    ),
    "limits.cpu.priority": _RANK,
    "limits.kernel.as": _LIMIT,
    "limits.kernel.core": _LIMIT,
    "limits.kernel.cpu": _LIMIT,
    "limits.kernel.data": _LIMIT,
    "limits.kernel.fsize": _LIMIT,
    "limits.kernel.locks": _LIMIT,
    # It counts as the container's memory.
    "limits.kernel.memlock": _LIMIT,
    "limits.kernel.msgqueue": _LIMIT,
    "limits.kernel.nofile": _FILES,
    "limits.kernel.nproc": _LIMIT,
    "limits.kernel.sigpending": _LIMIT,
    "limits.kernel.stack": _LIMIT,
    "limits.memory": _SIZE_OR_SHARE,
    "limits.memory.enforce": _value(r"hard", "hard", "hard"),
    "limits.memory.swap": _SWITCH,
    "limits.memory.swap.priority": _RANK,
    "limits.processes": _value(r"[1-9][0-9]{0,6}", "a number of processes", "5000"),
    # Of the container's own network namespace, where its root may write them anyway.
    "linux.sysctl.net.*": _value(r"[0-9]{1,10}(?:[ \t][0-9]{1,10}){0,3}", "numbers", "1"),
    # Docker inside: its runc wants namespaces and mounts of its own, and layers hold device nodes
    # (LXD makes whiteouts, null and the like, no others) and overlay's attributes.
    "security.devlxd": _SWITCH,
    "security.nesting": _SWITCH,
    "security.privileged": _ONLY_OFF,
    "security.syscalls.deny_compat": _ONLY_ON,
    "security.syscalls.deny_default": _ONLY_ON,
    "security.syscalls.intercept.mknod": _SWITCH,
    "security.syscalls.intercept.setxattr": _SWITCH,
    # Notes; LXD does nothing with them. Those that mean something are refused below.
    "user.*": _PLAIN,
}
"""Key → values. `NAME.*` is any name below NAME, but for those that lab.refused knows."""

CHARACTER_DEVICES: Final = {
    # File systems by programs of the container's own: sshfs, AppImages, rootless containers.
    "/dev/fuse": "file systems in user space",
    # Made for each network namespace: VPNs.
    "/dev/net/tun": "VPNs",
}
"""What `unix-char` may bring in. LXD gives both to every container; owner and mode may differ."""

_BELOW: Final = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,100}", re.ASCII)
_DEVICE_NAME: Final = re.compile(r"[a-z][a-z0-9._-]{0,62}", re.ASCII)
_OWN_NAMES: Final = re.compile(r"root|home|eth[0-9]*|gpu-.*", re.ASCII)
"""Of devices that labstamp makes."""
_OPTIONS: Final[Mapping[str, Value]] = {
    "gid": _value(r"[0-9]{1,5}", "a number", "0"),
    "mode": _value(r"0[0-7]{3}", "a mode such as 0660", "0660"),
    "required": _SWITCH,
    "uid": _value(r"[0-9]{1,5}", "a number", "0"),
}

Device = Mapping[str, str]


def objections(needs: Needs) -> tuple[str, ...]:
    """Why no container may be given NEEDS, a line each; none where all is on the list. Pure."""
    return tuple(_objections(needs))


def granted(needs: Needs, whose: str) -> Needs:
    """NEEDS, for who makes an instance of them; InputError where one is not on the list.

    WHOSE asks: `base 20261121.1`.
    """
    if found := objections(needs):
        raise InputError(
            f"{whose} requests settings or devices that containers may not have.",
            details="\n".join(found),
            fix="Remove them from the definition in images/definitions/, then build the image "
            "again.\nDo not use such an image that somebody else built. "
            "What is allowed: docs/templates.md.",
        )
    return needs


def refuse_ungranted(release: Release) -> None:
    """As `granted`, of what RELEASE's image says in its property `lab.needs`."""
    granted(release.needs, f"{release.template} {release.version}, in its property lab.needs,")


def key_objection(key: str, value: str) -> str | None:
    """Why no container may be given KEY with this VALUE."""
    allowed = KEYS.get(key) or _family(key)
    if allowed is None:
        return why_no_key(key)
    if allowed.takes(value):
        return None
    return why_no_value(key) or f"must be {allowed.like}, not {quote(value[:80])}"


def device_objection(name: str, device: Device) -> str | None:
    """Why no container may be given this DEVICE under NAME."""
    if not _DEVICE_NAME.fullmatch(name):
        return "a device is named by small letters, digits, dots and dashes"
    if _OWN_NAMES.fullmatch(name):
        return "this name is reserved for labstamp's own devices"
    kind = device.get("type", "")
    if kind != "unix-char":
        return why_no_device(kind)
    return _character_objection(device)


def _objections(needs: Needs) -> Iterator[str]:
    for key, value in sorted(needs.config.items()):
        if reason := key_objection(key, value):
            yield f"{key}: {reason}"
    for name, device in sorted(needs.devices.items()):
        if reason := device_objection(name, device):
            yield f"device {name}: {reason}"


def _family(key: str) -> Value | None:
    for family in (name for name in KEYS if name.endswith(".*")):
        below = key.removeprefix(family[:-1])
        # What is refused by a longer name is refused.
        if below != key and _BELOW.fullmatch(below) and len(refused_as(key)) < len(family):
            return KEYS[family]
    return None


def _character_objection(device: Device) -> str | None:
    # LXD takes one for the other; with both, they may differ.
    for key in ("source", "path"):
        given = device.get(key)
        if given is not None and given not in CHARACTER_DEVICES:
            return f"{why_no_device('unix-char')}, not {quote(given[:80])}"
    if device.get("source", device.get("path")) is None:
        return "`source` is missing"
    if device.get("path", device.get("source")) != device.get("source", device.get("path")):
        return "`source` and `path` must be the same path"
    for key, value in device.items():
        allowed = _OPTIONS.get(key)
        if key in ("type", "source", "path"):
            continue
        if allowed is None:
            return f"{key}: not allowed; name the device by `source` alone"
        if not allowed.takes(value):
            return f"{key}: must be {allowed.like}, not {quote(value[:80])}"
    return None
