"""The steps at the end of somebody's time, and renewing, killed before and after each change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from lab import labels
from lab.machine import lock
from provision.expiring import read_mark
from provision.expiry.run import failure
from tests.support.builders.death import deaths
from tests.support.builders.expiring import Ear, Lab, Shelf
from tests.support.builders.stamping import a_lab
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import EPOCH

START = EPOCH.date()
END = START + timedelta(days=40)
LATER = END + timedelta(days=700)


def day(days: int) -> date:
    return END + timedelta(days=days)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setattr(lock, "have_place", lambda _remote: tmp_path)
    lab = Lab(a_lab())
    lab.let_in("bob", END.isoformat(), cpus=1)
    return lab


def nights(lab: Lab, last: int) -> None:
    lab.nights(day(-31), 31 + last)


def killed_on(lab: Lab, today: date, *, least: int) -> Iterator[Lab]:
    """Copies of LAB in which the run of TODAY was killed."""

    def act(lxd: FakeLxd) -> None:
        of(lab, lxd).night(today)

    for lxd in deaths(lab.lxd, act, least=least):
        yield of(lab, lxd)


def of(lab: Lab, lxd: FakeLxd) -> Lab:
    """LAB with what a copy of its LXD has; an archive keeps what a killed run gave it."""
    return replace(lab, lxd=lxd, ear=Ear(), shelf=Shelf(dict(lab.shelf.kept)))


def state(lab: Lab) -> str | None:
    mark = read_mark(lab.config("bob").get(labels.EXPIRY))
    return mark.state.value if mark else None


@pytest.mark.parametrize(
    ("days", "done", "least"),
    [
        (-30, "warned", 2),
        (1, "stopped", 3),
        (31, "archived", 2),
        (61, "home-kept", 4),
        (234, "home-kept", 1),
    ],
)
def test_a_step_that_was_killed_is_taken_by_the_next_run(
    lab: Lab, days: int, done: str, least: int
) -> None:
    nights(lab, days)
    for one in killed_on(lab, day(days), least=least):
        assert one.thesis("bob") == b"bob"
        assert failure(one.night(day(days + 1))) is None
        assert state(one) == done
        one.noted("bob")
        assert one.thesis("bob") == b"bob"


def test_a_stop_that_was_killed_is_told_by_that_run_or_the_next(lab: Lab) -> None:
    nights(lab, 1)
    ears: list[Ear] = []

    def act(lxd: FakeLxd) -> None:
        one = of(lab, lxd)
        ears.append(one.ear)
        one.night(day(1))

    for lxd in deaths(lab.lxd, act, least=5):
        one = of(lab, lxd)
        one.night(day(2))
        told = ears[-1].events("bob") + one.ear.events("bob")
        # Killed after it was told, and before that was noted: it is told again.
        assert set(told) == {"stopped"}
        assert (state(one), one.state("bob")) == ("stopped", "stopped")
        assert not one.night(day(3))[0].due


def test_a_purge_that_was_killed_is_done_by_the_next_run(lab: Lab) -> None:
    nights(lab, 241)
    for one in killed_on(lab, day(241), least=1):
        one.night(day(242))
        assert one.state("bob") == "nothing"


@pytest.mark.parametrize("days", [1, 31, 61])
def test_renewing_after_a_step_that_was_killed_brings_all_back(lab: Lab, days: int) -> None:
    nights(lab, days)
    for one in killed_on(lab, day(days), least=2):
        one.at(day(days)).renew("bob", until=LATER)
        assert (one.state("bob"), one.thesis("bob")) == ("runs", b"bob")
        assert one.noted("bob")[:2] == (LATER.isoformat(), None)
        assert not one.night(day(days))[0].due


@pytest.mark.parametrize(("days", "least"), [(-20, 2), (5, 5), (40, 5), (100, 10)])
def test_a_renewal_that_was_killed_is_finished_by_the_same_command(
    lab: Lab, days: int, least: int
) -> None:
    nights(lab, days)

    def act(lxd: FakeLxd) -> None:
        of(lab, lxd).at(day(days)).renew("bob", until=LATER)

    for lxd in deaths(lab.lxd, act, least=least):
        one = of(lab, lxd)
        # No night in between takes a step.
        for number in range(days, days + 30):
            rows = one.night(day(number))
            assert not [row for row in rows if row.done and row.until == LATER]
            if rows[0].until != LATER:
                break
        one.renew("bob", until=LATER)
        assert (one.state("bob"), one.thesis("bob")) == ("runs", b"bob")
        assert one.noted("bob")[:2] == (LATER.isoformat(), None)
        assert labels.WISH not in one.config("bob")
