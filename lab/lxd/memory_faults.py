"""What LXD adds to a limit of memory with cgroup v2, by version. Pure.

It means to set a soft limit at nine tenths (`SetMemorySoftLimit` in lxd/cgroup/abstraction.go).
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from lab.lxd.model import Server

_LEAVES_IT: Final = "instances_files_modify_permissions"
"""Came with the same versions of the long-term branches: 5.0.4, 5.21.1, 6.1."""
_SLOWS: Final = "storage_pool_loop_resize"
"""5.0.3, 5.13."""


class Extra(Enum):
    PROTECTS = "memory.low"
    """Nine tenths cannot be reclaimed for others, the cache included."""
    SLOWS = "memory.high"
    """From nine tenths on its processes are slowed down, until nothing moves."""


def extra(server: Server) -> Extra | None:
    """None where it sets the limit alone."""
    if server.has(_LEAVES_IT):
        return None
    return Extra.SLOWS if server.has(_SLOWS) else Extra.PROTECTS
