"""Why a key or device is not on the list of `lab.allowed`: words for people, no decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_UNLISTED: Final = "is not on the list of what templates may ask for (docs/templates.md)"
_CLOUD_INIT: Final = "write a cloud-init source instead"
_GPUS: Final = "GPUs and their driver are given by --gpus and `driver:`"

_KEYS: Final[Mapping[str, str]] = {
    "cloud-init.": _CLOUD_INIT,
    "cluster.": "the server's admin decides where containers are placed",
    "environment.": "LXD's hooks on the server see it, too; write /etc/environment in the "
    "cloud-init source",
    "image.": "LXD copies it from the image",
    "limits.kernel.nice": "its processes would come before those of others",
    "limits.kernel.rtprio": "its processes would come before those of others",
    "limits.network.priority": "its packets would come before those of others",
    "linux.kernel_modules": "it would load modules into the server's kernel, for all; name them in "
    "/etc/modules-load.d/ of the server",
    "linux.sysctl.": "it changes the whole server, not one container; set it on the server",
    "migration.": "labstamp moves no running containers",
    "nvidia.": _GPUS,
    "raw.": "raw keys bypass LXD's checks",
    "security.devlxd.images": "it would read the server's images",
    "security.idmap.": "labstamp decides which ids a container has",
    "security.privileged": "containers here are unprivileged",
    "security.protection.": "labstamp could not remove the container or change its ids",
    "security.syscalls.allow": "it would replace LXD's list of system calls",
    "security.syscalls.blacklist": "it would replace LXD's list of system calls",
    "security.syscalls.deny": "LXD writes the text unchecked into its filter",
    "security.syscalls.deny_default": "it would replace LXD's list of system calls",
    "security.syscalls.intercept.bpf": "LXD would load programs into the server's kernel for it",
    "security.syscalls.intercept.mount": "the server's kernel would read file systems that users "
    "make; use /dev/fuse instead",
    "security.syscalls.intercept.sched_setscheduler": "its processes would come before those of "
    "others",
    "security.syscalls.whitelist": "it would replace LXD's list of system calls",
    "snapshots.": "snapshots fill the storage pool that all share; its admin decides",
    "user.lab.": "these names are reserved for labstamp",
    "user.meta-data": _CLOUD_INIT,
    "user.network-config": _CLOUD_INIT,
    "user.user-data": _CLOUD_INIT,
    "user.vendor-data": _CLOUD_INIT,
    "volatile.": "LXD writes these keys itself",
}
"""Key, or all that begin so → why. The longest counts."""

_BY_HAND: Final = "give it to one container by hand: lxc config device add"
_DEVICES: Final[Mapping[str, str]] = {
    "": "a device needs a type",
    "disk": "it would show files of the server or another user's volume; put a device for all "
    "containers into the default profile",
    "gpu": f"{_GPUS}; in a builder they would leave empty files",
    "infiniband": _BY_HAND,
    "nic": "labstamp gives each container its NIC",
    "none": "it would remove a device that the profile gives to all containers",
    "pci": _BY_HAND,
    "proxy": "it would reach the server's own sockets and ports",
    "tpm": "LXD would run a program on the server for each device; " + _BY_HAND,
    "unix-block": "containers here are unprivileged, and get no disks of the server",
    "unix-char": "of the server's devices, only /dev/fuse and /dev/net/tun are allowed",
    "unix-hotplug": _BY_HAND,
    "usb": _BY_HAND,
}


def refused_as(key: str) -> str:
    """The name on this list that KEY is refused by; empty where it has none."""
    known = (name for name in _KEYS if key == name or (_opens(name) and key.startswith(name)))
    return max(known, key=len, default="")


def why_no_key(key: str) -> str:
    return _KEYS.get(refused_as(key), _UNLISTED)


def why_no_value(key: str) -> str:
    """Why KEY, which some values are fine for, has no other; empty where the value tells."""
    return _KEYS.get(key, "")


def why_no_device(kind: str) -> str:
    return _DEVICES.get(kind, f"{kind[:40]!r} is not a device type that templates may use")


def _opens(name: str) -> bool:
    """Whether NAME stands for what begins with it."""
    return name.endswith(".") or name.startswith("security.syscalls.intercept.")
