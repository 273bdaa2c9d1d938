"""`expiry:` in lab.yaml: how long people have a container, and what happens afterwards, when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from lab.dates import Period, read_date
from lab.yaml.model import StrictModel, value_error

_NONE: Final = "none"
_MOST: Final = 3650


def _days_or_none(value: object) -> object:
    if value == _NONE:
        return None
    if value is None or isinstance(value, bool) or not isinstance(value, int):
        raise value_error(f"must be a number of days, 1 to {_MOST}, or none")
    return _days(value)


def _days(value: int) -> int:
    if not 1 <= value <= _MOST:
        raise value_error(f"must be a number of days, 1 to {_MOST}")
    return value


def _warnings(value: tuple[int, ...]) -> tuple[int, ...]:
    if not value or len(set(value)) < len(value):
        raise value_error("must name at least one number of days, and none of them twice")
    return tuple(sorted(map(_days, value), reverse=True))


def _date(value: object) -> object:
    found = value if isinstance(value, date) else read_date(str(value))
    if found is None:
        raise value_error("must be a date such as 2027-01-31")
    return found


Days = Annotated[int | None, BeforeValidator(_days_or_none)]
"""None, written as `none`: the step is not done."""
Day = Annotated[date, BeforeValidator(_date)]


class Freeze(StrictModel):
    """Days on which nothing happens to anybody, both ends included."""

    first: Day = Field(alias="from")
    last: Day = Field(alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> Freeze:
        if self.first > self.last:
            raise value_error("`from` must not be after `to`")
        return self


class ExpirySettings(StrictModel):
    """Days from one step to the next. Nobody has a date unless somebody gave one."""

    lifetime: Days = None
    """Of a new container, where `provision` is not told otherwise."""
    warn: Annotated[tuple[int, ...], AfterValidator(_warnings)] = (30, 7, 1)
    """Days before the date."""
    archive: Days = 30
    """After the stop; home and root are kept as they are until then."""
    remove_root: Days = 30
    """After the archive; the home is kept."""
    purge: Days = 180
    """After that, the home."""
    freeze: tuple[Freeze, ...] = ()

    @property
    def periods(self) -> tuple[Period, ...]:
        return tuple(Period(one.first, one.last) for one in self.freeze)

    def frozen(self, own: Iterable[Period]) -> tuple[Period, ...]:
        """The lab's periods, and somebody's OWN."""
        return (*self.periods, *own)
