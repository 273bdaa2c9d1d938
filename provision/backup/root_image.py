"""The root of a backup as an image, for as long as an instance is made of it.

LXD unpacks images on every storage driver, as the real root: also device nodes, which nothing in a
user namespace may make.
"""

from __future__ import annotations

import io
import secrets
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lab.errors import LabError
from lab.instances.removal import remove_image
from lab.lxd.model import Progress
from lab.lxd.port import Lxd
from lab.process import is_alive, me
from lab.report import Report
from lab.tempdir import temp_directory
from provision.backup.directory import Backup
from provision.backup.manifest import Root

_OF: Final = "lab.backup"
_BUILDER: Final = "lab.builder"
COPIED: Final = (f"image.{_OF}", f"image.{_BUILDER}")
"""What LXD copies from it onto an instance."""


@contextmanager
def root_image(lxd: Lxd, backup: Backup, root: Root, report: Report) -> Iterator[str]:
    """Its fingerprint; no two are the same, so none is removed under another run."""

    def tell(progress: Progress) -> None:
        report.detail(backup.name, progress.text)

    report.phase(backup.name, "unpack its root")
    properties = {_OF: f"{backup.name} {backup.id}", _BUILDER: me()}
    fingerprint = None
    try:
        with temp_directory() as directory:
            metadata = _metadata(root, directory)
            fingerprint = lxd.import_image(
                metadata, backup.archive("root"), properties=properties, on_progress=tell
            ).fingerprint
        yield fingerprint
    finally:
        _remove(lxd, fingerprint, report)


def clear_images(lxd: Lxd) -> None:
    """Those that killed runs left."""
    for image in lxd.images():
        builder = image.properties.get(_BUILDER, "")
        if _OF in image.properties and is_alive(builder) is False:
            remove_image(lxd, image.fingerprint)


def _remove(lxd: Lxd, fingerprint: str | None, report: Report) -> None:
    try:
        if fingerprint is not None:
            remove_image(lxd, fingerprint)
            return
        # It was interrupted while LXD took it.
        for image in lxd.images():
            if _OF in image.properties and image.properties.get(_BUILDER) == me():
                remove_image(lxd, image.fingerprint)
    except LabError as error:
        report.say(f"An image stays until the next backup is restored: {error.brief}")


def _metadata(root: Root, directory: Path) -> Path:
    path = directory / "metadata.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, text in sorted(root.image.items()):
            content = text.encode(errors="surrogateescape")
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            member.pax_headers = {"comment": secrets.token_hex(16)}
            tar.addfile(member, io.BytesIO(content))
    return path
