"""An image on its way from LXD: one file, or a form of two, written piece by piece and hashed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from lab.errors import LxdError
from lab.lxd.model import Progress
from lab.lxd.port import OnProgress

_BOUNDARY = re.compile(r'multipart/form-data;.*\bboundary="?([^";]+)"?')
_FIELD = re.compile(rb'\bname="?([a-z]+)')
_FIELDS = ("metadata", "rootfs")
_LONGEST_HEADING = 4096


class Download:
    """The answer to one GET /images/…/export of some SIZE bytes."""

    def __init__(
        self, directory: Path, size: int, *, on_progress: OnProgress | None = None
    ) -> None:
        self._directory = directory
        self._size = size
        self._on_progress = on_progress
        self._written = 0
        self._told = -1
        self._digest = hashlib.sha256()

    @property
    def fingerprint(self) -> str:
        """What LXD would call an image of the bytes that came."""
        return self._digest.hexdigest()

    def save(self, content_type: str, pieces: Iterator[bytes]) -> tuple[Path, Path | None]:
        """Write `metadata`, and `rootfs` beside it where the image is a split one."""
        metadata, rootfs = (self._directory / field for field in _FIELDS)
        form = _BOUNDARY.match(content_type)
        if form is None:
            with metadata.open("wb") as file:
                for piece in pieces:
                    self._write(file, piece)
            return metadata, None
        self._save_form(f"\r\n--{form[1]}".encode(), pieces)
        return metadata, rootfs

    def _save_form(self, mark: bytes, pieces: Iterator[bytes]) -> None:
        # The line break belongs to the mark, and the first mark has none before it.
        buffer, file = b"\r\n", None
        with ExitStack() as files:
            for piece in pieces:
                buffer += piece
                while (end := buffer.find(mark)) >= 0:
                    # Behind the last mark there are two dashes, behind the others a heading.
                    if buffer.startswith(b"--", end + len(mark)):
                        self._write(file, buffer[:end])
                        return
                    heading = buffer.find(b"\r\n\r\n", end)
                    if heading < 0:
                        break
                    self._write(file, buffer[:end])
                    field = self._field(buffer[end:heading])
                    file = files.enter_context((self._directory / field).open("wb"))
                    buffer = buffer[heading + 4 :]
                else:
                    # What may be the first half of a mark stays for the next piece.
                    self._write(file, buffer[: -len(mark)])
                    buffer = buffer[-len(mark) :]

    def _field(self, heading: bytes) -> str:
        named = _FIELD.search(heading[:_LONGEST_HEADING])
        field = named[1].decode() if named else ""
        if field not in _FIELDS:
            raise LxdError("LXD sent an image in a form that labstamp does not know.")
        return field

    def _write(self, file: BinaryIO | None, piece: bytes) -> None:
        if file is None:
            return
        file.write(piece)
        self._digest.update(piece)
        self._written += len(piece)
        percent = min(100, 100 * self._written // max(1, self._size))
        if self._on_progress is not None and percent != self._told:
            self._told = percent
            self._on_progress(Progress(text=f"Download: {percent}%", percent=percent))
