"""Judging an image's tarball from outside, by its own bytes: an image's programs may say anything.

A container's user is root over the files in it, and what is a device node there is one for him:
LXD puts no devices cgroup around unprivileged containers.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from images.releases.root_file import unpacked
from lab.errors import CapacityError, InputError
from lab.sizes import format_size

_WHITEOUT: Final = "0,0"
"""How overlay says that a file is gone; no device has this number."""
_KINDS: Final = {"b": "block", "c": "character"}
_MOST: Final = 12


def nodes_in(parts: tuple[Path, ...], name: Path, *, room: int | None) -> tuple[str, ...]:
    """The device nodes in an image's PARTS, as `/dev/sda (block 8,0)`; some of them where many.

    InputError, of the file NAME, where that cannot be told. CapacityError where it unpacks to more
    than ROOM bytes, before it is read to its end: a small file may be terabytes of zeros.
    """
    found: list[str] = []
    size = 0
    for part in parts:
        for mode, number, path in _entries(part, name):
            kind = mode[:1]
            if kind in _KINDS and number != _WHITEOUT:
                found.append(f"/{path[:200]} ({_KINDS[kind]} {number})")
            elif kind == "-":
                size += int(number)
            if len(found) > _MOST:
                return (*found[:_MOST], "and more")
            if room is not None and size > room:
                raise CapacityError(
                    f"{name} contains an image of more than {format_size(room)}, which is all that "
                    "a storage pool has free.",
                    fix="Remove old releases and containers, or enlarge the pool.",
                )
    return tuple(found)


def _entries(part: Path, name: Path) -> Iterator[tuple[str, str, str]]:
    """Mode, size or device number, and path below the root of each."""
    with part.open("rb") as file:
        head = file.read(8)
    with unpacked(part, head) as stream:
        for line in _listed(stream, name):
            # Mode, owner, size, day, time, path (control characters escaped).
            mode, _, number, _, _, path = [*line.rstrip("\n").split(maxsplit=5), ""][:6]
            yield mode, number, path.removeprefix("./").removeprefix("rootfs/").lstrip("/")


def _listed(stream: IO[bytes], name: Path) -> Iterator[str]:
    """By the tar that unpacks it: another might read another thing in the same bytes."""
    argv = ["tar", "--list", "--verbose", "--numeric-owner", "--quoting-style=escape", "--file=-"]
    with subprocess.Popen(
        argv,
        stdin=stream,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
    ) as process:
        try:
            yield from process.stdout or ()
            said = process.stderr.read() if process.stderr else ""
            process.wait()
        finally:
            # Where no more of it is wanted.
            process.kill()
    if process.returncode > 0:
        raise InputError(
            f"{name} contains an image that cannot be checked.",
            details="\n".join(said.splitlines()[-3:]),
            fix="Export the image again, and copy the file again.",
        )
