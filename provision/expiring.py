"""How far the end of a person's time is: what was done, on which day.

It is noted on the home, which is there longest, and on the container, for a look at that alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from enum import Enum
from typing import Any, Final
from zoneinfo import ZoneInfo

from lab import labels
from lab.dates import read_date
from lab.errors import InputError
from lab.lxd.model import Instance
from lab.lxd.port import Lxd
from lab.settings.settings import Settings

NEVER: Final = "never"
KEYS: Final = (labels.UNTIL, labels.EXPIRY, labels.FREEZE, labels.MAIL)
"""What is on the home, and the same on the container."""


class State(str, Enum):
    WARNED = "warned"
    STOPPED = "stopped"
    ARCHIVED = "archived"
    """There is a backup that was verified; home and root are here, too."""
    HOME_KEPT = "home-kept"
    """The container was removed."""


ENDED: Final = frozenset({State.STOPPED, State.ARCHIVED, State.HOME_KEPT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The value of `user.lab.expiry`."""

    until: date
    """The day that it was about: a mark for another one does not count."""
    state: State
    since: date
    """When that state was reached."""
    warned: Mapping[int, date] = field(default_factory=dict)
    """By days before the end: when that warning was given."""
    backup: str | None = None
    announced: date | None = None
    """When it was said that the home will be purged."""
    untold: bool = False
    """Whether it was stopped by a run that was killed before it told anybody."""

    def __str__(self) -> str:
        told = {
            "until": self.until.isoformat(),
            "state": self.state.value,
            "since": self.since.isoformat(),
            "warned": {str(days): day.isoformat() for days, day in sorted(self.warned.items())},
            "backup": self.backup,
            "announced": self.announced.isoformat() if self.announced else None,
            **({"untold": True} if self.untold else {}),
        }
        return json.dumps(told, separators=(",", ":"))


def read_mark(text: str | None) -> Mark | None:
    """None where there is none. InputError for one that was changed: nothing is guessed."""
    if not text:
        return None
    try:
        return _read(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"The key {labels.EXPIRY} cannot be read.",
            details=str(error),
            fix="Begin again with a date: invoke renew NAME --until DATE",
        ) from error


def _read(told: Mapping[str, Any]) -> Mark:
    return Mark(
        until=date.fromisoformat(told["until"]),
        state=State(told["state"]),
        since=date.fromisoformat(told["since"]),
        warned={int(days): date.fromisoformat(day) for days, day in told["warned"].items()},
        backup=None if told["backup"] is None else str(told["backup"]),
        announced=date.fromisoformat(told["announced"]) if told["announced"] else None,
        untold=told.get("untold") is True,
    )


def seen_mark(config: Mapping[str, str]) -> Mark | None:
    """For a look alone: None also for one that cannot be read."""
    try:
        return read_mark(config.get(labels.EXPIRY))
    except InputError:
        return None


def read_until(config: Mapping[str, str]) -> date | None:
    """None: it has no end, or somebody wrote something else there."""
    return read_date(config.get(labels.UNTIL, ""))


def until_value(until: date | None) -> str:
    """As `user.lab.until`."""
    return until.isoformat() if until else NEVER


def today_of(now: datetime, settings: Settings) -> date:
    """The day that NOW, by LXD's clock, is in the lab: its time zone, else this machine's."""
    zone: tzinfo | None = ZoneInfo(settings.timezone) if settings.timezone else None
    return now.astimezone(zone).date()


def today_in(lxd: Lxd, settings: Settings) -> date:
    return today_of(lxd.now(), settings)


def refuse_ended(instance: Instance) -> None:
    """InputError for a container whose person's time has ended, and was not renewed."""
    mark = read_mark(instance.config.get(labels.EXPIRY))
    if mark is None or mark.state not in ENDED:
        return
    name = instance.name
    raise InputError(
        f'The time of "{name}" ended on {mark.until}, so the container was stopped.',
        details="Its files are kept as they are.",
        fix=f"Renew it, which also starts it: invoke renew {name} --days 30",
    )
