"""Sizes as LXD's keys hold them, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lab.errors import InputError
from lab.lxd.cpus import KEY as CPUS
from lab.lxd.cpus import was_cut_off
from lab.lxd.model import Instance
from lab.sizes import as_limit, parse_size

__all__ = ["CPUS", "MEMORY", "PROCESSES", "Limits", "as_limit", "bytes_of", "cpus_of", "limits_of"]

MEMORY: Final = "limits.memory"
PROCESSES: Final = "limits.processes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a container is held to, by itself or by a profile. None: by nothing."""

    cpus: int | None = None
    memory: str | None = None
    """As LXD keeps it: a size, or a share of the host's."""
    processes: int | None = None

    @property
    def memory_bytes(self) -> int | None:
        """None also for a share."""
        return bytes_of(self.memory)


def limits_of(instance: Instance) -> Limits:
    config = instance.expanded_config or instance.config
    processes = config.get(PROCESSES, "")
    return Limits(
        cpus=cpus_of(config.get(CPUS)),
        memory=config.get(MEMORY),
        processes=int(processes) if processes.isdecimal() else None,
    )


def bytes_of(limit: str | None) -> int | None:
    """The bytes in an LXD key's value; None where it has none, or holds no plain size (`50%`)."""
    if not limit:
        return None
    if limit.isdecimal():
        return int(limit)
    try:
        return parse_size(limit)
    except InputError:
        return None


def cpus_of(limit: str | None) -> int | None:
    """How many CPUs `limits.cpu` gives: a count (`4`) or a set (`0-3,7`).

    None also where a change was cut off, so that the same command changes it again.
    """
    if not limit or was_cut_off(limit):
        return None
    if limit.isdecimal():
        return int(limit)
    count = 0
    for part in limit.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            return None
        count += int(last) - int(first) + 1 if dash else 1
    return count
