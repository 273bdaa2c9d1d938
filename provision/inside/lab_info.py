#!/usr/bin/env python3
"""What this container has and uses. Made by labstamp.

    lab-info            memory, root and home, a line each
    lab-info --line     the same in one line, as at each login

It asks the kernel, as any account. `df` cannot tell: on btrfs it shows the whole pool, though each
disk has a quota of its own. Root, as at each login, is also told until when the container is given:
by the socket that LXD has in it, which answers nothing else and changes nothing.
Runs by the container's own Python (3.9 or later).
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import sys
import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

FS_INFO = 0x8400941F
INO_LOOKUP = 0xD0009412
"""BTRFS_IOC_FS_INFO and BTRFS_IOC_INO_LOOKUP of linux/btrfs.h."""
FIRST = 256
"""BTRFS_FIRST_FREE_OBJECTID: of this inode it tells only which subvolume a directory is in."""
LIMITS_REFERENCED = 1
"""BTRFS_QGROUP_LIMIT_MAX_RFER."""
UNLIMITED = 1 << 60
NEARLY = 0.9
LARGEST = 1 << 16
"""Bytes of an answer."""
UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


class Share(NamedTuple):
    """Bytes."""

    name: str
    used: int
    size: int
    shared: bool = False
    """Whether others use the same, so that less may be left than it seems."""

    @property
    def is_nearly_full(self) -> bool:
        return self.used >= NEARLY * self.size


class End(NamedTuple):
    """Of the time for which the container is given."""

    day: date
    """The last one."""
    is_near: bool
    """Whether the admin's server has warned of it."""


def main(arguments: list[str], root: Path = Path("/")) -> int:
    if arguments not in ([], ["--line"]):
        sys.stderr.write(f"{__doc__}")
        return 2
    found, end = list(shares(root)), end_of_time(root)
    lines = [in_a_line(found) if arguments else in_full(found)]
    if end is not None and (end.is_near or not arguments):
        lines.append(in_words(end, date.today()))  # noqa: DTZ011 - of whoever looks at it
    print("\n".join(lines))  # noqa: T201 - it is the output
    return 0


def shares(root: Path) -> Iterator[Share]:
    memory = limited_memory(root) or whole_memory(root)
    if memory is not None:
        yield memory
    yield disk("root", root)
    if os.path.ismount(root / "home"):
        yield disk("home", root / "home")


def in_a_line(found: list[Share]) -> str:
    told = ", ".join(f"{one.name} {share_of(one)}" for one in found)
    full = [one.name for one in found if one.is_nearly_full]
    return f"{told}{f'; nearly full: {chr(44).join(full)}' if full else ''}  (lab-info)"


def in_full(found: list[Share]) -> str:
    lines = []
    for one in found:
        full = "  nearly full" if one.is_nearly_full else ""
        others = "  shared with other containers" if one.shared else ""
        lines.append(f"{one.name:<7} {share_of(one)} used{full}{others}")
    return "\n".join(lines)


def share_of(one: Share) -> str:
    """`1.2/20 GiB`: both in the unit of the size."""
    power = next((n for n in range(len(UNITS) - 1, 0, -1) if one.size >= 1024**n), 0)
    unit = 1024**power
    used = "<0.1" if 0 < one.used < 0.05 * unit else plain(one.used / unit)
    return f"{used}/{plain(one.size / unit)} {UNITS[power]}"


def plain(number: float) -> str:
    text = f"{number:.1f}"
    return text.removesuffix(".0")


def limited_memory(root: Path) -> Share | None:
    """By the container's own cgroup; None where it has no limit. The cache does not count."""
    unified, legacy = root / "sys/fs/cgroup", root / "sys/fs/cgroup/memory"
    for place, limit, held in (
        (unified, "memory.max", ("anon", "shmem")),
        (legacy, "memory.limit_in_bytes", ("total_rss", "total_shmem")),
    ):
        size, counts = number(place / limit), pairs(place / "memory.stat", 1)
        if size is not None and size < UNLIMITED and set(held) <= set(counts):
            return Share("memory", sum(counts[key] for key in held), size)
    return None


def whole_memory(root: Path) -> Share | None:
    """All of the machine's."""
    counts = pairs(root / "proc/meminfo", 1024)
    total, free = counts.get("MemTotal:"), counts.get("MemAvailable:")
    if total is None or free is None:
        return None
    return Share("memory", total - free, total, shared=True)


def disk(name: str, place: Path) -> Share:
    """By its quota; else as `df` sees the file system, which others may use, too."""
    found = by_quota(name, place)
    if found is not None:
        return found
    told = os.statvfs(place)
    size = told.f_blocks * told.f_frsize
    return Share(name, size - told.f_bfree * told.f_frsize, size, shared=is_btrfs(place))


def by_quota(name: str, place: Path, sysfs: Path = Path("/sys/fs/btrfs")) -> Share | None:
    group = quota_group(place, sysfs)
    if group is None or not (number(group / "limit_flags") or 0) & LIMITS_REFERENCED:
        return None
    used, size = number(group / "referenced"), number(group / "max_referenced")
    return Share(name, used, size) if used is not None and size else None


def is_btrfs(place: Path) -> bool:
    return quota_group(place, Path("/")) is not None


def quota_group(place: Path, sysfs: Path) -> Path | None:
    """Where the kernel shows the quota of the subvolume that PLACE is in; None without btrfs."""
    try:
        handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        found, info = bytearray(4096), bytearray(1024)
        struct.pack_into("QQ", found, 0, 0, FIRST)
        fcntl.ioctl(handle, INO_LOOKUP, found)
        fcntl.ioctl(handle, FS_INFO, info)
    except OSError:
        return None
    finally:
        os.close(handle)
    subvolume = struct.unpack_from("Q", found)[0]
    return sysfs / str(uuid.UUID(bytes=bytes(info[16:32]))) / "qgroups" / f"0_{subvolume}"


def end_of_time(root: Path) -> End | None:
    """None where there is no end, and for an account that LXD does not answer."""
    try:
        day = date.fromisoformat(told_by_lxd(root, "user.lab.until") or "")
    except ValueError:
        return None
    return End(day, told_by_lxd(root, "user.lab.expiry") is not None)


def in_words(end: End, today: date) -> str:
    days = (end.day - today).days
    left = "today" if days == 0 else f"in {days} day{'' if days == 1 else 's'}"
    when = f"until {end.day} ({left})" if days >= 0 else f"until {end.day}, which has passed"
    asked = "; ask the server's admin for more time" if end.is_near else ""
    return f"This container is yours {when}{asked}"


def told_by_lxd(root: Path, key: str) -> str | None:
    """The value of a key that LXD shows to its container; None where there is none."""
    for place in ("dev/lxd/sock", "dev/incus/sock"):
        try:
            answer = asked(root / place, f"/1.0/config/{key}")
        except OSError:
            continue
        head, _, body = answer.partition(b"\r\n\r\n")
        if head.split(b" ")[1:2] == [b"200"]:
            return body.decode("utf-8", "replace").strip()
    return None


def asked(place: Path, path: str) -> bytes:
    """HTTP/1.0: the answer ends with the connection, and is in one piece."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(1)
        line.connect(str(place))
        line.sendall(f"GET {path} HTTP/1.0\r\nHost: lxd\r\n\r\n".encode())
        answer = b""
        while len(answer) < LARGEST and (piece := line.recv(4096)):
            answer += piece
    return answer


def number(file: Path) -> int | None:
    try:
        # limit_flags may be written as 0x1.
        return int(file.read_text(encoding="ascii").strip(), 0)
    except (OSError, ValueError):
        return None


def pairs(file: Path, unit: int) -> dict[str, int]:
    try:
        lines = file.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return {}
    fields = (line.split() for line in lines)
    return {each[0]: int(each[1]) * unit for each in fields if len(each) > 1 and each[1].isdigit()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
