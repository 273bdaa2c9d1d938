"""The host's GPUs, their driver, and how that reaches containers: read once for a whole command."""

from __future__ import annotations

from dataclasses import dataclass

from lab.driver.delivery import Chosen, Delivery, choose
from lab.driver.version import driver_of
from lab.lxd.model import Gpu, Server
from lab.lxd.port import Lxd
from lab.release import Release
from lab.settings.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class HostGpus:
    gpus: tuple[Gpu, ...]
    driver: str | None
    """The version of the loaded kernel module; None without one, and then nothing drifts."""
    server: Server
    settings: Settings

    def chosen(self, template: Delivery | None = None) -> Chosen:
        """How a userland reaches containers of a template whose definition asks for TEMPLATE.

        InputError where that is beyond the daemon.
        """
        return choose(self.settings, self.server, self.gpus, template=template)

    def delivery(self, release: Release) -> Delivery:
        """How containers of RELEASE get their userland."""
        # What is inside already counts first: nothing is injected over it.
        if release.driver is not None:
            return Delivery.IMAGE
        return self.chosen(release.needs.delivery).delivery

    def fits(self, driver: str | None, delivery: Delivery, *, with_gpus: bool = True) -> bool:
        """Whether a userland of DRIVER works with the host's kernel module: the one rule of it.

        DRIVER is None where no userland is inside. That does not fit where GPUs are to be used and
        DELIVERY brings none from the host.
        """
        if self.driver is None:
            return True
        if driver is None:
            return not (with_gpus and delivery is Delivery.IMAGE)
        return driver == self.driver

    def incompatibility(self, release: Release) -> str | None:
        """Why containers of RELEASE could not use the host's GPUs; None where they can."""
        if self.fits(release.driver, self.delivery(release)):
            return None
        if release.driver is not None:
            return f"it has driver {release.driver}, and this host's kernel module is {self.driver}"
        return f"it has no driver, and LXD does not mount this host's driver {self.driver} either"


def read_host_gpus(lxd: Lxd, settings: Settings) -> HostGpus:
    """One listing of the hardware: a remote LXD takes a while for it."""
    gpus = lxd.gpus()
    return HostGpus(
        gpus=gpus,
        driver=driver_of(gpus, local=settings.is_local),
        server=lxd.server(),
        settings=settings,
    )
