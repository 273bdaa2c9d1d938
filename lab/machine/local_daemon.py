"""Which LXD of this machine is meant: that of $LXD_DIR, else the one that answers."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Final, TypeAlias

from lab.errors import InputError
from lab.places import is_installed

SOCKET: Final = "unix.socket"
SNAP: Final = Path("/var/snap/lxd/common/lxd")
PACKAGE: Final = Path("/var/lib/lxd")
Places: TypeAlias = tuple[Path, Path]
PLACES: Final[Places] = (SNAP, PACKAGE)
SNAP_MOUNTS: Final = (Path("/snap/lxd/current"), Path("/var/lib/snapd/snap/lxd/current"))
"""Where snapd mounts it, by distribution."""
_PATIENCE: Final = 5.0


class Door(Enum):
    """The result of a connection attempt to a socket."""

    OPEN = "open"
    SHUT = "shut"
    """A socket that we may not use."""
    NOBODY = "nobody"
    """No socket, or one that a daemon left behind."""


def lxd_directory(
    environ: Mapping[str, str] = os.environ,
    places: Places = PLACES,
    snap_mounts: Sequence[Path] = SNAP_MOUNTS,
) -> Path:
    """Where the local daemon keeps its things. InputError where two daemons answer.

    A directory or a socket alone is no daemon: a snap that is removed leaves both.
    """
    if environ.get("LXD_DIR"):
        return Path(environ["LXD_DIR"])
    doors = {place: probe_socket(place / SOCKET) for place in places}
    inviting = [place for place, door in doors.items() if door is Door.OPEN]
    if len(inviting) > 1:
        raise _two(inviting)
    # Without access it is not known whether a daemon still serves the socket.
    likely = inviting or [place for place, door in doors.items() if door is Door.SHUT]
    snap, package = places
    installed = snap if _is_mounted(snap_mounts) else package
    return installed if installed in likely or not likely else likely[0]


def probe_socket(path: Path) -> Door:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_PATIENCE)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            return Door.NOBODY
        except PermissionError:
            return Door.SHUT
        except OSError:
            # Somebody listens, but is too busy to take another call.
            return Door.OPEN
    return Door.OPEN


def how_to_start(
    path: Path,
    *,
    snap_mounts: Sequence[Path] = SNAP_MOUNTS,
    systemd: Path = Path("/run/systemd/system"),
) -> str:
    """The command that starts the daemon of the socket PATH."""
    if path.is_relative_to(SNAP) and _is_mounted(snap_mounts):
        return "sudo snap start lxd"
    if systemd.exists():
        return "sudo systemctl start lxd"
    return f"{'In a checkout: ' if is_installed() else ''}sudo ci/sandbox start"


def abandoned(path: Path, places: Sequence[Path] = PLACES) -> tuple[Path, ...]:
    """Sockets beside PATH that nobody answers at, for a message that nobody does at PATH."""
    sockets = (place / SOCKET for place in places)
    return tuple(one for one in sockets if one != path and one.exists())


def _is_mounted(snap_mounts: Sequence[Path]) -> bool:
    return any(place.exists() for place in snap_mounts)


def _two(places: Sequence[Path]) -> InputError:
    return InputError(
        "Two LXD daemons run on this machine, and LXD_DIR does not say which one to use.",
        details="\n".join(f"{place / SOCKET} answers" for place in places),
        fix="Choose the one for the containers (`lxc` uses the same variable):\n"
        + "\n".join(f"export LXD_DIR={place}" for place in places),
    )
