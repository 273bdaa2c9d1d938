"""Files of `export-image`: written by it, and forged with the right checksums."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path

import pytest

from commands.views.releases import of_import
from images.releases.exporting import export_image
from images.releases.importing import import_image
from lab.errors import InputError
from lab.report import Silent
from tests.support.builders.releases import PREFIX, Shelf
from tests.support.fake_lxd.lxd import FakeLxd

V = "20261121.1"


def export(shelf: Shelf, path: Path, *, version: str | None = None, force: bool = False) -> None:
    export_image(shelf.lxd, PREFIX, "base", path, report=Silent(), version=version, force=force)


def bring(path: Path, lxd: FakeLxd | None = None) -> str:
    return of_import(import_image(lxd or FakeLxd(), PREFIX, path, report=Silent()))


def refused(path: Path) -> str:
    """What importing PATH says; nothing comes of it."""
    lxd = FakeLxd()
    with pytest.raises(InputError) as caught:
        bring(path, lxd)
    assert lxd.changes == []
    assert caught.value.exit_code == 2
    return str(caught.value).replace(str(path), "FILE")


def damaged(why: str) -> str:
    return (
        "FILE was damaged or changed after it was exported; nothing was imported.\n"
        f"  {why}\n"
        "Next: Copy the file again from the machine that exported it, and compare: sha256sum FILE"
    )


def member(path: Path, name: str) -> bytes:
    with tarfile.open(path) as tar:
        member = tar.extractfile(name)
        assert member is not None
        return member.read()


def properties() -> dict[str, str]:
    shelf = Shelf()
    shelf.build(V)
    return dict(shelf.release(V).image.properties)


def manifest_of(content: bytes) -> dict[str, object]:
    digest = hashlib.sha256(content).hexdigest()
    parts = [{"name": "metadata", "size": len(content), "sha256": digest}]
    return {"format": 1, "fingerprint": digest, "properties": {}, "parts": parts}


def forged(
    directory: Path,
    manifest: dict[str, object],
    members: list[tuple[str, bytes] | tarfile.TarInfo],
) -> Path:
    """A file as export-image writes it, checksum and all, but with these contents."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        add(tar, "manifest.json", json.dumps(manifest).encode())
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                add(tar, *member)
        before = buffer.getvalue()[: tar.offset]
    checksum = f"{hashlib.sha256(before).hexdigest()}\n".encode()
    header = tarfile.TarInfo("sha256")
    header.size = len(checksum)
    path = directory / "forged"
    trailer = header.tobuf(tarfile.GNU_FORMAT) + checksum.ljust(512, b"\0") + bytes(1024)
    path.write_bytes(before + trailer)
    return path


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))
