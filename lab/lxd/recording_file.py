"""The files that the local daemon records a command's output in, as the server has them on disk.

A command may leave processes behind that have its output open: unlinked, such a file goes on
growing, on the server's disk and outside of every quota.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from lab.machine.local_daemon import lxd_directory

_OTHER_LOGS: Final = Path("/var/log/lxd")
"""Of a daemon that was not told of a directory of its own: that of distributions' packages."""


def is_written(instance: str, operation: str, *, logs: Sequence[Path] = ()) -> bool:
    """Whether somebody has the output of a command that ended open for writing.

    INSTANCE as LXD's own files call it. False, too, where nobody here may look: only root may.
    """
    return any(_is_open(file) for file in _files(instance, operation, logs or _places()))


def _places() -> tuple[Path, ...]:
    return lxd_directory() / "logs", _OTHER_LOGS


def _files(instance: str, operation: str, logs: Sequence[Path]) -> Iterator[Path]:
    for place in logs:
        for stream in ("stdout", "stderr"):
            yield place / instance / f"exec_{operation}.{stream}"
            # Newer LXDs, and Incus.
            yield place / instance / "exec-output" / f"exec_{operation}.{stream}"


def _is_open(file: Path) -> bool:
    """The kernel gives a lease on what nobody else may be writing to (fcntl(2), F_SETLEASE)."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False  # a file system without leases
    finally:
        os.close(handle)
    return False
