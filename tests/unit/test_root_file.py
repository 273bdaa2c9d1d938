"""What a source file is, by what is in it."""

import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from images.releases.root_file import Content, content_of, judge
from lab.errors import InputError

FILE = Path("given.tar")


@pytest.mark.parametrize(
    ("names", "content"),
    [
        (("metadata.yaml", "templates/x.tpl", "rootfs/etc/passwd"), Content.IMAGE),
        # In the order of who made it: LXD's own, `tar -c *`, `tar -c .`.
        (("rootfs/etc", "rootfs/usr/bin/x", "templates/x.tpl", "metadata.yaml"), Content.IMAGE),
        (("./", "./rootfs/", "./rootfs/bin", "./metadata.yaml"), Content.IMAGE),
        (("metadata.yaml", "templates/hostname.tpl"), Content.METADATA),
        (("./", "./bin", "./etc/passwd"), Content.ROOT),
        (("dev", "usr"), Content.ROOT),
        (("/etc/passwd",), Content.ROOT),
    ],
)
def test_entries_tell(names: tuple[str, ...], content: Content) -> None:
    assert judge(FILE, names) is content


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ((), "it holds nothing"),
        (("myroot/etc", "myroot/usr"), "is neither an image nor a root file system; it holds myr"),
        (("rootfs/etc",), "has a rootfs/, but no metadata.yaml beside it"),
        (("backup/index.yaml", "backup/container"), "is the backup of an instance (lxc export)"),
        (("blobs/sha256/00", "oci-layout"), "is an image of docker or podman"),
        (("manifest.json", "0123/layer.tar"), "is an image of docker (docker save)"),
    ],
)
def test_what_is_neither_is_named(names: tuple[str, ...], why: str) -> None:
    with pytest.raises(InputError) as caught:
        judge(FILE, names)
    assert why in caught.value.brief
    assert caught.value.brief.startswith("The source file given.tar ")


def test_no_more_is_read_than_tells() -> None:
    def endless() -> Iterator[str]:
        yield "./"
        yield "./etc/"
        raise AssertionError("read on")

    assert judge(FILE, endless()) is Content.ROOT


def _tarball(path: Path, names: Iterable[str]) -> None:
    with tarfile.open(path, "w") as archive:
        for name in names:
            archive.add(__file__, name)


@pytest.mark.parametrize("program", ["zstd", "xz", "gzip", "bzip2", "xz --format=lzma"])
def test_however_it_is_packed(tmp_path: Path, program: str) -> None:
    plain, packed = tmp_path / "plain.tar", tmp_path / "packed"
    _tarball(plain, ("rootfs/etc/passwd", "metadata.yaml"))
    argv = [*program.split(), "-c", str(plain)]
    packed.write_bytes(subprocess.run(argv, check=True, capture_output=True).stdout)
    assert content_of(packed) is Content.IMAGE


def test_an_image_of_several_frames_as_labstamp_packs_it(tmp_path: Path) -> None:
    whole = tmp_path / "whole.tar"
    _tarball(whole, ("metadata.yaml", "rootfs/etc/passwd"))
    content = whole.read_bytes()
    frames = b""
    for piece in (content[:512], content[512:]):
        frames += subprocess.run(
            ["zstd", "-c"], input=piece, check=True, capture_output=True
        ).stdout
    (tmp_path / "frames").write_bytes(frames)
    assert content_of(tmp_path / "frames") is Content.IMAGE


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (b"hello, this is a text\n" * 100, "is not a tarball, or is damaged"),
        (b"\x28\xb5\x2f\xfdno zstd at all", "is not a tarball, or is damaged"),
        (b"QFI\xfb" + bytes(100), "is the disk of a virtual machine (qcow2)"),
        (b"PK\x03\x04" + bytes(100), "is a zip file"),
    ],
)
def test_a_file_that_is_no_archive(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "given").write_bytes(content)
    with pytest.raises(InputError) as caught:
        content_of(tmp_path / "given")
    assert why in caught.value.brief


def test_one_that_is_not_there_or_a_directory(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "gone", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(InputError, match=why):
            content_of(path)
