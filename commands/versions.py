"""What provision/ knows of drift, in the types of host/."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from host.check.drift import Versions
    from lab.lxd.port import Lxd
    from lab.settings.settings import Settings


def drifting(lxd: Lxd, settings: Settings) -> Versions:
    """Releases and containers that do not fit the host's module."""
    from host.check.drift import Version, Versions
    from lab.driver.delivery import Delivery
    from provision.drivers.survey import survey

    found = survey(lxd, settings)
    containers = [one for one in found.containers if one.drift]
    return Versions(
        host=found.host.driver,
        releases=tuple(
            Version(name=one.template, driver=one.driver) for one in found.releases if one.drift
        ),
        containers=tuple(
            Version(name=one.name, driver=one.driver)
            for one in containers
            if one.delivery is Delivery.IMAGE
        ),
        # Delivery none: its user looks after its driver.
        restarts=tuple(
            Version(name=one.name, driver=one.driver)
            for one in containers
            if one.delivery.is_injected
        ),
        unseen=tuple((one.name, one.trouble) for one in found.containers if one.trouble),
    )
