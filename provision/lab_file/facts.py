"""What is so now: all that the plan for a file is made from, read in one go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from lab.gpus.allocation import Policy, Users, users
from lab.gpus.users import instances_with_gpus
from lab.host_gpus import read_host_gpus
from lab.lxd.model import Gpu, Instance
from lab.lxd.port import Lxd
from lab.settings.settings import Settings
from provision.expiring import today_in
from provision.former import is_kept_root, unfinished
from provision.homes import Stores, read_stores
from provision.lab_file.present import Present, present_of
from provision.managed import is_managed
from provision.moving import is_moved_away
from provision.releases import Offer, read_offers


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    presents: Mapping[str, Present]
    """Of every container of labstamp, and of the names that were asked for."""
    containers: tuple[str, ...]
    """The names of those that are containers of the lab, in order."""
    offers: tuple[Offer, ...]
    today: date
    gpus: tuple[Gpu, ...]
    users: Users
    policy: Policy
    usual_gpus: int
    """How many a new container gets where nothing is said of them."""

    def present(self, name: str) -> Present:
        return self.presents.get(name) or Present(name=name, instance=None)


def read(lxd: Lxd, settings: Settings, names: Iterable[str]) -> Facts:
    """NAMES: of the file."""
    stores, host = read_stores(lxd), read_host_gpus(lxd, settings)
    there = {one.name: one for one in stores.instances}
    containers = tuple(sorted(name for name, one in there.items() if _is_container(one)))
    return Facts(
        presents={
            name: _present(name, there.get(name), stores, host.gpus)
            for name in sorted({*names, *containers})
        },
        containers=containers,
        offers=read_offers(lxd, settings.alias_prefix),
        today=today_in(lxd, settings),
        gpus=host.gpus,
        users=users(instances_with_gpus(lxd, settings), host.gpus) if host.gpus else {},
        policy=Policy(limit=settings.gpus.limit),
        usual_gpus=settings.gpus.default.count if host.gpus else 0,
    )


def _is_container(instance: Instance) -> bool:
    return is_managed(instance) and not is_kept_root(instance) and not is_moved_away(instance)


def _present(
    name: str, instance: Instance | None, stores: Stores, gpus: tuple[Gpu, ...]
) -> Present:
    return present_of(
        name,
        instance,
        stores.homes(name),
        gpus,
        is_upgraded=unfinished(stores.instances, name) is not None,
    )
