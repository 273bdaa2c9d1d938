"""What is so now: all that a plan is made from, read in one go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from lab import labels
from lab.host_gpus import read_host_gpus
from lab.lxd.devices import find_network, required_pool
from lab.lxd.model import Instance, Network, Pool, Profile, Server, Volume
from lab.lxd.nic_filters import Wanted, bridged_ipv6
from lab.lxd.port import Lxd
from lab.machine.host_size import HostSize, read_host_size
from lab.process import is_alive, me
from lab.settings.limits import LimitSettings
from lab.settings.settings import Settings
from lab.shares.devices import shares_of
from lab.shares.ground import Ground
from provision.clone.source import Source
from provision.create.cloud_config import user_data
from provision.create.gpu_facts import GpuFacts, read_gpus
from provision.create.request import Request
from provision.expiring import today_in
from provision.former import unfinished
from provision.homes import read_stores
from provision.ids.facts import read_ids
from provision.ids.ranges import IdFacts
from provision.managed import is_preparing
from provision.releases import Offer, find_offer, read_offers, read_unreadable
from provision.shares.facts import read_sharings
from provision.shares.sharing import Sharing, defaults, known


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    server: Server
    instance: Instance | None = None
    """What has the name already."""
    leaving: Instance | None = None
    """The root that an upgrade of this container, which has not ended, replaces."""
    namesake: str | None = None
    """Another instance, whose name differs in case only."""
    offers: tuple[Offer, ...] = ()
    profile: Profile
    pool: Pool
    """Where root and home go."""
    project: str = "default"
    home: Volume | None = None
    """The kept home of this container; else what has the name already that a new one would have."""
    home_name: str = ""
    """Of that volume, or of the one that is to be made."""
    network: Network | None = None
    """The one of the settings; None leaves it to the profile."""
    networks: tuple[Network, ...] = ()
    """All of them, to judge what a NIC is plugged into."""
    wanted: Wanted = field(default_factory=Wanted)
    """Which filters its NIC shall have."""
    unreadable: tuple[str, ...] = ()
    """Why images are no offers that have an offer's name; told where none is found."""
    builder: str
    """This process, as `user.lab.builder`."""
    alive: Mapping[str, bool | None] = field(default_factory=dict)
    """Builder → whether it runs, for every builder met."""
    host: HostSize = field(default_factory=HostSize)
    limits: LimitSettings = field(default_factory=LimitSettings)
    """Of the settings: for what the request leaves open."""
    today: date = date.min
    """In the lab, by LXD's clock."""
    lifetime: int | None = None
    """Days that a new container's person has, by the settings."""
    user_data: str | None = None
    """For a new instance, once its template is known."""
    sharings: tuple[Sharing, ...] = ()
    """That a new container gets."""
    half_shared: tuple[Sharing, ...] = ()
    """That one which is half made has."""
    gpus: GpuFacts
    ids: IdFacts = field(default_factory=IdFacts)
    source: Source | None = None
    """The container whose root is copied; None: a new container is made from an image."""


def read(
    lxd: Lxd,
    settings: Settings,
    request: Request,
    *,
    source: Source | None = None,
    bridged_ipv6: Callable[[], bool] = bridged_ipv6,
    ground: Ground | None = None,
) -> Facts:
    profile = lxd.profile("default") or Profile(name="default")
    # A copy takes no time in the pool of what is copied.
    wish = source.pool if source else None
    pool = required_pool(wish or settings.pool, profile.devices, lxd.pools())
    instance = lxd.instance(request.name)
    stores = read_stores(lxd)
    home = stores.home(request.name, pool.name)
    home_name = home.name if home else stores.new_name(request.name, pool.name)
    there = {(each.pool, each.name): each for each in stores.volumes}
    offers = (source.offer,) if source else read_offers(lxd, settings.alias_prefix)
    offer = find_offer(offers, request.template)
    local = settings.is_local
    host_gpus = read_host_gpus(lxd, settings)
    made_of = _made_of(instance, offers) or offer
    networks = lxd.networks()
    return Facts(
        server=host_gpus.server,
        instance=instance,
        leaving=unfinished(stores.instances, request.name),
        namesake=None if instance else _namesake(stores.instances, request.name),
        offers=offers,
        unreadable=() if offer else read_unreadable(lxd, settings.alias_prefix),
        profile=profile,
        pool=pool,
        project=lxd.project,
        home=home or there.get((pool.name, home_name)),
        home_name=home_name,
        network=find_network(settings.network, networks) if settings.network else None,
        networks=networks,
        wanted=Wanted(
            filters=settings.network_filters,
            isolation=settings.port_isolation,
            ipv6=bridged_ipv6() if local else None,
        ),
        builder=me(),
        alive=_alive(instance, home),
        host=read_host_size() if local else HostSize(),
        limits=settings.limits,
        today=today_in(lxd, settings),
        lifetime=settings.expiry.lifetime,
        user_data=user_data(request, offer.release, settings) if offer else None,
        gpus=read_gpus(lxd, host_gpus, made_of.release if made_of else None),
        ids=read_ids(lxd),
        source=source,
        sharings=read_sharings(_asked(request, instance, offer, settings), settings, lxd, ground),
        half_shared=read_sharings(_begun(instance, settings), settings, lxd, ground),
    )


def _asked(
    request: Request, instance: Instance | None, offer: Offer | None, settings: Settings
) -> Sequence[str]:
    """None for a container that stays as it is: `share` changes those."""
    wanted = known(request.shares or (), settings)
    if instance is not None and (not is_preparing(instance) or request.only_name):
        return ()
    if request.shares is not None or offer is None:
        return wanted
    return defaults(offer.release.template, settings)


def _begun(instance: Instance | None, settings: Settings) -> Sequence[str]:
    if instance is None or not is_preparing(instance):
        return ()
    return tuple(name for name in shares_of(instance) if name in settings.shares)


def _namesake(instances: Iterable[Instance], name: str) -> str | None:
    names = (one.name for one in instances)
    return next((each for each in names if each.lower() == name.lower()), None)


def _made_of(instance: Instance | None, offers: tuple[Offer, ...]) -> Offer | None:
    """The current release of its template, for a container that stays."""
    if instance is None or is_preparing(instance):
        return None
    return find_offer(offers, instance.config.get(labels.TEMPLATE, ""))


def _alive(instance: Instance | None, home: Volume | None) -> dict[str, bool | None]:
    met = [thing.config.get(labels.BUILDER) for thing in (instance, home) if thing is not None]
    return {builder: is_alive(builder) for builder in met if builder}
