"""Which containers are due for a snapshot, and which of their snapshots have expired. Pure.

LXD's own schedules name root and home apart and take them at other times: no pair.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from lab import labels
from lab.errors import InputError
from lab.lxd.model import Instance, State
from lab.settings.snapshots import MOST, Every, SnapshotSettings
from provision.half_taken import By
from provision.snapshots.names import SCHEDULED
from provision.snapshots.pairs import Pair

_BETWEEN: Final = {
    Every.HOUR: timedelta(hours=1),
    Every.DAY: timedelta(days=1),
    Every.WEEK: timedelta(weeks=1),
}
_EARLY: Final = timedelta(minutes=10)
"""A timer that comes some minutes sooner than the day before leaves no day out."""
_BY_ITSELF: Final = re.compile(rf"{SCHEDULED}\d{{8}}-\d{{6}}(-\d+)?", re.ASCII)
_POWER: Final = "volatile.last_state.power"


class Origin(str, Enum):
    """Who says it; the last one counts."""

    LAB = "lab"
    TEMPLATE = "template"
    PERSON = "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    every: Every
    keep: int
    origin: Origin

    @property
    def value(self) -> str:
        """As `user.lab.snapshots`."""
        return f"{self.every.value} {self.keep}"

    def __str__(self) -> str:
        if self.every is Every.NEVER:
            return "no snapshots by schedule"
        return f"a snapshot every {self.every.value}, {self.keep} kept"


def schedule_of(settings: SnapshotSettings, instance: Instance) -> Schedule:
    """The person's own, else the template's, else the lab's."""
    own = read_own(instance.config.get(labels.SNAPSHOTS))
    if own is not None:
        return own
    template = instance.config.get(labels.TEMPLATE, "")
    return Schedule(
        every=settings.every_of(template),
        keep=settings.keep_of(template),
        origin=Origin.TEMPLATE if settings.says(template) else Origin.LAB,
    )


def read_own(text: str | None) -> Schedule | None:
    """None where there is none, or somebody wrote something else there."""
    every, _, keep = (text or "").partition(" ")
    if every not in {one.value for one in Every} or not keep.isdecimal():
        return None
    return Schedule(every=Every(every), keep=int(keep), origin=Origin.PERSON)


def own_schedule(every: str, keep: int | None, settings: SnapshotSettings) -> Schedule:
    """What a person is to have; InputError for a word or a number that cannot be."""
    words = [one.value for one in Every]
    if every not in words:
        raise InputError(
            f"--every {every}: expected one of {', '.join(words)}, or lab for the lab's."
        )
    wanted = settings.keep if keep is None else keep
    if not 1 <= wanted <= MOST:
        raise InputError(f"--keep {wanted}: expected a number from 1 to {MOST}.")
    return Schedule(every=Every(every), keep=wanted, origin=Origin.PERSON)


def is_due(schedule: Schedule, instance: Instance, pairs: Sequence[Pair], now: datetime) -> bool:
    """Not where nothing can have changed since the last one."""
    between = _BETWEEN.get(schedule.every)
    if between is None:
        return False
    last = max(
        (one for one in pairs if is_scheduled(one) and one.taken_at is not None),
        key=lambda one: one.taken_at or now,
        default=None,
    )
    if last is None or last.taken_at is None or last.root is None:
        return True
    if now - last.taken_at < between - _EARLY:
        return False
    slept = (
        instance.state is State.STOPPED
        and last.root.config.get(_POWER) == "STOPPED"
        and (instance.last_used_at is None or instance.last_used_at < last.taken_at)
    )
    return not slept


def expired(schedule: Schedule, pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """Of those taken by themselves, all but the newest; nothing where nothing is scheduled."""
    if schedule.every is Every.NEVER:
        return ()
    own = [one for one in pairs if is_scheduled(one)]
    return tuple(own[: max(0, len(own) - schedule.keep)])


def is_scheduled(pair: Pair) -> bool:
    """A home alone has no note of who took it, so its name counts."""
    if pair.root is None:
        return bool(_BY_ITSELF.fullmatch(pair.name))
    return pair.by is By.SCHEDULE
