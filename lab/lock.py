"""One labstamp at a time for each LXD of one host; between hosts, LXD's own keys decide."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from lab.errors import Conflict, LxdError
from lab.localdaemon import lxd_directory
from lab.process import in_words, is_alive, me
from lab.report import Report

_RUN_LOCK = Path("/run/lock")


@contextlib.contextmanager
def held(
    name: str,
    report: Report,
    what: str,
    *,
    patience: float = 900,
    directory: Path | None = None,
) -> Iterator[None]:
    """Hold the lock NAME while WHAT is done ("provision bob"), or wait and say who has it.

    Another LXD on this host has locks of its own: its container bob is another bob.
    Conflict after PATIENCE seconds. A process that dies gives its lock back by dying.
    """
    path = (directory or _directory()) / _file_name(name, lxd_directory())
    lock = FileLock(path, mode=0o666)
    try:
        _take(lock, path, report, patience)
    except PermissionError as error:
        raise LxdError(f"The lock {path} cannot be opened.", details=str(error)) from error
    try:
        _write_holder(path, what)
        yield
    finally:
        with contextlib.suppress(OSError):
            _holder_file(path).unlink()
        lock.release()


def _take(lock: FileLock, path: Path, report: Report, patience: float) -> None:
    try:
        lock.acquire(timeout=0)
    except Timeout:
        report.say(f"Waiting for {_holder(path)}.")
    else:
        return
    try:
        lock.acquire(timeout=patience, poll_interval=0.2)
    except Timeout as error:
        raise Conflict(
            f"Waited {patience:.0f} s for {_holder(path)} in vain.",
            fix="Try again when it has ended.",
        ) from error


def _file_name(name: str, lxd: Path) -> str:
    """LXD: the daemon's directory, however it is spelled."""
    plain = re.sub(r"[^A-Za-z0-9.-]", "_", name)
    return f"labstamp-{plain}@{str(lxd.resolve()).strip('/').replace('/', '-')}.lock"


def _directory() -> Path:
    """Where every account of the host finds the same file."""
    if _RUN_LOCK.is_dir() and os.access(_RUN_LOCK, os.W_OK):
        return _RUN_LOCK
    return Path(tempfile.gettempdir())


def _holder_file(path: Path) -> Path:
    return path.with_suffix(".holder")


def _write_holder(path: Path, what: str) -> None:
    """For the eyes of those who wait; the lock itself holds without it."""
    with contextlib.suppress(OSError):
        _holder_file(path).write_text(f"{me()}\n{what}\n", encoding="utf-8")


def _holder(path: Path) -> str:
    """`provision bob (process 4711 on lab1)`."""
    try:
        builder, _, what = _holder_file(path).read_text(encoding="utf-8").partition("\n")
    except OSError:
        return "another labstamp process"
    if is_alive(builder) is False:  # left by a process that was killed
        return "another labstamp process"
    return f'"{what.strip()}" ({in_words(builder)})'
