"""What a user added to a root: packages by hand, files of /etc. It is named before an upgrade."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from lab.dpkg import STATES, STATUS, Versions, conffiles, installed, manual, unpacked
from lab.driver.apt_output import Package
from lab.errors import LxdError, LxdUnreachable
from lab.lxd.contents import MOST
from lab.lxd.model import Instance
from lab.lxd.port import Lxd
from lab.settings.settings import Settings
from provision.upgrade.etc import changed_files, root_directory
from provision.upgrade.root_file import ReadFile

_LOOKS_AT_ONCE: Final = 32
"""Those that hold up who looks at them must not keep the others waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """None: not known, since the files could not be read."""

    installed: Versions | None = None
    manual: Versions | None = None
    files: tuple[str, ...] | None = None


def look_inside(
    lxd: Lxd, settings: Settings, instances: Sequence[Instance], read: ReadFile
) -> dict[str, Inside]:
    with ThreadPoolExecutor(max_workers=_LOOKS_AT_ONCE) as pool:
        found = pool.map(lambda one: _look(lxd, settings, one, read), instances)
        return dict(zip((one.name for one in instances), found, strict=True))


def added_packages(inside: Inside, *releases: Collection[str]) -> tuple[str, ...] | None:
    """What somebody asked apt for, beside what the RELEASES have and the driver's. Pure.

    None where it is not known what is inside, or what a release has.
    """
    if inside.manual is None or not any(releases):
        return None
    known = {name.partition(":")[0] for release in releases for name in release}
    return tuple(
        name
        for name, version in sorted(inside.manual.items())
        if name.partition(":")[0] not in known and not Package(name, version).is_driver
    )


def names_in(packed: str) -> frozenset[str]:
    """Of a release, as its image keeps them; none where that cannot be read."""
    try:
        return frozenset(unpacked(packed)) if packed else frozenset()
    except ValueError:
        return frozenset()


def _look(lxd: Lxd, settings: Settings, instance: Instance, read: ReadFile) -> Inside:
    status = _text(lxd, instance, STATUS, read)
    states = _text(lxd, instance, STATES, read)
    if status is None:
        return Inside()
    try:
        there = installed(status)
        # Without apt's file, as in an image, nothing was installed for something else.
        asked = manual(status, states or "")
        own = conffiles(status)
    except (ValueError, KeyError):
        return Inside()
    return Inside(installed=there, manual=asked, files=_files(settings, instance, own))


def _files(
    settings: Settings, instance: Instance, own: Mapping[str, str]
) -> tuple[str, ...] | None:
    if not settings.is_local:
        return None
    try:
        return changed_files(root_directory(instance), instance.created_at.timestamp(), own)
    except OSError:
        return None


def _text(lxd: Lxd, instance: Instance, path: str, read: ReadFile) -> str | None:
    """None where there is none, or it cannot be read."""
    try:
        found = read(lxd, instance, path, MOST)
    except LxdUnreachable:
        raise
    except LxdError:
        return None
    return None if found is None else found.decode(errors="replace")
