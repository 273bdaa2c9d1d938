"""Files of a root that its user may have written, read without anybody being held up.

On the server itself from the root's own directory: no link is followed, and only regular files are
opened. Else by LXD, from a root that is stopped: a pipe there costs some seconds, once.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TypeAlias

from lab.errors import LxdError, NotFound, TooMuch
from lab.lxd.model import Instance, State
from lab.lxd.port import Lxd
from lab.settings.settings import Settings
from lab.sizes import format_size
from provision.keys.own import read_below
from provision.upgrade.etc import root_directory

ReadFile: TypeAlias = Callable[[Lxd, Instance, str, int], "bytes | None"]
"""The file of that path, of that many bytes at most; None where there is none. LxdError where it
cannot be read, or cannot be read without risk."""


def reader(settings: Settings) -> ReadFile:
    return read_root_file if settings.is_local else read_by_lxd


def read_root_file(lxd: Lxd, instance: Instance, path: str, most: int) -> bytes | None:
    """For the LXD of this machine."""
    what = f"{path} in {instance.name} cannot be read"
    try:
        place = root_directory(instance)
        if not (place / "etc").is_dir():
            return read_by_lxd(lxd, instance, path, most)
        found = read_below(place, PurePosixPath(path).parts[1:], most=most + 1)
    except OSError as error:
        raise LxdError(f"{what}.", details=error.strerror or str(error)) from error
    if len(found) > most:
        raise TooMuch(f"{what}: it is larger than {format_size(most)}.")
    return found or None


def read_by_lxd(lxd: Lxd, instance: Instance, path: str, most: int) -> bytes | None:
    """For an LXD elsewhere, and pools that are not mounted."""
    if instance.state is not State.STOPPED:
        raise LxdError(f"{path} in {instance.name} cannot be read while it runs.")
    try:
        return lxd.read_file(instance.name, path, most=most) or None
    except NotFound:
        return None
