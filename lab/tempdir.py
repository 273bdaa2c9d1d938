"""Directories for what is made on the way, named after the process that makes it."""

from __future__ import annotations

import os
import re
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.process import here, is_alive, me

# Earlier versions' have no number of the pid namespace.
_NAME = re.compile(r"labstamp-(\d+)-(\d+)-(?:(\d+)-)?\w+", re.ASCII)


@contextmanager
def temp_directory(within: Path | None = None) -> Iterator[Path]:
    """A directory for the length of a step; `remove_dead_directories` removes what a
    kill left of it."""
    _, pid, started, where = me().split(" ")
    namespace = where.rpartition(":")[2]
    prefix = f"labstamp-{pid}-{started}-{namespace}-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=within) as directory:
        yield Path(directory)


@contextmanager
def shared_temp_directory() -> Iterator[Path]:
    """The same for what other accounts are to read: apt fetches as one without rights."""
    with temp_directory() as directory:
        directory.chmod(0o755)
        yield directory


def remove_dead_directories(within: Path | None = None) -> None:
    """Remove the directories of our own account whose makers are dead."""
    for directory in (within or Path(tempfile.gettempdir())).glob("labstamp-*"):
        named = _NAME.fullmatch(directory.name)
        if named is None or not _is_own(directory):
            continue
        if is_alive(_maker(*named.groups())) is False:
            shutil.rmtree(directory, ignore_errors=True)


def _maker(pid: str, started: str, namespace: str | None) -> str:
    """As `me` names it. What a reboot left has a number that nobody has now, or another start."""
    where = "" if namespace is None else f" {here().rpartition(':')[0]}:{namespace}"
    return f"{socket.gethostname()} {pid} {started}{where}"


def _is_own(directory: Path) -> bool:
    try:
        found = directory.lstat()
    except FileNotFoundError:  # its maker has just finished
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
