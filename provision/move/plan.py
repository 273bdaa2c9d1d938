"""Whether a container can go to the other server, and as what. Pure: every obstacle at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from lab import labels
from lab.errors import CapacityError, InputError, LabError
from lab.gpu_selection import GpuSelection
from lab.gpus.allocation import allocate
from lab.lxd.devices import devices_of
from lab.lxd.idmap import IdRange, own_range
from lab.lxd.model import Grant, State
from lab.sizes import format_size
from provision.ids.ranges import Person, choose, claims
from provision.move.becoming import Becoming, Given, becoming
from provision.move.facts import Facts, gpus_wanted
from provision.move.obstacles import (
    Obstacle,
    delivery_there,
    driver_fits,
    offer_there,
    size_of,
)
from provision.move.obstacles import obstacles as found_obstacles
from provision.move.unfit import Lacking, unfit
from provision.moving import MoveMark, Stage, arrival_mark
from provision.other_run import in_other_hands
from provision.snapshots.names import others_command


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Copy it, stop it, send the rest, start the copy; what is here is kept, stopped."""

    name: str
    remote: str
    url: str
    home: tuple[str, str]
    """Pool and volume there."""
    given: Given
    becoming: Becoming
    told: tuple[str, ...] = ()
    unfit: bool = False
    """The snapshots of its root stay here."""
    size: int | None = None
    asleep: bool = False

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        where = self.remote if self.remote == self.url else f"{self.remote} ({self.url})"
        size = "" if self.size is None else f", {format_size(self.size)}"
        yield f"{self.name}: move to {where}{size}"
        down = "it is stopped already" if self.asleep else "it is stopped once"
        yield (
            f"  first its root, /home and snapshots are copied while it runs; {down}, what has "
            "changed since is copied, and the copy is started there"
        )
        yield (
            "  kept: /home, its account, ssh keys, password, host keys, limits and snapshots"
            f"{self._ids()}{self._gpus()}"
        )
        for one in self.told:
            yield f"  not kept: {one}"
        yield f"  here it stays stopped until: invoke move {self.name} --forget"

    def _ids(self) -> str:
        if self.given.lxd_chooses:
            return "; ids there: those that its LXD chooses"
        return f"; ids there: {self.given.ids}" if self.given.ids is not None else ""

    def _gpus(self) -> str:
        labels_of = [one.label for one in self.given.gpus]
        return f"; GPUs there: {', '.join(labels_of)}" if labels_of else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """An earlier run was interrupted: it is gone on with, or undone first."""

    mark: MoveMark

    def __str__(self) -> str:
        name, remote = self.mark.name, self.mark.remote
        if self.mark.stage is Stage.MOVED:
            return f"{name}: finish its move to {remote}"
        if self.mark.stage is Stage.TRYING:
            return f"{name}: judge its copy on {remote}, which an interrupted run started"
        return f"{name}: continue its move to {remote}, which was interrupted"


Action: TypeAlias = Move | Resume
T = TypeVar("T")


def plan_resume(facts: Facts) -> Resume | None:
    """InputError where the move is another's: of a process that may live, or to elsewhere."""
    mark = facts.here.mark
    if mark is None:
        return None
    if mark.alive is not False and not mark.is_moved:
        reason, fix = in_other_hands(
            mark, "moving", once_over="run on that machine", fix=mark.command
        )
        raise InputError(
            f"The container {mark.name} is being moved to {mark.remote}.",
            details=reason,
            fix=fix or "Wait until it ends.",
        )
    if mark.server != facts.there.server.certificate:
        was = "was moved" if mark.is_moved else "is being moved"
        raise InputError(
            f"The container {mark.name} {was} to {mark.remote} ({mark.url}).",
            details=f"{facts.remote} is another server.",
            fix=f"Remove what is kept here: invoke move {mark.name} --forget"
            if mark.is_moved
            else f"Continue it: {mark.command}",
        )
    return Resume(mark=mark)


def plan_move(facts: Facts) -> Move:
    """InputError or CapacityError with every obstacle."""
    obstacles = [*found_obstacles(facts)]
    ids = _tried(lambda: _ids(facts), obstacles)
    gpus = _tried(lambda: _gpus(facts), obstacles) or ()
    if obstacles:
        raise _refused(facts, obstacles)
    instance, there = facts.here.instance, facts.there
    home = _home_name(facts)
    given = Given(
        home=home,
        ids=ids,
        lxd_chooses=ids is None and own_range(instance) is not None,
        gpus=gpus,
        delivery=delivery_there(facts),
    )
    stay = unfit(facts, home)
    found = becoming(instance, facts.here.server, there, given)
    return Move(
        name=instance.name,
        remote=facts.remote,
        url=facts.url,
        home=(there.pool.name, home),
        given=given,
        becoming=found,
        told=(*found.told, *_told(facts, ids), *_staying(facts, stay)),
        unfit=bool(stay),
        size=size_of(facts),
        asleep=instance.state is State.STOPPED,
    )


def _home_name(facts: Facts) -> str:
    """That of the copy which is there already, else one that no volume has."""
    name, there = facts.here.instance.name, facts.there
    for volume in there.stores.volumes:
        arrival = arrival_mark(volume)
        ours = arrival is not None and arrival.server == facts.here.server.certificate
        if ours and volume.pool == there.pool.name and volume.config.get(labels.CONTAINER) == name:
            return volume.name
    return there.stores.unused_name(name, there.pool.name, but="")


def _tried(choose_it: Callable[[], T], obstacles: list[Obstacle]) -> T | None:
    """What it chooses; an obstacle more where there is nothing to be chosen."""
    try:
        return choose_it()
    except LabError as error:
        reason = f"there: {error.brief} {' '.join((error.details or '').split())}".strip()
        obstacles.append(Obstacle(reason=reason, capacity=isinstance(error, CapacityError)))
        return None


def _refused(facts: Facts, obstacles: Sequence[Obstacle]) -> LabError:
    kind = CapacityError if all(one.capacity for one in obstacles) else InputError
    return kind(
        f"{facts.here.instance.name} cannot be moved to {facts.remote}. Nothing was changed.",
        details="\n".join(map(str, obstacles)),
        fix="Correct what each line says, then run the same command again.",
    )


def _ids(facts: Facts) -> IdRange | None:
    """Those that it has, where they are free there; else another range, or None: LXD's choice."""
    mine, there = own_range(facts.here.instance), facts.there
    if mine is None:
        return None
    person = Person(project=there.project, name=facts.here.instance.name, home=None)
    taken = any(mine.overlaps(claim.range) for claim in claims(there.ids, person))
    if there.ids.whole is None:
        # LXD itself refuses what is not of its range, and chooses one that is.
        return None if taken else mine
    return choose(there.ids, person, mine)


def _gpus(facts: Facts) -> tuple[Grant, ...]:
    instance, there = facts.here.instance, facts.there
    return allocate(
        GpuSelection(count=gpus_wanted(instance)),
        there.host.gpus,
        there.users,
        there.policy,
        name=instance.name,
    )


def _staying(facts: Facts, stay: Mapping[str, Sequence[Lacking]]) -> Iterator[str]:
    """LXD takes all of them or none."""
    names = ", ".join(one.name for one in facts.here.roots if not _is_moves(one.name))
    lacking = list(dict.fromkeys(one for every in stay.values() for one in every))
    if not lacking or not names:
        return
    ways = [one.fix for one in lacking]
    yield (
        f"its root's snapshots {names}: they name {', '.join(one.what for one in lacking)}, which "
        "that server may lack. Those of /home are kept"
        + (f". To take them along, first on that server: {'; '.join(ways)}" if all(ways) else "")
    )


def _is_moves(snapshot: str) -> bool:
    return others_command(snapshot) == "move"


def _told(facts: Facts, ids: IdRange | None) -> Iterator[str]:
    here, there = facts.here, facts.there
    mine = own_range(here.instance)
    if mine is not None and ids != mine:
        yield (
            f"its ids {mine}: they are another's there. Snapshots taken before give back single "
            "files only"
        )
    if not offer_there(facts):
        template = here.instance.config.get(labels.TEMPLATE, "")
        yield f"upgrades: there is no release of {template} there"
    if not driver_fits(facts):
        yield (
            "NVIDIA's userland, which does not fit the host there; on that server: "
            f"invoke sync-drivers {here.instance.name}"
        )
    if here.drivers != {there.pool.driver}:
        kinds = ", ".join(sorted(here.drivers))
        yield f"hard links, which become files of their own ({kinds} to {there.pool.driver})"
    own, same = here.instance.config, there.profile.config
    keys = [
        key
        for key, value in here.instance.expanded_config.items()
        if key not in own and same.get(key) != value
    ]
    if keys:
        yield f"keys of the profile here: {', '.join(sorted(keys))}"
    profile = [name for name in devices_of(here.instance) if name not in here.instance.devices]
    of_here = [name for name in profile if name not in there.profile.devices]
    if of_here:
        yield f"devices of the profile here: {', '.join(sorted(of_here))}"
