"""Findings about limits of memory: what LXD and the kernel make of them beside the limit. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from shlex import quote
from typing import Final

from host.finding import Finding, Status
from host.machine import Machine
from lab.lxd.memory_faults import Extra, extra
from lab.lxd.model import Instance, Server
from lab.lxd.port import Lxd
from lab.lxd.swap import KEY, swaps_freely
from lab.machine.cgroup import Memory
from lab.sizes import format_size

_NAME: Final = "memory-limits"
_LIMIT: Final = "limits.memory"
_WHY: Final = {
    Extra.PROTECTS: "While the host is short of memory, nothing of these nine tenths is taken "
    "back, not even the cache of files: the host and other containers run out of memory first.",
    Extra.SLOWS: "A container whose programs need more seems to hang, instead of ending one.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFacts:
    unified: bool = False
    """Whether the kernel limits memory by cgroup v2."""
    limited: bool = True
    """Whether the kernel limits memory at all; also where that is not to be seen."""
    swap: bool = False
    """Whether the machine has any."""
    held: Mapping[str, Memory] = field(default_factory=dict)
    """By the names of running containers, as far as they are to be seen."""


def read_memory_facts(lxd: Lxd, machine: Machine, containers: Sequence[Instance]) -> MemoryFacts:
    top = "/sys/fs/cgroup"
    # Of v1 each controller has a directory; v2 may be mounted beside them, as systemd does.
    mounted = machine.names(top)
    controllers = machine.text(f"{top}/cgroup.controllers") or ""
    beside = machine.text(f"{top}/unified/cgroup.controllers") or ""
    swaps = (machine.text("/proc/swaps") or "").splitlines()
    states = lxd.local_states(containers)
    return MemoryFacts(
        unified="memory" in controllers.split(),
        limited=not mounted or "memory" in {*mounted, *controllers.split(), *beside.split()},
        swap=len(swaps) > 1,
        held={name: one.memory for name, one in states.items() if one.memory is not None},
    )


def findings(
    facts: MemoryFacts, server: Server, containers: Sequence[Instance], sudo: str
) -> Iterator[Finding]:
    found = [
        *_unlimited(facts),
        *_version(facts, server),
        *_more_than_limit(facts, sudo),
        *_swapping(facts, server, containers),
    ]
    yield from found or [Finding(name=_NAME, found="the kernel holds containers to them alone")]


def _unlimited(facts: MemoryFacts) -> Iterator[Finding]:
    if not facts.limited:
        yield Finding(
            name=_NAME,
            status=Status.WARN,
            found="the kernel does not limit memory: it has no memory controller",
            why="Limits of memory have no effect: each container can take all memory of the host.",
            fix="Remove cgroup_disable=memory from the kernel's command line "
            "(/etc/default/grub, then update-grub), and reboot.",
        )


def _version(facts: MemoryFacts, server: Server) -> Iterator[Finding]:
    added = extra(server) if facts.unified else None
    if added is None:
        return
    does = "protects" if added is Extra.PROTECTS else "slows a container down from"
    yield Finding(
        name=_NAME,
        status=Status.WARN,
        found=f"LXD {server.version} also {does} nine tenths of each limit ({added.value}), and "
        "5.0.4, 5.21.1 and 6.1 do not; labstamp undoes it as root, but not at starts by LXD "
        "itself, such as after a reboot",
        why=_WHY[added],
    )


def _more_than_limit(facts: MemoryFacts, sudo: str) -> Iterator[Finding]:
    for name, memory in sorted(facts.held.items()):
        if not memory.has_more_than_limit:
            continue
        added = Extra.PROTECTS if memory.protected else Extra.SLOWS
        size = format_size(min(memory.protected or memory.slowed or 0, memory.limit or 0))
        plain = "0" if added is Extra.PROTECTS else "max"
        yield Finding(
            name=_NAME,
            subject=name,
            status=Status.WARN,
            found=f"the kernel keeps {size} for it alone"
            if added is Extra.PROTECTS
            else f"the kernel slows it down from {size} on",
            why=_WHY[added],
            fix=f"echo {plain} | {sudo}tee {quote(f'{memory.place}/{added.value}')}",
        )


def _swapping(
    facts: MemoryFacts, server: Server, containers: Sequence[Instance]
) -> Iterator[Finding]:
    for one in containers if facts.swap else ():
        config = one.expanded_config
        if _LIMIT not in config or not swaps_freely(server, config):
            continue
        where = "" if one.project == "default" else f" --project {quote(one.project)}"
        # The daemon's versions mean the opposite by it.
        value = "true" if swaps_freely(server, {KEY: "false"}) else "false"
        yield Finding(
            name=_NAME,
            subject=one.name,
            status=Status.WARN,
            found="what it needs beyond its limit is swapped out",
            why="The disk that all containers share is as slow as its swapping makes it.",
            fix=f"lxc config set{where} {quote(one.name)} {KEY} {value}",
        )
