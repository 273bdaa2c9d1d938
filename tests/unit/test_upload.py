"""An image on its way to LXD."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from lab.errors import LxdError
from lab.lxd.model import Progress
from lab.lxd.upload import Part, Upload, part


def _part(*pieces: bytes, size: int) -> Part:
    return Part(field="rootfs", name="layer-base.tar", size=size, pieces=iter(pieces))


def test_one_part_is_sent_as_it_is() -> None:
    heard: list[Progress] = []
    upload = Upload([_part(b"abc", b"d", size=4)], heard.append)
    assert upload.content_type == "application/octet-stream"
    assert b"".join(upload) == b"abcd"
    assert upload.fingerprint == hashlib.sha256(b"abcd").hexdigest()
    assert [progress.percent for progress in heard] == [75, 100]


def test_two_parts_are_a_form_and_hashed_without_it(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("metadata", "rootfs")]
    for file in files:
        file.write_bytes(file.name.encode())
    upload = Upload([part(file.name, file) for file in files])
    boundary = upload.content_type.removeprefix("multipart/form-data; boundary=")
    sent = b"".join(upload).decode()
    assert sent.count(f"--{boundary}\r\n") == 2
    assert sent.endswith(f"--{boundary}--\r\n")
    assert 'name="metadata"; filename="metadata"' in sent
    assert upload.fingerprint == hashlib.sha256(b"metadatarootfs").hexdigest()


@pytest.mark.parametrize("pieces", [(), (b"abc",), (b"abc", b"de")])
def test_what_is_not_as_long_as_announced_is_no_image(pieces: tuple[bytes, ...]) -> None:
    with pytest.raises(LxdError) as caught:
        list(Upload([_part(*pieces, size=4)]))
    assert str(caught.value) == (
        "layer-base.tar is incomplete, so it is not an image.\nNext: Run the same command again."
    )
