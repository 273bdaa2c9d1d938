"""Making images of instances: packed by LXD, or packed already."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

from lab.lxd.devices import root_of
from lab.lxd.errors import alias_taken
from lab.lxd.images import ImageCalls
from lab.lxd.model import Image
from lab.lxd.packed_file import open_packed, pieces_of, root_on_disk
from lab.lxd.port import OnProgress
from lab.lxd.rest import path
from lab.lxd.upload import Part, Upload


class PublishCalls(ImageCalls):
    def publish(
        self,
        instance: str,
        *,
        aliases: Sequence[str],
        properties: Mapping[str, str],
        compression: str,
        on_progress: OnProgress | None = None,
    ) -> Image:
        what = f"publish {instance}"
        self._refuse_taken(aliases, what)
        body = {
            "source": {"type": "instance", "name": instance},
            "properties": dict(properties),
            "aliases": [{"name": alias, "description": ""} for alias in aliases],
            "compression_algorithm": compression,
        }
        return self._image(self._made(body, what=what, on_progress=on_progress))

    def publish_packed(
        self,
        instance: str,
        files: Sequence[str],
        *,
        aliases: Sequence[str],
        properties: Mapping[str, str],
        on_progress: OnProgress | None = None,
    ) -> Image:
        what = f"publish {instance}"
        self._refuse_taken(aliases, what)
        with ExitStack() as opened:
            root = self._root(instance, what)
            pieces = [self._open(instance, file, root, what, opened) for file in files]
            packed = Part(
                field="rootfs",
                name=f"{instance}.tar",
                size=sum(size for size, _ in pieces),
                pieces=chain.from_iterable(content for _, content in pieces),
            )
            upload = Upload([packed], on_progress)
            image = self._send(upload, what=what, properties=properties, on_progress=on_progress)
        for alias in aliases:
            self.set_alias(alias, image.fingerprint)
        return self._image(image.fingerprint)

    def image_parts(self, instance: str) -> Mapping[str, bytes]:
        what, where = f"publish {instance}", path("instances", instance, "metadata")
        raw = self._rest.get(where, what=what, params=self._here)
        metadata = {
            "architecture": raw["architecture"],
            "creation_date": int(time.time()),
            # LXD 5.0.2 dies of a file without any ("assignment to entry in nil map").
            "properties": {},
            "templates": raw.get("templates") or {},
        }
        where += "/templates"
        names = self._rest.get(where, what=what, params=self._here) or ()
        return {
            "metadata.yaml": json.dumps(metadata).encode(),
            **{f"templates/{name}": self._template(where, name, what) for name in names},
        }

    def _root(self, instance: str, what: str) -> Path | None:
        """Where its files may be on this machine."""
        daemon = self._rest.daemon() if self._rest.is_local else None
        if daemon is None:
            return None
        raw = self._rest.get(path("instances", instance), what=what, params=self._here)
        _, device = root_of(raw.get("expanded_devices") or {}) or ("", {})
        return root_on_disk(daemon, device.get("pool", ""), self._host(instance))

    def _open(
        self, instance: str, file: str, root: Path | None, what: str, opened: ExitStack
    ) -> tuple[int, Iterator[bytes]]:
        """Size and content of a FILE in INSTANCE, to be read while OPENED is."""
        found = open_packed(root, file) if root is not None else None
        if found is not None:
            opened.enter_context(found)
            return os.fstat(found.fileno()).st_size, pieces_of(found)
        where, here = path("instances", instance, "files"), {**self._here, "path": file}
        headers, content = opened.enter_context(self._rest.pieces(where, what=what, params=here))
        return int(headers["Content-Length"]), content

    def _template(self, where: str, name: str, what: str) -> bytes:
        params = {**self._here, "path": name}
        content, _ = self._rest.content(where, what=what, params=params)
        return content

    def _refuse_taken(self, aliases: Sequence[str], what: str) -> None:
        # LXD finds out after packing, and then keeps the image without a name.
        if taken := sorted(set(aliases) & set(self.aliases())):
            raise alias_taken(what, taken)
