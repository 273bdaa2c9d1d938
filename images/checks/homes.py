"""A throwaway `/home` for a checked instance: users' containers have a volume there, too."""

from __future__ import annotations

from images.context import Workshop
from images.placement import Devices, pool_of
from lab import labels
from lab.instances.removal import remove_volume
from lab.process import is_alive, me

_DEVICE = "home"
_PATH = "/home"


def fresh_home(shop: Workshop, instance: str) -> Devices:
    """The device that gives INSTANCE an empty one; what an earlier run left of it is gone."""
    pool = pool_of(shop)
    if pool is None:
        return {}
    remove_home(shop, instance)
    volume = _volume(shop, instance)
    shop.build.create_volume(
        pool.name, volume, {labels.PHASE: labels.PREPARING, labels.BUILDER: me()}
    )
    return {_DEVICE: {"type": "disk", "pool": pool.name, "source": volume, "path": _PATH}}


def remove_home(shop: Workshop, instance: str) -> None:
    """Gone afterwards, also when there was none. INSTANCE is gone already."""
    pool = pool_of(shop)
    if pool is not None:
        remove_volume(shop.build, pool.name, _volume(shop, instance))


def sweep_homes(shop: Workshop) -> None:
    """Remove those whose makers are dead, and whose instances are gone or never were."""
    pool = pool_of(shop)
    for volume in shop.build.volumes(pool.name) if pool else ():
        ours = volume.name.startswith(_volume(shop, ""))
        used = volume.used_by or volume.used_elsewhere
        if ours and not used and is_alive(volume.config.get(labels.BUILDER, "")) is False:
            remove_volume(shop.build, volume.pool, volume.name)


def _volume(shop: Workshop, instance: str) -> str:
    # Volumes are shared by all projects here; users' are called home-NAME.
    return f"{shop.build.project}-home-{instance}"
