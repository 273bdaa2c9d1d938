"""Files of /etc that somebody changed since a container was made.

Read from the root's own directory, on this machine: there is no mount of the container's in it, no
link is followed, and only regular files are opened.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.lxd.devices import root_of
from lab.lxd.model import Instance
from lab.machine.local_daemon import lxd_directory
from provision.lab_info import LINE

_STEP: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_DEEP: Final = 16
_MOST_FILES: Final = 20_000
_MOST_BYTES: Final = 4 << 20

# What the first boot writes, LXD, labstamp and programs by themselves; accounts are told apart.
_BY_ITSELF: Final = re.compile(
    r"""
    (passwd|group|shadow|gshadow|subuid|subgid)-?
    | machine-id | hostname | hosts | mtab | adjtime | resolv\.conf | localtime | timezone
    | \.(pwd\.lock|updated|resolv\.conf\..*) | ld\.so\.cache | mailname | fstab
    | ssh/(ssh_host_.* | labstamp/.* | sshd_config\.d/[0-9]+-labstamp\.conf | moduli)
    | sudoers\.d/90-cloud-init-users | cloud/.* | netplan/50-cloud-init\.yaml
    | systemd/network/10-cloud-init.* | network/interfaces\.d/50-cloud-init.*
    | apt/preferences\.d/labstamp.* | apt/sources\.list\.d/labstamp.*
    | xrdp/(cert\.pem|key\.pem|rsakeys\.ini) | ssl/(certs|private)/ssl-cert-snakeoil\..*
    | ssl/certs/ca-certificates\.crt | ca-certificates\.conf.* | docker/(key\.json|daemon\.json)
    | alternatives/.* | rc[0-6S]\.d/.* | .*\.dpkg-(old|dist|new) | cups/.* | dconf/db/[a-z]+
    | nvidia/.* | vulkan/.* | OpenCL/.* | glvnd/.*
    """,
    re.VERBOSE | re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A regular file below /etc, by its path there."""

    path: str
    md5: str
    """As dpkg keeps it of its own files."""


def changed_files(place: Path, since: float, own: Mapping[str, str]) -> tuple[str, ...]:
    """Paths of what was written below PLACE/etc after SINCE, by name. OWN: as packages came with.

    OSError where PLACE cannot be read: not root, or a pool that is not mounted.
    """
    handle = os.open(place / "etc", _STEP | os.O_DIRECTORY)
    try:
        return tuple(
            sorted(
                f"/etc/{seen.path}"
                for seen in _newer(handle, since)
                if own.get(f"/etc/{seen.path}") != seen.md5
            )
        )
    finally:
        os.close(handle)


def root_directory(instance: Instance) -> Path:
    """Where LXD has the files of INSTANCE; another project's are named after it, too."""
    root = root_of(instance.expanded_devices)
    pool = root[1].get("pool", "") if root else ""
    prefix = "" if instance.project == "default" else f"{instance.project}_"
    storage = lxd_directory() / "storage-pools" / pool / "containers"
    return storage / f"{prefix}{instance.name}" / "rootfs"


def _newer(top: int, since: float) -> Iterator[Seen]:
    for number, (path, directory, name, found) in enumerate(_files(top, "", _DEEP)):
        if number >= _MOST_FILES:
            return
        is_ours = f"/etc/{path}" == LINE or _BY_ITSELF.fullmatch(path)
        if found.st_mtime > since and not is_ours:
            yield Seen(path=path, md5=_md5(directory, name))


def _files(
    directory: int, prefix: str, deep: int
) -> Iterator[tuple[str, int, str, os.stat_result]]:
    """Path, directory, name and state of each regular file."""
    with os.scandir(directory) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        try:
            found = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if stat.S_ISREG(found.st_mode):
                yield f"{prefix}{name}", directory, name, found
            if not stat.S_ISDIR(found.st_mode) or not deep:
                continue
            below = os.open(name, _STEP | os.O_DIRECTORY, dir_fd=directory)
        except OSError:
            continue  # it vanished meanwhile, or became something else
        try:
            yield from _files(below, f"{prefix}{name}/", deep - 1)
        finally:
            os.close(below)


def _md5(directory: int, name: str) -> str:
    """Empty of what is too large to be compared, or is not a file any more."""
    try:
        handle = os.open(name, _STEP, dir_fd=directory)
    except OSError:
        return ""
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST_BYTES:
            return ""
        return hashlib.md5(os.read(handle, _MOST_BYTES), usedforsecurity=False).hexdigest()
    finally:
        os.close(handle)
