"""The journal of a container that is stopped, read by this machine's own journalctl.

The files are their user's: a journal that was made to harm who reads it harms an account without
rights, `nobody`, and its copy of one file.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lab.machine.below import open_below
from lab.tempdir import shared_temp_directory

_NOBODY: Final = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs")
_MACHINE: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)
_FILE: Final = "system.journal"
_MOST_FILE: Final = 128 << 20
_MOST_TEXT: Final = 8 << 20
_SECONDS: Final = 20


def read_journal(place: Path, below: Sequence[str], *, lines: int) -> bytes:
    """The last LINES of the newest journal in the directory BELOW of PLACE, empty without one.

    OSError where it cannot be read.
    """
    found = _newest(place, below)
    if found is None:
        return b""
    with shared_temp_directory() as directory:
        _copy(place, (*below, found, _FILE), directory / _FILE)
        return _told(directory / _FILE, lines)


def _newest(place: Path, below: Sequence[str]) -> str | None:
    """Of the directories that are named after machine-ids: another one is of an earlier root."""
    try:
        handle = open_below(place, below)
    except FileNotFoundError:
        return None
    try:
        with os.scandir(handle) as found:
            times = {one.name: _written(handle, one.name) for one in found}
    finally:
        os.close(handle)
    known = {name: time for name, time in times.items() if time and _MACHINE.fullmatch(name)}
    return max(known, key=lambda name: known[name], default=None)


def _written(directory: int, name: str) -> float:
    try:
        return os.stat(f"{name}/{_FILE}", dir_fd=directory, follow_symlinks=False).st_mtime
    except OSError:
        return 0


def _copy(place: Path, parts: Sequence[str], to: Path) -> None:
    handle = open_below(place, parts)
    with os.fdopen(handle, "rb") as source:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _MOST_FILE:
            raise OSError("the journal is not a file, or too large")
        with to.open("wb") as copy:
            shutil.copyfileobj(source, copy)
    to.chmod(0o644)


def _told(file: Path, lines: int) -> bytes:
    asked = ("journalctl", f"--file={file}", "--no-pager", "--quiet", "-o", "short-iso", "-n")
    as_whom = _NOBODY if os.geteuid() == 0 else ()
    try:
        done = subprocess.run(
            [*as_whom, *asked, str(lines)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired as error:
        raise OSError("journalctl does not end") from error
    if done.returncode != 0:
        raise OSError(done.stderr.decode(errors="replace").strip() or "journalctl failed")
    return done.stdout[-_MOST_TEXT:]
