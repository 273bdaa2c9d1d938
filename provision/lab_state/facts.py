"""What LXD has at this moment of what the file tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from lab.gpus.allocation import Policy
from lab.gpus.users import instances_with_gpus
from lab.lxd.model import Gpu, Image, Instance, Network, Pool, Profile, Volume
from lab.lxd.port import Lxd
from lab.settings.settings import Settings
from provision.lab_state.document import LabState


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    projects: frozenset[str] = frozenset()
    """Names; nothing else can be read where that of the lab is missing."""
    acls: frozenset[str] = frozenset()
    networks: Mapping[str, Network] = field(default_factory=dict)
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    pools: Mapping[str, Pool] = field(default_factory=dict)
    instances: Mapping[str, Instance] = field(default_factory=dict)
    volumes: Mapping[tuple[str, str], Volume] = field(default_factory=dict)
    images: Mapping[str, Image] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[str, datetime | None] = field(default_factory=dict)
    """Instance → when LXD last wrote its config; None where that is not to be seen."""
    owners: Mapping[tuple[str, str], int | None] = field(default_factory=dict)
    """Volume → the account that it belongs to on the server; None where that is not to be seen."""
    gpus: tuple[Gpu, ...] = ()
    gpu_users: tuple[Instance, ...] = ()
    policy: Policy = field(default_factory=Policy)


def read_facts(lxd: Lxd, settings: Settings, state: LabState) -> Facts:
    projects = frozenset(lxd.projects())
    if settings.project not in projects:
        return Facts(projects=projects)
    pools = {one.name: one for one in lxd.pools()}
    instances = {one.name: one for one in lxd.instances()}
    volumes = {(one.pool, one.name): one for pool in pools for one in lxd.volumes(pool)}
    told = {one.place for one in state.volumes} & volumes.keys()
    has_gpus = any(
        device.get("type") == "gpu" for one in state.instances for device in one.devices.values()
    )
    return Facts(
        projects=projects,
        acls=frozenset(lxd.network_acls()) if state.acls else frozenset(),
        networks={one.name: one for one in lxd.networks()},
        profiles=_profiles(lxd, tuple(state.profiles)),
        pools=pools,
        instances=instances,
        volumes=volumes,
        images={one.fingerprint: one for one in lxd.images()},
        aliases=lxd.aliases(),
        written={
            one.name: lxd.config_written(one.name)
            for one in state.instances
            if one.name in instances
        },
        owners={place: lxd.volume_owner(*place) for place in sorted(told)},
        gpus=lxd.gpus() if has_gpus else (),
        gpu_users=tuple(instances_with_gpus(lxd, settings)) if has_gpus else (),
        policy=Policy(limit=settings.gpus.limit),
    )


def _profiles(lxd: Lxd, names: Sequence[str]) -> Mapping[str, Profile]:
    found = (lxd.profile(name) for name in names)
    return {one.name: one for one in found if one is not None}
