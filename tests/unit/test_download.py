"""What LXD sends for an export, however it is cut into pieces."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests_mock

from lab.errors import LxdError, LxdUnreachable
from lab.lxd.client import connect
from lab.lxd.download import Download

URL = "https://lab.example:8443"
FORM = "multipart/form-data; boundary=b0undary"
METADATA = b"meta\r\n--b0undar\r\n\r\n"
ROOTFS = b"\r\n" * 50 + bytes(range(256))
BODY = (
    b'--b0undary\r\nContent-Disposition: form-data; name="metadata"; filename="meta-x.tar"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n" + METADATA + b"\r\n"
    b'--b0undary\r\nContent-Disposition: form-data; name="rootfs"; filename="x.squashfs"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n" + ROOTFS + b"\r\n--b0undary--\r\n"
)


def cut(body: bytes, size: int) -> Iterator[bytes]:
    return (body[start : start + size] for start in range(0, len(body), size))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
def test_a_form_is_taken_apart(size: int, tmp_path: Path) -> None:
    download = Download(tmp_path, len(METADATA + ROOTFS))
    metadata, rootfs = download.save(FORM, cut(BODY, size))
    assert rootfs is not None
    assert metadata.read_bytes() == METADATA
    assert rootfs.read_bytes() == ROOTFS
    assert download.fingerprint == hashlib.sha256(METADATA + ROOTFS).hexdigest()


def test_a_form_of_other_files_is_refused(tmp_path: Path) -> None:
    body = BODY.replace(b'name="rootfs"', b'name="../../x"')
    with pytest.raises(LxdError) as caught:
        Download(tmp_path, 1).save(FORM, cut(body, 64))
    assert str(caught.value) == "LXD sent an image in a form that labstamp does not know."
    assert [path.name for path in tmp_path.iterdir()] == ["metadata"]


def image(fingerprint: str) -> dict[str, object]:
    found = {"fingerprint": fingerprint, "size": 3, "aliases": [], "properties": {}}
    return {"type": "sync", "metadata": {**found, "uploaded_at": "2026-11-21T12:00:00Z"}}


@pytest.mark.parametrize(
    ("content_type", "content"),
    [("application/octet-stream", b"abd"), (FORM, BODY[:-40]), (FORM, b"")],
)
def test_what_is_not_the_whole_image_is_refused(
    content_type: str, content: bytes, tmp_path: Path
) -> None:
    fingerprint = hashlib.sha256(b"abc").hexdigest()
    hello = {"auth": "trusted", "environment": {}, "api_extensions": []}
    where = f"{URL}/1.0/images/{fingerprint}"
    with requests_mock.Mocker() as http:
        http.get(f"{URL}/1.0", json={"type": "sync", "metadata": hello})
        http.get(where, json=image(fingerprint))
        http.get(f"{where}/export", content=content, headers={"Content-Type": content_type})
        with pytest.raises(LxdError) as caught:
            connect(remote=URL).export_image(fingerprint, tmp_path)
    assert not isinstance(caught.value, LxdUnreachable)
    assert str(caught.value) == (
        f"LXD could not export the image {fingerprint[:12]}.\n"
        "  The server sent an incomplete image.\n"
        "Next: Run the same command again."
    )
