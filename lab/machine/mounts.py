"""What is mounted, and what /etc/fstab says should be. Pure, but for reading the two files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MOUNTED: Final = Path("/proc/self/mountinfo")
FSTAB: Final = Path("/etc/fstab")
AUTOMOUNT: Final = "autofs"
"""What waits at a mount point for somebody to look, and then mounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    point: str
    kind: str
    """`ext4`, `nfs4`, …"""
    source: str = ""


def mounts(file: Path = MOUNTED) -> tuple[Mount, ...]:
    """In the order in which they were made: a later one hides an earlier one of its point."""
    return tuple(_mounted(file.read_text(encoding="utf-8", errors="surrogateescape")))


def _mounted(text: str) -> Iterator[Mount]:
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, named = before.split(), after.split()
        if len(fields) > 4 and len(named) > 1:
            yield Mount(point=_plain(fields[4]), kind=named[0], source=_plain(named[1]))


def listed(file: Path = FSTAB) -> tuple[Mount, ...]:
    """What FSTAB mounts somewhere; nothing where there is no such file."""
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return ()
    rows = (line.split() for line in text.splitlines() if not line.lstrip().startswith("#"))
    return tuple(
        Mount(point=_plain(row[1]).rstrip("/") or "/", kind=row[2], source=_plain(row[0]))
        for row in rows
        if len(row) > 2 and row[1].startswith("/")
    )


def mount_of(path: str, mounted: Sequence[Mount]) -> Mount | None:
    """The one that PATH, without links, is on."""
    found: Mount | None = None
    for one in mounted:
        if _holds(one, path) and (found is None or len(one.point) >= len(found.point)):
            found = one
    return found


def not_mounted(path: str, mounted: Sequence[Mount], expected: Sequence[Mount]) -> Mount | None:
    """The nearest of EXPECTED that PATH is to be on, where it is not mounted."""
    there = mount_of(path, mounted)
    for one in sorted(expected, key=lambda each: len(each.point), reverse=True):
        if one.point != "/" and _holds(one, path):
            is_there = there is not None and len(there.point) >= len(one.point)
            return None if is_there and there and there.kind != AUTOMOUNT else one
    return None


def _holds(mount: Mount, path: str) -> bool:
    return path == mount.point or path.startswith(f"{mount.point.rstrip('/')}/")


def _plain(text: str) -> str:
    """The kernel and fstab write a blank as `\\040`."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)
