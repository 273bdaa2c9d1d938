"""Which range of ids a person has: chosen once, kept with the home, nobody else's. Pure.

The ledger is the daemon itself: the ranges of all its instances and on all its volumes, in every
project and pool.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from lab import labels
from lab.errors import CapacityError
from lab.lxd.idmap import (
    NEXT,
    ON_DISK,
    ON_VOLUME,
    SIZE,
    IdRange,
    daemon_range,
    kept_range,
    own_range,
    read_map,
    shares,
    trial_range,
)
from lab.lxd.model import Instance, Volume
from provision.former import read_mark as read_root
from provision.ids.marker import read_mark


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The volumes of one project."""

    project: str
    volumes: tuple[Volume, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IdFacts:
    reserved: IdRange | None = None
    """The daemon's own range by its machine's files; None for a daemon elsewhere."""
    instances: tuple[Instance, ...] = ()
    """Of all projects."""
    shelves: tuple[Shelf, ...] = ()
    planned: tuple[IdRange, ...] = ()
    """What others are given in the same plan."""

    @property
    def whole(self) -> IdRange | None:
        """The daemon's own range; None if not known."""
        return self.reserved or daemon_range(self.instances)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whose range it is about: one container, there or not yet, and its home."""

    project: str
    name: str
    home: tuple[str, str] | None
    """Pool and name."""

    def has(self, volume: Volume, project: str) -> bool:
        same_shelf = project in {"default", self.project}
        return same_shelf and (volume.pool, volume.name) == self.home


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """That somebody has a range."""

    who: str
    """In words."""
    range: IdRange
    made: datetime | None = None
    """When the instance was made; None for a volume that no instance uses."""


def choose(facts: IdFacts, person: Person, kept: IdRange | None) -> IdRange:
    """KEPT, which the home has, where it still is this person's alone; else a range of nobody's.

    CapacityError where the daemon has no more of them.
    """
    whole = facts.whole
    if whole is None:
        raise CapacityError(
            "It is not known which ids the LXD on the other machine may give to containers.",
            details="labstamp reads them from a container without security.idmap.isolated, and "
            "there is none.",
            fix="Create such a container there, without starting it: lxc init IMAGE tells-ids",
        )
    others = tuple(claims(facts, person))
    if kept is not None and kept.size == SIZE and _is_persons(kept, whole):
        in_use = [claim for claim in others if claim.made is not None]
        if not any(kept.overlaps(claim.range) for claim in in_use):
            return kept
    found = _free(whole, [claim.range for claim in others])
    if found is None:
        raise CapacityError(
            f"There is no room for another range of {SIZE} ids.",
            details=f"LXD has {whole}, and {_taken(whole, others)} of it are in use.",
            fix="Give root more in /etc/subuid and /etc/subgid of that machine and restart LXD,\n"
            "or remove homes that are not needed any more: invoke destroy NAME --purge",
        )
    return found


def refuse_second(
    before: IdFacts, after: IdFacts, person: Person, mine: IdRange, made: datetime | None
) -> None:
    """CapacityError where somebody took MINE in the same moment, and came first.

    BEFORE: what the choice was made from; AFTER: read when LXD tells everybody of it. Of two new
    containers the later one, by the server's clock, gives way. One that was there before (MADE is
    None) tells nothing of when it took its range, and always does.
    """
    known = set(claims(before, person))
    for claim in claims(after, person):
        if claim in known or not mine.overlaps(claim.range):
            continue
        if made is None or (
            claim.made is not None and (claim.made, claim.who) < (made, _who(person))
        ):
            raise CapacityError(
                f"The ids {mine} were given to another container at the same moment, from "
                "another machine.",
                details=f"{claim.who} has them now.",
                fix="Try again: labstamp then chooses another range.",
            )


def claims(facts: IdFacts, person: Person) -> Iterator[Claim]:
    """What everybody has but PERSON."""
    for found in facts.planned:
        yield Claim(who="another of this plan", range=found)
    mine = (person.project, person.name)
    for instance in facts.instances:
        root = read_root(instance)
        if mine not in {
            (instance.project, instance.name),
            (instance.project, root.name if root else ""),
        }:
            who = _who(instance)
            for found in _of_instance(instance, facts.whole):
                yield Claim(who=who, range=found, made=instance.created_at)
    made = {one.name: one.created_at for one in facts.instances}
    for shelf in facts.shelves:
        for volume in shelf.volumes:
            if person.has(volume, shelf.project) or person.name in volume.used_by:
                continue
            user = next((one for one in volume.used_by if one in made), None)
            for found in _of_volume(volume, facts.whole):
                yield Claim(
                    who=f"volume {volume.name} in pool {volume.pool}",
                    range=found,
                    made=made[user] if user else None,
                )


def _of_instance(instance: Instance, whole: IdRange | None) -> Iterator[IdRange]:
    own = own_range(instance)
    if own is not None:
        yield own
    moving = read_mark(instance.config.get(labels.ISOLATE))
    if moving is not None:
        yield moving.range
    maps = ("volatile.idmap.current", ON_DISK, *(() if shares(instance) else (NEXT,)))
    for found in (read_map(instance.config.get(key)) for key in maps):
        if found is not None and found != whole and found.size <= SIZE:
            yield found


def _of_volume(volume: Volume, whole: IdRange | None) -> Iterator[IdRange]:
    kept = kept_range(volume.config)
    on_disk = read_map(volume.config.get(ON_VOLUME))
    for found in (kept, on_disk):
        if found is not None and found != whole and (found is kept or found.size <= SIZE):
            yield found


def _is_persons(found: IdRange, whole: IdRange) -> bool:
    return whole.holds(found) and not any(found.overlaps(one) for one in _nobodys(whole))


def _nobodys(whole: IdRange) -> tuple[IdRange, ...]:
    """What containers without a range of their own use, and what judged images get."""
    trial = trial_range(whole)
    return (IdRange(whole.base, SIZE), *([trial] if trial else []))


def _free(whole: IdRange, taken: Sequence[IdRange]) -> IdRange | None:
    """Behind the last that is taken, so that what was given back rests as long as it can."""
    known = [*_nobodys(whole), *taken]
    ends = sorted({one.end for one in known if one.end < whole.end})
    for base in chain(ends[-1:], ends):
        found = IdRange(base, SIZE)
        if whole.holds(found) and not any(found.overlaps(one) for one in known):
            return found
    return None


def _taken(whole: IdRange, others: Iterable[Claim]) -> int:
    """How many ids of WHOLE."""
    count, reached = SIZE, whole.base + SIZE
    for one in sorted(claim.range for claim in others):
        start, end = max(one.base, reached), min(one.end, whole.end)
        if end > start:
            count, reached = count + end - start, end
    return count


def _who(one: Instance | Person) -> str:
    return one.name if one.project == "default" else f"{one.project}/{one.name}"
