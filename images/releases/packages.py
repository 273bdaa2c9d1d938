"""What is installed in a release: read from its body, stored with its image, compared."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from debian.deb822 import Deb822
from debian.debian_support import Version

from lab.errors import InputError, NotFound
from lab.lxd.model import Image
from lab.lxd.port import Lxd
from lab.release import PACKAGES

_STATUS = "/var/lib/dpkg/status"
_FIELDS = ["Package", "Status", "Architecture", "Version"]
# A desktop's list has 60 kB; imported files may hold anything.
_LONGEST = 8 * 1024**2

# Names and versions of dpkg's, see deb-version(7): nothing that a terminal would act on.
_LINE = re.compile(r"([A-Za-z0-9][A-Za-z0-9+.:_-]{0,200})\t([A-Za-z0-9.+:~_-]{0,250})", re.ASCII)

Versions = Mapping[str, str]
"""Package → version. Of a package in several architectures: `libc6:i386`."""


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
        status = lxd.read_file(instance, _STATUS).decode(errors="replace")
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


def installed(status: str) -> Versions:
    """The packages that dpkg's STATUS file calls installed, by name."""
    found: dict[str, dict[str, str]] = {}
    # As lines, since a text without any may be taken for the name of a file.
    for stanza in Deb822.iter_paragraphs(status.splitlines(), fields=_FIELDS):
        if stanza.get("Status", "").endswith(" installed") and "Package" in stanza:
            by_architecture = found.setdefault(stanza["Package"], {})
            by_architecture[stanza.get("Architecture", "")] = stanza.get("Version", "")
    return {
        package if len(versions) == 1 else f"{package}:{architecture}": version
        for package, versions in sorted(found.items())
        for architecture, version in sorted(versions.items())
    }


def packed(versions: Versions) -> str:
    """As the value of a property: a desktop's 1200 packages take 15 kB."""
    text = "".join(f"{package}\t{version}\n" for package, version in sorted(versions.items()))
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def unpacked(value: str) -> Versions:
    """What `packed` made VALUE of; ValueError when it did not."""
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(base64.b64decode(value, validate=True), _LONGEST)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if not unpacking.eof:
        raise ValueError("It is incomplete or too long.")
    found: dict[str, str] = {}
    for line in text.decode().splitlines():
        named = _LINE.fullmatch(line)
        if named is None:
            raise ValueError("It contains something other than packages and their versions.")
        found[named[1]] = named[2]
    return found


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
