"""Whether a release's userland fits the host's kernel module; one that does not is for nobody."""

from __future__ import annotations

from lab.errors import InputError
from lab.host_gpus import read_host_gpus
from lab.lxd.port import Lxd
from lab.release import Release
from lab.settings.settings import Settings


def refuse_incompatible(lxd: Lxd, settings: Settings, release: Release) -> None:
    """InputError where RELEASE cannot be used on this host."""
    if reason := incompatibility(lxd, settings, release):
        raise InputError(
            f"{release.template} {release.version} cannot be used on this host: {reason}.",
            fix=f"Make one that fits: invoke build-images --only {release.short}",
        )


def incompatibility(lxd: Lxd, settings: Settings, release: Release) -> str | None:
    """Why users of this host cannot have RELEASE, as the host is now; None where they can."""
    return read_host_gpus(lxd, settings).incompatibility(release)
