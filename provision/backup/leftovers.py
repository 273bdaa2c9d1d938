"""What killed runs of `restore-backup` and `verify-backup` left, and whether it may be removed."""

from __future__ import annotations

from lab import labels
from lab.errors import InputError
from lab.instances.removal import remove_instance, remove_volume
from lab.lxd.model import Instance, Volume
from lab.lxd.port import Lxd
from lab.process import in_words, is_alive, me
from lab.tempdir import remove_dead_directories
from provision.backup.root_image import clear_images
from provision.homes import is_half_copied, read_stores
from provision.managed import is_preparing, is_unclean

_A_MINUTE = 60.0


def half_restored(lxd: Lxd, name: str) -> Instance | None:
    """The container NAME where its files are whole, and a killed run did not start it or judge it.

    What was not whole is removed: container, home and image. InputError while somebody makes it.
    """
    remove_dead_directories()
    clear_images(lxd)
    instance = lxd.instance(name)
    ours = instance is not None and is_half(instance)
    if instance is not None and ours:
        _refuse_while_made(name, instance.config.get(labels.BUILDER, ""))
        if not is_unclean(instance):
            return instance
        lxd.wait_until_idle(name, timeout=_A_MINUTE)
        remove_instance(lxd, name)
    for home in read_stores(lxd).homes(name):
        if is_half_home(home):
            _refuse_while_made(name, home.config.get(labels.BUILDER, ""))
            remove_volume(lxd, home.pool, home.name)
    return None


def is_half_home(home: Volume) -> bool:
    return is_half_copied(home) and labels.FROM_BACKUP in home.config


def is_half(instance: Instance) -> bool:
    return is_preparing(instance) and labels.FROM_BACKUP in instance.config


def _refuse_while_made(name: str, builder: str) -> None:
    if builder == me() or is_alive(builder) is False:
        return
    raise InputError(
        f"{name} is being restored from a backup by {in_words(builder)}.",
        fix=f"Wait until it ends, or, if that process no longer exists: invoke destroy {name}",
    )
