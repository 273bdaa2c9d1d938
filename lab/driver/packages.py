"""Which packages make a driver's userland, which others go, and what may be removed for it. Pure.

All of it is decided from what dpkg and apt print (`apt_output`), before anything is changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lab.driver.apt_output import Package, Simulation, drivers

_NAMES: Final = "*nvidia* libcuda* libnvcuvid* libnvoptix*"
"""Globs: regular expressions would make every apt command two seconds slower."""
_PINS: Final = """\
# Written by labstamp. The NVIDIA userland has to be exactly the version of the host's kernel
# module, or nothing works ("Driver/library version mismatch"): no other one is ever installed.
Package: {names}
Pin: version /^([0-9]+:)?{version}(-|$)/
Pin-Priority: 1001

Package: {names}
Pin: version /^([0-9]+:)?[0-9]{{3}}\\.[0-9]/
Pin-Priority: -1
"""

# Debian's names, with Debian's own package for the tool or that of NVIDIA's archive for Debian.
_DEBIAN_TOOLS: Final = ("nvidia-smi", "nvidia-driver-cuda")
_DEBIAN: Final = (
    *("libnvidia-ml1", "libcuda1", "libnvidia-ptxjitcompiler1", "libnvidia-nvvm4"),
    *("libnvidia-cfg1", "nvidia-opencl-icd", "libnvcuvid1", "libnvidia-encode1"),
    "libnvidia-opticalflow1",
)
_DEBIAN_DESKTOP: Final = (
    *("libgl1-nvidia-glvnd-glx", "libglx-nvidia0", "libegl-nvidia0", "nvidia-egl-icd"),
    *("libgles-nvidia2", "nvidia-vulkan-icd", "libnvidia-fbc1"),
)
# Ubuntu's names end with the branch, or branch and `-server`. NVIDIA's archive for Ubuntu has the
# same ones, without a branch from 590 on (Driver Installation Guide, "Ubuntu 590 and later").
_UBUNTU_TOOL: Final = "nvidia-utils"
_UBUNTU: Final = (*("libnvidia-compute", "libnvidia-cfg1", "libnvidia-decode", "libnvidia-encode"),)
_UBUNTU_DESKTOP: Final = ("libnvidia-gl", "libnvidia-extra", "libnvidia-fbc1")
_DESKTOPS: Final = frozenset(("xorgxrdp", "xserver-xorg-core"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What apt is asked for. INSTALL: `NAME=VERSION`, a name, or the path of a file."""

    install: tuple[str, ...]
    remove: tuple[str, ...]
    pins: str
    """For apt's preferences, so that nothing else is installed later."""

    @property
    def words(self) -> tuple[str, ...]:
        """As `apt-get install` takes them."""
        return (*self.install, *(f"{name}-" for name in self.remove))


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAvailable:
    """The version is not there."""

    offers: tuple[Package, ...]
    """What is there instead."""


def names_to_ask_for(
    installed: Sequence[Package], version: str, named: Sequence[str] = ()
) -> tuple[str, ...]:
    """All that the choice may need, for one question: apt takes a while for each."""
    desktop = _is_desktop(installed)
    chosen = (name for tool in _tools(version) for name in _userland(tool, desktop=desktop))
    here = (
        name
        for old in drivers(installed)
        for name in (old.name, _counterpart(old, _branch(version)))
    )
    return tuple(dict.fromkeys((*named, *chosen, *here)))


def choose_packages(
    installed: Sequence[Package],
    offers: Sequence[Package],
    version: str,
    named: Sequence[str] = (),
) -> Plan | NotAvailable:
    """Bring VERSION by apt. NAMED: the packages to take, instead of those known by name."""
    wanted: list[Package] = []
    if named:
        for name in named:
            exact = _offered(offers, name, version)
            if exact is None:
                return _not_available(offers, name)
            wanted.append(exact)
    else:
        wanted.extend(_whole_userland(installed, offers, version))
        if not wanted:
            return _not_available(offers)
    counterparts, leftovers = _others(installed, offers, version, {one.name for one in wanted})
    return Plan(
        install=tuple(dict.fromkeys(one.exactly for one in (*wanted, *counterparts))),
        remove=leftovers,
        pins=pins(version),
    )


def choose_files(
    installed: Sequence[Package],
    files: Sequence[Package],
    paths: Sequence[str],
    version: str,
) -> Plan | NotAvailable:
    """Bring VERSION by .deb files; PATHS are where they are, FILES what they hold."""
    ours = tuple(drivers(files))
    if not all(package.is_of(version) for package in ours):
        return NotAvailable(offers=ours)
    # apt is not asked: what the files do not bring goes.
    _, leftovers = _others(installed, (), version, {one.name for one in files})
    return Plan(install=tuple(paths), remove=leftovers, pins=pins(version))


def choose_for_installer(installed: Sequence[Package], version: str) -> Plan:
    """Make room for NVIDIA's installer: no package of the driver may be left."""
    # It looks for modprobe also where it is to make no module.
    has_modprobe = any(package.name == "kmod" for package in installed)
    return Plan(
        install=() if has_modprobe else ("kmod",),
        remove=tuple(package.name for package in drivers(installed)),
        pins=pins(version),
    )


def foreign_removals(installed: Sequence[Package], simulation: Simulation) -> tuple[str, ...]:
    """What apt would remove although it is not the driver's: then nothing may be done."""
    ours = {package.name for package in drivers(installed)}
    return tuple(sorted(set(simulation.removes) - ours))


def to_hold(installed: Sequence[Package], simulation: Simulation) -> tuple[str, ...]:
    """The driver's packages that are there once SIMULATION has been done."""
    there = {package.name: package for package in installed}
    for name in simulation.removes:
        there.pop(name, None)
    there |= {package.name: package for package in simulation.installs}
    return tuple(sorted(package.name for package in drivers(tuple(there.values()))))


def pins(version: str) -> str:
    """For apt: this version of the driver, and never another one."""
    return _PINS.format(names=_NAMES, version=version.replace(".", r"\."))


def _tools(version: str) -> tuple[str, ...]:
    """Packages with nvidia-smi, by all naming schemes; the first that is offered is taken."""
    branch = _branch(version)
    ends = (f"-{branch}", f"-{branch}-server", "")
    return (*_DEBIAN_TOOLS, *(f"{_UBUNTU_TOOL}{end}" for end in ends))


def _userland(tool: str, *, desktop: bool) -> Iterator[str]:
    """The names that belong to TOOL's."""
    yield tool
    if tool in _DEBIAN_TOOLS:
        yield from (*_DEBIAN, *(_DEBIAN_DESKTOP if desktop else ()))
    else:
        end = tool.removeprefix(_UBUNTU_TOOL)
        yield from (f"{name}{end}" for name in (*_UBUNTU, *(_UBUNTU_DESKTOP if desktop else ())))


def _whole_userland(
    installed: Sequence[Package], offers: Sequence[Package], version: str
) -> Iterator[Package]:
    """Nothing where no tool is offered at VERSION."""
    for tool in _tools(version):
        if _offered(offers, tool, version) is None:
            continue
        for name in _userland(tool, desktop=_is_desktop(installed)):
            exact = _offered(offers, name, version)
            if exact is not None:
                yield exact
        return


def _others(
    installed: Sequence[Package], offers: Sequence[Package], version: str, wanted: set[str]
) -> tuple[tuple[Package, ...], tuple[str, ...]]:
    """What is here of another version: its counterparts at VERSION, and what has to go.

    Two versions do not mix. What is WANTED is looked after already.
    """
    counterparts, leftovers = [], []
    for old in drivers(installed):
        if old.is_of(version) or old.name in wanted:
            continue
        exact = _offered(offers, _counterpart(old, _branch(version)), version)
        if exact is None:
            leftovers.append(old.name)
        else:
            counterparts.append(exact)
    return tuple(counterparts), tuple(leftovers)


def _counterpart(old: Package, branch: str) -> str:
    """Its name in another branch: libnvidia-gl-535-server → libnvidia-gl-550-server"""
    return re.sub(rf"-{re.escape(_branch(old.upstream))}\b", f"-{branch}", old.name, count=1)


def _offered(offers: Sequence[Package], name: str, version: str) -> Package | None:
    """The best of NAME at VERSION."""
    return next((one for one in offers if one.name == name and one.is_of(version)), None)


def _not_available(offers: Sequence[Package], *named: str) -> NotAvailable:
    tools = (*_DEBIAN_TOOLS, *named)
    return NotAvailable(
        offers=tuple(
            one for one in offers if one.name in tools or one.name.startswith(_UBUNTU_TOOL)
        )
    )


def _is_desktop(installed: Sequence[Package]) -> bool:
    return any(package.name in _DESKTOPS for package in installed)


def _branch(version: str) -> str:
    return version.partition(".")[0]
