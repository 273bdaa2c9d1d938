"""A file is imported only when every byte of it is right."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from images.releases import archive
from tests.support.builders.carried import (
    add,
    damaged,
    forged,
    manifest_of,
    member,
    refused,
)


def test_tar_can_read_it(exported: Path) -> None:
    listed = subprocess.run(
        ["tar", "-tvf", str(exported)], capture_output=True, text=True, check=True
    )
    assert [line.split()[-1] for line in listed.stdout.splitlines()] == [
        "manifest.json",
        "metadata",
        "sha256",
    ]
    assert listed.stderr == ""
    size = exported.stat().st_size - 2048
    digest = hashlib.sha256(exported.read_bytes()[:size]).hexdigest()
    assert member(exported, "sha256") == f"{digest}\n".encode()


def test_a_split_image_keeps_its_two_parts(tmp_path: Path) -> None:
    parts = tmp_path / "metadata", tmp_path / "rootfs"
    parts[0].write_bytes(b"m" * 700)
    parts[1].write_bytes(b"r" * 512)
    fingerprint = hashlib.sha256(b"m" * 700 + b"r" * 512).hexdigest()
    archive.pack(tmp_path / "x", parts, fingerprint=fingerprint, properties={})
    (tmp_path / "out").mkdir()
    _, paths = archive.unpack(tmp_path / "x", tmp_path / "out")
    assert [path.read_bytes() for path in paths] == [b"m" * 700, b"r" * 512]


def test_every_single_byte_counts(exported: Path, tmp_path: Path) -> None:
    whole = exported.read_bytes()
    changed = tmp_path / "changed"
    dice = random.Random(1)  # noqa: S311
    places = {0, 511, 512, len(whole) - 1, *(dice.randrange(len(whole)) for _ in range(300))}
    for place in sorted(places):
        content = bytearray(whole)
        content[place] ^= 1 << dice.randrange(8)
        changed.write_bytes(content)
        assert refused(changed), place


def test_every_length_but_the_right_one_is_refused(exported: Path, tmp_path: Path) -> None:
    whole = exported.read_bytes()
    changed = tmp_path / "changed"
    for length in {0, 1, 100, 511, 512, 513, 2000, len(whole) - 1024, len(whole) - 1}:
        changed.write_bytes(whole[:length])
        assert refused(changed), length
    changed.write_bytes(whole + b"\0")
    assert refused(changed) == damaged("The file has 1 bytes more than its manifest says.")
    changed.write_bytes(whole[:-1024])
    full = len(whole) / 1024
    assert refused(changed) == damaged(
        f"The file is incomplete: it has {full - 1:.1f} KiB of {full:.1f} KiB."
    )


def _lxd_export(path: Path) -> None:
    with tarfile.open(path, "w:gz") as tar:
        add(tar, "metadata.yaml", b"architecture: x86_64\n")


def _text(path: Path) -> None:
    path.write_text("# how to get the image: ask bob\n" * 99)


def _empty(path: Path) -> None:
    path.touch()


@pytest.mark.parametrize("write", [_lxd_export, _text, _empty])
def test_a_foreign_file_is_refused(write: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path / "x")
    assert refused(tmp_path / "x") == (
        "FILE was not written by `invoke export-image`.\n"
        "Next: Import a file of `lxc image export` with `lxc image import`."
    )


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert refused(tmp_path / "x") == "There is no file FILE.\nNext: Check the path."
    assert refused(tmp_path) == "There is no file FILE.\nNext: Check the path."


def test_a_later_format_is_refused(exported: Path, tmp_path: Path) -> None:
    manifest = json.loads(member(exported, "manifest.json"))
    path = forged(tmp_path, {**manifest, "format": 2}, [("metadata", b"x")])
    assert refused(path) == (
        "FILE has the format 2; this labstamp reads 1.\n"
        "Next: Import it with the labstamp that exported it, or a later one."
    )


@pytest.mark.parametrize("name", ["../../etc/cron.d/x", "/etc/passwd", "metadata/../x", "rootfs"])
def test_a_member_with_another_name_is_refused(name: str, tmp_path: Path) -> None:
    path = forged(tmp_path, manifest_of(b"content"), [(name, b"content")])
    assert refused(path) == damaged('The file has another part in the place of "metadata".')
    assert sorted(one.name for one in tmp_path.iterdir()) == ["forged"]


def test_a_link_in_place_of_a_member_is_refused(tmp_path: Path) -> None:
    link = tarfile.TarInfo("metadata")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/shadow"
    path = forged(tmp_path, manifest_of(b""), [link])
    assert refused(path) == damaged('The file has another part in the place of "metadata".')


@pytest.mark.parametrize(
    "change",
    [
        {"parts": []},
        {"parts": [{"name": "../x", "size": 7, "sha256": "0" * 64}]},
        {"parts": [{"name": "rootfs", "size": 7, "sha256": "0" * 64}]},
        {"parts": [{"name": "metadata", "size": -1, "sha256": "0" * 64}]},
        {"fingerprint": "x"},
        {"properties": {"a": 1}},
        {"more": "keys"},
    ],
)
def test_a_manifest_that_export_never_writes_is_refused(
    change: dict[str, object], tmp_path: Path
) -> None:
    path = forged(tmp_path, {**manifest_of(b"content"), **change}, [("metadata", b"content")])
    assert refused(path) == damaged("The manifest in the file cannot be read.")


def test_a_part_that_its_manifest_does_not_know_is_refused(tmp_path: Path) -> None:
    path = forged(tmp_path, manifest_of(b"content"), [("metadata", b"CONTENT")])
    assert refused(path) == damaged('The checksum of the part "metadata" is wrong.')


def test_an_image_of_another_fingerprint_is_refused(tmp_path: Path) -> None:
    manifest = {**manifest_of(b"content"), "fingerprint": "0" * 64}
    path = forged(tmp_path, manifest, [("metadata", b"content")])
    assert refused(path) == damaged("The image in the file is not the one that the manifest names.")
