"""NVIDIA's userland in a container: put there at exactly one version, and told by its files."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from lab.driver import apt_output, packages
from lab.driver.installation import SCRIPT, Installation
from lab.driver.userland_sources import Apt, Debs, Origin, Run, origin_of
from lab.errors import CheckError, NotFound
from lab.hardware.nvidia import DRIVER_VERSION
from lab.lxd.port import Lxd, OnOutput
from lab.settings.settings import Settings

__all__ = [
    "Apt",
    "Debs",
    "InstallUserland",
    "Run",
    "Userland",
    "install",
    "userland_of",
    "version_in",
]

# What makes one userland differ from another of the same version and origin.
_DECIDING: Final = (SCRIPT, Path(apt_output.__file__), Path(packages.__file__))

# NVIDIA's installer and Ubuntu put them into the first kind, Debian into the second.
_DIRECTORIES: Final = tuple(
    f"/usr/lib/{triplet}{below}"
    for triplet in ("x86_64-linux-gnu", "aarch64-linux-gnu")
    for below in ("", "/nvidia/current")
)
_LIBRARY: Final = re.compile(rf"lib(?:cuda|nvidia-ml)\.so\.({DRIVER_VERSION})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Userland:
    """One version, and where it comes from."""

    version: str
    origin: Origin

    def inputs(self) -> dict[str, str]:
        """What a recipe says of it."""
        content = b"".join(file.read_bytes() for file in _DECIDING)
        return {
            "driver": self.version,
            **self.origin.inputs(),
            # Recipes keep this name: another one makes every release stale.
            "lab/scripts/userland.sh": f"sha:{hashlib.sha256(content).hexdigest()[:12]}",
        }

    def prepare(self) -> None:
        """Fetch and check what can be before anything is made. InputError says what is wrong."""
        for _ in self.origin.files():
            pass


class InstallUserland(Protocol):
    """`install` of this module, where an existing container gets another version."""

    def __call__(
        self, lxd: Lxd, instance: str, userland: Userland, /, *, on_output: OnOutput
    ) -> None: ...


def userland_of(settings: Settings, version: str) -> Userland:
    """How the settings say that VERSION is to be had. InputError where they name no such thing."""
    return Userland(version=version, origin=origin_of(settings.driver, version))


def install(
    lxd: Lxd,
    instance: str,
    userland: Userland,
    *,
    throwaway: bool = False,
    on_output: OnOutput | None = None,
) -> None:
    """Bring a running INSTANCE to USERLAND, from none or any other, and hold it there.

    Again changes nothing. InputError when the version is not available, CheckError when it could
    not be installed; packages that are not the driver's are never removed.
    THROWAWAY: a crash may cost the instance, so it need not wait for the disk.
    """
    Installation(
        lxd=lxd,
        instance=instance,
        version=userland.version,
        origin=userland.origin,
        throwaway=throwaway,
        on_output=on_output,
    ).perform()
    found = version_in(lxd, instance)
    if found != userland.version:
        raise CheckError(
            f"{instance} has driver {found or 'none'} after {userland.version} was installed.",
            details=f"Its driver packages came from {userland.origin.name}.",
            fix=userland.origin.instead(userland.version),
        )


def version_in(lxd: Lxd, instance: str) -> str | None:
    """The userland's version by the libraries inside, also of a stopped INSTANCE; None without.

    Two versions side by side, which fit no module, are `535.261.03+550.163.01`.
    """
    names = [name for directory in _DIRECTORIES for name in _names(lxd, instance, directory)]
    found = {match[1] for name in names if (match := _LIBRARY.fullmatch(name))}
    return "+".join(sorted(found)) or None


def _names(lxd: Lxd, instance: str, directory: str) -> tuple[str, ...]:
    try:
        return lxd.list_directory(instance, directory)
    except NotFound:
        if lxd.instance(instance) is None:
            raise
        return ()
