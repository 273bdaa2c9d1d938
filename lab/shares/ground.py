"""Which directories of this machine may be a share: judged where they are, links followed.

What LXD attaches it opens by its path, at each start again. So nobody but root may be able to put
another directory, or a link, in its place: then what was judged is what is attached.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Final

from lab.machine.deadline import within
from lab.machine.local_daemon import PLACES, lxd_directory
from lab.machine.mounts import FSTAB, MOUNTED, Mount, listed, mount_of, mounts, not_mounted
from lab.machine.ownership import fault_of
from lab.own_files import trusted
from lab.settings.shares import ShareKind, is_below, is_systems
from lab.shares.trial import try_lists, try_owners

_MODELESS: Final = frozenset({"9p", "cifs", "exfat", "msdos", "ntfs", "ntfs3", "smb3", "vfat"})
"""Whose owners and modes are made up at the mount: they do not tell who may write."""
_ENTER: Final = 0o005


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """This machine, as far as shares are concerned."""

    owners: frozenset[int] = field(default_factory=trusted)
    """Who may change what leads to a share."""
    mounted: Path = MOUNTED
    fstab: Path = FSTAB
    lxd: Callable[[], Path] = lxd_directory
    superuser: bool = os.geteuid() == 0
    try_owners: Callable[[str, int, Mount], None] = try_owners
    try_lists: Callable[[str, Sequence[int], Mount], None] = try_lists


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A directory that may be a share, as it is now."""

    path: str
    """Without links."""
    mode: int
    mount: Mount
    volume: tuple[str, str] | None = None
    """Pool and name, where it is a volume; one that is only read has no path here."""

    def __str__(self) -> str:
        return f"volume {'/'.join(self.volume)}" if self.volume else self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a directory cannot be a share, and what to do."""

    found: str
    command: str = ""
    """That puts it right, where one does."""
    advice: str = ""

    @property
    def fix(self) -> str:
        run = f"Run: {self.command}" if self.command else ""
        return "\n".join(filter(None, (run, self.advice)))


def look(path: str, allowed: Sequence[str], kind: ShareKind, ground: Ground) -> Place | Problem:
    """ALLOWED: the directories of `share-paths`."""
    try:
        return within(lambda: _look(path, allowed, kind, ground))
    except OSError as error:
        why = error.strerror or str(error)
        return Problem(
            found=f"{path} cannot be read: {why}.",
            command=f"findmnt -T {quote(path)}",
            advice="Check the disk, or the server, that it is on.",
        )


def _look(path: str, allowed: Sequence[str], kind: ShareKind, ground: Ground) -> Place | Problem:
    try:
        real = os.path.realpath(path, strict=True)
        found = os.stat(real)  # noqa: PTH116 - Path.resolve raises no OSError for a loop
    except FileNotFoundError:
        return _unmounted(path, ground) or Problem(
            found=f"{path} does not exist on the server.",
            command=f"sudo install -d {quote(path)}",
        )
    if not stat.S_ISDIR(found.st_mode):
        return Problem(found=f"{path} is not a directory.", advice="Share a directory.")
    problem = (
        _unmounted(real, ground)
        or _elsewhere(path, real, allowed, ground)
        or _replaceable(real, ground)
        or _unfit(real, stat.S_IMODE(found.st_mode), kind)
    )
    if problem is not None:
        return problem
    mount = mount_of(real, mounts(ground.mounted)) or Mount(point="/", kind="")
    return Place(path=real, mode=stat.S_IMODE(found.st_mode), mount=mount)


def look_into(
    directory: str, kind: ShareKind, ground: Ground, *, volume: tuple[str, str]
) -> Place | Problem:
    """The DIRECTORY of a VOLUME of LXD's, in which KIND needs rights of the server."""
    try:
        mode = stat.S_IMODE(os.stat(directory).st_mode)  # noqa: PTH116 - as above
    except OSError:
        return Problem(
            found=f"The volume {'/'.join(volume)} is not seen on the server at {directory}.",
            advice="Share a directory of the server instead: path: in lab.yaml.",
        )
    mount = mount_of(directory, mounts(ground.mounted)) or Mount(point="/", kind="")
    problem = _unfit(directory, mode, kind)
    return problem or Place(path=directory, mode=mode, mount=mount, volume=volume)


def _unmounted(path: str, ground: Ground) -> Problem | None:
    missing = not_mounted(path, mounts(ground.mounted), listed(ground.fstab))
    if missing is None:
        return None
    return Problem(
        found=f"{missing.source} is not mounted at {missing.point}, where {path} is.",
        command=f"sudo mount {quote(missing.point)}",
    )


def _elsewhere(path: str, real: str, allowed: Sequence[str], ground: Ground) -> Problem | None:
    """Where links lead out of what is allowed, or to what never is."""
    if is_systems(real, [str(one) for one in (*PLACES, ground.lxd())]):
        return Problem(
            found=f"{path} leads to {real}, a directory of the system."
            if path != real
            else f"{path} is a directory of the system.",
            advice="Share another directory.",
        )
    tops = [os.path.realpath(one) for one in allowed]
    if any(is_below(real, top) for top in tops):
        return None
    return Problem(
        found=f"{path} leads to {real}, which is in no directory of share-paths.",
        advice=f"Write {real} into share-paths in lab.yaml, or share another directory.",
    )


def _replaceable(real: str, ground: Ground) -> Problem | None:
    """Where somebody but root may put something else in the place of REAL."""
    fault = fault_of(Path(real).parent, ground.owners)
    if fault is not None:
        return Problem(
            found=f"Another account may put something else in the place of {real}: {fault}.",
            command=f"sudo {fault.command}",
            advice="Or share a directory in one that is root's.",
        )
    mount = mount_of(real, mounts(ground.mounted))
    if mount is not None and mount.kind in _MODELESS and mount.point != real:
        return Problem(
            found=f"Who may put something else in the place of {real} is not known: the modes of "
            f"{mount.kind} are made up by its mount.",
            advice=f"Share all of {mount.point}, or mount {real} alone somewhere, and share that.",
        )
    return None


def _unfit(real: str, mode: int, kind: ShareKind) -> Problem | None:
    others, sticky = mode & 0o002, mode & 0o1000
    if kind is not ShareKind.OPEN and mode & _ENTER != _ENTER:
        return Problem(
            found=f"Users cannot enter {real}: its mode is {mode:04o}.",
            command=f"sudo chmod o+rx {quote(real)}",
        )
    if kind is ShareKind.PRIVATE and others and not sticky:
        return Problem(
            found=f"Everybody may delete everybody's files in {real}: its mode is {mode:04o}.",
            command=f"sudo chmod 1777 {quote(real)}",
        )
    if kind is ShareKind.OPEN and (others or sticky):
        return Problem(
            found=f"{real} has the mode {mode:04o}; in an open share its people get rights by "
            "name, and nobody else.",
            command=f"sudo chmod 0770 {quote(real)}",
        )
    return None
