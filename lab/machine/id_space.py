"""Commands of this machine that see the ids of a container, and may touch nothing else.

Files of an unprivileged container have the ids BASE … on disk. In a user namespace with that range
a program is root over these files and over no others; it sees owners, capabilities and access lists
as the container does. No program of the container runs: the namespace is our own.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

from lab.errors import LxdError

Ids: TypeAlias = "tuple[int, int]"
"""First id on disk, and how many."""
_PROC: Final = Path("/proc")
_SECONDS: Final = 10.0


@contextmanager
def id_space(ids: Ids | None) -> Iterator[tuple[str, ...]]:
    """The words that stand before a command. IDS: None where files have their ids on disk as they
    are; then the command runs as it is."""
    if ids is None:
        yield ()
        return
    # `cat` ends when its input does, so also when this process is killed.
    holder = subprocess.Popen(
        ["unshare", "--user", "--", "cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    try:
        _map(holder, ids)
        space = f"--user=/proc/{holder.pid}/ns/user"
        yield ("nsenter", space, "--setuid", "0", "--setgid", "0", "--")
    finally:
        if holder.stdin is not None:
            holder.stdin.close()
        holder.wait()


def _map(holder: subprocess.Popen[bytes], ids: Ids) -> None:
    process, own = _PROC / str(holder.pid), (_PROC / "self/ns/user").readlink()
    deadline = time.monotonic() + _SECONDS
    while (process / "ns/user").readlink() == own:
        if holder.poll() is not None or time.monotonic() > deadline:
            raise LxdError(
                "No user namespace could be made on this machine.",
                fix="Allow it: sysctl user.max_user_namespaces",
            )
        time.sleep(0.005)
    line = f"0 {ids[0]} {ids[1]}\n"
    for which in ("uid_map", "gid_map"):
        (process / which).write_text(line, encoding="ascii")
