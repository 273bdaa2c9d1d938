"""Which driver is where: the host, the current releases, the containers, and what drifts.

What is in a container is told by its files, not by our keys: a user's own `apt upgrade` counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lab import labels
from lab.driver.delivery import Delivery, delivery_of_instance
from lab.driver.userland import version_in
from lab.errors import LxdError, LxdUnreachable, NotFound, Stuck, TooMuch
from lab.gpus.devices import held_by
from lab.host_gpus import HostGpus, read_host_gpus
from lab.lxd.model import Instance, State
from lab.lxd.port import Lxd
from lab.printable import in_line
from lab.release import Release
from lab.settings.settings import Settings
from provision.managed import is_managed, is_preparing, managed_container
from provision.moving import is_moved_away
from provision.releases import read_offers

_LOOKS_AT_ONCE = 32
"""Those that hold up who looks at them must not keep the others waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InRelease:
    """A current release. DRIVER: the userland baked in, None without one."""

    template: str
    version: str
    delivery: Delivery
    driver: str | None
    drift: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class InContainer:
    """DRIVER: the userland inside; None without one, and where the next start brings it."""

    name: str
    state: State
    delivery: Delivery
    driver: str | None
    gpus: tuple[str, ...]
    """PCI addresses."""
    drift: bool
    noted: str | None = None
    """The driver by our own key, which `invoke list` shows."""
    mark: str | None = None
    """What a sync that is at work, or was cut off, wrote on it (`provision.drivers.marker`)."""
    trouble: str | None = None
    """Why nobody could look inside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    host: HostGpus
    releases: tuple[InRelease, ...]
    containers: tuple[InContainer, ...]


def survey(lxd: Lxd, settings: Settings) -> Survey:
    """Everything; containers in the making are left out, their release is the current one."""
    host = read_host_gpus(lxd, settings)
    return Survey(
        host=host,
        releases=_releases(lxd, settings, host),
        containers=look_at_containers(lxd, host, ()),
    )


def look_at_containers(lxd: Lxd, host: HostGpus, names: Sequence[str]) -> tuple[InContainer, ...]:
    """The containers NAMES, all of them where none is named; InputError for one not of ours."""
    if names:
        wanted = [managed_container(lxd, name) for name in dict.fromkeys(names)]
    else:
        wanted = sorted(filter(is_managed, lxd.instances()), key=lambda each: each.name)
    whole = [one for one in wanted if not is_preparing(one) and not is_moved_away(one)]
    with ThreadPoolExecutor(max_workers=_LOOKS_AT_ONCE) as pool:
        found = pool.map(lambda instance: look_at(lxd, host, instance), whole)
    return tuple(one for one in found if one is not None)


def look_at(lxd: Lxd, host: HostGpus, instance: Instance) -> InContainer | None:
    """None when it vanished meanwhile."""
    delivery = delivery_of_instance(instance, host.chosen().delivery)
    trouble = None
    try:
        driver = _driver_in(lxd, instance, delivery, host.driver)
    except NotFound:
        return None
    except LxdUnreachable:
        raise
    except LxdError as error:
        # Said beside its name: the others are to be seen all the same.
        driver, trouble = None, not_seen(error)
    gpus = tuple(dict.fromkeys(one.pci for one in held_by(instance, host.gpus)))
    return InContainer(
        name=instance.name,
        state=instance.state,
        delivery=delivery,
        driver=driver,
        gpus=gpus,
        drift=not host.fits(driver, delivery, with_gpus=bool(gpus) and trouble is None),
        noted=instance.config.get(labels.DRIVER),
        mark=instance.config.get(labels.SYNC),
        trouble=trouble,
    )


def not_seen(error: LxdError) -> str:
    """One line about one container, even if its user broke it."""
    plain = isinstance(error, Stuck | TooMuch)
    told = error.brief if plain or not error.details else error.details
    return f"could not be inspected: {in_line(told, most=200)}"


def _driver_in(lxd: Lxd, instance: Instance, delivery: Delivery, host: str | None) -> str | None:
    """By the files inside. NotFound when the instance is gone.

    What a start mounts leaves an empty file behind for every version there ever was
    (canonical/lxd#17877): they tell nothing of a stopped container, and beside the host's
    version in a running one they do not count.
    """
    if delivery.is_injected and instance.state is not State.RUNNING:
        return None
    driver = version_in(lxd, instance.name)
    if delivery.is_injected and host is not None and host in (driver or "").split("+"):
        return host
    return driver


def _releases(lxd: Lxd, settings: Settings, host: HostGpus) -> tuple[InRelease, ...]:
    return tuple(
        _in_release(offer.release, host) for offer in read_offers(lxd, settings.alias_prefix)
    )


def _in_release(release: Release, host: HostGpus) -> InRelease:
    # What a template asks for may be beyond this LXD: that is for `provision` to refuse.
    usual = release.needs.delivery or host.chosen().delivery
    delivery = Delivery.IMAGE if release.driver else usual
    return InRelease(
        template=release.template,
        version=release.version,
        delivery=delivery,
        driver=release.driver,
        drift=not host.fits(release.driver, delivery),
    )
