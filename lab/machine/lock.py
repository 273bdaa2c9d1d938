"""One labstamp at a time for each LXD of one host; between hosts, LXD's own keys decide."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.errors import Conflict, InputError
from lab.machine.lock_directory import have_place
from lab.process import in_words, is_alive, me
from lab.report import Report

_FIRST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 0.2
# A link, a directory, a pipe or a device of that name is told, and nothing is waited for.
_FLAGS: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_KINDS: Final = {
    stat.S_IFDIR: "a directory",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_NOTE_BYTES: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """The lock file NAME in the open DIRECTORY, which only we and ours may write."""

    directory: int
    name: str
    path: Path


@contextlib.contextmanager
def hold_lock(
    name: str,
    report: Report,
    what: str,
    *,
    remote: str,
    timeout: float = 900,
    directory: Path | None = None,
) -> Iterator[None]:
    """Hold the lock NAME while WHAT is done ("provision bob"), or wait and say who has it.

    Another LXD on this host has locks of its own: its container bob is another bob. REMOTE: the
    LXD that is meant, as in the settings.
    Conflict after PATIENCE seconds. A process that dies gives its lock back by dying.
    """
    place = directory or have_place(remote)
    opened = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        plain = re.sub(r"[^A-Za-z0-9.-]", "_", name) + ".lock"
        file = _File(directory=opened, name=plain, path=place / plain)
        descriptor = _taken(file, report, timeout)
        try:
            _write(descriptor, what)
            yield
        finally:
            # A process that waits for it sees that it is removed, and makes a new one.
            if _is_there(file, descriptor):
                os.unlink(plain, dir_fd=opened)
            os.close(descriptor)
    finally:
        os.close(opened)


def _taken(file: _File, report: Report, timeout: float) -> int:
    """FILE, open and locked."""
    deadline = time.monotonic() + timeout
    is_told = False
    pause = _FIRST_PAUSE
    while True:
        descriptor = _opened(file)
        if _is_locked(descriptor):
            if _is_there(file, descriptor):
                return descriptor
            os.close(descriptor)  # given back, and gone, between the two steps
            continue
        holder, builder = _holder(descriptor)
        os.close(descriptor)
        # What this very process does side by side is told as that; and who has taken it this moment
        # has not written yet who it is.
        is_known = builder is not None or pause == _LONGEST_PAUSE
        if not is_told and is_known and builder != me():
            report.say(f"Waiting for {holder}.")
            is_told = True
        if time.monotonic() >= deadline:
            raise Conflict(
                f"Timed out after {timeout:.0f} s waiting for {holder}.",
                fix=f"Wait until that process ends, then try again. Show it: fuser -v {file.path}",
            )
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _opened(file: _File) -> int:
    """FILE, made where it is not there. InputError where it is anything but a lock of ours."""
    while True:
        try:
            return _open(file)
        except (FileExistsError, FileNotFoundError):  # noqa: PERF203 - made or given back meanwhile
            continue
        except OSError as error:
            raise _refused(file, error.strerror) from error


def _open(file: _File) -> int:
    try:
        descriptor = os.open(file.name, _FLAGS, dir_fd=file.directory)
    except FileNotFoundError:
        descriptor = os.open(
            file.name, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=file.directory
        )
        os.fchmod(descriptor, 0o660)  # whatever the umask
        return descriptor
    found = os.fstat(descriptor)
    # Given back this moment, it has no name any more.
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        os.close(descriptor)
        raise _refused(file)
    return descriptor


def _is_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_there(file: _File, descriptor: int) -> bool:
    """Whether the file that is open is the one that others would open now."""
    try:
        there = os.stat(file.name, dir_fd=file.directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(there, os.fstat(descriptor))


def _refused(file: _File, why: str | None = None) -> InputError:
    found = os.stat(file.name, dir_fd=file.directory, follow_symlinks=False)
    kind = _KINDS.get(stat.S_IFMT(found.st_mode))
    if kind is None and found.st_nlink > 1:
        kind = "a file with a second name (a hard link)"
    return InputError(
        f"The lock {file.path} is {kind}, which labstamp did not make."
        if kind
        else f"The lock {file.path} cannot be opened: {why}.",
        fix=f"Check what it is, and remove it as root: rm -r {file.path}",
    )


def _write(descriptor: int, what: str) -> None:
    """For the eyes of those who wait; the lock itself holds without it."""
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{me()}\n{what}\n".encode(), 0)


def _holder(descriptor: int) -> tuple[str, str | None]:
    """`"provision bob" (process 4711 on lab1)`, and that process; None where it is not known."""
    said = os.pread(descriptor, _NOTE_BYTES, 0).decode(errors="replace")
    builder, _, what = said.partition("\n")
    # Not yet written, or by a process that was killed.
    if not what.strip() or is_alive(builder) is False:
        return "another labstamp process", None
    return f'"{what.strip()}" ({in_words(builder)})', builder
