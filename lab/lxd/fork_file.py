"""LXD's process that serves an instance's files (`lxd forkfile`), where it got stuck in one.

Opening a pipe without a writer never returns, and LXD 5.0.2 waits for that process before it
starts the instance again: for ever. When it is ended, LXD goes on by itself.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from lab.machine.kill import kill_if

STILL_HELD: Final = (
    "LXD's process `lxd forkfile` may hang on that path. Until the process ends, the "
    "instance does not start.\nRun on that server, as root: pkill -f 'lxd forkfile'"
)
_PROC: Final = Path("/proc")


def end_file_server(daemon: int | None, instance: str, *, proc: Path = _PROC) -> bool:
    """Kill what serves INSTANCE's files for the process DAEMON; False where we may not, or none.

    INSTANCE as LXD's own files call it: `PROJECT_NAME` outside of the default project.
    """
    found = [pid for pid in _children(daemon, proc) if _serves(proc / str(pid), instance)]
    try:
        for pid in found:
            kill_if(pid, partial(_serves, proc / str(pid), instance))
    except PermissionError:
        return False
    return bool(found)


def _children(daemon: int | None, proc: Path) -> list[int]:
    found: list[int] = []
    for task in (proc / str(daemon) / "task").glob("*/children") if daemon else ():
        with suppress(OSError):
            found += map(int, task.read_text(encoding="ascii").split())
    return found


def _serves(process: Path, instance: str) -> bool:
    try:
        argv = (process / "cmdline").read_bytes().split(b"\0")
        # It was handed the root of the instance open.
        held = [link.readlink() for link in (process / "fd").iterdir()]
    except OSError:
        return False
    return argv[1:2] == [b"forkfile"] and any(
        place.parts[-3:] == ("containers", instance, "rootfs") for place in held
    )
