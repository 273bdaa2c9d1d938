"""Giving user ids the right to change all that is in a directory, and taking it back.

What is in it may belong to people who are root in their containers, and who may be changing it. So
nothing is reached by a path: each entry is opened from its directory, without following a link, and
what is open is changed.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from lab.machine.acl import (
    ACCESS,
    ALL,
    DEFAULT,
    Acl,
    closed,
    inherited,
    of_mode,
    opened,
    packed,
    read_acl,
)

_LOOK: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_ENTER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_DEEPEST: Final = 200
"""Directories in one another: each one on the way is open meanwhile."""
_SERVERS: Final = 65536
"""Ids below are the server's own accounts. A second name of their file may be a trap."""
_TOLD_EVERY: Final = 1000
_NO_LIST: Final = frozenset({errno.ENODATA, errno.EOPNOTSUPP})


@dataclass(slots=True)
class Count:
    """How far it is, and what was left out."""

    changed: int = 0
    seen: int = 0
    skipped: int = 0
    """Too deep, or a further name of a file of the server's."""


Heard = Callable[[Count], None]
_Change = Callable[[int, int], bool]
"""Of an open file and its mode; whether it changed anything."""


def may_change(top: Path, ids: Collection[int]) -> bool:
    """Whether `allow` was finished for IDS."""
    with _opened(top) as (descriptor, _):
        acl = _list(descriptor, ACCESS)
    return acl is not None and all((acl.users.get(one, 0) & (acl.mask or 0)) == ALL for one in ids)


def named(top: Path) -> frozenset[int]:
    """The ids that have rights in TOP, or that new files in it are for."""
    with _opened(top) as (descriptor, _):
        lists = (_list(descriptor, kind) for kind in (ACCESS, DEFAULT))
        return frozenset(number for acl in lists if acl is not None for number in acl.users)


def allow(top: Path, ids: Collection[int], heard: Heard) -> Count:
    """Let IDS change all that is in TOP, and all that will be.

    TOP's own list of new files is first, so that none is missed, and its access last: it tells that
    all is done.
    """

    def change(descriptor: int, mode: int) -> bool:
        if stat.S_ISDIR(mode):
            _write(descriptor, DEFAULT, inherited(_list(descriptor, DEFAULT), ids, mode))
        acl = _list(descriptor, ACCESS) or of_mode(mode)
        wanted = opened(acl, ids, mode)
        if wanted != acl:
            _write(descriptor, ACCESS, wanted)
        return wanted != acl

    with _opened(top, _LOOK | os.O_DIRECTORY) as (descriptor, mode):
        _write(descriptor, DEFAULT, inherited(_list(descriptor, DEFAULT), ids, mode))
        count = _below(descriptor, change, heard)
        change(descriptor, mode)
        # TOP itself is nobody's private directory, though it may have begun as one of mode 700.
        _write(descriptor, ACCESS, replace(_list(descriptor, ACCESS) or of_mode(mode), mask=ALL))
    return count


def forbid(top: Path, ids: Collection[int], heard: Heard) -> Count:
    """The reverse of `allow`, in the reverse order."""

    def change(descriptor: int, mode: int) -> bool:
        changed = False
        for kind in (DEFAULT, ACCESS) if stat.S_ISDIR(mode) else (ACCESS,):
            changed = _without(descriptor, kind, ids) or changed
        return changed

    with _opened(top, _LOOK | os.O_DIRECTORY) as (descriptor, mode):
        _without(descriptor, ACCESS, ids)
        count = _below(descriptor, change, heard)
        change(descriptor, mode)
    return count


def _without(descriptor: int, kind: str, ids: Collection[int]) -> bool:
    acl = _list(descriptor, kind)
    if acl is None or not set(ids) & acl.users.keys():
        return False
    left = closed(acl, ids)
    if kind == DEFAULT and not left.users and not left.groups:
        os.removexattr(_of(descriptor), DEFAULT)
    else:
        _write(descriptor, kind, left)
    return True


def _below(top: int, change: _Change, heard: Heard) -> Count:
    """CHANGE each file and directory in TOP; a directory before what is in it."""
    count = Count()
    _enter(top, change, heard, count, mount=_mount_id(top), depth=1)
    heard(count)
    return count


def _each(
    directory: int, change: _Change, heard: Heard, count: Count, *, mount: str, depth: int
) -> None:
    with os.scandir(directory) as entries:
        names = [entry.name for entry in entries]
    for name in names:
        # Renamed or removed by its owner meanwhile.
        with suppress(FileNotFoundError), _open(name, directory) as (descriptor, found):
            if _is_skipped(found) or (stat.S_ISDIR(found.st_mode) and depth >= _DEEPEST):
                count.skipped += 1
                continue
            if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
                continue
            if stat.S_ISDIR(found.st_mode) and _mount_id(descriptor) != mount:
                continue  # what is mounted there is not shared
            count.changed += change(descriptor, found.st_mode)
            count.seen += 1
            if count.seen % _TOLD_EVERY == 0:
                heard(count)
            if stat.S_ISDIR(found.st_mode):
                _enter(descriptor, change, heard, count, mount=mount, depth=depth + 1)


def _enter(
    descriptor: int, change: _Change, heard: Heard, count: Count, *, mount: str, depth: int
) -> None:
    # The very directory that was looked at, though it may have another name by now.
    readable = os.open(f"{_of(descriptor)}/.", _ENTER)
    try:
        _each(readable, change, heard, count, mount=mount, depth=depth)
    finally:
        os.close(readable)


def _is_skipped(found: os.stat_result) -> bool:
    return stat.S_ISREG(found.st_mode) and found.st_nlink > 1 and found.st_uid < _SERVERS


@contextmanager
def _open(name: str, directory: int) -> Iterator[tuple[int, os.stat_result]]:
    descriptor = os.open(name, _LOOK, dir_fd=directory)
    try:
        yield descriptor, os.fstat(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _opened(top: Path, flags: int = _LOOK) -> Iterator[tuple[int, int]]:
    descriptor = os.open(top, flags)
    try:
        yield descriptor, os.fstat(descriptor).st_mode
    finally:
        os.close(descriptor)


def _of(descriptor: int) -> str:
    """What is open, by a name that leads to it and nowhere else."""
    return f"/proc/self/fd/{descriptor}"


def _list(descriptor: int, kind: str) -> Acl | None:
    try:
        return read_acl(os.getxattr(_of(descriptor), kind))
    except OSError as error:
        if error.errno in _NO_LIST:
            return None
        raise


def _write(descriptor: int, kind: str, acl: Acl) -> None:
    os.setxattr(_of(descriptor), kind, packed(acl))


def _mount_id(descriptor: int) -> str:
    told = Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="ascii")
    return next((line for line in told.splitlines() if line.startswith("mnt_id")), "")
