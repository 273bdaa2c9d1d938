"""A lab through the end of its people's time, on a moved clock, with LXD in memory."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from lab import labels, process
from lab.errors import CheckError, InputError, LabError
from lab.machine import lock
from lab.report import Silent
from lab.settings.expiry import ExpirySettings
from provision import lifecycle
from provision.expiry.archive import NoArchive
from provision.expiry.run import Row, failure, plan, run
from provision.expiry.steps import Tools
from tests.support.builders.expiring import UTC, Lab, Shelf
from tests.support.builders.stamping import a_lab
from tests.support.fake_lxd.store import EPOCH

START = EPOCH.date()
END = START + timedelta(days=40)


def day(days: int) -> date:
    return END + timedelta(days=days)


def at_noon(found: date) -> datetime:
    return datetime(found.year, found.month, found.day, 12, tzinfo=timezone.utc)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setattr(lock, "have_place", lambda _remote: tmp_path)
    return Lab(a_lab())


def expiring(lab: Lab, **more: object) -> Lab:
    lab.settings = UTC.model_copy(update={"expiry": ExpirySettings.model_validate(more)})
    return lab


def test_nobody_has_an_end_unless_somebody_gives_one(lab: Lab) -> None:
    lab.let_in("bob")
    before = list(lab.lxd.changes)
    lab.nights(day(0), 30)
    assert lab.night(day(4000)) == ()
    assert lab.lxd.changes == before
    assert labels.UNTIL not in lab.config("bob")


def test_a_person_goes_through_all_of_it(lab: Lab) -> None:
    lab.let_in("bob", END.isoformat(), mail="bob@lab.example")
    lab.let_in("eve")
    lab.nights(day(-40), 41)
    assert lab.ear.events("bob") == ["expiry-warning"] * 3
    assert lab.state("bob") == "runs"
    lab.nights(day(1), 30)
    assert lab.state("bob") == "stopped"
    lab.nights(day(31), 31)
    assert lab.state("bob") == "home"
    assert lab.thesis("bob") == b"bob"
    lab.nights(day(62), 180)
    assert lab.state("bob") == "nothing"
    assert lab.ear.events("bob")[3:] == [
        "stopped",
        "archived",
        "home-kept",
        "purge-warning",
        "purged",
    ]
    assert {one.mail for one in lab.ear.heard} == {"bob@lab.example"}
    assert lab.ear.heard[0].fields["days"] == "30"
    assert lab.shelf.kept == {"bob-0": "bob"}
    assert lab.shelf.for_ever == {"bob-0"}
    assert (lab.state("eve"), lab.ear.events("eve")) == ("runs", [])


def test_a_night_twice_changes_nothing(lab: Lab) -> None:
    lab.let_in("bob", END.isoformat())
    for days in (-30, -7, -1, 1, 31, 61, 300, 310):
        lab.night(day(days))
        before = list(lab.lxd.changes)
        lab.night(day(days))
        assert lab.lxd.changes == before


def test_start_says_why_not_and_how(lab: Lab) -> None:
    lab.let_in("bob", END.isoformat())
    lab.nights(day(-30), 32)
    for act in (lifecycle.start, lifecycle.restart):
        with pytest.raises(InputError) as error:
            act(lab.lxd, lab.settings, "bob", report=Silent())
        assert f"ended on {END}" in str(error.value)
        assert "invoke renew bob --days 30" in str(error.value)
    assert lab.state("bob") == "stopped"


def test_a_lab_through_sixty_days(lab: Lab) -> None:
    """20 people who go at different times; a holiday, a leave, a renewal and an undo among them."""
    holiday = {"from": START + timedelta(days=30), "to": START + timedelta(days=36)}
    days = {"archive": 5, "remove-root": 5, "purge": 10}
    expiring(lab, warn=(7, 1), freeze=(holiday,), **days)
    ends = {f"p{number:02}": START + timedelta(days=2 + 3 * number) for number in range(18)}
    for name, end in ends.items():
        lab.let_in(name, end.isoformat())
    lab.let_in("prof", "never")
    lab.let_in("visitor")
    for number in range(60):
        today = START + timedelta(days=number)
        lab.at(today)
        match number:
            case 1:
                lab.renew("p01", freeze=START + timedelta(days=25))
            case 10:
                lab.renew("p05", days=200)
            case 12:
                assert lab.state("p02") == "stopped"
                assert lab.renew("p02", days=365).started
            case 20:
                assert lab.state("p00") == "home"
                assert lab.renew("p00", days=300).brought_back
        rows = lab.night(today)
        assert failure(rows) is None
        assert not (30 <= number <= 36 and any(row.due for row in rows))
    told = {name: lab.ear.events(name) for name in (*ends, "prof", "visitor")}
    gone = [name for name in ends if lab.state(name) == "nothing"]
    # p01 was on leave; its end, p10's and p11's came to be in the holiday.
    assert gone == ["p03", "p04", "p06", "p07", "p08", "p09", "p12"]
    for name in gone:
        assert told[name][0] == "expiry-warning"
        assert told[name][-4:] == ["archived", "home-kept", "purge-warning", "purged"]
    assert set(gone) <= set(lab.shelf.kept.values())
    for name in ("p00", "p02", "p05", "prof", "visitor"):
        assert lab.state(name) == "runs"
    assert (told["prof"], told["visitor"]) == ([], [])
    assert lab.state("p01") == "home"
    for name in ends.keys() - set(gone):
        assert lab.thesis(name) == name.encode()


def test_what_somebody_used_after_the_archive_is_archived_again(lab: Lab) -> None:
    lab.let_in("bob", END.isoformat())
    lab.nights(day(-40), 75)
    lab.lxd.store.instances["default", "bob"].last_used_at = at_noon(day(34))
    lab.nights(day(35), 29)
    assert sorted(lab.shelf.kept) == ["bob-0"]
    lab.nights(day(64), 30)
    assert (lab.state("bob"), sorted(lab.shelf.kept)) == ("stopped", ["bob-0", "bob-1"])
    lab.night(day(94))
    assert lab.state("bob") == "home"
    assert lab.ear.events("bob").count("archived") == 2


def test_a_container_removed_by_hand_after_its_archive_keeps_its_home(lab: Lab) -> None:
    lab.let_in("bob", END.isoformat())
    lab.nights(day(-40), 75)
    lifecycle.destroy(lab.lxd, lab.settings, "bob", purge=False, report=Silent())
    lab.nights(day(35), 400)
    assert (lab.state("bob"), lab.thesis("bob")) == ("home", b"bob")
    (row,) = plan(lab.lxd, lab.settings)
    assert (row.next.step, row.next.why) == (
        None,
        "its container was removed by hand; the home is kept",
    )


def test_of_two_runs_the_second_waits_and_finds_nothing_left(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.let_in("bob", END.isoformat())
    lab.nights(day(-40), 71)
    waits = threading.Event()
    found: list[tuple[Row, ...]] = []

    class Waiting(Silent):
        def say(self, text: str) -> None:
            waits.set()

    lab.at(day(31))
    second = replace(lab.tools, report=Waiting())
    thread = threading.Thread(target=lambda: found.append(run(second)))
    # To each other they are two processes: nobody is told of waiting for oneself.
    this = process.me()
    monkeypatch.setattr(
        lock, "me", lambda: "another" if threading.current_thread() is thread else this
    )

    class Slow(Shelf):
        def make(self, name: str) -> str:
            thread.start()
            assert waits.wait(20)
            return super().make(name)

    lab.shelf = Slow()
    assert run(lab.tools)[0].done
    thread.join(20)
    assert [row.due for row in found[0]] == [False]
    assert lab.shelf.kept == {"bob-0": "bob"}


def test_without_a_backup_target_nothing_is_removed(lab: Lab) -> None:
    lab.let_in("bob", END.isoformat())
    tools = Tools(
        lxd=lab.lxd, settings=lab.settings, archive=NoArchive(), tell=lab.ear, report=Silent()
    )
    for number in range(900):
        lab.at(START + timedelta(days=number))
        failed = failure(run(tools))
    assert isinstance(failed, InputError)
    assert "no backup target is set" in str(failed)
    assert lab.state("bob") == "stopped"


def test_a_backup_that_went_missing_is_made_again_or_the_home_stays(lab: Lab) -> None:
    lab.let_in("bob", END.isoformat())
    lab.nights(START, 90)
    lab.shelf.kept.clear()
    failed = failure(lab.night(day(61)))
    assert isinstance(failed, CheckError)
    assert lab.state("bob") == "stopped"
    lab.night(day(62))
    assert lab.shelf.kept
    lab.nights(day(63), 40)
    assert lab.state("bob") == "home"
    lab.shelf.kept.clear()
    for number in range(103, 500):
        rows = lab.night(day(number))
    assert isinstance(failure(rows), CheckError)
    assert lab.thesis("bob") == b"bob"


def test_one_who_fails_stops_nobody_else(lab: Lab) -> None:
    for name in ("ann", "bob", "eve"):
        lab.let_in(name, END.isoformat())
    lab.shelf.broken.add("bob")
    lab.nights(START, 72)
    rows = lab.night(day(32))
    assert [(row.name, row.mark and row.mark.state.value) for row in rows] == [
        ("ann", "archived"),
        ("bob", "stopped"),
        ("eve", "archived"),
    ]
    failed = failure(rows)
    assert failed is not None
    assert "The backup target refused bob." in str(failed)


def test_a_mark_that_cannot_be_read_stops_nobody_else(lab: Lab) -> None:
    for name in ("ann", "bob"):
        lab.let_in(name, END.isoformat())
    lab.lxd.update_volume("default", "home-ann", {labels.EXPIRY: "[]"})
    rows = lab.night(day(-30))
    assert [(row.name, row.done) for row in rows] == [("ann", False), ("bob", True)]
    assert "cannot be read" in str(failure(rows))
    with pytest.raises(InputError):
        lab.renew("ann", days=30)


def test_messages_that_do_not_arrive_fail_nothing_but_the_purge(lab: Lab) -> None:
    lab.let_in("bob", END.isoformat())
    lab.ear.deaf = True
    lab.nights(START, 500)
    assert lab.state("bob") == "home"
    rows = lab.night(day(500))
    assert "Nobody could be told" in str(failure(rows))
    lab.ear.deaf = False
    lab.nights(day(501), 8)
    assert lab.state("bob") == "nothing"


def test_the_plan_changes_nothing_and_tells_the_next_day(lab: Lab) -> None:
    lab.let_in("bob", END.isoformat())
    lab.let_in("eve", "never")
    lab.at(day(-35))
    before = list(lab.lxd.changes)
    (row,) = plan(lab.lxd, lab.settings)
    assert lab.lxd.changes == before
    document = row.document()
    assert (document["due"], document["next"]) == (
        False,
        {"step": "warn", "on": day(-30).isoformat()},
    )
    assert document["why"] == f"its time ends on {END}"
    lab.at(day(-30))
    assert plan(lab.lxd, lab.settings)[0].due


def test_two_homes_are_not_guessed_at(lab: Lab) -> None:
    lab.let_in("bob", END.isoformat())
    config = {**lab.config("bob")}
    lab.lxd.store.volumes["default", "home-bob-2"] = config
    rows = lab.night(day(-30))
    assert "has 2 homes" in str(failure(rows))


def test_what_a_dead_run_noted_on_the_home_alone_reaches_the_container(lab: Lab) -> None:
    lab.let_in("bob", END.isoformat())
    lab.lxd.update_volume("default", "home-bob", {labels.MAIL: "bob@lab.example"})
    lab.night(day(-30))
    assert lab.noted("bob")[3] == "bob@lab.example"


def test_a_stop_that_failed_is_tried_again(lab: Lab) -> None:
    lab.let_in("bob", END.isoformat())
    lab.nights(START, 41)
    lab.lxd.failures["stop"] = LabError("LXD would not.")
    rows = lab.night(day(1))
    assert (rows[0].done, "LXD would not." in str(failure(rows))) == (False, True)
    lab.lxd.failures.clear()
    assert lab.night(day(2))[0].done
    assert lab.state("bob") == "stopped"
