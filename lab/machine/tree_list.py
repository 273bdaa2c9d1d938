"""What is in a tar stream, one line for each file: its kind, owner, mode, time and content.

The stream is one of this machine's own tar (`lab.machine.trees`). Names are the user's: they may
hold line ends and be no UTF-8, so each line is JSON in ASCII.
"""

from __future__ import annotations

import hashlib
import json
import stat
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any, Final, Protocol, cast

from lab.machine.content_digest import ContentDigest

PIECE: Final = 1 << 20
_KINDS: Final[Mapping[bytes, str]] = {
    tarfile.LNKTYPE: "same as",
    tarfile.SYMTYPE: "link to",
    tarfile.CHRTYPE: "char",
    tarfile.BLKTYPE: "block",
    tarfile.DIRTYPE: "directory",
    tarfile.FIFOTYPE: "pipe",
}
_MORE: Final = "SCHILY."
"""How tar calls what is beside a file: extended attributes."""


class Source(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    files: int
    """Of all kinds."""
    content_bytes: int
    """In files, without their holes."""


def list_stream(source: Source, tell: Callable[[bytes], object]) -> Totals:
    """Read SOURCE to its end, and TELL a line for each member.

    tarfile.ReadError where it is cut off or no tar.
    """
    files = content = 0
    with tarfile.open(
        fileobj=cast("IO[bytes]", source),
        mode="r|",
        bufsize=PIECE,
        encoding="utf-8",
        errors="surrogateescape",
    ) as tar:
        while (member := tar.next()) is not None:
            digest, stored = _content(tar, member)
            tell(_line(member, digest))
            files += 1
            content += stored
            # It keeps all that it has seen, and there may be millions.
            cast("Any", tar).members.clear()
    while source.read(PIECE):
        pass
    return Totals(files=files, content_bytes=content)


def name_in(line: bytes) -> str:
    """Of the file that LINE tells of."""
    return str(json.loads(line)[0])


def _line(member: tarfile.TarInfo, digest: str) -> bytes:
    kind = _KINDS.get(member.type, "file")
    to = member.linkname
    if kind in {"char", "block"}:
        to = f"{member.devmajor}:{member.devminor}"
    told = [
        member.name,
        kind,
        f"{stat.S_IMODE(member.mode):04o}",
        f"{member.uid}:{member.gid}",
        member.size if kind == "file" else 0,
        str(member.mtime),
        to,
        digest,
        _more(member.pax_headers),
    ]
    return json.dumps(told, separators=(",", ":")).encode() + b"\n"


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[str, int]:
    if member.type in _KINDS or tar.fileobj is None:
        return "", 0
    digest, stored = ContentDigest(), 0
    parts = cast("list[tuple[int, int]] | None", member.sparse) or [(0, member.size)]
    for start, length in parts:
        at, left = start, length
        while left:
            piece = tar.fileobj.read(min(PIECE, left))
            if not piece:
                raise tarfile.ReadError("unexpected end of data")
            digest.feed(at, piece)
            at, left = at + len(piece), left - len(piece)
        stored += length
    return digest.finish(member.size), stored


def _more(headers: Mapping[str, str]) -> str:
    own = {key: value for key, value in headers.items() if key.startswith(_MORE)}
    if not own:
        return ""
    text = json.dumps(own, sort_keys=True).encode()
    return hashlib.sha256(text).hexdigest()
