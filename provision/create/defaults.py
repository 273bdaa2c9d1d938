"""Limits that nobody asked for: the lab's own, so that one container leaves room for the others."""

from __future__ import annotations

from collections.abc import Mapping

from lab.settings.limits import NONE, share_of
from lab.sizes import parse_size
from provision.create.capacity import MIN_MEMORY
from provision.create.facts import Facts
from provision.limits import MEMORY, PROCESSES, as_limit

_PARTS = 4
"""One container gets a quarter of the kernel's process ids: without systemd these are 32768."""


def default_limits(template: str, facts: Facts) -> dict[str, str]:
    """For a new container of TEMPLATE. What the default profile limits stays unless lab.yaml says
    otherwise."""
    said: Mapping[str, str | None] = {
        MEMORY: _memory(facts.limits.memory_of(template), facts.host.memory_bytes),
        PROCESSES: _processes(facts.limits.processes_of(template), facts.host.pids),
    }
    return {
        key: value
        for key, value in said.items()
        if value is not None
        and (key not in facts.profile.config or facts.limits.says(template, key.split(".")[1]))
    }


def _memory(memory: str, total: int | None) -> str | None:
    if memory == NONE:
        return None
    if total is None:
        # LXD counts a share itself, by the host that the container is on.
        return memory if memory.endswith("%") else as_limit(parse_size(memory))
    share = share_of(memory, total)
    wanted = parse_size(memory) if share is None else max(share, MIN_MEMORY)
    return as_limit(min(wanted, total >> 20 << 20))


def _processes(processes: str, pids: int | None) -> str | None:
    if processes == NONE:
        return None
    return processes if pids is None else str(min(int(processes), pids // _PARTS))
