"""What plans are made from, read in one go for all containers of a command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lab import labels
from lab.host_gpus import HostGpus, read_host_gpus
from lab.lxd.model import Instance, Pool, Profile, Volume
from lab.lxd.port import Lxd
from lab.settings.settings import Settings
from provision.former import unfinished
from provision.homes import Stores, read_stores
from provision.ids.facts import read_ids
from provision.ids.ranges import IdFacts
from provision.managed import managed_container
from provision.releases import Offer, read_offers, read_releases
from provision.upgrade.added import Inside, look_inside, names_in
from provision.upgrade.root_file import ReadFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    settings: Settings
    host: HostGpus
    now: datetime
    current: tuple[Offer, ...]
    """What users get."""
    releases: tuple[Offer, ...]
    """All that can be given."""
    profile: Profile
    pools: Mapping[str, Pool]
    stores: Stores
    ids: IdFacts
    snapshots: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of instances that have any."""
    sizes: Mapping[str, int | None] = field(default_factory=dict)
    """Bytes of each root that is kept, by its instance."""
    inside: Mapping[str, Inside] = field(default_factory=dict)
    """Of containers and their kept roots, where somebody looked."""

    def packages(self, template: str, version: str) -> frozenset[str]:
        """What that release has; none where that is not known."""
        found = self.release(template, version)
        return names_in(found.packages) if found is not None else frozenset()

    def release(self, template: str, version: str) -> Offer | None:
        wanted = (template, version)
        releases = ((one.release.template, one.release.version, one) for one in self.releases)
        return next((one for *called, one in releases if tuple(called) == wanted), None)

    def instance(self, name: str) -> Instance | None:
        return next((one for one in self.stores.instances if one.name == name), None)

    def home(self, name: str) -> Volume | None:
        return next((one for one in self.stores.homes(name) if name in one.used_by), None)


def read(
    lxd: Lxd, settings: Settings, names: tuple[str, ...], *, look: ReadFile | None = None
) -> Facts:
    """NAMES: of the containers that it is about; LOOK inside them by this.

    InputError where one is not labstamp's.
    """
    stores = read_stores(lxd)
    for name in names:
        if unfinished(stores.instances, name) is None:
            managed_container(lxd, name)
    there = [one.name for one in stores.instances if one.name in names]
    wanted = [one for one in stores.instances if one.name in {*there, *_kept(stores, there)}]
    return Facts(
        settings=settings,
        host=read_host_gpus(lxd, settings),
        now=lxd.now(),
        current=read_offers(lxd, settings.alias_prefix),
        releases=read_releases(lxd),
        profile=lxd.profile("default") or Profile(name="default"),
        pools={pool.name: pool for pool in lxd.pools()},
        stores=stores,
        ids=read_ids(lxd),
        snapshots={name: lxd.snapshots(name) for name in there},
        sizes={name: _root_size(lxd, name) for name in _kept(stores, there)},
        inside=look_inside(lxd, settings, wanted, look) if look else {},
    )


def _kept(stores: Stores, names: list[str]) -> set[str]:
    """The kept roots of NAMES."""
    there = {one.name for one in stores.instances}
    noted = {one.config.get(labels.KEPT_ROOT) for one in stores.instances if one.name in names}
    return {name for name in noted if name is not None and name in there}


def _root_size(lxd: Lxd, name: str) -> int | None:
    return lxd.state(name).disk_bytes.get("root")
