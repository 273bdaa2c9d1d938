"""What is installed in a release: read from its body, stored with its image, compared."""

from __future__ import annotations

from dataclasses import dataclass

from debian.debian_support import Version

from lab.dpkg import STATUS, Versions, installed, packed, unpacked
from lab.errors import InputError, NotFound
from lab.lxd.model import Image
from lab.lxd.port import Lxd
from lab.release import PACKAGES


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A package that differs. OLD is None where it was added, NEW where it was removed."""

    package: str
    old: str | None
    new: str | None

    @property
    def kind(self) -> str:
        if self.old is None:
            return "added"
        if self.new is None:
            return "removed"
        return "upgraded" if _is_older(self.old, self.new) else "downgraded"

    def __str__(self) -> str:
        versions = " → ".join(version for version in (self.old, self.new) if version)
        return f"{self.kind:<10} {self.package} {versions}"


def packages_property(lxd: Lxd, instance: str) -> dict[str, str]:
    """The property that stores what is installed in the stopped INSTANCE; none without dpkg."""
    try:
        status = lxd.read_file(instance, STATUS).decode(errors="replace")
    except NotFound:
        return {}
    return {PACKAGES: packed(installed(status))}


def packages_of(image: Image, name: str) -> Versions:
    """What was stored with IMAGE, whose release is called NAME in errors."""
    try:
        return unpacked(image.properties[PACKAGES])
    except KeyError:
        raise InputError(
            f"No package list is stored with {name}.", fix="Choose another release: --old or --new"
        ) from None
    except ValueError as error:
        raise InputError(
            f"The package list stored with {name} cannot be read.", details=str(error)
        ) from error


def changes(old: Versions, new: Versions) -> tuple[Change, ...]:
    """What NEW has that OLD has not, and the other way round, by name."""
    return tuple(
        Change(package=package, old=old.get(package), new=new.get(package))
        for package in sorted({*old, *new})
        if old.get(package) != new.get(package)
    )


def _is_older(version: str, other: str) -> bool:
    try:
        return Version(version) < Version(other)
    except ValueError:
        # Not Debian's: an imported file may hold anything.
        return version < other
