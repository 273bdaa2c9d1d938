"""The file of `export-image`: a tar of a manifest, LXD's own files of the image, and a checksum.

    manifest.json   format, fingerprint, properties, size and sha256 of each part
    metadata        LXD's export; all of the image, where `rootfs` is missing
    rootfs
    sha256          of everything before it

`tar` can list and unpack it. We do not need tar for reading: every byte that is not content
follows from the manifest, and a file that differs in one of them is refused. So there are no
names, links or owners in it that we would have to distrust.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from images.releases.manifest import Manifest, Part, damaged, read_manifest
from lab.errors import InputError
from lab.sizes import format_size

_BLOCK = 512
_PIECE = 1 << 20
_LONGEST_MANIFEST = 8 << 20
_MANIFEST = "manifest.json"
_CHECKSUM = "sha256"
_END = bytes(2 * _BLOCK)


def pack(
    target: Path, parts: Sequence[Path], *, fingerprint: str, properties: Mapping[str, str]
) -> None:
    """Write PARTS, named as LXD's export names them, into the new file TARGET."""
    manifest = Manifest.model_validate(
        {
            "fingerprint": fingerprint,
            "properties": dict(properties),
            "parts": tuple(_part(path) for path in parts),
        }
    )
    text = manifest.model_dump_json(indent=1).encode()
    with target.open("xb") as file:
        written = _Hashed(file)
        written.write(_header(_MANIFEST, len(text)) + text + _padding(len(text)))
        for path in parts:
            size = path.stat().st_size
            written.write(_header(path.name, size))
            with path.open("rb") as content:
                while piece := content.read(_PIECE):
                    written.write(piece)
            written.write(_padding(size))
        file.write(_trailer(written.digest.hexdigest()))
        file.flush()
        os.fsync(file.fileno())


def unpack(source: Path, directory: Path) -> tuple[Manifest, tuple[Path, ...]]:
    """Check every byte of SOURCE while its parts are written into DIRECTORY.

    InputError says what is wrong with it; then nothing of DIRECTORY is to be used.
    """
    with source.open("rb") as file:
        read = _Hashed(file)
        text = _manifest_text(source, read)
        manifest = read_manifest(source, text)
        _check_size(source, manifest, len(text))
        paths = tuple(_unpack_part(source, read, part, directory) for part in manifest.parts)
        expected = _trailer(read.digest.hexdigest())
        if file.read() != expected:
            raise damaged(source, "The checksum in the file differs from that of the content.")
    whole = hashlib.sha256()
    for path in paths:
        with path.open("rb") as content:
            while piece := content.read(_PIECE):
                whole.update(piece)
    if whole.hexdigest() != manifest.fingerprint:
        raise damaged(source, "The image in the file is not the one that the manifest names.")
    return manifest, paths


class _Hashed:
    """A file of which every byte read or written is hashed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> None:
        self.digest.update(data)
        self._file.write(data)

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


def _part(path: Path) -> Mapping[str, object]:
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while piece := content.read(_PIECE):
            digest.update(piece)
    return {"name": path.name, "size": path.stat().st_size, "sha256": digest.hexdigest()}


def _manifest_text(source: Path, read: _Hashed) -> bytes:
    header = read.read(_BLOCK)
    try:
        size = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape").size
    except tarfile.HeaderError as error:
        raise _foreign(source) from error
    if not 0 < size <= _LONGEST_MANIFEST or header != _header(_MANIFEST, size):
        raise _foreign(source)
    text = read.read(size)
    if len(text) + len(read.read(len(_padding(size)))) < size + len(_padding(size)):
        raise damaged(source, "The file ends in the middle of its manifest.")
    return text


def _check_size(source: Path, manifest: Manifest, text: int) -> None:
    contents = (text, *(part.size for part in manifest.parts))
    expected = sum(_BLOCK + size + len(_padding(size)) for size in contents) + len(_trailer(""))
    found = source.stat().st_size
    if found < expected:
        raise damaged(
            source,
            f"The file is incomplete: it has {format_size(found)} of {format_size(expected)}.",
        )
    if found > expected:
        raise damaged(source, f"The file has {found - expected} bytes more than its manifest says.")


def _unpack_part(source: Path, read: _Hashed, part: Part, directory: Path) -> Path:
    header = read.read(_BLOCK)
    if header != _header(part.name, part.size):
        raise damaged(source, f'The file has another part in the place of "{part.name}".')
    path, digest, left = directory / part.name, hashlib.sha256(), part.size
    with path.open("xb") as file:
        while left and (piece := read.read(min(left, _PIECE))):
            digest.update(piece)
            file.write(piece)
            left -= len(piece)
    if digest.hexdigest() != part.sha256:
        raise damaged(source, f'The checksum of the part "{part.name}" is wrong.')
    read.read(len(_padding(part.size)))
    return path


def _header(name: str, size: int) -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf(tarfile.GNU_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def _trailer(digest: str) -> bytes:
    text = f"{digest:64}\n".encode()
    return _header(_CHECKSUM, len(text)) + text + _padding(len(text)) + _END


def _foreign(source: Path) -> InputError:
    return InputError(
        f"{source} was not written by `invoke export-image`.",
        fix="Import a file of `lxc image export` with `lxc image import`.",
    )
