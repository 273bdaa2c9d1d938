"""The range of ids that the daemon of a machine gives its containers, as that machine's files say.

LXD reads them at its start, and says the result nowhere but in the maps of its containers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lab.lxd.idmap import SIZE, IdRange

_FALLBACK: Final = IdRange(1_000_000, 1_000_000_000)
"""LXD's own where nothing is reserved for root (lxd/idmap, since 2.0)."""
_ALL: Final = 4_294_967_295
_PEOPLE: Final = 100_000
"""Below it are the accounts of a machine itself."""


def reserved_range(root: Path, uid_map: str) -> IdRange | None:
    """What LXD makes of /etc/subuid and /etc/subgid below ROOT; None where it has nothing.

    UID_MAP: the text of the daemon's /proc/PID/uid_map, for where nothing is reserved.
    """
    users, groups = (_reserved(root / "etc" / name) for name in ("subuid", "subgid"))
    if users is None or groups is None:
        return _of_the_kernel(uid_map)
    base, end = max(users.base, groups.base), min(users.end, groups.end)
    return IdRange(base, end - base) if base < end else None


def uid_map_of(pid: int | None, proc: Path = Path("/proc")) -> str:
    """Empty where it cannot be read."""
    try:
        return (proc / str(pid) / "uid_map").read_text(encoding="ascii")
    except OSError:
        return ""


def _reserved(path: Path) -> IdRange | None:
    """Root's first range that is large enough: LXD uses that one only."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    for line in lines:
        user, _, rest = line.strip().partition(":")
        base, _, size = rest.partition(":")
        if user != "root" or not (base.isdecimal() and size.isdecimal()):
            continue
        if int(size) >= SIZE:
            return IdRange(int(base), int(size))
    return None


def _of_the_kernel(uid_map: str) -> IdRange | None:
    """Of a daemon that is itself in a container, the ids that it has."""
    rows = [[int(word) for word in line.split()] for line in uid_map.splitlines()]
    if [row[::2] for row in rows] == [[0, _ALL]] or not rows:
        return _FALLBACK
    for inside, _outside, count in rows:
        base, end = max(inside, _PEOPLE), inside + count
        if end - base >= SIZE:
            return IdRange(base, end - base)
    return None
