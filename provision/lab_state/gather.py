"""Reads out of LXD what the file holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lab.lxd.devices import devices_of, of_type, plug_of
from lab.lxd.model import Image, Instance, Network, Snapshot, Volume
from lab.lxd.port import Lxd
from lab.places import version
from lab.settings.settings import Settings
from provision.lab_state import keys
from provision.lab_state.document import (
    LabState,
    SavedImage,
    SavedInstance,
    SavedPool,
    SavedProfile,
    SavedServer,
    SavedSnapshot,
    SavedVolume,
)

_ACLS = "security.acls"


def gather(lxd: Lxd, settings: Settings) -> LabState:
    began = lxd.now()
    server = lxd.server()
    instances = _ours(lxd.instances())
    networks = _networks(lxd.networks(), instances)
    volumes = ours_among(
        (volume for pool in lxd.pools() for volume in lxd.volumes(pool.name)), instances
    )
    return LabState(
        labstamp_state=1,
        written=began.isoformat(timespec="seconds"),
        labstamp=version(),
        server=SavedServer(name=server.name, version=server.version),
        project=settings.project,
        build_project=settings.build_project,
        pools=_pools(lxd, instances, volumes),
        projects=_projects(lxd, settings),
        acls=_acls(lxd, networks),
        networks={one.name: _sorted(one.config) for one in networks},
        profiles=_profiles(lxd, instances),
        instances=tuple(_instance(lxd, one) for one in instances),
        volumes=tuple(_volume(lxd, one) for one in volumes),
        images=tuple(_image(one) for one in sorted(lxd.images(), key=_by_made) if is_release(one)),
    )


def ours_among(volumes: Iterable[Volume], instances: Sequence[Instance]) -> list[Volume]:
    """Those with labstamp's mark, and those that its containers have: these lose keys as well."""
    attached = {
        (device["pool"], device["source"])
        for one in instances
        for device in of_type("disk", devices_of(one)).values()
        if "pool" in device and "source" in device
    }
    found = [
        one for one in volumes if keys.is_marked(one.config) or (one.pool, one.name) in attached
    ]
    return sorted(found, key=lambda one: (one.pool, one.name))


def is_release(image: Image) -> bool:
    return any(key.startswith("lab.") for key in image.properties)


def _ours(instances: Iterable[Instance]) -> list[Instance]:
    found = (one for one in instances if keys.is_marked(one.config))
    return sorted(found, key=lambda one: one.name)


def _networks(networks: Iterable[Network], instances: Sequence[Instance]) -> list[Network]:
    """LXD's own bridges that labstamp made, or its containers are on."""
    used = {plug_of(nic) for one in instances for nic in of_type("nic", devices_of(one)).values()}
    return [
        one
        for one in sorted(networks, key=lambda one: one.name)
        if one.managed and one.type == "bridge" and (one.name in used or keys.is_marked(one.config))
    ]


def _pools(
    lxd: Lxd, instances: Sequence[Instance], volumes: Sequence[Volume]
) -> Mapping[str, SavedPool]:
    used = {one.pool for one in volumes} | {
        device.get("pool", "")
        for one in instances
        for device in of_type("disk", devices_of(one)).values()
    }
    return {
        pool.name: SavedPool(driver=pool.driver, config=_sorted(pool.config))
        for pool in sorted(lxd.pools(), key=lambda one: one.name)
        if pool.name in used
    }


def _projects(lxd: Lxd, settings: Settings) -> Mapping[str, Mapping[str, str]]:
    there = lxd.projects()
    wanted = (settings.project, settings.build_project)
    return {name: _sorted(there[name]) for name in sorted(wanted) if name in there}


def _acls(lxd: Lxd, networks: Sequence[Network]) -> Mapping[str, tuple[Mapping[str, str], ...]]:
    named = {
        name.strip() for one in networks for name in one.config.get(_ACLS, "").split(",") if name
    }
    there = lxd.network_acls() if named else {}
    return {name: tuple(map(_sorted, there[name])) for name in sorted(named) if name in there}


def _profiles(lxd: Lxd, instances: Sequence[Instance]) -> Mapping[str, SavedProfile]:
    names = {"default", *(name for one in instances for name in one.profiles)}
    found = (lxd.profile(name) for name in sorted(names))
    return {
        one.name: SavedProfile(
            config=keys.saved(one.config),
            devices={name: _sorted(one.devices[name]) for name in sorted(one.devices)},
        )
        for one in found
        if one is not None
    }


def _instance(lxd: Lxd, instance: Instance) -> SavedInstance:
    return SavedInstance(
        name=instance.name,
        description=instance.description,
        profiles=instance.profiles,
        config=keys.saved(instance.config),
        devices={name: _sorted(instance.devices[name]) for name in sorted(instance.devices)},
        snapshots=_snapshots(lxd.snapshots_in_full(instance.name)),
    )


def _volume(lxd: Lxd, volume: Volume) -> SavedVolume:
    return SavedVolume(
        pool=volume.pool,
        name=volume.name,
        config=_sorted(volume.config),
        snapshots=_snapshots(lxd.volume_snapshots_in_full(volume.pool, volume.name)),
    )


def _image(image: Image) -> SavedImage:
    return SavedImage(
        fingerprint=image.fingerprint,
        aliases=tuple(sorted(image.aliases)),
        properties=_sorted(image.properties),
    )


def _snapshots(found: Iterable[Snapshot]) -> tuple[SavedSnapshot, ...]:
    return tuple(SavedSnapshot(name=one.name, config=keys.marks(one.config)) for one in found)


def _by_made(image: Image) -> tuple[str, str]:
    return image.created_at.isoformat(), image.fingerprint


def _sorted(config: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(config.items()))
