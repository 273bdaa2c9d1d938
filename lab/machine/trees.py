"""Directory trees of containers as tar streams, made and unpacked by this machine's own tar.

No link in a tree is followed, no pipe or device in it is opened, holes stay holes. Ids are those
that the container sees, so the stream is the same wherever LXD has mapped the container to.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from lab.errors import CapacityError, LxdError
from lab.machine.id_space import Ids, id_space
from lab.printable import in_line

_KIND: Final = ("--numeric-owner", "--xattrs", "--xattrs-include=*")
_MAKE: Final = (
    "tar",
    "--create",
    "--file=-",
    "--format=pax",
    # No times of reading and no process numbers: the same tree gives the same stream, but for
    # the headers of files with holes.
    "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
    "--sparse",
    "--sort=name",
    "--warning=no-file-ignored",
    *_KIND,
    ".",
)
_UNPACK: Final = (
    "tar",
    "--extract",
    "--file=-",
    "--same-owner",
    "--same-permissions",
    "--delay-directory-restore",
    "--warning=no-timestamp",
    *_KIND,
)
_WITH_US: Final = ("setpriv", "--pdeathsig", "KILL", "--")
"""Were we killed, it would go on writing into what the next run removes."""
_SAID: Final = 4096
_FULL: Final = ("no space left on device", "disk quota exceeded")


@contextmanager
def packing(tree: Path, ids: Ids | None) -> Iterator[IO[bytes]]:
    """The tar stream of what is in TREE. LxdError at the end where something could not be read."""
    with id_space(ids) as within, tempfile.TemporaryFile() as said:
        tar = _started([*within, *_WITH_US, *_MAKE], tree, said, stdout=subprocess.PIPE)
        out = tar.stdout
        assert out is not None  # noqa: S101 - by stdout=PIPE
        try:
            yield out
        except BaseException as error:
            tar.kill()
            _ended(tar, out)
            # What tar says tells more than that its stream is cut off.
            if isinstance(error, Exception) and (text := _text(said)):
                raise _unreadable(text) from error
            raise
        if _ended(tar, out):
            raise _unreadable(_text(said))


def unpack(stream: IO[bytes], tree: Path, ids: Ids | None) -> None:
    """Put what STREAM, with a file number, holds into the empty directory TREE.

    CapacityError where there is no room for it.
    """
    if ids is not None:
        os.chown(tree, ids[0], ids[0])
    with id_space(ids) as within, tempfile.TemporaryFile() as said:
        tar = _started([*within, *_WITH_US, *_UNPACK], tree, said, stdin=stream)
        if tar.wait():
            text = _text(said)
            if any(sign in text.lower() for sign in _FULL):
                raise CapacityError("There is no room for all files.", details=text)
            raise LxdError("Not all files could be written.", details=text)


def _started(
    argv: Sequence[str],
    tree: Path,
    said: IO[bytes],
    *,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    environ = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    try:
        return subprocess.Popen(
            argv, cwd=tree, stdin=stdin, stdout=stdout, stderr=said, env=environ
        )
    except FileNotFoundError as error:
        raise LxdError(f"{error.filename} is not there.", fix=f"Look: ls -ld {tree}") from error


def _ended(tar: subprocess.Popen[bytes], out: IO[bytes]) -> int:
    out.close()
    return tar.wait()


def _text(said: IO[bytes]) -> str:
    """The last lines."""
    size = said.seek(0, os.SEEK_END)
    said.seek(max(0, size - _SAID))
    lines = said.read().decode(errors="replace").strip().splitlines()
    return "\n".join(in_line(line, most=200) for line in lines[-6:])


def _unreadable(text: str) -> LxdError:
    return LxdError(
        "Not all files could be read.", details=text, fix="Correct the cause, then try again."
    )
