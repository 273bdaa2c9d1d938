"""Days as people write them, and periods of days that do not count."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from lab.errors import InputError

_WRITTEN: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
LATEST: Final = date(2199, 12, 31)
"""A later date is a slip."""


def read_date(text: str) -> date | None:
    """None for what is not a day written as 2027-01-31."""
    if not _WRITTEN.fullmatch(text):
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if found <= LATEST else None


def parse_date(option: str, text: str) -> date:
    """The day that --OPTION names; InputError for anything else."""
    found = read_date(text)
    if found is None:
        raise InputError(f"--{option} {text}: expected a date, such as --{option} 2027-01-31.")
    return found


def refuse_past(option: str, day: date, today: date, *, fix: str = "Give a later date.") -> None:
    """InputError where the DAY that --OPTION names is over."""
    if day < today:
        raise InputError(f"--{option} {day}: that day has passed; today is {today}.", fix=fix)


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """Days from FIRST to LAST, both of them included."""

    first: date
    last: date

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.first <= day <= self.last

    def __str__(self) -> str:
        """As `user.lab.freeze`."""
        return f"{self.first.isoformat()}/{self.last.isoformat()}"


def read_period(text: str | None) -> Period | None:
    """None where there is none, or somebody wrote something else there."""
    first, _, last = (text or "").partition("/")
    begins, ends = read_date(first), read_date(last)
    if begins is None or ends is None or begins > ends:
        return None
    return Period(begins, ends)


def counted(since: date, until: date, left_out: Iterable[Period]) -> int:
    """The days after SINCE up to UNTIL that are in none of LEFT_OUT; negative if UNTIL is first."""
    days = (until - since).days
    for period in _merged(left_out):
        first, last = max(period.first, since + timedelta(days=1)), min(period.last, until)
        days -= max(0, (last - first).days + 1)
    return days


def after(since: date, days: int, left_out: Iterable[Period]) -> date:
    """The first day that is in none of LEFT_OUT and has DAYS `counted` ones from SINCE to it."""
    periods = _merged(left_out)
    found = since + timedelta(days=days)
    while (lacking := days - counted(since, found, periods)) > 0:
        found += timedelta(days=lacking)
    return first_outside(found, periods)


def first_outside(day: date, periods: Iterable[Period]) -> date:
    """DAY, or the first one after it that is in none of PERIODS."""
    for period in _merged(periods):
        if day in period:
            return period.last + timedelta(days=1)
    return day


def _merged(periods: Iterable[Period]) -> tuple[Period, ...]:
    """The same days, in order; none is in two, and none begins where another ends."""
    found: list[Period] = []
    for period in sorted(periods):
        if found and period.first <= found[-1].last + timedelta(days=1):
            found[-1] = Period(found[-1].first, max(found[-1].last, period.last))
        else:
            found.append(period)
    return tuple(found)
