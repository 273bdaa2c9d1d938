"""The memory of a container as the kernel counts it: cgroup v1 and v2, read on the host.

LXD says what it was told; whether the kernel holds it is in these files.
https://docs.kernel.org/admin-guide/cgroup-v2.html#memory
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_MOUNT: Final = Path("/sys/fs/cgroup")
_PAYLOAD: Final = "lxc.payload."
"""How liblxc's cgroup of a container begins (lxc.cgroup.dir.container)."""
_UNLIMITED: Final = 1 << 60
"""v1 has no word for it, but the largest multiple of a page."""
# What cannot be given back to others while its processes live; the cache can.
_V1: Final = ("total_rss", "total_shmem")
_V2: Final = ("anon", "shmem")


def memory_limit(init: int, *, proc: Path = _PROC, mount: Path = _MOUNT) -> int | None:
    """Bytes that the container of the process INIT may use; None for no limit, or not known."""
    place, is_v2 = _place(init, proc, mount)
    text = _text(place / ("memory.max" if is_v2 else "memory.limit_in_bytes")) if place else ""
    limit = int(text) if text.strip().isdecimal() else None
    return limit if limit is not None and limit < _UNLIMITED else None


def memory_held(init: int, *, proc: Path = _PROC, mount: Path = _MOUNT) -> int | None:
    """Bytes in use that the kernel cannot reclaim; None where that is not known."""
    place, is_v2 = _place(init, proc, mount)
    counts = _counts(_text(place / "memory.stat")) if place else {}
    wanted = _V2 if is_v2 else _V1
    return sum(counts[key] for key in wanted) if set(wanted) <= set(counts) else None


def _place(init: int, proc: Path, mount: Path) -> tuple[Path | None, bool]:
    """Its memory cgroup, and whether that is of v2."""
    for line in _text(proc / str(init) / "cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        is_v2 = number == "0" and not controllers
        if not is_v2 and "memory" not in controllers.split(","):
            continue
        # systemd inside makes groups of its own below the one that LXD limits.
        parts = path.strip("/").split("/")
        named = [index for index, part in enumerate(parts) if part.startswith(_PAYLOAD)]
        if not named:
            continue
        below = Path(*parts[: named[0] + 1])
        for root in (mount, mount / "unified") if is_v2 else (mount / "memory",):
            if (root / below / "memory.stat").exists():
                return root / below, is_v2
    return None, False


def _counts(text: str) -> Mapping[str, int]:
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


def _text(file: Path) -> str:
    with suppress(OSError):
        return file.read_text(encoding="ascii", errors="replace")
    return ""
