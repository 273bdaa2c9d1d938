"""The fake's images and aliases."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from lab.errors import InputError
from lab.lxd.errors import alias_taken, refused
from lab.lxd.model import Image, Progress, State
from lab.lxd.port import OnProgress
from lab.sizes import format_size
from tests.support.fake_lxd.store import EPOCH, FakeCalls, FakeFile, FakeImage

_ZSTD = b"\x28\xb5\x2f\xfd"
_COMPRESSIONS = {"none", "zstd", "gzip", "pigz", "bzip2", "xz", "lzma", "squashfs"}


class FakeImages(FakeCalls):
    def images(self) -> tuple[Image, ...]:
        return tuple(self._named_image(fingerprint) for fingerprint in list(self.store.images))

    def image(self, fingerprint: str) -> Image | None:
        return self._named_image(fingerprint) if fingerprint in self.store.images else None

    def aliases(self) -> Mapping[str, str]:
        return dict(self.store.aliases)

    def set_alias(self, name: str, fingerprint: str) -> None:
        self._do("set_alias", name)
        if fingerprint not in self.store.images:
            what = f"point the alias {name} to {fingerprint[:12]}"
            raise refused(what, "Image not found", status=404)
        self.store.aliases[name] = fingerprint

    def delete_alias(self, name: str) -> None:
        self._do("delete_alias", name)
        self.store.aliases.pop(name, None)

    def publish(
        self,
        instance: str,
        *,
        aliases: Sequence[str],
        properties: Mapping[str, str],
        compression: str,
        on_progress: OnProgress | None = None,
    ) -> Image:
        self._do("publish", instance)
        what = f"publish {instance}"
        if taken := sorted(set(aliases) & set(self.store.aliases)):
            raise alias_taken(what, taken)
        source = self._instance(instance, what)
        if compression.split(" ", maxsplit=1)[0] not in _COMPRESSIONS:
            raise refused(what, f'Invalid compression algorithm "{compression}"', status=400)
        if source.state is not State.STOPPED:
            raise refused(what, "Cannot export a running instance as an image")
        if on_progress is not None:
            on_progress(Progress(text="Image pack: 50% (100.00MB/s)", percent=50))
        packed = _tarball(f"{instance} {self.store.next()}")
        digest = hashlib.sha256(packed).hexdigest()
        return self._keep(digest, properties, files=source.files, aliases=aliases, parts=(packed,))

    def publish_packed(
        self,
        instance: str,
        files: Sequence[str],
        *,
        aliases: Sequence[str],
        properties: Mapping[str, str],
        on_progress: OnProgress | None = None,
    ) -> Image:
        self._do("publish_packed", instance)
        what = f"publish {instance}"
        if taken := sorted(set(aliases) & set(self.store.aliases)):
            raise alias_taken(what, taken)
        there = self._instance(instance, what).files
        if not set(files) <= set(there):
            raise refused(what, "Not Found", status=404)
        packed = b"".join(there[file].content for file in files)
        _tell_uploaded(len(packed), on_progress)
        digest = hashlib.sha256(packed).hexdigest()
        self._keep(digest, properties, files={}, aliases=(), parts=(packed,))
        for alias in aliases:
            self.set_alias(alias, digest)
        return self._named_image(digest)

    def image_parts(self, instance: str) -> Mapping[str, bytes]:
        self._instance(instance, f"publish {instance}")
        metadata = {
            "architecture": platform.machine(),
            "creation_date": self.store.next(),
            "properties": {},
            "templates": {"/etc/hostname": {"when": ["create"], "template": "hostname.tpl"}},
        }
        return {
            "metadata.yaml": json.dumps(metadata).encode(),
            "templates/hostname.tpl": b"{{ container.name }}\n",
        }

    def import_image(
        self,
        metadata: Path,
        rootfs: Path | None,
        *,
        properties: Mapping[str, str],
        on_progress: OnProgress | None = None,
    ) -> Image:
        self._do("import_image", str(rootfs or metadata))
        parts: list[bytes] = []
        for file in (metadata, rootfs):
            if file is not None and not file.is_file():
                raise InputError(f"There is no image file {file}.")
            if file is not None:
                parts.append(file.read_bytes())
        _tell_uploaded(sum(map(len, parts)), on_progress)
        fingerprint = hashlib.sha256(b"".join(parts)).hexdigest()
        if fingerprint in self.store.images:
            self.set_image_properties(fingerprint, properties)
            return self._named_image(fingerprint)
        files = _packed_files(rootfs) if rootfs is not None else {}
        return self._keep(fingerprint, properties, files=files, aliases=(), parts=tuple(parts))

    def download_image(
        self,
        server: str,
        alias: str,
        *,
        protocol: str = "simplestreams",
        certificate: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> Image:
        self._do("download_image", alias)
        if on_progress is not None:
            on_progress(Progress(text="rootfs: 50% (10.00MB/s)", percent=50))
        digest = hashlib.sha256(f"{server} {alias}".encode()).hexdigest()
        return self._keep(digest, {"description": alias}, files={}, aliases=())

    def export_image(
        self, fingerprint: str, directory: Path, *, on_progress: OnProgress | None = None
    ) -> tuple[Path, Path | None]:
        self._do("export_image", fingerprint)
        if fingerprint not in self.store.images:
            raise refused(f"show the image {fingerprint[:12]}", "Image not found", status=404)
        paths = [directory / name for name in ("metadata", "rootfs")]
        for path, part in zip(paths, self.store.images[fingerprint].parts, strict=False):
            path.write_bytes(part)
        if on_progress is not None:
            on_progress(Progress(text="Download: 100%", percent=100))
        return paths[0], paths[1] if paths[1].exists() else None

    def set_image_properties(self, fingerprint: str, properties: Mapping[str, str]) -> None:
        self._do("set_image_properties", fingerprint)
        if fingerprint not in self.store.images:
            raise refused(f"change the image {fingerprint[:12]}", "Image not found", status=404)
        kept = self.store.images[fingerprint]
        kept.image = replace(kept.image, properties={**kept.image.properties, **properties})

    def delete_image(self, fingerprint: str) -> None:
        self._do("delete_image", fingerprint)
        self.store.images.pop(fingerprint, None)
        for alias in [name for name, to in list(self.store.aliases.items()) if to == fingerprint]:
            del self.store.aliases[alias]

    def _keep(
        self,
        fingerprint: str,
        properties: Mapping[str, str],
        *,
        files: Mapping[str, FakeFile],
        aliases: Sequence[str],
        parts: tuple[bytes, ...] = (),
    ) -> Image:
        image = Image(
            fingerprint=fingerprint,
            properties=dict(properties),
            size_bytes=sum(map(len, parts)) or 1 << 20,
            created_at=EPOCH + timedelta(seconds=self.store.next()),
        )
        self.store.images[fingerprint] = FakeImage(image=image, files=dict(files), parts=parts)
        self.store.aliases.update(dict.fromkeys(aliases, fingerprint))
        return self._named_image(fingerprint)

    def _named_image(self, fingerprint: str) -> Image:
        names = (alias for alias, to in list(self.store.aliases.items()) if to == fingerprint)
        return replace(self.store.images[fingerprint].image, aliases=tuple(sorted(names)))


def _packed_files(rootfs: Path) -> dict[str, FakeFile]:
    """Of a root that is packed by zstd, as `backup` does; any other is not looked into."""
    if not rootfs.read_bytes().startswith(_ZSTD):
        return {}
    done = subprocess.run(["zstd", "-dc", rootfs], capture_output=True, check=False)
    if done.returncode:
        raise refused(f"import {rootfs}", "Unpack failed")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        found = {each.name.removeprefix("."): tar.extractfile(each) for each in tar}
        return {
            name: FakeFile(content=file.read()) for name, file in found.items() if file is not None
        }


def _tarball(text: str) -> bytes:
    """An image as LXD packs it, of TEXT instead of a root."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        entry = tarfile.TarInfo("metadata.yaml")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text.encode()))
    return made.getvalue()


def _tell_uploaded(size: int, on_progress: OnProgress | None) -> None:
    if on_progress is not None:
        on_progress(Progress(text=f"Upload: 100% of {format_size(size)}", percent=100))
