"""How large this machine is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PID_MAX: Final = Path("/proc/sys/kernel/pid_max")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSize:
    """None, all three, for a server elsewhere."""

    cpus: int | None = None
    memory_bytes: int | None = None
    pids: int | None = None
    """How many processes its kernel can number."""


def read_host_size() -> HostSize:
    return HostSize(
        cpus=os.cpu_count(),
        memory_bytes=host_memory(),
        pids=_pids(),
    )


def host_memory() -> int:
    """Bytes of memory in all."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _pids() -> int | None:
    try:
        return int(_PID_MAX.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
