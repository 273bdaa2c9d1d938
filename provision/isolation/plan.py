"""Which containers are moved to ids of their own, and what prevents it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from lab import labels
from lab.lxd.devices import of_type
from lab.lxd.idmap import SIZE, IdRange, is_privileged, kept_range, shares
from lab.lxd.model import Instance, State, Volume
from provision.former import is_being_upgraded
from provision.homes import home_place
from provision.ids.marker import MoveMarker, read_mark
from provision.ids.ranges import IdFacts, Person, choose
from provision.managed import is_preparing
from provision.moving import move_mark
from provision.other_run import in_other_hands
from provision.renaming import rename_mark
from provision.restoring import unfinished

_UNSHIFTED = ("security.shifted", "security.unmapped")
_ACCOUNT = 1000
"""The id of a container's first account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPath:
    """A directory of the server that a container has; LXD changes no owners in it."""

    path: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Stop it, give its files to the range IDS, start it."""

    name: str
    ids: IdRange
    whole: IdRange
    """The range that it had, with all the others."""
    asleep: bool = False
    volumes: tuple[Volume, ...] = ()
    """Custom volumes, its home among them, whose files go with it."""
    paths: tuple[HostPath, ...] = ()
    leftover: MoveMarker | None = None
    """Of an earlier run that was cut off."""

    def __str__(self) -> str:
        files = ", ".join(["root", *(f"volume {one.name}" for one in self.volumes)])
        how = "start it to check its files, stop it" if self.asleep else "stop it"
        after = "start it, stop it again" if self.asleep else "start it"
        change = f"change the owners of its files ({files}) to the ids {self.ids}"
        text = f"{self.name}: {how}, {change}, {after}"
        if self.leftover is not None:
            text += " (an earlier run was interrupted here)"
        return "\n".join([text, *(f"  {self._told(one)}" for one in self.paths)])

    def _told(self, one: HostPath) -> str:
        before, after = self.whole.base + _ACCOUNT, self.ids.base + _ACCOUNT
        return (
            f"{one.path} is {one.source} of the server, where owners are not changed: files that "
            f"its account wrote there still belong to {before}; the account becomes {after}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Not touched, though it shares its ids. FIX: a command, where one helps."""

    name: str
    reason: str
    fix: str | None = None

    def __str__(self) -> str:
        return f"{self.name}: skip, {self.reason}" + (f": {self.fix}" if self.fix else "")


Action: TypeAlias = Move | Leave


def plan_one(facts: IdFacts, instance: Instance) -> Action | None:
    """None for a container that has its ids; CapacityError where there are none left."""
    mark = read_mark(instance.config.get(labels.ISOLATE))
    if mark is None and not (shares(instance) or is_privileged(instance)):
        return None
    volumes = tuple(_moved_volumes(facts, instance))
    obstacle = _obstacle(facts, instance, mark, volumes)
    if obstacle is not None:
        return obstacle
    home = home_of(instance, volumes)
    ids = mark.range if mark else choose(facts, person_of(instance), kept_of(home))
    return Move(
        name=instance.name,
        ids=ids,
        whole=facts.whole or IdRange(0, SIZE),
        asleep=mark.asleep if mark else instance.state is State.STOPPED,
        volumes=volumes,
        paths=tuple(_host_paths(instance)),
        leftover=mark,
    )


def home_of(instance: Instance, volumes: Iterable[Volume]) -> Volume | None:
    """Its home, where it is one of labstamp's."""
    place = home_place(instance)
    return next(
        (one for one in volumes if (one.pool, one.name) == place and labels.OWNER in one.config),
        None,
    )


def kept_of(home: Volume | None) -> IdRange | None:
    return kept_range(home.config) if home is not None else None


def person_of(instance: Instance) -> Person:
    return Person(project=instance.project, name=instance.name, home=home_place(instance))


def _obstacle(
    facts: IdFacts, instance: Instance, mark: MoveMarker | None, volumes: tuple[Volume, ...]
) -> Leave | None:
    if mark is not None:
        return None if mark.alive is False else _left_to(instance.name, mark)
    reasons = (
        *_reasons(instance),
        *_restored(facts, instance),
        *(_shared(facts, instance, one) for one in volumes),
    )
    return next((one for one in reasons if one is not None), None)


def _reasons(instance: Instance) -> Iterator[Leave]:
    name, config = instance.name, instance.config
    yield from (Leave(name=name, reason=why) for why in _moved(instance))
    if is_being_upgraded(instance):
        yield Leave(name=name, reason="it is being upgraded; first", fix=f"invoke upgrade {name}")
    if is_preparing(instance):
        yield Leave(name=name, reason="it is only half made; first", fix=f"invoke provision {name}")
    renaming = rename_mark(instance)
    if renaming is not None:
        yield Leave(name=name, reason="it is being renamed; first", fix=renaming.command)
    if config.get(labels.SYNC):
        fix = f"invoke sync-drivers {name}"
        yield Leave(name=name, reason="its driver is being changed; first", fix=fix)
    if instance.state not in {State.RUNNING, State.STOPPED}:
        reason = f"it is {instance.state.value}, neither running nor stopped"
        yield Leave(name=name, reason=reason)
    if is_privileged(instance):
        yield Leave(name=name, reason="it is privileged: its root user is root of the server, too")
    if config.get("security.protection.shift") == "true":
        fix = f"lxc config unset {name} security.protection.shift"
        yield Leave(
            name=name,
            reason="security.protection.shift forbids new owners of its files; first",
            fix=fix,
        )


def _moved(instance: Instance) -> Iterator[str]:
    mark = move_mark(instance)
    if mark is not None:
        yield f"it {'was' if mark.is_moved else 'is being'} moved to {mark.remote}"
    elif labels.ARRIVAL in instance.config:
        yield "it is being moved here from another server"


def _restored(facts: IdFacts, instance: Instance) -> Iterator[Leave]:
    """While its files come back from a snapshot; its devices may be of that day, too."""
    shelf, name = _shelf_of(facts, instance.project), instance.name
    mine = {labels.CONTAINER: name, labels.PROJECT: instance.project}
    homes = [
        volume
        for one in facts.shelves
        if one.project == shelf
        for volume in one.volumes
        if home_place(instance) == (volume.pool, volume.name)
        or mine.items() <= volume.config.items()
    ]
    found = unfinished(homes)
    if found is not None:
        fix = f"invoke restore {name} {found[1].command}"
        yield Leave(name=name, reason="its files are being restored; first", fix=fix)


def _shared(facts: IdFacts, instance: Instance, volume: Volume) -> Leave | None:
    shelf = _shelf_of(facts, instance.project)
    others = [
        other.name if other.project == instance.project else f"{other.project}/{other.name}"
        for other in facts.instances
        if (other.project, other.name) != (instance.project, instance.name)
        and _shelf_of(facts, other.project) == shelf
        and any(_is_of(device, volume) for device in other.expanded_devices.values())
    ]
    if not others:
        return None
    return Leave(
        name=instance.name,
        reason=f"its volume {volume.name} (pool {volume.pool}) is also attached "
        f"to {', '.join(others)}, and LXD attaches a volume only to containers with the same ids; "
        "first",
        fix=f"lxc storage volume detach {volume.pool} {volume.name} {others[0]}",
    )


def _moved_volumes(facts: IdFacts, instance: Instance) -> Iterator[Volume]:
    shelf = _shelf_of(facts, instance.project)
    for one in facts.shelves:
        if one.project != shelf:
            continue
        for volume in one.volumes:
            if any(volume.config.get(key) == "true" for key in _UNSHIFTED):
                continue
            if any(_is_of(device, volume) for device in instance.expanded_devices.values()):
                yield volume


def _shelf_of(facts: IdFacts, project: str) -> str:
    """The project that holds the volumes of PROJECT's instances."""
    return project if any(one.project == project for one in facts.shelves) else "default"


def _is_of(device: Mapping[str, str], volume: Volume) -> bool:
    return (
        device.get("type") == "disk"
        and device.get("path") != "/"
        and (device.get("pool"), device.get("source")) == (volume.pool, volume.name)
    )


def _host_paths(instance: Instance) -> Iterator[HostPath]:
    for device in of_type("disk", instance.expanded_devices).values():
        source = device.get("source")
        if source and not device.get("pool") and device.get("shift") != "true":
            yield HostPath(path=device.get("path", ""), source=source)


def _left_to(name: str, mark: MoveMarker) -> Leave:
    reason, fix = in_other_hands(
        mark, "moving", once_over="run on that machine", fix=f"invoke isolate {name}"
    )
    return Leave(name=name, reason=reason, fix=fix)
