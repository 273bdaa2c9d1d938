"""labstamp's own directory for locks: no other account makes, renames or replaces one there.

Not /run/lock, where every account of the server may make a link of that name, and not /run,
where only root could make it again after each boot.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import Final

from lab.download import cache_directory
from lab.errors import InputError
from lab.machine.local_daemon import SOCKET, lxd_directory
from lab.machine.ownership import ROOT_ALONE, fault_of

PLACE: Final = Path("/var/lib/labstamp/locks")
LOCAL: Final = "local"
_PASSABLE: Final = 0o755
_SETUP: Final = "sudo .venv/bin/invoke host.setup"


def have_place(remote: str = LOCAL) -> Path:
    """Where the locks for one LXD are: on this machine, or at the URL REMOTE.

    Root makes it for those who may use the daemon, who have root's rights through it; other
    accounts that work with an LXD on another machine have a directory of their own. InputError
    where its owner or its permissions are wrong.
    """
    uid = os.geteuid()
    if remote != LOCAL:
        base = PLACE if uid == 0 else cache_directory() / PLACE.name
        return have(base, _name(remote), owner=uid, group=None)
    lxd = lxd_directory().resolve()
    if uid != 0:
        return find(PLACE, _name(str(lxd)))
    return have(PLACE, _name(str(lxd)), owner=0, group=_group_of(lxd / SOCKET))


def have(base: Path, name: str, *, owner: int, group: int | None) -> Path:
    """NAME below BASE, made right as far as it is OWNER's; GROUP may make locks in it, too."""
    place = base / name
    try:
        base.parent.parent.mkdir(parents=True, exist_ok=True)
        for directory in (base.parent, base):
            _make_right(directory, owner, mode=_PASSABLE)
        _make_right(place, owner, mode=0o2770 if group else 0o700, group=group)
    except OSError as error:
        raise InputError(
            f"The directory for locks, {place}, cannot be made.", details=str(error)
        ) from error
    if owner == 0 and (fault := fault_of(base, ROOT_ALONE)):
        raise _in_the_way(base, f"can be changed by others than root: {fault}")
    return place


def find(base: Path, name: str) -> Path:
    """NAME below BASE as root made it, for one of its group."""
    place = base / name
    try:
        found = place.lstat()
    except OSError as error:
        raise InputError(
            f"There is no directory for locks, {place}.",
            details="Root makes it once; the group of LXD's socket may use it.",
            fix=_SETUP,
        ) from error
    is_right = stat.S_ISDIR(found.st_mode) and found.st_uid == 0 and not found.st_mode & 0o002
    if not is_right or not os.access(place, os.W_OK | os.X_OK):
        raise InputError(
            f"The directory for locks, {place}, has a wrong owner or wrong permissions.",
            details="It must belong to root, and only the group of LXD's socket may write to it.",
            fix=f"{_SETUP}\nand check that you are in that group: id -nG",
        )
    return place


def _make_right(directory: Path, owner: int, *, mode: int, group: int | None = None) -> None:
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)
    try:
        opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise _in_the_way(directory, "is not a directory of labstamp") from error
    try:
        found = os.fstat(opened)
        if found.st_uid != owner:
            raise _in_the_way(directory, f"belongs to uid {found.st_uid}")
        if group is not None and found.st_gid != group:
            os.fchown(opened, -1, group)
        if stat.S_IMODE(found.st_mode) != mode:
            os.fchmod(opened, mode)
    finally:
        os.close(opened)


def _in_the_way(directory: Path, why: str) -> InputError:
    return InputError(
        f"{directory} {why}; labstamp needs it for its locks.",
        fix=f"Check what it is, move it away, and run this again: mv {directory} {directory}.old",
    )


def _name(lxd: str) -> str:
    """LXD, a directory or a URL, as the name of a file."""
    return lxd.strip("/").replace("://", "-").replace("/", "-")


def _group_of(socket: Path) -> int:
    """Whom the daemon lets in; root's own where it does not run."""
    try:
        return socket.stat().st_gid
    except OSError:
        return 0
