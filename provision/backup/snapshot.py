"""The pair of snapshots that a backup is read from: taken for it, and removed when it is made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from lab.errors import InputError, LabError
from lab.lxd.model import Instance, Volume
from lab.lxd.port import Lxd
from lab.report import Report
from lab.settings.settings import Settings
from provision.backup.pack import Pack, pack
from provision.half_taken import By, finish_half_taken
from provision.homes import home_place, read_stores
from provision.managed import container_lock, no_container
from provision.restoring import home_of, refuse_half_restored
from provision.snapshots.names import FOR_BACKUP, by_time
from provision.snapshots.pairs import find, read_pairs
from provision.snapshots.take import no_home, take
from provision.whole import whole_container

_UUID: Final = "volatile.uuid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What is backed up, as it is now."""

    name: str
    instance: Instance | None
    """None where only the home is left."""
    home: Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    lxd: Lxd
    settings: Settings
    report: Report
    pack: Pack = pack


def find_person(context: Context, name: str) -> Person:
    """NAME, without the snapshots that killed runs of `backup` left."""
    lxd = context.lxd
    with container_lock(context.settings, name, context.report, f"backup {name}"):
        if lxd.instance(name) is None:
            return Person(name=name, instance=None, home=_kept_home(lxd, name))
        finish_half_taken(lxd, whole_container(lxd, name))
        instance = whole_container(lxd, name)
        home = home_of(lxd, instance)
        if home is None:
            raise no_home(name)
        for pair in read_pairs(lxd, instance, home):
            if pair.name.startswith(FOR_BACKUP):
                lxd.delete_snapshot(name, pair.name)
                lxd.delete_volume_snapshot(home.pool, home.name, pair.name)
        return Person(name=name, instance=instance, home=home)


@contextmanager
def snapshot_of(context: Context, person: Person) -> Iterator[str]:
    """Its name. It is removed afterwards, also where the block fails."""
    lxd, home = context.lxd, person.home
    if person.instance is not None:
        snapshot = take(lxd, context.settings, person.name, None, context.report, by=By.BACKUP)
    else:
        taken = lxd.volume_snapshots(home.pool, home.name)
        snapshot = by_time(lxd.now(), taken, before=FOR_BACKUP)
        lxd.create_volume_snapshot(home.pool, home.name, snapshot)
    try:
        yield snapshot
    finally:
        _remove(context, person, snapshot)


def has_gone(lxd: Lxd, person: Person) -> bool:
    """Whether another command renamed or removed it meanwhile."""
    there = lxd.instance(person.name)
    if person.instance is not None:
        return there is None or not _is_same(there, person.instance)
    return person.home.name not in {one.name for one in lxd.volumes(person.home.pool)}


def as_in(lxd: Lxd, person: Person, snapshot: str) -> Instance | None:
    """The container with the config of SNAPSHOT, which tells the owners of the files in that."""
    if person.instance is None:
        return None
    root = find(read_pairs(lxd, person.instance, person.home), person.name, snapshot).root
    return replace(person.instance, config=root.config) if root is not None else person.instance


def _kept_home(lxd: Lxd, name: str) -> Volume:
    homes = read_stores(lxd).homes(name)
    if not homes:
        raise no_container(lxd, name)
    if len(homes) > 1:
        raise InputError(
            f'"{name}" has {len(homes)} kept homes.',
            fix=f"Give it a container again, with the right one: invoke provision {name}",
        )
    home = homes[0]
    refuse_half_restored(name, home)
    for snapshot in lxd.volume_snapshots(home.pool, home.name):
        if snapshot.startswith(FOR_BACKUP):
            lxd.delete_volume_snapshot(home.pool, home.name, snapshot)
    return home


def _remove(context: Context, person: Person, snapshot: str) -> None:
    name = person.name
    try:
        with container_lock(context.settings, name, context.report, f"backup {name}"):
            _delete(context.lxd, person, snapshot)
    except LabError as error:
        context.report.say(
            f"{name}: its snapshot {snapshot} stays until the next backup: {error.brief}"
        )


def _delete(lxd: Lxd, person: Person, snapshot: str) -> None:
    """Also where the container has another name by now, or its root was kept by an upgrade."""
    places = {(person.home.pool, person.home.name)}
    for instance in lxd.instances():
        if person.instance is not None and _is_same(instance, person.instance):
            lxd.delete_snapshot(instance.name, snapshot)
            places |= {place} if (place := home_place(instance)) else set()
    for pool, volume in places:
        lxd.delete_volume_snapshot(pool, volume, snapshot)


def _is_same(one: Instance, other: Instance) -> bool:
    """Whatever it is called."""
    own = other.config.get(_UUID)
    return one.config.get(_UUID) == own if own else one.name == other.name
