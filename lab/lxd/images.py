"""Images and their aliases."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from lab.errors import Conflict, InputError, LxdError, NotFound
from lab.lxd import parse
from lab.lxd.calls import Calls
from lab.lxd.download import Download
from lab.lxd.errors import AGAIN
from lab.lxd.model import Image
from lab.lxd.port import OnProgress
from lab.lxd.rest import path
from lab.lxd.upload import Upload, part

_LIST = {"recursion": "1"}


class ImageCalls(Calls):
    def images(self) -> tuple[Image, ...]:
        found = self._rest.get("images", what="list its images", params={**self._here, **_LIST})
        return tuple(parse.image(raw) for raw in found or ())

    def image(self, fingerprint: str) -> Image | None:
        try:
            return self._image(fingerprint)
        except NotFound:
            return None

    def aliases(self) -> Mapping[str, str]:
        found = self._rest.get(
            "images/aliases", what="list its image aliases", params={**self._here, **_LIST}
        )
        return {raw["name"]: raw["target"] for raw in found or ()}

    def set_alias(self, name: str, fingerprint: str) -> None:
        what = f"point the alias {name} to {fingerprint[:12]}"
        where, body = path("images", "aliases", name), {"target": fingerprint, "description": ""}
        if name in self.aliases():
            self._rest.put(where, body, what=what, params=self._here)
            return
        try:
            self._rest.post("images/aliases", {**body, "name": name}, what=what, params=self._here)
        except Conflict:
            # Somebody made it after we looked.
            self._rest.put(where, body, what=what, params=self._here)

    def delete_alias(self, name: str) -> None:
        with suppress(NotFound):
            self._rest.delete(
                path("images", "aliases", name),
                what=f"delete the alias {name}",
                params=self._here,
            )

    def import_image(
        self,
        metadata: Path,
        rootfs: Path | None,
        *,
        properties: Mapping[str, str],
        on_progress: OnProgress | None = None,
    ) -> Image:
        for file in (metadata, rootfs):
            if file is not None and not file.is_file():
                raise InputError(f"There is no image file {file}.")
        parts = [part("metadata", metadata), *([part("rootfs", rootfs)] if rootfs else ())]
        upload = Upload(parts, on_progress)
        what = f"import {rootfs or metadata}"
        return self._send(upload, what=what, properties=properties, on_progress=on_progress)

    def download_image(
        self,
        server: str,
        alias: str,
        *,
        protocol: str = "simplestreams",
        certificate: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> Image:
        source = {
            "type": "image",
            "mode": "pull",
            "server": server,
            "protocol": protocol,
            "alias": alias,
            **({"certificate": certificate} if certificate else {}),
        }
        made = self._made(
            {"source": source}, what=f"fetch {alias} from {server}", on_progress=on_progress
        )
        return self._image(made)

    def export_image(
        self, fingerprint: str, directory: Path, *, on_progress: OnProgress | None = None
    ) -> tuple[Path, Path | None]:
        size = self._image(fingerprint).size_bytes
        download = Download(directory, size, on_progress=on_progress)
        what = f"export the image {fingerprint[:12]}"
        where = path("images", fingerprint, "export")
        with self._rest.pieces(where, what=what, params=self._here) as (headers, pieces):
            metadata, rootfs = download.save(headers.get("Content-Type", ""), pieces)
        if download.fingerprint != fingerprint:
            raise LxdError(
                f"LXD could not {what}.", details="The server sent an incomplete image.", fix=AGAIN
            )
        return metadata, rootfs

    def set_image_properties(self, fingerprint: str, properties: Mapping[str, str]) -> None:
        self._rest.patch(
            path("images", fingerprint),
            {"properties": dict(properties)},
            what=f"change the image {fingerprint[:12]}",
            params=self._here,
        )

    def delete_image(self, fingerprint: str) -> None:
        with suppress(NotFound):
            self._rest.delete(
                path("images", fingerprint),
                what=f"delete the image {fingerprint[:12]}",
                params=self._here,
            )

    def _send(
        self,
        upload: Upload,
        *,
        what: str,
        properties: Mapping[str, str],
        on_progress: OnProgress | None,
    ) -> Image:
        try:
            self._rest.post(
                "images",
                None,
                what=what,
                params=self._here,
                headers={
                    "Content-Type": upload.content_type,
                    "X-LXD-filename": upload.name,
                    "X-LXD-properties": urlencode(properties),
                },
                data=iter(upload),
                on_progress=on_progress,
            )
        except Conflict:
            if self.image(upload.fingerprint) is None:
                raise
            if properties:
                self.set_image_properties(upload.fingerprint, properties)
        return self._image(upload.fingerprint)

    def _made(self, body: Mapping[str, Any], *, what: str, on_progress: OnProgress | None) -> str:
        metadata = self._rest.post(
            "images", body, what=what, params=self._here, on_progress=on_progress
        )
        return str(metadata["fingerprint"])

    def _image(self, fingerprint: str) -> Image:
        found = self._rest.get(
            path("images", fingerprint),
            what=f"show the image {fingerprint[:12]}",
            params=self._here,
        )
        return parse.image(found)
