"""Whether an account that is not trusted may write what root is about to run or to read.

An account that may write a file that root runs can become root; one that may write a directory
above it can replace the file. So each component of a path is judged, through every link.
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Final

ROOT_ALONE: Final = frozenset({0})
_ACL: Final = "system.posix_acl_access"
_LINKS: Final = 40
"""As many as the kernel follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    path: Path
    why: str
    command: str
    """The command with which root fixes it."""

    def __str__(self) -> str:
        return f"{self.path} {self.why}"


def faults(
    paths: Iterable[Path], trees: Iterable[Path], owners: Collection[int]
) -> Iterator[Fault]:
    """Of PATHS, and of TREES with all that is in them."""
    for path in paths:
        if fault := fault_of(path, owners):
            yield fault
    for tree in trees:
        if fault := fault_of(tree, owners):
            yield fault
        elif tree.is_dir():
            yield from _faults_below(tree, owners)


def _faults_below(directory: Path, owners: Collection[int]) -> Iterator[Fault]:
    """What is above them is judged; the directories that links lead to are not gone into."""
    with os.scandir(directory) as entries:
        for entry in entries:
            path = Path(entry.path)
            if entry.is_symlink():
                fault = fault_of(path, owners)
            else:
                fault = _judged(path, entry.stat(follow_symlinks=False), owners, is_last=True)
            if fault is not None:
                yield fault
            elif entry.is_dir(follow_symlinks=False):
                yield from _faults_below(path, owners)


def fault_of(path: Path, owners: Collection[int]) -> Fault | None:
    """Who beside OWNERS may change what PATH leads to; None where nobody may.

    Of a path that is not there, what is there of it is judged.
    """
    left = deque(path.absolute().parts[1:])
    here = Path("/")
    links = 0
    fault = _judged(here, here.lstat(), owners, is_last=not left)
    while left and fault is None:
        part = left.popleft()
        if part == "..":
            here = here.parent
            continue
        there = here / part
        try:
            found = there.lstat()
        except OSError:
            return None
        if stat.S_ISLNK(found.st_mode):
            fault = _foreign(there, found, owners)
            links += 1
            if links > _LINKS:
                return None  # nothing is there to the kernel either
            target = there.readlink()
            if target.is_absolute():
                here = Path("/")
            left.extendleft(reversed([one for one in target.parts if one != "/"]))
        else:
            fault = _judged(there, found, owners, is_last=not left)
            here = there
    return fault


def _judged(
    path: Path, found: os.stat_result, owners: Collection[int], *, is_last: bool
) -> Fault | None:
    if fault := _foreign(path, found, owners):
        return fault
    # In /tmp and the like, nobody can move away what is another's.
    if stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX and not is_last:
        return None
    command = f"chmod go-w {quote(str(path))}"
    if found.st_mode & stat.S_IWOTH:
        return Fault(path=path, why="may be written by everybody", command=command)
    if found.st_mode & stat.S_IWGRP:
        # With an access list, what looks like the group's right is the most that anybody has.
        if _has_acl(path):
            return Fault(path=path, why="has an access list (getfacl)", command=command)
        if not _is_private(found.st_gid, owners):
            group = _group(found.st_gid)
            return Fault(path=path, why=f"may be written by the group {group}", command=command)
    return None


def _foreign(path: Path, found: os.stat_result, owners: Collection[int]) -> Fault | None:
    if found.st_uid in owners:
        return None
    return Fault(
        path=path,
        why=f"belongs to {_account(found.st_uid)}",
        command=f"chown -h root: {quote(str(path))}",
    )


def _is_private(gid: int, owners: Collection[int]) -> bool:
    """Whether GID is the group that an owner alone is in, as distributions make one for each."""
    try:
        group = grp.getgrgid(gid)
    except KeyError:
        return False
    names = set()
    is_own = False
    for uid in owners:
        try:
            account = pwd.getpwuid(uid)
        except KeyError:
            continue
        names.add(account.pw_name)
        is_own = is_own or (account.pw_gid == gid and account.pw_name == group.gr_name)
    return is_own and set(group.gr_mem) <= names


def _has_acl(path: Path) -> bool:
    try:
        return _ACL in os.listxattr(path, follow_symlinks=False)
    except OSError:
        return False


def _account(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
