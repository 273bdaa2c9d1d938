"""Images and files of images that labstamp did not make, in a lab without a release."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from images.releases.archive import pack
from tests.support.live_lab.lab import Lab, lxc, query

PREFIX = "ltfile"
PROJECT = "ltfile-build"


class ForeignImages:
    """A lab without a release, and a directory in which such files are made."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lab = Lab(settings=directory / "lab.yaml")
        self.lab.settings.write_text(json.dumps({"alias-prefix": PREFIX, "build-project": PROJECT}))

    def image(
        self, claimed: Mapping[str, str], nodes: Sequence[tuple[str, bytes, int, int]] = ()
    ) -> Path:
        """An image's tarball that CLAIMs properties in its own metadata.yaml, with device NODES."""
        path = self.directory / f"image-{len(list(self.directory.iterdir()))}.tar"
        metadata = {
            "architecture": os.uname().machine,
            "creation_date": 1,
            "properties": {"serial": path.name, **claimed},
        }
        with tarfile.open(path, "w") as tar:
            text = yaml.safe_dump(metadata).encode()
            entry = tarfile.TarInfo("metadata.yaml")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
            for name in ("rootfs", "rootfs/dev"):
                entry = tarfile.TarInfo(name)
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(entry)
            for name, kind, major, minor in nodes:
                entry = tarfile.TarInfo(f"rootfs/{name}")
                entry.type, entry.devmajor, entry.devminor = kind, major, minor
                tar.addfile(entry)
        return path

    def file(self, properties: Mapping[str, str], image: Path) -> Path:
        """As `export-image` writes it, with the right checksums."""
        fingerprint = hashlib.sha256(image.read_bytes()).hexdigest()
        path = self.directory / f"{image.stem}.labstamp"
        named = image.rename(image.with_name("metadata"))
        pack(path, [named], fingerprint=fingerprint, properties=properties)
        return path

    def place(self, properties: Mapping[str, str], *aliases: str) -> str:
        """An image that is there already, by another way than labstamp's; its fingerprint."""
        image = self.image({})
        fingerprint = hashlib.sha256(image.read_bytes()).hexdigest()
        try:
            lxc("image", "import", str(image), timeout=60)
        except subprocess.TimeoutExpired:
            # Seen once on a busy machine: LXD has the image, and its client waits on for the event.
            assert query(f"/1.0/images/{fingerprint}")["fingerprint"] == fingerprint
        said = json.dumps({"properties": {**properties}})
        lxc("query", "-X", "PATCH", "-d", said, f"/1.0/images/{fingerprint}")
        for alias in aliases:
            lxc("image", "alias", "create", f"{PREFIX}/{alias}", fingerprint)
        return fingerprint

    def refused(self, *arguments: str) -> str:
        said = self.lab.invoke(*arguments)
        assert said.code == 2, said
        return said.err[said.err.index("error: ") :]
