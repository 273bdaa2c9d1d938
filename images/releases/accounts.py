"""The names that are taken in a release: its accounts and groups, stored with its image."""

from __future__ import annotations

from collections.abc import Iterator

from lab.errors import NotFound
from lab.lxd.port import Lxd
from lab.release import ACCOUNTS

_FILES = ("/etc/passwd", "/etc/group")


def accounts_property(lxd: Lxd, instance: str) -> dict[str, str]:
    """The property that stores what names the stopped INSTANCE has; none without such files."""
    names = sorted({name for path in _FILES for name in _names(lxd, instance, path)})
    return {ACCOUNTS: " ".join(names)} if names else {}


def _names(lxd: Lxd, instance: str, path: str) -> Iterator[str]:
    try:
        text = lxd.read_file(instance, path).decode(errors="replace")
    except NotFound:
        return
    for line in text.splitlines():
        name, colon, _ = line.partition(":")
        # Lines that begin with + or - are those of NIS.
        if colon and name and not name.startswith(("+", "-")):
            yield name
