"""A file of a running container, read so that nothing its user made of it holds us up.

A pipe is never opened, a link never followed, and nobody's own file system (FUSE) never asked: what
is at each step of the path is known before it is touched. By /proc, so for root on the host alone.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Final

from lab.errors import TooMuch

_PROC: Final = Path("/proc")
_FILE_SYSTEMS: Final = frozenset({"bcachefs", "btrfs", "ext4", "f2fs", "tmpfs", "xfs", "zfs"})
"""Those that the kernel itself answers for. An overlay may have FUSE beneath."""


class Odd(Exception):
    """What is there is no plain file, or is where it cannot be read in safety."""


def read_inside(
    init: int,
    path: str,
    *,
    most: int,
    file_systems: frozenset[str] = _FILE_SYSTEMS,
    proc: Path = _PROC,
) -> bytes:
    """The content of PATH, absolute, in the container whose first process is INIT.

    FileNotFoundError where there is none, PermissionError for who is not root, Odd, and TooMuch
    beyond MOST bytes.
    """
    mounts = dict(_mounts(proc / str(init) / "mountinfo"))
    with ExitStack() as opened:

        def handle(name: str, at: int | None) -> int:
            try:
                found = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
            except NotADirectoryError as error:
                raise Odd(f"{path} goes through what is no directory.") from error
            opened.callback(os.close, found)
            _insist(found, path, mounts, file_systems)
            return found

        # A link that the kernel follows to where the container's root is, whatever its text says.
        at = os.open(proc / str(init) / "root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        opened.callback(os.close, at)
        _insist(at, path, mounts, file_systems)
        for part in PurePosixPath(path).parts[1:]:
            at = handle(part, at)
        if not stat.S_ISREG(os.fstat(at).st_mode):
            raise Odd(f"{path} is no plain file.")
        # The very file that was judged, by whatever name.
        with Path(f"/proc/self/fd/{at}").open("rb") as file:
            content = file.read(most + 1)
    if len(content) > most:
        raise TooMuch(f"There are more than {most} bytes in {path}.")
    return content


def _insist(
    handle: int, path: str, mounts: Mapping[int, str], file_systems: frozenset[str]
) -> None:
    """Odd unless HANDLE is on a file system of the kernel's own. Asks that file system nothing."""
    fields = Path(f"/proc/self/fdinfo/{handle}").read_text().split()
    mount = int(fields[fields.index("mnt_id:") + 1])
    if mounts.get(mount) not in file_systems:
        raise Odd(f"{path} is on a file system that may never answer.")


def _mounts(mountinfo: Path) -> Iterator[tuple[int, str]]:
    """Mount id → type of file system (proc_pid_mountinfo(5))."""
    for line in mountinfo.read_text(errors="replace").splitlines():
        own, dash, rest = line.partition(" - ")
        if dash and rest:
            yield int(own.split()[0]), rest.split()[0]
