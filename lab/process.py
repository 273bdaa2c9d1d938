"""Who is at work: a process named so that it is never taken for a later one with its number."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_PROC = Path("/proc")


def me() -> str:
    """This process as `HOST PID STARTTIME`, the form of `user.lab.builder`."""
    pid = os.getpid()
    return f"{socket.gethostname()} {pid} {_start_time(pid, _PROC) or 0}"


def is_alive(builder: str, *, proc: Path = _PROC) -> bool | None:
    """Whether the process that BUILDER names still runs.

    None when nobody here can tell: it runs on another host, or BUILDER is unreadable.
    """
    host, _, rest = builder.partition(" ")
    pid, _, started = rest.partition(" ")
    if host != socket.gethostname() or not (pid.isdecimal() and started.isdecimal()):
        return None
    return _start_time(int(pid), proc) == int(started)


def in_words(builder: str) -> str:
    """`process 4711 on lab1`, for people."""
    host, _, rest = builder.partition(" ")
    pid = rest.partition(" ")[0]
    return f"process {pid} on {host}" if host and pid.isdecimal() else "an unknown process"


def _start_time(pid: int, proc: Path) -> int | None:
    """Clock ticks from the host's boot to the start of PID; None when it does not run."""
    try:
        stat = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The command's name is in brackets and may itself hold blanks and brackets, so fields are
    # counted from the last one: state is field 3, starttime field 22 (proc(5)).
    fields = stat.rpartition(")")[2].split()
    if len(fields) < 20 or fields[0] in {"Z", "X"}:
        return None
    return int(fields[19])
