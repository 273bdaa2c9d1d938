"""Days that count, and days that do not."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.dates import Period, after, counted, first_outside, parse_date, read_date, read_period
from lab.errors import InputError

DAYS = st.dates(date(2027, 1, 1), date(2027, 12, 31))
PERIODS = st.lists(
    st.tuples(DAYS, st.integers(0, 90)).map(
        lambda one: Period(one[0], one[0] + timedelta(days=one[1]))
    ),
    max_size=4,
)


@pytest.mark.parametrize(
    "text",
    ["", "2027-2-3", "2027-02-30", "20270203", "2027-01-31T00:00", "9999-01-01", "２027-01-01"],
)
def test_only_a_day_that_exists_is_a_date(text: str) -> None:
    assert read_date(text) is None
    with pytest.raises(InputError, match="expected a date"):
        parse_date("until", text)


def test_a_period_is_read_as_it_is_written() -> None:
    period = Period(date(2027, 1, 20), date(2027, 2, 20))
    assert read_period(str(period)) == period
    for text in (None, "", "2027-01-20", "2027-02-20/2027-01-20", "a/b"):
        assert read_period(text) is None


@given(DAYS, st.integers(0, 400), PERIODS)
def test_days_are_counted_as_one_by_one(since: date, days: int, periods: list[Period]) -> None:
    until = since + timedelta(days=days)
    each = (since + timedelta(days=number) for number in range(1, days + 1))
    assert counted(since, until, periods) == sum(
        not any(day in period for period in periods) for day in each
    )


@given(DAYS, st.integers(0, 200), PERIODS)
def test_the_day_after_some_days_is_the_first_one(
    since: date, days: int, periods: list[Period]
) -> None:
    found = after(since, days, periods)
    assert not any(found in period for period in periods)
    assert counted(since, found, periods) >= days
    before = found - timedelta(days=1)
    outside = first_outside(before, periods) == before
    assert not (outside and before >= since and counted(since, before, periods) >= days)
