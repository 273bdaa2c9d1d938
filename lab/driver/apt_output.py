"""What dpkg and apt print, as records. Lines that are not understood are left out. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lab.hardware.nvidia import DRIVER_VERSION

# A driver's version has three digits in front: 535.261.03-1. So the container toolkit (1.17.8-1)
# and CUDA's packages (11.8.89~11.8.0-5) are not the driver's, although their names match.
_DRIVER_NAME: Final = re.compile(r"nvidia|^libcuda|^libnvcuvid|^libnvoptix")
_DRIVER_VERSION: Final = re.compile(rf"(?:\d+:)?{DRIVER_VERSION}", re.ASCII)
_NOT_INSTALLED: Final = "nc"
"""The second letter of dpkg's status: not installed, only configuration files."""
_TO_INSTALL: Final = re.compile(r"Inst (\S+) (?:\[\S+\] )?\((\S+) ")
_TO_REMOVE: Final = re.compile(r"Remv (\S+) ")
_TO_DO: Final = re.compile(r"(?:Inst|Remv|Conf) ")
_UNREACHABLE: Final = re.compile(r"^E:|Failed to fetch", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Package:
    """Of another architecture than the machine's own, the name is `libcuda1:i386`."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def exactly(self) -> str:
        """As apt-get takes it."""
        return f"{self.name}={self.version}"

    @property
    def upstream(self) -> str:
        """The version without an epoch: 1:535.261.03-0ubuntu1 → 535.261.03-0ubuntu1"""
        return self.version.partition(":")[2] or self.version

    @property
    def is_driver(self) -> bool:
        return bool(_DRIVER_NAME.search(self.name) and _DRIVER_VERSION.match(self.version))

    def is_of(self, driver: str) -> bool:
        """535.261.03-1 and 1:535.261.03-0ubuntu1 are of 535.261.03."""
        return self.upstream == driver or self.upstream.startswith(f"{driver}-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What `apt-get install` would do."""

    installs: tuple[Package, ...]
    removes: tuple[str, ...]
    changes: bool
    """False where nothing is left to do."""


def read_installed(text: str) -> tuple[Package, ...]:
    """Of lines `STATUS NAME ARCHITECTURE VERSION` by dpkg-query."""
    found = [
        (words[1], words[2], words[3])
        for line in text.splitlines()
        if len(words := line.split()) == 4 and words[0][1:2] not in _NOT_INSTALLED
    ]
    native = next((machine for name, machine, _ in found if name == "dpkg"), "")
    return tuple(
        Package(name.removesuffix(f":{native}"), version) for name, _machine, version in found
    )


def read_offers(text: str) -> tuple[Package, ...]:
    """Of `apt-cache madison`, in its order: the newest of each name first."""
    found = [
        Package(words[0], words[1])
        for line in text.splitlines()
        if len(words := [word.strip() for word in line.split("|")]) > 1
    ]
    return tuple(dict.fromkeys(found))


def read_files(text: str) -> tuple[Package, ...]:
    """Of lines `NAME VERSION`."""
    pairs = [words for line in text.splitlines() if len(words := line.split()) == 2]
    return tuple(Package(name, version) for name, version in pairs)


def read_simulation(text: str) -> Simulation:
    """Of `apt-get --simulate`."""
    lines = text.splitlines()
    return Simulation(
        installs=tuple(
            Package(match[1], match[2]) for line in lines if (match := _TO_INSTALL.match(line))
        ),
        removes=tuple(match[1] for line in lines if (match := _TO_REMOVE.match(line))),
        changes=any(_TO_DO.match(line) for line in lines),
    )


def could_not_fetch(text: str) -> bool:
    """Whether `apt-get update` says that an archive was out of reach."""
    return bool(_UNREACHABLE.search(text))


def drivers(packages: Sequence[Package]) -> Iterator[Package]:
    """Those of PACKAGES that are the driver's."""
    return (package for package in packages if package.is_driver)
