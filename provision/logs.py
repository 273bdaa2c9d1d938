"""What there is to read of a container that does not do what it is to do: running, or stopped."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from lab.errors import LxdError, LxdUnreachable, NotFound
from lab.lxd.devices import root_of
from lab.lxd.model import Instance, State
from lab.lxd.port import Lxd
from lab.machine.below import open_below
from lab.machine.journal import read_journal

CLOUD_INIT: Final = "/var/log/cloud-init-output.log"
JOURNAL: Final = "/var/log/journal"
_SECONDS: Final = 15
_MOST: Final = 256 << 10
"""Bytes of the end of a file."""
# Colours and moves of the cursor, which a console's log is full of.
_DRAWN: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[()][0-9A-Z]|\r")

_NOISE: Final = b"No security context received"


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """LINES of one source; WHY there are none."""

    title: str
    lines: tuple[str, ...] = ()
    why: str | None = None


def logs_of(lxd: Lxd, instance: Instance, *, lines: int) -> tuple[Log, ...]:
    """The last LINES of each source. One that cannot be read says so; the others are shown."""
    name, runs = instance.name, instance.state is State.RUNNING
    inside: Callable[[], bytes] = lambda: _tail_inside(lxd, name, lines)  # noqa: E731
    sources: list[tuple[str, Callable[[], bytes]]] = [
        ("LXD's log of its last start", lambda: without_noise(lxd.start_log(name))),
        ("console", lambda: lxd.console_log(name)),
        (CLOUD_INIT, inside if runs else lambda: _at_rest(lxd, instance)),
        (
            "journal",
            (lambda: _journal_inside(lxd, name, lines))
            if runs
            else (lambda: _journal_at_rest(lxd, instance, lines)),
        ),
    ]
    return tuple(_read(title, read, lines) for title, read in sources)


def _read(title: str, read: Callable[[], bytes], most: int) -> Log:
    try:
        found = last_lines(read(), most)
    except LxdUnreachable:
        raise
    except (LxdError, OSError) as error:
        return Log(title=title, why=f"It cannot be read: {_in_short(error)}")
    return Log(title=title, lines=found, why=None if found else "It is empty.")


def without_noise(content: bytes) -> bytes:
    """Of liblxc's log, without what it writes of each command that is run inside. Pure."""
    lines = content.splitlines(keepends=True)
    return b"".join(line for line in lines if _NOISE not in line)


def last_lines(content: bytes, most: int) -> tuple[str, ...]:
    """Of CONTENT without colours. Pure."""
    text = _DRAWN.sub("", content.decode(errors="replace").replace("\0", ""))
    lines = [line.rstrip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines[-most:])


def _in_short(error: LxdError | OSError) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"{error.brief} {error.details or ''}".strip()


def _tail_inside(lxd: Lxd, name: str, lines: int) -> bytes:
    return _said_by(lxd, name, ("tail", "-n", str(lines), "--", CLOUD_INIT))


def _journal_inside(lxd: Lxd, name: str, lines: int) -> bytes:
    asked = ("journalctl", "--no-pager", "--quiet", "-o", "short-iso", "-n", str(lines))
    return _said_by(lxd, name, asked)


def _said_by(lxd: Lxd, name: str, argv: Sequence[str]) -> bytes:
    done = lxd.run(name, argv, timeout=_SECONDS)
    if done.exit_code != 0:
        raise LxdError(f"{argv[0]} ended with the exit code {done.exit_code}.", details=done.stderr)
    return done.stdout.encode()


def _at_rest(lxd: Lxd, instance: Instance) -> bytes:
    """The end of cloud-init's output in a stopped container."""
    place = _root(lxd, instance)
    if place is not None:
        return _tail_below(place, PurePosixPath(CLOUD_INIT).parts[1:])
    try:
        return lxd.read_file(instance.name, CLOUD_INIT)
    except NotFound:
        return b""


def _root(lxd: Lxd, instance: Instance) -> Path | None:
    """Its files, where they are to be seen from here."""
    root = root_of(instance.expanded_devices)
    return lxd.root_files(root[1].get("pool", ""), instance.name) if root else None


def _tail_below(place: Path, parts: Sequence[str]) -> bytes:
    """Empty where there is no such file. No link is followed, nothing is waited for."""
    try:
        handle = open_below(place, parts)
    except FileNotFoundError:
        return b""
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"{parts[-1]} is not a file")
        start = max(0, found.st_size - _MOST)
        return os.pread(handle, _MOST, start)
    finally:
        os.close(handle)


def _journal_at_rest(lxd: Lxd, instance: Instance, lines: int) -> bytes:
    place = _root(lxd, instance)
    if place is None:
        raise OSError("while it is stopped, only root on the server can read it")
    return read_journal(place, PurePosixPath(JOURNAL).parts[1:], lines=lines)
