"""What a file is that people give as the source: a whole image, its metadata alone, or a root.

Recognised by its content, with any compression and in any order; what is none of these is refused
with its kind, before LXD is asked to make anything of it.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import IO, Final

from lab.errors import InputError
from lab.yaml.problems import shown


class Content(Enum):
    IMAGE = "a whole image: metadata.yaml and rootfs/"
    METADATA = "the metadata of an image, without its root"
    ROOT = "a root file system"


_FIX: Final = (
    "Give an exported image (lxc image export) or a tarball of a root file system:\n"
    "source: {kind: file, path: …} in lab.yaml."
)
_UNPACK: Final[Sequence[tuple[bytes, tuple[str, ...]]]] = (
    (b"\x28\xb5\x2f\xfd", ("zstd", "-dc")),
    (b"\xfd7zXZ\0", ("xz", "-dc")),
    (b"\x1f\x8b", ("gzip", "-dc")),
    (b"BZh", ("bzip2", "-dc")),
    (b"\x04\x22\x4d\x18", ("lz4", "-dc")),
    (b"\x5d\0\0", ("xz", "--format=lzma", "-dc")),
)
_SQUASHFS: Final = b"hsqs"
_STRANGE: Final = (
    (b"QFI\xfb", "the disk of a virtual machine (qcow2)"),
    (b"PK\x03\x04", "a zip file"),
    (b"!<arch>\n", "a package or library (ar)"),
)
_ROOT_NAMES: Final = frozenset({"bin", "etc", "lib", "sbin", "usr", "var"})
_REFUSED: Final = {
    "backup": "the backup of an instance (lxc export): lxc import it, stop it, and name it with "
    "source: {kind: instance, name: …}",
    "manifest.json": "an image of docker (docker save), or an export of labstamp: "
    "docker export CONTAINER gives a root, and invoke import-image takes labstamp's",
    "oci-layout": "an image of docker or podman: docker export CONTAINER gives a root",
}


def content_of(path: Path) -> Content:
    """What the file at PATH is. InputError where it is nothing to make an instance of."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise _refusal(path, f"cannot be read: {error.strerror}") from error
    if not head:
        raise _refusal(path, "is empty")
    for magic, name in _STRANGE:
        if head.startswith(magic):
            raise _refusal(path, f"is {name}")
    names = _in_squashfs(path) if head.startswith(_SQUASHFS) else _in_tarball(path, head)
    return judge(path, names)


def judge(path: Path, names: Iterable[str]) -> Content:
    """What holds NAMES, the entries of PATH; no more of them are asked for than tell. Pure."""
    tops: dict[str, None] = {}
    for name in names:
        top = name.removeprefix("./").strip("/").partition("/")[0]
        if top in ("", "."):
            continue
        tops[top] = None
        if top in _REFUSED:
            raise _refusal(path, f"is {_REFUSED[top]}")
        if top in _ROOT_NAMES:
            return Content.ROOT
        if {"metadata.yaml", "rootfs"} <= tops.keys():
            return Content.IMAGE
    if "metadata.yaml" in tops:
        return Content.METADATA
    if "rootfs" in tops:
        raise _refusal(path, "has a rootfs/, but no metadata.yaml beside it")
    found = ", ".join(list(tops)[:5]) or "nothing"
    raise _refusal(path, f"is neither an image nor a root file system; it holds {found}")


def root_beside(metadata: Path) -> Path:
    """The root of the split image whose METADATA this is, exported beside it."""
    stem = metadata.name.partition(".")[0]
    found = [
        path
        for path in sorted(metadata.parent.glob(f"{stem}.*"))
        if path != metadata and _is_root(path)
    ]
    if len(found) == 1:
        return found[0]
    there = f"There are {', '.join(shown(path) for path in found)}." if found else None
    raise InputError(
        f"The source file {shown(metadata)} is {Content.METADATA.value}.",
        details=there,
        fix="Name both files that lxc image export wrote:\n"
        f"source: {{kind: file, metadata: {metadata.name}, path: …}} in lab.yaml.",
    )


def _is_root(path: Path) -> bool:
    try:
        return content_of(path) is Content.ROOT
    except InputError:
        return False


def _refusal(path: Path, text: str) -> InputError:
    return InputError(f"The source file {shown(path)} {text}.", fix=_FIX)


def _in_squashfs(path: Path) -> Iterator[str]:
    if shutil.which("unsquashfs") is None:
        # LXD cannot unpack it either, without; but it may be another machine's LXD.
        yield "etc"
        return
    argv = ["unsquashfs", "-max-depth", "1", "-dest", "", "-ls", str(path)]
    ended = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
    if ended.returncode != 0:
        said = ended.stderr.strip().splitlines() or ["unsquashfs cannot read it"]
        raise _refusal(path, f"is damaged: {said[-1]}")
    yield from ended.stdout.splitlines()


def _in_tarball(path: Path, head: bytes) -> Iterator[str]:
    with unpacked(path, head) as stream:
        try:
            # As a stream, so that no more is read than tells.
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                for entry in archive:
                    yield entry.name
        except (tarfile.TarError, EOFError, OSError) as error:
            raise _refusal(path, f"is not a tarball, or is damaged: {error}") from error


@contextmanager
def unpacked(path: Path, head: bytes) -> Iterator[IO[bytes]]:
    """What is packed in the file at PATH, which begins with HEAD."""
    argv = next((argv for magic, argv in _UNPACK if head.startswith(magic)), None)
    if argv is None:
        with path.open("rb") as file:
            yield file
        return
    if shutil.which(argv[0]) is None:
        raise InputError(
            f"{argv[0]}, which is needed to unpack {shown(path)}, is not installed.",
            fix=f"sudo apt-get install {_PACKAGES.get(argv[0], argv[0])}",
        )
    with subprocess.Popen(
        [*argv, "--", str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            if process.stdout is not None:
                yield process.stdout
        finally:
            # No more of it is wanted.
            process.kill()


_PACKAGES: Final = {"xz": "xz-utils"}
