"""What the end of a person's time does next, on which day, and why. Pure: it reads no clock.

Each step counts its days from the day on which the one before it was *done*, so a clock that jumps,
or a server that was off, never makes two steps due at once. Frozen days do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import Enum
from typing import Final

from lab.dates import Period, after, first_outside
from lab.settings.expiry import ExpirySettings
from provision.expiring import Mark, State

GRACE: Final = 7
"""Days that somebody has who was warned too late: the server was off, or a freeze ended."""


class Step(str, Enum):
    WARN = "warn"
    STOP = "stop"
    ARCHIVE = "archive"
    REMOVE_ROOT = "remove-root"
    ANNOUNCE = "announce-purge"
    PURGE = "purge"
    RECOUNT = "recount"
    """Days noted by a clock that was ahead are in the future: they are counted from today."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Of one person."""

    until: date | None
    """The last day; None: no end."""
    today: date
    settings: ExpirySettings
    mark: Mark | None = None
    own_freezes: tuple[Period, ...] = ()
    has_root: bool = True
    has_home: bool = True
    running: bool = False
    started: date | None = None
    """When the container was started the last time."""
    leaving: bool = False
    """Whether a run has begun to remove the container: how it was is kept on the home."""

    @property
    def frozen(self) -> tuple[Period, ...]:
        return self.settings.frozen(self.own_freezes)

    def out_of_freeze(self, day: date) -> date:
        """DAY, but none that has passed or is frozen."""
        return first_outside(max(day, self.today), self.frozen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """STEP None: nothing will happen, because of WHY."""

    step: Step | None = None
    day: date | None = None
    why: str
    covers: tuple[int, ...] = ()
    """The warnings that this one is, as days before the end."""

    def is_due(self, today: date) -> bool:
        return self.step is not None and self.day is not None and self.day <= today


def next_step(facts: Facts) -> Next:
    """The one that comes next for this person; due if its day is today."""
    if facts.until is None:
        return Next(why="has no end date")
    mark = counting_mark(facts)
    if mark is None or mark.state is State.WARNED:
        return _before_the_stop(facts, mark, facts.until)
    if mark.until != facts.until:
        return Next(why="its date was changed, but it was not renewed: invoke renew NAME")
    return _correction(facts, mark) or _AFTER_THE_STOP[mark.state](facts, mark)


def done(facts: Facts, step: Next, *, backup: str | None = None) -> Mark | None:
    """The mark once STEP was done today. None: nothing is left, or nothing is to be noted."""
    mark, today = counting_mark(facts), facts.today
    if facts.until is None or step.step is Step.PURGE:
        return None
    if step.step is Step.WARN:
        warned = {**(mark.warned if mark else {}), **dict.fromkeys(step.covers, today)}
        since = mark.since if mark else today
        return Mark(until=facts.until, state=State.WARNED, since=since, warned=warned)
    return mark and _noted(mark, step.step, today, backup)


def begun(facts: Facts, step: Next) -> Mark | None:
    """The mark before STEP is done. None: nothing is to be noted by then."""
    before, after_it = counting_mark(facts), done(facts, step)
    if step.step is not Step.STOP or before is None or after_it is None:
        return None
    return None if after_it.state is before.state else replace(after_it, untold=True)


def _noted(mark: Mark, step: Step | None, today: date, backup: str | None) -> Mark:
    match step:
        case Step.STOP:
            return _stopped(mark, today)
        case Step.ARCHIVE:
            return replace(mark, state=State.ARCHIVED, since=today, backup=backup)
        case Step.REMOVE_ROOT:
            return replace(mark, state=State.HOME_KEPT, since=today)
        case Step.ANNOUNCE:
            return replace(mark, announced=today)
        case Step.RECOUNT:
            return _recounted(mark, today)
        case _:
            return mark


def _stopped(mark: Mark, today: date) -> Mark:
    if mark.state is State.STOPPED:
        return replace(mark, untold=False)
    # Where it was archived: its files may not be those of the backup any more.
    return replace(mark, state=State.STOPPED, since=today, backup=None)


def counting_mark(facts: Facts) -> Mark | None:
    """The mark; without warnings that were about another date, or noted by a clock ahead."""
    mark = facts.mark
    if mark is None or mark.state is not State.WARNED:
        return mark
    warned = {days: day for days, day in mark.warned.items() if day <= facts.today}
    if mark.until != facts.until or not warned:
        return None
    return replace(mark, warned=warned, since=min(mark.since, facts.today))


def end_of(until: date, frozen: Iterable[Period]) -> date:
    """UNTIL; where it is frozen, some days after that, in which there are warnings."""
    end, periods = until, tuple(frozen)
    while (outside := first_outside(end, periods)) != end:
        end = outside + timedelta(days=GRACE - 1)
    return end


def last_day(facts: Facts, until: date) -> date:
    """Whoever is warned today has it until then, as far as is known."""
    end = end_of(until, facts.frozen)
    if facts.today <= end:
        return end
    return after(facts.today, GRACE, facts.frozen) - timedelta(days=1)


def purge_day(facts: Facts) -> date:
    """The earliest day of the purge that is announced today."""
    days = facts.settings.purge or 0
    noticed = after(facts.today, min(GRACE, days), facts.frozen)
    since = facts.mark.since if facts.mark else facts.today
    return max(after(since, days, facts.frozen), noticed)


def _before_the_stop(facts: Facts, mark: Mark | None, until: date) -> Next:
    if not facts.has_root:
        return Next(why="its container was removed by hand; the home is kept")
    end = end_of(until, facts.frozen)
    warned = mark.warned if mark else {}
    left = {days: end - timedelta(days=days) for days in facts.settings.warn if days not in warned}
    due = tuple(sorted((days for days, day in left.items() if day <= facts.today), reverse=True))
    says = f"its time ends on {end}" if end >= facts.today else f"its time ended on {end}"
    if due:
        return replace(_on(facts, facts.today, Step.WARN, says), covers=due)
    warn = min(left.values(), default=None)
    if mark is None or warn is not None:
        return _on(facts, warn or facts.today, Step.WARN, says)
    last = max(warned.values())
    notice = min(GRACE, *facts.settings.warn) if last <= end else GRACE
    notified = after(last, notice, facts.frozen)
    return _on(facts, max(end + timedelta(days=1), notified), Step.STOP, says)


def _correction(facts: Facts, mark: Mark) -> Next | None:
    """What was done is noted by another clock, or was undone by hand."""
    if _days_ahead(mark, facts.today):
        return _on(facts, facts.today, Step.RECOUNT, "the clock was ahead when it was noted")
    if facts.running and mark.state is not State.HOME_KEPT:
        return _on(facts, facts.today, Step.STOP, f"its time ended on {mark.until}, and it runs")
    if mark.untold:
        return _on(facts, facts.today, Step.STOP, "nobody was told that it was stopped")
    return None


def _to_the_archive(facts: Facts, mark: Mark) -> Next:
    days = facts.settings.archive
    if not facts.has_root or not facts.has_home:
        lacks = "container" if facts.has_home else "home"
        return Next(why=f"it is stopped, and has no {lacks} any more; what is left is kept")
    if days is None:
        return Next(why="it is stopped; lab.yaml says `expiry: {archive: none}`")
    return _after(facts, mark.since, days, Step.ARCHIVE, f"was stopped on {mark.since}")


def _to_the_home(facts: Facts, mark: Mark) -> Next:
    days = facts.settings.remove_root
    says = f"the backup {mark.backup} was made on {mark.since}"
    if mark.backup is None or not facts.has_home:
        return Next(why="it is archived, but has no backup or no home; what is left is kept")
    if not facts.has_root and not facts.leaving:
        return Next(why="its container was removed by hand; the home is kept")
    if not facts.has_root:
        return _on(facts, facts.today, Step.REMOVE_ROOT, says)
    if facts.settings.archive and (started := _started_since(mark, facts)):
        says = f"was started on {started}, after its backup"
        return _after(facts, started, facts.settings.archive, Step.ARCHIVE, says)
    if days is None:
        return Next(why="it is archived; lab.yaml says `expiry: {remove-root: none}`")
    return _after(facts, mark.since, days, Step.REMOVE_ROOT, says)


def _started_since(mark: Mark, facts: Facts) -> date | None:
    """When somebody started it by hand: the backup may lack what was written since."""
    day = facts.started
    return day if day is not None and mark.since <= day <= facts.today else None


def _to_the_purge(facts: Facts, mark: Mark) -> Next:
    days = facts.settings.purge
    if facts.has_root or not facts.has_home:
        return Next(why="its container is there again; renew it: invoke renew NAME")
    if mark.backup is None or not mark.warned:
        return Next(why="its home is kept: no warning or no backup is noted")
    if days is None:
        return Next(why="its home is kept; lab.yaml says `expiry: {purge: none}`")
    says = f"the container was removed on {mark.since}"
    if mark.announced is None:
        return _after(facts, mark.since, max(1, days - GRACE), Step.ANNOUNCE, says)
    earliest = after(mark.announced, min(GRACE, days), facts.frozen)
    return _on(facts, max(after(mark.since, days, facts.frozen), earliest), Step.PURGE, says)


_AFTER_THE_STOP: Final[Mapping[State, Callable[[Facts, Mark], Next]]] = {
    State.STOPPED: _to_the_archive,
    State.ARCHIVED: _to_the_home,
    State.HOME_KEPT: _to_the_purge,
}


def _after(facts: Facts, since: date, days: int, step: Step, why: str) -> Next:
    return _on(facts, after(since, days, facts.frozen), step, why)


def _on(facts: Facts, day: date, step: Step, why: str) -> Next:
    on = facts.out_of_freeze(day)
    frozen = first_outside(facts.today, facts.frozen) != facts.today
    return Next(step=step, day=on, why=f"{why}; frozen today" if frozen else why)


def _days_ahead(mark: Mark, today: date) -> bool:
    noted = [mark.since, *mark.warned.values(), *([mark.announced] if mark.announced else [])]
    return max(noted) > today


def _recounted(mark: Mark, today: date) -> Mark:
    ahead = mark.announced is not None and mark.announced > today
    return replace(
        mark,
        since=min(mark.since, today),
        warned={days: min(day, today) for days, day in mark.warned.items()},
        announced=None if ahead else mark.announced,
    )
