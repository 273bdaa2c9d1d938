"""A throwaway `/home` for a checked instance: users' containers have a volume there, too."""

from __future__ import annotations

from images.context import BuildContext
from images.placement import pool_of
from lab import labels
from lab.instances.removal import remove_volume
from lab.lxd.devices import Devices
from lab.process import is_alive, me

_DEVICE = "home"
_PATH = "/home"


def fresh_home(context: BuildContext, instance: str) -> Devices:
    """The device that gives INSTANCE an empty one; what an earlier run left of it is gone."""
    pool = pool_of(context)
    if pool is None:
        return {}
    remove_home(context, instance)
    volume = _volume(context, instance)
    context.build.create_volume(
        pool.name, volume, {labels.PHASE: labels.PREPARING, labels.BUILDER: me()}
    )
    return {_DEVICE: {"type": "disk", "pool": pool.name, "source": volume, "path": _PATH}}


def remove_home(context: BuildContext, instance: str) -> None:
    """Gone afterwards, also when there was none. INSTANCE is gone already."""
    pool = pool_of(context)
    if pool is not None:
        remove_volume(context.build, pool.name, _volume(context, instance))


def remove_leftover_homes(context: BuildContext) -> None:
    """Remove those whose makers are dead, and whose instances are gone or never were."""
    pool = pool_of(context)
    for volume in context.build.volumes(pool.name) if pool else ():
        is_managed = volume.name.startswith(_volume(context, ""))
        used = volume.used_by or volume.used_elsewhere
        if is_managed and not used and is_alive(volume.config.get(labels.BUILDER, "")) is False:
            remove_volume(context.build, volume.pool, volume.name)


def _volume(context: BuildContext, instance: str) -> str:
    # Volumes are shared by all projects here; users' are called home-NAME.
    return f"{context.build.project}-home-{instance}"
