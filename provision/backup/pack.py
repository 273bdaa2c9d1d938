"""A tree into an archive and the list of its files; and the way back, compared with that list."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, TypeAlias

from lab.errors import CheckError, LxdError
from lab.lxd.idmap import IdRange
from lab.machine.id_space import Ids
from lab.machine.tree_list import Source, Totals, list_stream, name_in
from lab.machine.trees import packing, unpack
from lab.machine.zstd_file import ZstdFile, sha256_of, unpacked
from lab.printable import in_line
from provision.backup.directory import Backup
from provision.backup.manifest import Part, damaged

_SHOWN: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Files on this machine, and the range of ids that they have there; None for their own."""

    place: Path
    range: IdRange | None = None

    @property
    def ids(self) -> Ids | None:
        return (self.range.base, self.range.size) if self.range is not None else None


Pack: TypeAlias = Callable[[Tree, Path, Path], Part]
"""Archive and list, in this order."""
Unpack: TypeAlias = Callable[[Backup, Tree], None]


def pack(tree: Tree, archive: Path, listing: Path) -> Part:
    """Both files are on the disk afterwards. CapacityError where that has no room for them."""
    stored, listed = ZstdFile(archive), ZstdFile(listing)
    try:
        with packing(tree.place, tree.ids) as stream:
            totals = list_stream(_Through(stream, stored.write), listed.write)
        whole, lines = stored.finish(), listed.finish()
    except BaseException as error:
        stored.abandon()
        listed.abandon()
        raise _as_lab_error(error) from error
    return Part(
        sha256=whole.sha256,
        size_bytes=whole.size_bytes,
        list_sha256=lines.sha256,
        files=totals.files,
        content_bytes=totals.content_bytes,
    )


def list_tree(tree: Tree, listing: Path) -> Totals:
    """The list of its files alone."""
    listed = ZstdFile(listing)
    try:
        with packing(tree.place, tree.ids) as stream:
            totals = list_stream(stream, listed.write)
        listed.finish()
    except BaseException as error:
        listed.abandon()
        raise _as_lab_error(error) from error
    return totals


def unpack_home(backup: Backup, tree: Tree) -> None:
    """Into a directory that is empty."""
    with unpacked(backup.archive("home")) as stream:
        unpack(stream, tree.place, tree.ids)


def check_stored(backup: Backup) -> None:
    """CheckError unless each file of BACKUP is the one that its manifest tells of."""
    for name, part in backup.manifest.parts.items():
        for path, wanted in (
            (backup.archive(name), part.sha256),
            (backup.list(name), part.list_sha256),
        ):
            try:
                found = sha256_of(path)
            except OSError as error:
                why = f"{path.name}: {error.strerror or error}"
                raise damaged(backup.place, why) from error
            if found.sha256 != wanted:
                raise damaged(backup.place, _changed(path, found.size_bytes, name, part))


def differences(wanted: Path, found: Path) -> tuple[str, ...]:
    """What FOUND, a list of files, has otherwise than WANTED, in words; () for the same."""
    with unpacked(wanted) as one, unpacked(found) as other:
        if _all_same(one, other):
            return ()
    before, now = _by_name(wanted), _by_name(found)
    return tuple(_told(before, now))


class _Through:
    """A stream whose pieces are also given to SINK."""

    def __init__(self, stream: Source, sink: Callable[[bytes], object]) -> None:
        self._stream = stream
        self._sink = sink

    def read(self, size: int = -1, /) -> bytes:
        piece = self._stream.read(size)
        self._sink(piece)
        return piece


def _as_lab_error(error: BaseException) -> BaseException:
    if isinstance(error, tarfile.ReadError | EOFError):
        return LxdError("The files could not be read to their end.", details=str(error))
    return error


def _changed(path: Path, size: int, name: str, part: Part) -> str:
    if path.name.startswith(f"{name}.tar") and size < part.size_bytes:
        return f"{path.name} was cut off: {size} of {part.size_bytes} bytes are there."
    return f"{path.name} is not the file that this backup was made with."


def _all_same(one: IO[bytes], other: IO[bytes]) -> bool:
    return all(mine == theirs for mine, theirs in _side_by_side(one, other))


def _side_by_side(one: IO[bytes], other: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    while True:
        mine, theirs = one.readline(), other.readline()
        if not mine and not theirs:
            return
        yield mine, theirs


def _by_name(listing: Path) -> dict[str, bytes]:
    with unpacked(listing) as lines:
        return {name_in(line): line for line in iter(lines.readline, b"")}


def _told(before: dict[str, bytes], now: dict[str, bytes]) -> Iterator[str]:
    changed = [name for name in before if name in now and before[name] != now[name]]
    groups = (
        ("is missing", [name for name in before if name not in now]),
        ("is not what it was", changed),
        ("was not there", [name for name in now if name not in before]),
    )
    for what, names in groups:
        for name in names[:_SHOWN]:
            yield f"{in_line(name, most=200)} {what}"
        if len(names) > _SHOWN:
            yield f"and {len(names) - _SHOWN} more: {what}"


def as_check_error(error: LxdError, backup: Backup) -> CheckError:
    """What cannot be unpacked was not what it was said to be."""
    return damaged(backup.place, f"{error.brief} {error.details or ''}".strip())
