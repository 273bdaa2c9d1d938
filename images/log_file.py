"""Log files: for the owner of their directory alone, since programs print what they are given."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from typing import Final, TextIO

from lab.errors import InputError
from lab.own_files import trusted

_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def make_log(directory: Path, name: str) -> tuple[Path, TextIO]:
    """A new file NAME.log in DIRECTORY, which is made where it is not there.

    What root makes there is given to the owner of what it lies in. Nothing that is there is opened,
    and root takes no directory of a stranger's for one that it made.
    """
    try:
        _have(directory)
        path, descriptor = _made(directory, name)
        _give(descriptor, directory)
    except OSError as error:
        raise InputError(
            f"No log can be written in {directory}.",
            details=str(error),
            fix=f"Run this as the owner of {directory.parent}, or as root.",
        ) from error
    return path, os.fdopen(descriptor, "w", encoding="utf-8")


def _have(directory: Path) -> None:
    if not os.path.lexists(directory):
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=0o700)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            _give(descriptor, directory.parent)
        finally:
            os.close(descriptor)
        return
    if os.geteuid() == 0 and directory.lstat().st_uid not in trusted():
        raise PermissionError(f"{directory} belongs to another account; move it away")
    if os.geteuid() in (0, directory.stat().st_uid):
        directory.chmod(0o700)  # versions before left it open to all


def _made(directory: Path, name: str) -> tuple[Path, int]:
    for number in count(1):
        # Two in one second.
        path = directory / (f"{name}.log" if number == 1 else f"{name}-{number}.log")
        try:
            return path, os.open(path, _FLAGS, 0o600)
        except FileExistsError:
            continue
    raise AssertionError


def _give(descriptor: int, parent: Path) -> None:
    if os.geteuid() == 0:
        owner = parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
