"""The host's packages of NVIDIA's driver, and what may replace them behind its back."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from host.machine import Machine

# Debian's, Ubuntu's and NVIDIA's names; the container toolkit and CUDA have versions of their own.
_NAMES: Final = (
    r"^nvidia-(?!container|cud|docker)",
    r"^libnvidia-(?!container)",
    r"^lib(cuda1|cudadebugger1|nvcuvid1|nvoptix1|xnvctrl0)$",
    r"^lib(egl|gl1|gles|glx)-nvidia",
    r"^linux-(modules|objects|signatures)-nvidia-",
    r"^(xserver-xorg-video|firmware)-nvidia",
    r"^cuda-drivers",
)
_ANY: Final = re.compile("|".join(_NAMES))
_BLACKLIST: Final = re.compile(r'^Unattended-Upgrade::Package-Blacklist:: "(.*)";$', re.MULTILINE)
_INSTALLED: Final = re.compile(r"^[a-z]i\s+([a-z0-9.+:-]+)$", re.MULTILINE)
"""Wanted or held, and there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """INSTALLED: packages of the driver, by name. UNATTENDED: upgrades come by themselves."""

    installed: tuple[str, ...] = ()
    held: frozenset[str] = frozenset()
    blacklisted: frozenset[str] = frozenset()
    unattended: bool = False

    @property
    def at_risk(self) -> tuple[str, ...]:
        """What the next unattended upgrade may replace."""
        if not self.unattended:
            return ()
        return tuple(one for one in self.installed if one not in self.held | self.blacklisted)


def read_packages(machine: Machine) -> Packages:
    """Nothing at all on a machine without dpkg."""
    listed = machine.run(["dpkg-query", "-W", "-f", r"${db:Status-Abbrev}${binary:Package}\n"])
    if listed.exit_code != 0:
        return Packages()
    # As apt-mark names them: with the architecture where it is a foreign one.
    native = ":" + machine.run(["dpkg", "--print-architecture"]).stdout.strip()
    every = [name.removesuffix(native) for name in _INSTALLED.findall(listed.stdout)]
    installed = of_driver(every)
    return Packages(
        installed=installed,
        held=frozenset(machine.run(["apt-mark", "showhold"]).stdout.split()),
        blacklisted=frozenset(_matching(installed, _blacklist(machine))),
        unattended="unattended-upgrades" in every,
    )


def of_driver(packages: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({name for name in packages if _ANY.search(name.partition(":")[0])}))


def apt_configuration() -> str:
    """For apt.conf.d: unattended-upgrades leaves the driver alone, also parts yet to come."""
    lines = "".join(f'    "{name}";\n' for name in _NAMES)
    return f"Unattended-Upgrade::Package-Blacklist {{\n{lines}}};\n"


def _blacklist(machine: Machine) -> tuple[str, ...]:
    dumped = machine.run(["apt-config", "dump", "Unattended-Upgrade::Package-Blacklist"])
    return tuple(_BLACKLIST.findall(dumped.stdout))


def _matching(names: Iterable[str], patterns: Iterable[str]) -> tuple[str, ...]:
    """As unattended-upgrades does it: with re.match, a pattern that is none matches nothing."""
    every = tuple(patterns)
    return tuple(name for name in names if any(_matches(one, name) for one in every))


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.match(pattern, name.partition(":")[0]) is not None
    except re.error:
        return False
