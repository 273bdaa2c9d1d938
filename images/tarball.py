"""Judging an image's tarball from outside, by its own bytes: an image's programs may say anything.

A container's user is root over the files in it, and what is a device node there is one for him:
LXD puts no devices cgroup around unprivileged containers.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from images.root_file import unpacked
from lab.errors import InputError

_WHITEOUT: Final = "0,0"
"""How overlay says that a file is gone; no device has this number."""
_KINDS: Final = {"b": "block", "c": "character"}
_MOST: Final = 12


def nodes_in(parts: tuple[Path, ...], name: Path) -> tuple[str, ...]:
    """The device nodes in an image's PARTS, as `/dev/sda (block 8,0)`; some of them where many.

    InputError, of the file NAME, where that cannot be told.
    """
    found: list[str] = []
    for part in parts:
        for node in _nodes(part, name):
            if len(found) == _MOST:
                return (*found, "and more")
            found.append(node)
    return tuple(found)


def _nodes(part: Path, name: Path) -> Iterator[str]:
    with part.open("rb") as file:
        head = file.read(8)
    with unpacked(part, head) as stream:
        for line in _listed(stream, name):
            # Kind and mode, owner, numbers, day, time, path (control characters escaped).
            mode, *fields = line.rstrip("\n").split(maxsplit=5)
            if mode[:1] in _KINDS and fields[1] != _WHITEOUT:
                path = fields[-1].removeprefix("./").removeprefix("rootfs/").lstrip("/")
                yield f"/{path[:200]} ({_KINDS[mode[0]]} {fields[1]})"


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
            f"{name} holds an image that cannot be looked into.",
            details="\n".join(said.splitlines()[-3:]),
        )
