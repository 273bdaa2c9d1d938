"""Work on containers that has begun and not ended: by whom, and the command that continues it.

But for a move to ids of its own, which `host.check` tells with the ids.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lab import labels
from lab.errors import InputError
from lab.lxd.model import Instance
from lab.lxd.port import Lxd
from lab.process import in_words, is_alive
from provision import former
from provision.drivers import marker as sync
from provision.homes import Stores, read_stores
from provision.managed import command_that_finishes, is_managed, is_preparing
from provision.moving import move_mark
from provision.renaming import rename_mark
from provision.restoring import read_journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfinished:
    name: str
    """Of the container."""
    work: str
    """`the upgrade`, `the restore from monday`."""
    builder: str
    """`HOST PID STARTTIME`."""
    command: str

    @property
    def who(self) -> str:
        """`process 4711 on lab1`."""
        return in_words(self.builder)

    @property
    def at_work(self) -> bool | None:
        """Whether that process still runs; None if it is not known here."""
        return is_alive(self.builder)


def unfinished_work(lxd: Lxd) -> tuple[Unfinished, ...]:
    """Of all containers of labstamp in LXD's project."""
    stores = read_stores(lxd)
    found = [one for each in stores.instances for one in _of_instance(each)]
    return (*found, *_restores(stores))


def _of_instance(instance: Instance) -> Iterator[Unfinished]:
    name, config = instance.name, instance.config
    if (renamed := rename_mark(instance)) is not None:
        yield Unfinished(
            name=name,
            work=f"the renaming from {renamed.old} to {renamed.new}",
            builder=renamed.builder,
            command=renamed.command,
        )
    moved = move_mark(instance)
    if moved is not None and not moved.is_moved:
        yield Unfinished(
            name=name,
            work=f"the move to {moved.remote}",
            builder=moved.builder,
            command=moved.command,
        )
    upgraded = former.read_mark(instance)
    if upgraded is not None and upgraded.stage is not former.Stage.KEPT:
        yield Unfinished(
            name=upgraded.name,
            work="the upgrade",
            builder=upgraded.builder,
            command=f"invoke upgrade {upgraded.name}",
        )
    if not is_managed(instance):
        return
    if (synced := sync.read_mark(config.get(labels.SYNC))) is not None:
        yield Unfinished(
            name=name,
            work="the change of its driver",
            builder=synced.builder,
            command=f"invoke sync-drivers {name}",
        )
    if is_preparing(instance) and not former.is_being_upgraded(instance):
        yield Unfinished(
            name=name,
            work="the making",
            builder=config.get(labels.BUILDER, ""),
            command=command_that_finishes(instance),
        )


def _restores(stores: Stores) -> Iterator[Unfinished]:
    for instance in filter(is_managed, stores.instances):
        for home in stores.homes(instance.name):
            try:
                journal = read_journal(home.config.get(labels.RESTORE))
            except InputError:
                continue  # each command about it says what to do
            if journal is not None:
                yield Unfinished(
                    name=instance.name,
                    work=f"the restore from {journal.snapshot}",
                    builder=journal.builder,
                    command=f"invoke restore {instance.name} {journal.command}",
                )
