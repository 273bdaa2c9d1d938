"""The keys that a user lets in himself: an admin sees that there are others than he asked for.

Read from the home's own volume, on this machine: in the container LXD would open whatever a user
put there, and wait for a pipe for ever.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lab import labels
from lab.lxd.model import Instance, Volume
from lab.lxd.port import Lxd
from lab.machine.below import open_below
from lab.machine.local_daemon import lxd_directory
from lab.settings.settings import Settings
from provision.homes import home_place
from provision.keys.given import given
from provision.keys.public_key import BadKey, parse_key

FILES: Final = ("authorized_keys", "authorized_keys2")
_MOST: Final = 256 * 1024


def own_keys(lxd: Lxd, settings: Settings, instance: Instance) -> int | None:
    """How many let in beside those ever asked for, which are let in or revoked; None if unknown."""
    home = _home(lxd, instance)
    if home is None or not settings.is_local:
        return None
    found: set[str] = set()
    try:
        place = _directory(home, lxd.project)
        for file in FILES:
            path = (instance.config[labels.OWNER], ".ssh", file)
            found |= let_in(read_below(place, path).decode(errors="replace"))
    except OSError:
        return None  # not root, another kind of pool, or the user replaced it
    return len(found - given(home, instance))


def read_below(place: Path, path: Sequence[str], *, most: int = _MOST) -> bytes:
    """The file PATH below PLACE, empty where there is none.

    No link is followed, nothing is waited for; OSError if it is not a file, or too large.
    """
    try:
        handle = open_below(place, path)
    except FileNotFoundError:
        if not place.is_dir():
            raise
        return b""
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_size > most:
            raise OSError(f"{path[-1]} is not a file, or too large")
        return os.read(handle, most)
    finally:
        os.close(handle)


def _directory(home: Volume, project: str) -> Path:
    """Where LXD has HOME: projects with volumes of their own have them by name."""
    custom = lxd_directory() / "storage-pools" / home.pool / "custom"
    own = custom / f"{project}_{home.name}"
    return own if own.exists() else custom / f"default_{home.name}"


def _home(lxd: Lxd, instance: Instance) -> Volume | None:
    pool, name = home_place(instance) or ("", "")
    return next((one for one in lxd.volumes(pool) if one.name == name), None) if pool else None


def let_in(text: str) -> set[str]:
    """Fingerprints of the keys in TEXT, an authorized_keys file; options before a key are passed
    over, and a line of no key that sshd could mean counts for itself. Pure."""
    found = set()
    for line in map(str.strip, text.splitlines()):
        if line and not line.startswith("#"):
            found.add(_key_of(line))
    return found


def _key_of(line: str) -> str:
    words = line.split()
    return next(filter(None, map(_fingerprint, words, words[1:])), line)


def _fingerprint(kind: str, blob: str) -> str | None:
    try:
        return parse_key(f"{kind} {blob}").fingerprint
    except BadKey:
        return None
