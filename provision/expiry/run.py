"""Tonight's steps, for everybody: one each at most, and a failure with one stops no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from lab.errors import LabError, together
from lab.lxd.port import Lxd
from lab.machine.lock import hold_lock
from lab.notify.notice import Told
from lab.settings.settings import Settings
from provision.expiring import Mark, today_of, until_value
from provision.expiry.machine import Next, Step, next_step
from provision.expiry.people import Person, level, people, person
from provision.expiry.steps import Tools, take_step
from provision.managed import container_lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One person: what comes next, and what came of tonight's step."""

    name: str
    until: date | None = None
    mark: Mark | None = None
    next: Next
    due: bool = False
    done: bool = False
    error: LabError | None = None
    told: Told = field(default_factory=Told)
    level: bool = True
    """Whether home and container say the same."""

    def document(self) -> dict[str, Any]:
        step, day = self.next.step, self.next.day
        return {
            "name": self.name,
            "until": until_value(self.until),
            "state": self.mark.state.value if self.mark else "active",
            "since": self.mark.since.isoformat() if self.mark else None,
            "backup": self.mark.backup if self.mark else None,
            "next": {"step": step.value, "on": day.isoformat()} if step and day else None,
            "why": self.next.why,
            "due": self.due,
            "done": self.done,
            "error": str(self.error) if self.error else None,
            "told": self.told.sent,
            "not_told": list(self.told.troubles),
        }


def plan(lxd: Lxd, settings: Settings, now: datetime | None = None) -> tuple[Row, ...]:
    """Everybody who has an end date, with the next step. Changes nothing.

    NOW: by default the time of LXD's server.
    """
    today = today_of(now or lxd.now(), settings)
    return tuple(_rows(lxd, settings, today))


def run(tools: Tools, now: datetime | None = None) -> tuple[Row, ...]:
    """The same people, after tonight's steps. Of two runs, the second waits and looks anew."""
    settings = tools.settings
    what = f"expire-{settings.project}"
    with hold_lock(what, tools.report, "expire", remote=settings.remote):
        today = today_of(now or tools.lxd.now(), settings)
        rows = _rows(tools.lxd, settings, today)
        return tuple(
            _served(tools, row, today) if row.due or not row.level else row for row in rows
        )


def failure(rows: tuple[Row, ...]) -> LabError | None:
    """What makes the command end badly. Messages that did not arrive do not."""
    failed = [(row.name, row.error) for row in rows if row.error is not None]
    return together(
        failed,
        f"The step of {len(failed)} people failed.",
        fix="Correct these causes; the next run tries again.",
    )


def _rows(lxd: Lxd, settings: Settings, today: date) -> Iterator[Row]:
    rows = (_row(one, settings, today) for one in people(lxd))
    return (row for row in rows if row is not None)


def _row(one: Person, settings: Settings, today: date) -> Row | None:
    """None for somebody without an end date."""
    try:
        facts = one.facts(settings, today)
    except LabError as error:
        unknown = Next(why="what is noted cannot be read")
        return Row(name=one.name, next=unknown, error=error)
    if facts.until is None:
        return None
    found = next_step(facts)
    return Row(
        name=one.name,
        until=facts.until,
        mark=facts.mark,
        next=found,
        due=found.is_due(facts.today),
        level=one.is_level,
    )


def _served(tools: Tools, row: Row, today: date) -> Row:
    try:
        return _tried(tools, row, today)
    except LabError as error:
        tools.report.failed(row.name, error.brief)
        return replace(row, error=error)


def _tried(tools: Tools, row: Row, today: date) -> Row:
    name, settings = row.name, tools.settings
    backup = None
    if row.next.step is Step.ARCHIVE:
        # It takes the lock itself.
        backup = tools.archive.make(name)
    with container_lock(settings, name, tools.report, f"expire {name}"):
        one = person(tools.lxd, name)
        facts = one.facts(settings, today) if one else None
        if one is None or facts is None or next_step(facts) != row.next:
            # Renewed or removed since: the next run looks again.
            return row
        level(tools.lxd, one)
        if not row.due:
            return row
        told = take_step(tools, one, facts, row.next, backup)
    tools.report.done(name, _in_words(row.next.step))
    for trouble in told.troubles:
        tools.report.say(f"{name}: a message was not sent: {trouble}")
    return replace(row, done=True, told=told)


def _in_words(step: Step | None) -> str:
    return {
        Step.WARN: "was warned",
        Step.STOP: "was stopped",
        Step.ARCHIVE: "was archived",
        Step.REMOVE_ROOT: "was removed; the home is kept",
        Step.ANNOUNCE: "the removal of the home was announced",
        Step.PURGE: "the home was removed",
        Step.RECOUNT: "its days are counted from today",
    }.get(step or Step.RECOUNT, "")
