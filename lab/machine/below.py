"""Opening what lies below a directory that others fill: no link is followed, no pipe waited for."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_STEP: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def open_below(place: Path, parts: Sequence[str]) -> int:
    """A descriptor of what PARTS, names one below the other, lead to; OSError where they do not.

    What it is (a file, a directory, a pipe) is for the caller to look at.
    """
    if any(part == ".." or "/" in part for part in parts):
        raise OSError(errno.EINVAL, f"{'/'.join(parts)} leads elsewhere")
    handle = os.open(place, _STEP | os.O_DIRECTORY)
    try:
        for part in parts:
            below = os.open(part, _STEP, dir_fd=handle)
            os.close(handle)
            handle = below
    except OSError:
        os.close(handle)
        raise
    return handle
