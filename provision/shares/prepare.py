"""What a share needs on the server before a container can use it: tried, given, taken back."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from lab.errors import InputError
from lab.lxd.idmap import IdRange
from lab.machine.access import Count, allow, forbid, may_change, named
from lab.machine.deadline import within
from lab.machine.lock import hold_lock
from lab.report import Report
from lab.settings.settings import Settings
from lab.settings.shares import ShareKind
from lab.shares.ground import Ground
from provision.shares.sharing import Sharing, people

_LOCK = "shares"
"""One for the machine: two people may share a directory under two names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareShare:
    """Make the directory of a share ready for the container NAME with IDS."""

    name: str
    sharing: Sharing
    ids: IdRange

    def __str__(self) -> str:
        path, name = self.sharing.source.path, self.name
        if self.sharing.kind is ShareKind.OPEN:
            return (
                f"let {name} (ids {' and '.join(map(str, people(self.ids)))}) change everything in "
                f"{path}, by access lists"
            )
        if self.sharing.has_own_directories:
            return f"make {path}/{name} for {name} (id {people(self.ids)[1]})"
        return f"try whether files of {name} in {path} stay its own"


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseShare:
    """Take the rights of IDS in the open share at PATH back."""

    name: str
    path: str
    ids: IdRange

    def __str__(self) -> str:
        return f"remove the rights of {self.name} (ids {self.ids}) from {self.path}"


def is_prepared(sharing: Sharing, name: str, ids: IdRange) -> bool:
    """Whether nothing is left to do for a container NAME that has SHARING."""
    if sharing.kind is ShareKind.READ_ONLY:
        return True
    top = Path(sharing.source.path)
    if sharing.kind is ShareKind.OPEN:
        return may_change(top, people(ids))
    return not sharing.has_own_directories or _owner(top / name) == people(ids)[1]


def is_named(path: str, ids: IdRange) -> bool:
    """Whether IDS have rights in PATH, or part of them."""
    try:
        return bool(within(lambda: named(Path(path))) & set(people(ids)))
    except OSError:
        return False


def insist_on_root(actions: Iterable[object], ground: Ground) -> None:
    """InputError, before anything is changed, where ACTIONS give rights on the server."""
    for action in actions:
        if isinstance(action, PrepareShare) and not ground.superuser:
            raise InputError(
                f"To share {action.sharing.source}, labstamp must give rights in it, as root.",
                fix="Run the same command with sudo.",
            )


def prepare(action: PrepareShare, settings: Settings, report: Report, ground: Ground) -> None:
    """InputError, before anything is changed, where the file system cannot do it."""
    sharing, name = action.sharing, action.name
    path, mount = sharing.source.path, sharing.source.mount
    report.phase(name, f"share {sharing.name}")
    try:
        _prepare(action, settings, report, ground)
    except OSError as error:
        raise InputError(
            f"labstamp cannot give rights in {path} ({mount.kind} at {mount.point}): "
            f"{error.strerror}.",
            fix="Check whether root may change owners there: NFS needs no_root_squash for this "
            "host.",
        ) from error


def _prepare(action: PrepareShare, settings: Settings, report: Report, ground: Ground) -> None:
    sharing, name = action.sharing, action.name
    path, mount = sharing.source.path, sharing.source.mount
    root, account = people(action.ids)
    if sharing.kind is ShareKind.OPEN:
        with _alone(settings, report, f"share {sharing.name} with {name}"):
            ground.try_lists(path, (root, account), mount)
            told = allow(Path(path), (root, account), lambda count: _tell(report, name, count))
        _tell_end(report, name, path, told)
    elif sharing.has_own_directories:
        _make_directory(path, name, account)
    else:
        ground.try_owners(path, account, mount)


def close(action: CloseShare, settings: Settings, report: Report) -> None:
    name = action.name
    report.phase(name, f"remove its rights from {action.path}")
    try:
        with _alone(settings, report, f"unshare {action.path} from {name}"):
            forbid(Path(action.path), people(action.ids), lambda count: _tell(report, name, count))
    except OSError as error:
        # Without the device they give nothing; `host.check` names them later.
        report.say(f"{name}: its rights in {action.path} are still there: {error.strerror}.")


def _alone(settings: Settings, report: Report, what: str) -> AbstractContextManager[None]:
    return hold_lock(_LOCK, report, what, remote=settings.remote)


def _tell(report: Report, name: str, count: Count) -> None:
    report.detail(name, f"{count.seen} files and directories")


def _tell_end(report: Report, name: str, path: str, count: Count) -> None:
    if count.skipped:
        report.say(
            f"{name}: {count.skipped} files in {path} were left as they are: they have a second "
            "name and belong to the server, or are more than 200 directories deep."
        )


def _make_directory(path: str, name: str, uid: int) -> None:
    """In PATH, where only root and perhaps a group of the server's may write."""
    directory = Path(path, name)
    owner = _owner(directory)
    if owner is None:
        directory.mkdir(mode=0o700)
        _give(directory, uid)
        owner = _owner(directory)
    elif owner == 0:
        # Of a run that was cut off between the two calls; or root's own, and then it is not empty.
        _adopt(directory, uid)
        owner = _owner(directory)
    if owner != uid:
        raise InputError(
            f"{directory} belongs to the id {owner}, not to {uid}, the account of {name}.",
            details="It may be somebody else's, or its file system keeps no owners.",
            fix=f"Check whose it is. If it is theirs, run: sudo chown -R {uid}:{uid} {directory}",
        )


def _adopt(directory: Path, uid: int) -> None:
    if not directory.is_symlink() and directory.is_dir() and not any(directory.iterdir()):
        _give(directory, uid)


def _give(directory: Path, uid: int) -> None:
    """By what is open, not by its name: a link may have been put in its place."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchown(descriptor, uid, uid)
        os.fchmod(descriptor, 0o755)
    finally:
        os.close(descriptor)


def _owner(path: Path) -> int | None:
    try:
        return path.lstat().st_uid
    except FileNotFoundError:
        return None
