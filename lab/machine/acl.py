"""POSIX access lists as the kernel stores them in extended attributes: acl(5). Pure.

No program such as setfacl is needed, and a list is written to an open file, not to a name.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

ACCESS: Final = "system.posix_acl_access"
DEFAULT: Final = "system.posix_acl_default"
"""What new files in a directory get."""

_VERSION: Final = 2
_NOBODY: Final = 0xFFFFFFFF
_OWNER, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 1, 2, 4, 8, 16, 32
_WRITE: Final = 2
ALL: Final = 7
_HEAD: Final = struct.Struct("<I")
_ENTRY: Final = struct.Struct("<HHI")


@dataclass(frozen=True, slots=True, kw_only=True)
class Acl:
    """Rights as numbers: 4 read, 2 write, 1 execute."""

    owner: int
    group: int
    other: int
    mask: int | None = None
    """The most that users and groups have; what `ls` shows as the group's rights."""
    users: Mapping[int, int] = field(default_factory=dict)
    groups: Mapping[int, int] = field(default_factory=dict)


def of_mode(mode: int) -> Acl:
    """That of a file without a list."""
    return Acl(owner=mode >> 6 & 7, group=mode >> 3 & 7, other=mode & 7)


def read_acl(raw: bytes) -> Acl:
    """ValueError where RAW is no list of the version that kernels write."""
    if len(raw) < _HEAD.size or _HEAD.unpack_from(raw)[0] != _VERSION:
        raise ValueError("not a POSIX access list")
    users: dict[int, int] = {}
    groups: dict[int, int] = {}
    plain: dict[int, int] = {}
    for tag, rights, number in _ENTRY.iter_unpack(raw[_HEAD.size :]):
        if tag in {_USER, _GROUP}:
            (users if tag == _USER else groups)[number] = rights
        else:
            plain[tag] = rights
    if not {_OWNER, _GROUP_OBJ, _OTHER} <= plain.keys():
        raise ValueError("not a whole POSIX access list")
    return Acl(
        owner=plain[_OWNER],
        group=plain[_GROUP_OBJ],
        other=plain[_OTHER],
        mask=plain.get(_MASK),
        users=users,
        groups=groups,
    )


def packed(acl: Acl) -> bytes:
    """As the kernel wants them: by kind, and by number."""
    entries = [
        (_OWNER, acl.owner, _NOBODY),
        *((_USER, rights, number) for number, rights in sorted(acl.users.items())),
        (_GROUP_OBJ, acl.group, _NOBODY),
        *((_GROUP, rights, number) for number, rights in sorted(acl.groups.items())),
        *([(_MASK, acl.mask, _NOBODY)] if acl.mask is not None else []),
        (_OTHER, acl.other, _NOBODY),
    ]
    return _HEAD.pack(_VERSION) + b"".join(_ENTRY.pack(*entry) for entry in entries)


def opened(acl: Acl, ids: Iterable[int], mode: int) -> Acl:
    """ACL, of a file with MODE, with the right to change it for IDS.

    A list that was there keeps its mask: somebody may have made the file private by `chmod`.
    """
    rights = _rights(acl, mode)
    mask = rights | acl.group if acl.mask is None else acl.mask
    return replace(acl, users={**acl.users, **dict.fromkeys(ids, rights)}, mask=mask)


def inherited(acl: Acl | None, ids: Iterable[int], mode: int) -> Acl:
    """The list ACL, which new files get in a directory with MODE, with all rights for IDS."""
    before = acl or Acl(owner=ALL, group=ALL, other=mode & 7 & ~_WRITE)
    return replace(before, users={**before.users, **dict.fromkeys(ids, ALL)}, mask=ALL)


def closed(acl: Acl, ids: Iterable[int]) -> Acl:
    """ACL without IDS. One that names nobody any more is the mode alone."""
    gone = set(ids)
    users = {number: rights for number, rights in acl.users.items() if number not in gone}
    if users or acl.groups or acl.mask is None:
        return replace(acl, users=users)
    return replace(acl, users=users, group=acl.group & acl.mask, mask=None)


def _rights(acl: Acl, mode: int) -> int:
    """A program stays one, for whoever may change it, too."""
    return ALL if stat.S_ISDIR(mode) or acl.owner & 1 else ALL & ~1
