"""An image on its way to LXD: read piece by piece, counted and hashed, never whole in memory."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from pathlib import Path

from lab.lxd.model import Progress
from lab.lxd.port import OnProgress

_PIECE = 1 << 20


class Upload:
    """The body of one POST /images. Iterating it sends it."""

    def __init__(
        self, metadata: Path, rootfs: Path | None, *, on_progress: OnProgress | None = None
    ) -> None:
        self._files = {"metadata": metadata, **({"rootfs": rootfs} if rootfs else {})}
        self._unified = rootfs is None
        self._boundary = secrets.token_hex(16)
        self._on_progress = on_progress
        self._total = sum(file.stat().st_size for file in self._files.values())
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
        for field, file in self._files.items():
            if not self._unified:
                yield self._heading(field, file.name)
            with file.open("rb") as content:
                while piece := content.read(_PIECE):
                    self._digest.update(piece)
                    yield piece
                    self._tell(len(piece))
            if not self._unified:
                yield b"\r\n"
        if not self._unified:
            yield f"--{self._boundary}--\r\n".encode()

    def _heading(self, field: str, filename: str) -> bytes:
        return (
            f"--{self._boundary}\r\n"
            f'Content-Disposition: form-data; name="{field}"; filename="{filename}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()

    def _tell(self, count: int) -> None:
        self._sent += count
        percent = 100 * self._sent // max(1, self._total)
        if self._on_progress is not None and percent != self._told:
            self._told = percent
            self._on_progress(Progress(text=f"Upload: {percent}%", percent=percent))
