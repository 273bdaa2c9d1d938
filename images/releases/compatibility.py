"""Whether a release's userland fits the host's kernel module; one that does not is for nobody."""

from __future__ import annotations

from lab.driver.delivery import Delivery, choose
from lab.driver.version import host_driver
from lab.errors import InputError
from lab.lxd.port import Lxd
from lab.release import Release
from lab.settings.settings import Settings


def incompatibility(release: Release, host: str | None, delivery: Delivery) -> str | None:
    """Why containers of RELEASE could not use the host's GPUs, where they could not. Pure.

    HOST: the version of its kernel module; without one there is nothing to fit. DELIVERY: how a
    container would get what is not inside.
    """
    if host is None or release.driver == host:
        return None
    if release.driver is not None:
        return f"it carries driver {release.driver}, this host's kernel module is {host}"
    if delivery is Delivery.IMAGE:
        return f"it carries no driver, and this host's {host} is not delivered in another way"
    return None


def refuse_misfit(lxd: Lxd, settings: Settings, release: Release) -> None:
    """InputError where RELEASE is not for users of this host."""
    if reason := misfit_here(lxd, settings, release):
        raise InputError(
            f"{release.template} {release.version} cannot be used on this host: {reason}.",
            fix=f"Make one that fits: invoke build-images --only {release.short}",
        )


def misfit_here(lxd: Lxd, settings: Settings, release: Release) -> str | None:
    """As `incompatibility`, of the host as it is now."""
    chosen = choose(settings, lxd.server(), lxd.gpus(), template=release.needs.delivery)
    host = host_driver(lxd, local=settings.remote == "local")
    return incompatibility(release, host, chosen.delivery)
