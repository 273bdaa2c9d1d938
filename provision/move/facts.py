"""What is so on both servers: all that a move is planned from, read in one go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab import labels
from lab.errors import InputError
from lab.gpus.allocation import Policy, Users, users
from lab.gpus.users import instances_with_gpus
from lab.host_gpus import HostGpus, read_host_gpus
from lab.lxd.devices import devices_of, required_pool, root_of
from lab.lxd.model import Instance, Network, Pool, Profile, Server, Snapshot, Volume
from lab.lxd.nic_filters import Wanted
from lab.lxd.port import Lxd
from lab.settings.settings import Settings
from provision.homes import Stores, read_stores
from provision.ids.facts import read_ids
from provision.ids.ranges import IdFacts
from provision.managed import managed_container
from provision.move.remote import told_of
from provision.moving import MoveMark, move_mark
from provision.releases import Offer, read_offers
from provision.restoring import home_of
from provision.whole import whole_container


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """The container, and the server that it is on."""

    server: Server
    instance: Instance
    home: Volume
    pools: Mapping[str, Pool] = field(default_factory=dict)
    root_used: int | None = None
    home_used: int | None = None
    snapshots_used: int = 0
    """Of the home's, as far as LXD tells."""
    roots: tuple[Snapshot, ...] = ()
    homes: tuple[Snapshot, ...] = ()
    mark: MoveMark | None = None
    """Of a move that was interrupted, or has ended."""

    @property
    def drivers(self) -> frozenset[str]:
        """Of the pools in which its files are."""
        root = root_of(devices_of(self.instance))
        names = {self.home.pool, root[1].get("pool", "") if root else ""}
        return frozenset(self.pools[name].driver for name in names if name in self.pools)


@dataclass(frozen=True, slots=True, kw_only=True)
class There:
    """The server that it is to go to."""

    server: Server
    project: str
    pool: Pool
    profile: Profile
    profiles: frozenset[str]
    """Those of the container that there are."""
    networks: tuple[Network, ...] = ()
    network: str | None = None
    """Of the settings."""
    wanted: Wanted = field(default_factory=Wanted)
    instances: tuple[Instance, ...] = ()
    """Of all projects."""
    stores: Stores
    ids: IdFacts = field(default_factory=IdFacts)
    offers: tuple[Offer, ...] = ()
    host: HostGpus
    users: Users = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)

    def instance(self, name: str) -> Instance | None:
        return next((one for one in self.stores.instances if one.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    here: Here
    there: There
    remote: str
    """As it was typed."""
    url: str


def read_here(lxd: Lxd, name: str) -> Here:
    """InputError where NAME is no container of ours, or at work that is not a move."""
    instance = managed_container(lxd, name)
    mark = move_mark(instance)
    if mark is None:
        instance = whole_container(lxd, name)
    home = home_of(lxd, instance)
    if home is None:
        raise InputError(
            f"The container {name} has no home volume of its own.",
            details="labstamp moves a root and its home together.",
            fix=f"Look at its devices: lxc config show {name}",
        )
    root = root_of(devices_of(instance))
    told = lxd.local_states((instance,)).get(name) or lxd.state(name)
    homes = lxd.volume_snapshots_in_full(home.pool, home.name)
    used = (lxd.volume_snapshot_used(home.pool, home.name, one.name) for one in homes)
    return Here(
        server=lxd.server(),
        instance=instance,
        home=home,
        pools={one.name: one for one in lxd.pools()},
        root_used=told.disk_bytes.get(root[0]) if root else None,
        home_used=lxd.volume_used(home.pool, home.name),
        snapshots_used=sum(one or 0 for one in used),
        roots=lxd.snapshots_in_full(name),
        homes=homes,
        mark=mark,
    )


def read_there(lxd: Lxd, settings: Settings, profiles: Sequence[str]) -> There:
    """SETTINGS: those of that server."""
    projects = lxd.projects()
    if lxd.project not in projects:
        raise InputError(
            f"project: LXD has no project {lxd.project}.",
            details=f"It has: {', '.join(sorted(projects))}.",
            fix="Correct `project:` in lab.yaml.",
        )
    default = lxd.profile("default") or Profile(name="default")
    host = read_host_gpus(lxd, settings)
    ids = read_ids(lxd)
    return There(
        server=host.server,
        project=lxd.project,
        pool=required_pool(settings.pool, default.devices, lxd.pools()),
        profile=default,
        profiles=frozenset(name for name in profiles if lxd.profile(name) is not None),
        networks=lxd.networks(),
        network=settings.network,
        wanted=Wanted(
            filters=settings.network_filters, isolation=settings.port_isolation, ipv6=None
        ),
        instances=ids.instances,
        stores=read_stores(lxd),
        ids=ids,
        offers=read_offers(lxd, settings.alias_prefix),
        host=host,
        users=users(instances_with_gpus(lxd, settings), host.gpus) if host.gpus else {},
        policy=Policy(limit=settings.gpus.limit),
    )


def read(lxd: Lxd, there: Lxd, remote: str, settings_there: Settings, name: str) -> Facts:
    here = read_here(lxd, name)
    with told_of(remote):
        found = read_there(there, settings_there, here.instance.profiles)
    return Facts(
        here=here,
        there=found,
        remote=remote,
        url=settings_there.remote,
    )


def gpus_wanted(instance: Instance) -> int:
    """How many GPUs, or parts of some, it was given; where each was tells nothing elsewhere."""
    noted = [each for each in instance.config.get(labels.GPUS, "").split(",") if each]
    devices = [one for one in devices_of(instance).values() if one.get("type") == "gpu"]
    return max(len(noted), len(devices))
