"""Whether the kernel holds a running container to the memory that LXD was told."""

from __future__ import annotations

from typing import Final

from lab.errors import LxdError
from lab.lxd.port import Lxd
from lab.machine.cgroup import Memory
from lab.report import Report
from lab.sizes import format_size
from provision.limits import limits_of

_PAGES: Final = 64 << 10
"""The kernel rounds a limit down to whole pages; the largest page of Debian's kernels."""


def check_memory(lxd: Lxd, name: str, wanted: int | None, report: Report) -> None:
    """LxdError where the kernel holds NAME to another limit than WANTED bytes.

    What else is not as it should be is said. Nothing where it does not run, or is elsewhere.
    """
    found = lxd.memory(name) if wanted is not None else None
    if wanted is None or found is None:
        return
    if found.limit is None or not wanted - _PAGES < found.limit <= wanted:
        limits = (
            "does not limit it"
            if found.limit is None
            else f"still limits it to {format_size(found.limit)}"
        )
        raise LxdError(
            f"LXD has set {format_size(wanted)} of memory for {name}, but the kernel {limits}.",
            fix=f"Restart the container: invoke restart {name}",
        )
    if found.has_more_than_limit:
        report.say(f"{in_words(found, name)} Fix, as root: invoke restart {name}")


def tell_memory(lxd: Lxd, name: str, report: Report) -> None:
    """As `check_memory` of what LXD was told; all of it is said, nothing fails of it."""
    instance = lxd.instance(name)
    wanted = limits_of(instance).memory_bytes if instance else None
    try:
        check_memory(lxd, name, wanted, report)
    except LxdError as error:
        report.say(str(error))


def in_words(memory: Memory, name: str) -> str:
    """What is beside the limit of a MEMORY that has more than one."""
    if memory.protected:
        return (
            f"The kernel also keeps {format_size(min(memory.protected, memory.limit or 0))} for "
            f"{name}, which nobody else can have while the host is short of memory."
        )
    return (
        f"The kernel also slows {name} down from {format_size(memory.slowed or 0)} on, where it "
        "seems to hang."
    )
