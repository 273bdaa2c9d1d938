"""Who is at work: a process named so that it is never taken for a later one with its number."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_UNKNOWN: Final = "-"
_OVER: Final = ("Z", "X")
_HIGHEST: Final = 1 << 22
"""No kernel numbers more processes."""


def me() -> str:
    """This process as `HOST PID STARTTIME WHERE`, the form of `user.lab.builder`."""
    fields = _stat("self", _PROC)
    return f"{socket.gethostname()} {os.getpid()} {fields[19] if fields else 0} {here()}"


def is_alive(
    builder: str, *, proc: Path = _PROC, exists: Callable[[int], bool] | None = None
) -> bool | None:
    """Whether the process that BUILDER names still runs.

    None when nobody here can tell: it runs on another host or in another pid namespace, is hidden
    from this account (`hidepid`), or BUILDER is unreadable. "Cannot tell" is never "dead".
    """
    named = _read(builder)
    if named is None or named.host != socket.gethostname():
        return None
    nearby = _is_nearby(named.where, proc)
    if not nearby:
        return nearby
    exists = exists or _exists
    if not exists(named.pid):
        return False
    fields = _stat(str(named.pid), proc)
    if fields is None:
        # Hidden from us, or it ended at this moment.
        return None if exists(named.pid) else False
    if fields[0] in _OVER:
        return False
    # 0 was written where /proc told nothing.
    return None if named.started == 0 else int(fields[19]) == named.started


def in_words(builder: str) -> str:
    """`process 4711 on lab1`, for people."""
    host, _, rest = builder.partition(" ")
    pid = rest.partition(" ")[0]
    return f"process {pid} on {host}" if host and pid.isdecimal() else "an unknown process"


def here(proc: Path = _PROC) -> str:
    """`MACHINE:BOOT:NAMESPACE`: where a number means this process and no other."""
    return ":".join((_machine(), _boot(proc), _namespace(proc)))


@dataclass(frozen=True, slots=True)
class _Named:
    host: str
    pid: int
    started: int
    where: str
    """Empty in marks of earlier versions."""


def _read(builder: str) -> _Named | None:
    host, pid, started, where, *more = [*builder.split(" "), "", "", ""]
    numbers = all(text.isascii() and text.isdecimal() for text in (pid, started))
    if not (host and numbers) or any(more) or not 0 < int(pid) < _HIGHEST:
        return None
    return _Named(host, int(pid), int(started), where)


def _is_nearby(where: str, proc: Path) -> bool | None:
    """Whether a process of WHERE can be looked at from here. False: it ended with its boot."""
    if not where:
        # An earlier version's; it had no other than the host's own namespace in mind.
        return True
    machine, boot, namespace = [*where.split(":"), "", ""][:3]
    if machine != _machine():
        return None
    if boot != _boot(proc):
        return None if _UNKNOWN in (machine, boot, _boot(proc)) else False
    return True if namespace == _namespace(proc) != _UNKNOWN else None


def _machine() -> str:
    """Two hosts may have one name. Hashed, as machine-id(5) wants it."""
    return _digest(Path("/etc/machine-id"))


def _boot(proc: Path) -> str:
    return _digest(proc / "sys/kernel/random/boot_id")


def _namespace(proc: Path) -> str:
    """The inode of the pid namespace that /proc shows and this process is in."""
    try:
        own = (proc / "self").readlink().name == str(os.getpid())
        inode = (proc / "self/ns/pid").stat().st_ino
    except OSError:
        return _UNKNOWN
    return str(inode) if own else _UNKNOWN


def _digest(path: Path) -> str:
    try:
        text = path.read_bytes().strip()
    except OSError:
        return _UNKNOWN
    return hashlib.sha256(b"labstamp" + text).hexdigest()[:12] if text else _UNKNOWN


def _exists(pid: int) -> bool:
    """Asked of the kernel, from which `hidepid` hides nothing."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _stat(pid: str, proc: Path) -> list[str] | None:
    """State, … , and as the 20th the clock ticks from the host's boot to the start of PID.

    None where it does not run or is hidden.
    """
    try:
        stat = (proc / pid / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The command's name is in brackets and may itself hold blanks and brackets, so fields are
    # counted from the last one: state is field 3, starttime field 22 (proc(5)).
    fields = stat.rpartition(")")[2].split()
    return fields if len(fields) >= 20 else None
