"""What a container's processes do, told by the host's kernel: nothing is run or opened inside.

A user is root in there: every program, path and mount is theirs. /proc of the host is not.
INIT is the first process of the container, by the host's number (`Lxd.init_pid`).
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from lab.errors import TooMuch
from lab.machine.kill import kill_if

_PROC: Final = Path("/proc")
_GET_PARENT: Final = 0xB702
"""NS_GET_PARENT of ioctl_ns(2)."""
_DEEPEST: Final = 32
"""PID_NS_MAX_LEVEL of the kernel's kernel/pid_namespace.c."""
_LISTENS: Final = "0A"
_MOST: Final = 4 << 20
_SECONDS: Final = 10.0


def is_contained(pid: int, *, proc: Path = _PROC) -> bool:
    """Whether PID runs in a PID namespace below ours; anybody may ask."""
    return pid > 0 and len(_numbers(proc / str(pid))) > 1


def device_nodes(init: int, *, proc: Path = _PROC) -> frozenset[str]:
    """The names that LXD has mounted in /dev, however deep: `nvidia0`, `net/tun`."""
    mounts = lines_of(proc / str(init) / "mountinfo")
    points = (fields[4] for line in mounts if len(fields := line.split()) > 4)
    return frozenset(point.removeprefix("/dev/") for point in points if point.startswith("/dev/"))


def sees(init: int, point: str, *, proc: Path = _PROC) -> bool:
    """Whether something is mounted at POINT in it."""
    fields = map(str.split, lines_of(proc / str(init) / "mountinfo"))
    return any(len(each) > 4 and each[4] == point for each in fields)


def listens(init: int, port: int, *, proc: Path = _PROC) -> bool:
    """Whether somebody listens at the TCP PORT."""
    wanted = f":{port:04X}"
    tables = (proc / str(init) / "net" / table for table in ("tcp", "tcp6"))
    return any(
        len(fields) > 3 and fields[1].endswith(wanted) and fields[3] == _LISTENS
        for table in tables
        for fields in map(str.split, lines_of(table))
    )


def users_of(init: int, prefix: str, *, proc: Path = _PROC) -> tuple[str, ...]:
    """Who holds a file open whose name begins with PREFIX, as `python3 (4711)`, for people.

    Numbers are those that `ps` shows inside. Containers in the container count. PermissionError
    where we are not root; TooMuch where that would take more than some seconds.
    """
    depth = len(_numbers(proc / str(init))) - 1
    deadline = time.monotonic() + _SECONDS
    found = {
        _number_at(depth, process): _name(process)
        for process in _within(init, proc)
        if any(link.startswith(prefix) for link in _open_files(process, deadline))
    }
    return tuple(f"{found[number]} ({number})" for number in sorted(found))


def end_writers(init: int | None, recording: str, *, proc: Path = _PROC) -> bool:
    """Kill those in the container that hold an LXD's RECORDING of a command open.

    That is the command with all that it started. False where nobody here may.
    """
    if init is None:
        return False
    deadline = time.monotonic() + _SECONDS

    def writes(process: Path) -> bool:
        part = f"/exec_{recording}."
        return any(part in link for link in _open_files(process, deadline))

    def is_one(process: Path) -> bool:
        return inside in _ancestry(process) and writes(process)

    try:
        inside = _namespace(proc / str(init))
        # Who forks while it is looked for is found by the next look.
        while time.monotonic() < deadline:
            found = [process for process in _within(init, proc) if writes(process)]
            if not found:
                return True
            for process in found:
                kill_if(int(process.name), partial(is_one, process))
            time.sleep(0.05)
    except (OSError, TooMuch):
        pass  # it stopped, we may not, or it has too many files open
    return False


def _within(init: int, proc: Path) -> Iterator[Path]:
    """The processes of its PID namespace and of those below, which no process ever leaves."""
    wanted = _namespace(proc / str(init))
    known: dict[str, bool] = {}
    for process in proc.iterdir():
        if not process.name.isdecimal():
            continue
        # Those of ours that we may not look at are none of the container's, whose first we may.
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            space = _namespace(process)
            if space not in known:
                known[space] = wanted in _ancestry(process)
            if known[space]:
                yield process


def _namespace(process: Path) -> str:
    return str((process / "ns" / "pid").readlink())


def _ancestry(process: Path) -> Iterator[str]:
    """The PID namespace of PROCESS, and those around it, as far as we may see."""
    handle = os.open(process / "ns" / "pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        for _ in range(_DEEPEST):
            yield f"pid:[{os.fstat(handle).st_ino}]"
            try:
                above = fcntl.ioctl(handle, _GET_PARENT)
            except PermissionError:
                return
            os.close(handle)
            handle = above
    finally:
        os.close(handle)


def _open_files(process: Path, deadline: float) -> Iterator[str]:
    """By name. Nothing is opened or asked of the files: theirs may hang, as FUSE does."""
    with suppress(FileNotFoundError, ProcessLookupError), os.scandir(process / "fd") as found:
        for each in found:
            with suppress(FileNotFoundError):
                yield str(Path(each.path).readlink())
            if time.monotonic() > deadline:
                raise TooMuch("Its processes have too many open files to check them all.")


def _numbers(process: Path) -> list[int]:
    """What PROCESS is called in our PID namespace, and in each one below."""
    told = [line for line in lines_of(process / "status") if line.startswith("NSpid:")]
    return [int(number) for number in told[0].split()[1:]] if told else []


def _number_at(depth: int, process: Path) -> int:
    numbers = _numbers(process)
    return numbers[depth] if depth < len(numbers) else 0


def _name(process: Path) -> str:
    return next(iter(lines_of(process / "comm")), "?").strip()


def lines_of(file: Path, *, most: int = _MOST) -> list[str]:
    """Of a file of /proc; none where its process has ended. TooMuch where a user made it so."""
    with suppress(FileNotFoundError, ProcessLookupError), file.open("rb") as opened:
        content = opened.read(most + 1)
        if len(content) > most:
            raise TooMuch(f"{file} is too long to read.")
        return content.decode(errors="replace").splitlines()
    return []
