"""The memory of a container as the kernel counts and limits it: cgroup v1 and v2, on the host.

LXD says what it was told; whether the kernel holds it is in these files.
https://docs.kernel.org/admin-guide/cgroup-v2.html#memory
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
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
_LOW, _HIGH, _MAX = "memory.low", "memory.high", "memory.max"


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes. Of v1 all but the first four are as if nothing was set: it has nothing like them."""

    used: int | None = None
    """With the cache of files, as LXD counts; None where it is not known."""
    held: int | None = None
    """What the kernel cannot reclaim; None where it is not known."""
    limit: int | None = None
    """None: there is none."""
    swap: int | None = None
    """How much more may be swapped out; None: there is no limit, or the kernel does not count."""
    protected: int = 0
    """What the kernel takes from others first (`memory.low`), the cache included."""
    slowed: int | None = None
    """From where on its processes are slowed down (`memory.high`); None: never."""
    place: Path | None = None
    """Where v2 lets it be changed."""

    @property
    def has_more_than_limit(self) -> bool:
        """Whether beside a limit something protects or slows it, which nobody asked for."""
        return self.limit is not None and (self.protected > 0 or self.slowed is not None)


def read_memory(init: int, *, proc: Path = _PROC, mount: Path = _MOUNT) -> Memory | None:
    """Of the container of the process INIT; None where it is not to be seen from here."""
    place, is_v2 = _place(init, proc, mount)
    if place is None:
        return None
    return _of_v2(place) if is_v2 else _of_v1(place)


def leave_only_limit(memory: Memory) -> None:
    """Take away what protects or slows it, where we may."""
    if memory.place is not None:
        with suppress(OSError):
            (memory.place / _HIGH).write_text("max", encoding="ascii")
            (memory.place / _LOW).write_text("0", encoding="ascii")


def _of_v1(place: Path) -> Memory | None:
    limit = _number(place / "memory.limit_in_bytes")
    if limit is None:
        return None
    both = _number(place / "memory.memsw.limit_in_bytes")
    return Memory(
        used=_number(place / "memory.usage_in_bytes"),
        held=_held(place, _V1),
        limit=limit if limit < _UNLIMITED else None,
        swap=both - limit if both is not None and both < _UNLIMITED else None,
    )


def _of_v2(place: Path) -> Memory | None:
    limit = _text(place / _MAX).strip()
    if not limit:
        return None
    return Memory(
        used=_number(place / "memory.current"),
        held=_held(place, _V2),
        limit=_number(place / _MAX),
        swap=_number(place / "memory.swap.max"),
        # `max` protects all that there is.
        protected=_UNLIMITED
        if _text(place / _LOW).strip() == "max"
        else _number(place / _LOW) or 0,
        slowed=_number(place / _HIGH),
        place=place,
    )


def _held(place: Path, wanted: tuple[str, ...]) -> int | None:
    counts = _counts(_text(place / "memory.stat"))
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


def _number(file: Path) -> int | None:
    text = _text(file).strip()
    return int(text) if text.isdecimal() else None


def _text(file: Path) -> str:
    with suppress(OSError):
        return file.read_text(encoding="ascii", errors="replace")
    return ""
