"""An image on its way to LXD: sent piece by piece, counted and hashed, never whole in memory."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LxdError
from lab.lxd.errors import AGAIN
from lab.lxd.model import Progress
from lab.lxd.port import OnProgress
from lab.sizes import format_size

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of the files that an image consists of: SIZE bytes, in PIECES that can be read once."""

    field: str
    name: str
    size: int
    pieces: Iterator[bytes]


def part(field: str, file: Path) -> Part:
    """What LXD takes for FIELD (`metadata`, `rootfs`), from a FILE."""
    return Part(field=field, name=file.name, size=file.stat().st_size, pieces=_read(file))


class Upload:
    """The body of one POST /images, unified when it has one part. Iterating it sends it."""

    def __init__(self, parts: Sequence[Part], on_progress: OnProgress | None = None) -> None:
        self.name = parts[0].name
        self._parts = parts
        self._unified = len(parts) == 1
        self._boundary = secrets.token_hex(16)
        self._on_progress = on_progress
        self._total = sum(part.size for part in parts)
        self._sent = 0
        self._told = -1
        self._digest = hashlib.sha256()

    @property
    def content_type(self) -> str:
        if self._unified:
            return "application/octet-stream"
        return f"multipart/form-data; boundary={self._boundary}"

    @property
    def fingerprint(self) -> str:
        """What LXD calls the image: known when everything is sent."""
        return self._digest.hexdigest()

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            if not self._unified:
                yield self._heading(part)
            yield from self._body(part)
            if not self._unified:
                yield b"\r\n"
        if not self._unified:
            yield f"--{self._boundary}--\r\n".encode()

    def _heading(self, part: Part) -> bytes:
        return (
            f"--{self._boundary}\r\n"
            f'Content-Disposition: form-data; name="{part.field}"; filename="{part.name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()

    def _body(self, part: Part) -> Iterator[bytes]:
        """LxdError unless as much comes as announced: LXD would take half an image for whole."""
        left = part.size
        for piece in part.pieces:
            self._digest.update(piece)
            yield piece
            left -= len(piece)
            self._tell(len(piece))
        if left:
            raise LxdError(f"{part.name} is incomplete, so it is not an image.", fix=AGAIN)

    def _tell(self, count: int) -> None:
        self._sent += count
        percent = 100 * self._sent // max(1, self._total)
        if self._on_progress is not None and percent != self._told:
            self._told = percent
            text = f"Upload: {percent}% of {format_size(self._total)}"
            self._on_progress(Progress(text=text, percent=percent))


def _read(file: Path) -> Iterator[bytes]:
    with file.open("rb") as content:
        while piece := content.read(_PIECE):
            yield piece
