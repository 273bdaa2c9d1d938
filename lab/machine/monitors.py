"""Which processes are the first ones of an LXD's containers, told without asking LXD.

liblxc has a monitor for each container, whose command line names the directory of its LXD and the
container: no other LXD's container of the same name is taken for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from lab.machine.container_processes import is_contained

_PROC: Final = Path("/proc")
_TITLE: Final = "[lxc monitor] "
"""What liblxc calls it (lxc_start.c); where it may not, the command of LXD that began it stays."""
_BEGAN: Final = "forkstart"


def first_processes(directory: Path, *, proc: Path = _PROC) -> Mapping[str, int]:
    """By the names that the LXD in DIRECTORY has for its running containers (`PROJECT_NAME`)."""
    containers = str(directory / "containers")
    found: dict[str, int] = {}
    # A monitor's parent has ended: it is a child of the first process of all.
    for pid in _children(1, proc):
        name = _watched(pid, containers, proc)
        inside = [child for child in _children(pid, proc) if is_contained(child, proc=proc)]
        if name is not None and len(inside) == 1:
            found[name] = inside[0]
    return found


def _watched(pid: int, containers: str, proc: Path) -> str | None:
    """The container that the process PID watches over; None for any other process."""
    with suppress(OSError):
        if not _is_roots(pid, proc):
            return None
        line = (proc / str(pid) / "cmdline").read_bytes().decode(errors="replace")
        title = f"{_TITLE}{containers} "
        argv = line.split("\0")
        if line.startswith(title):
            return line.removeprefix(title).strip("\0")
        if argv[1:2] == [_BEGAN] and argv[3:4] == [containers]:
            return argv[2]
    return None


def _is_roots(pid: int, proc: Path) -> bool:
    """Whether it is root's, and of no container.

    Asked first: any account may give its process such a name, and whoever makes the name's memory
    hang holds up who reads it.
    """
    status = (proc / str(pid) / "status").read_text(encoding="utf-8", errors="replace")
    facts = {line.partition(":")[0]: line.split()[1:] for line in status.splitlines()}
    return facts.get("Uid") == ["0"] * 4 and len(facts.get("NSpid", ())) == 1


def _children(pid: int, proc: Path) -> Iterator[int]:
    for task in (proc / str(pid) / "task").glob("*/children"):
        with suppress(OSError):
            yield from map(int, task.read_text(encoding="ascii").split())
