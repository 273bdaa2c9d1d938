"""Snapshots that are taken by themselves: who gets them, when, and how long they stay."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from lab.errors import CapacityError, InputError, LxdError
from lab.lxd.model import Pool, Snapshot
from lab.machine import lock
from lab.report import Silent
from lab.settings.settings import Settings
from lab.settings.snapshots import Every, SnapshotSettings
from provision.snapshots.pairs import Pair
from provision.snapshots.run import failure, plan_schedule, run_schedule, set_schedule
from provision.snapshots.schedule import (
    Origin,
    Schedule,
    is_scheduled,
    own_schedule,
    read_own,
    schedule_of,
)
from provision.snapshots.take import take
from tests.support.builders.death import deaths
from tests.support.builders.stamping import SETTINGS, a_lab, bob, stamp
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import EPOCH

DAILY = SETTINGS.model_copy(
    update={"snapshots": SnapshotSettings.model_validate({"every": "day", "keep": 2})}
)


@pytest.fixture
def lxd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeLxd:
    monkeypatch.setattr(lock, "have_place", lambda _remote: tmp_path)
    lxd = a_lab()
    stamp(lxd, bob())
    stamp(lxd, bob(name="eve"))
    return lxd


def wait(lxd: FakeLxd, **time: float) -> None:
    lxd.store.now += timedelta(**time)
    # What is taken is by the server's clock, too.
    lxd.store.count = int((lxd.store.now - EPOCH).total_seconds())


def run(lxd: FakeLxd, settings: Settings = DAILY) -> list[str]:
    outcome = run_schedule(lxd, settings, Silent())
    failed = failure(outcome)
    if failed is not None:
        raise failed
    return [str(action) for action in outcome.done]


def test_nobody_gets_any_unless_the_lab_says_so(lxd: FakeLxd) -> None:
    assert plan_schedule(lxd, SETTINGS) == ()


def test_every_day_one_is_taken_and_the_oldest_goes(lxd: FakeLxd) -> None:
    take(lxd, DAILY, "bob", "mine", Silent())
    wait(lxd, hours=1)
    assert run(lxd) == ["bob: take a snapshot", "eve: take a snapshot"]
    assert run(lxd) == []
    wait(lxd, hours=23, minutes=49)
    assert run(lxd) == []
    wait(lxd, minutes=2)
    assert len(run(lxd)) == 2
    wait(lxd, days=1)
    first = lxd.snapshots("bob")[1]
    assert run(lxd)[:2] == [
        "bob: take a snapshot",
        f"bob: remove the snapshot {first}, which has expired",
    ]
    names = lxd.snapshots("bob")
    assert (len(names), names[0], first in names) == (3, "mine", False)
    assert all(name.startswith("auto-2026112") for name in names[1:])
    assert lxd.volume_snapshots("default", "home-bob") == names


def test_killed_before_any_change_the_next_run_goes_on(lxd: FakeLxd) -> None:
    set_schedule(lxd, DAILY, "eve", own_schedule("never", None, DAILY.snapshots), Silent())
    for _ in range(2):
        run(lxd)
        wait(lxd, days=1)
    for dead in deaths(lxd, run, least=6):
        wait(dead, seconds=5)
        run(dead)
        names = dead.snapshots("bob")
        assert [name[:13] for name in names] == ["auto-20261122", "auto-20261123"]
        assert dead.volume_snapshots("default", "home-bob") == names


def test_what_sleeps_is_not_taken_again(lxd: FakeLxd) -> None:
    lxd.stop("bob")
    lxd.store.instances["default", "bob"].config["volatile.last_state.power"] = "STOPPED"
    wait(lxd, days=1)
    assert "bob: take a snapshot" in run(lxd)
    wait(lxd, days=1)
    assert run(lxd) == ["eve: take a snapshot"]
    lxd.start("bob")
    wait(lxd, days=1)
    assert "bob: take a snapshot" in run(lxd)


def test_the_person_counts_before_the_template_and_that_before_the_lab(lxd: FakeLxd) -> None:
    settings = SnapshotSettings.model_validate(
        {"every": "week", "templates": {"base": {"every": "hour"}}}
    )
    instance = lxd.instance("bob")
    assert instance is not None
    assert schedule_of(settings, instance) == Schedule(
        every=Every.HOUR, keep=7, origin=Origin.TEMPLATE
    )
    lab = SnapshotSettings.model_validate({"every": "week"})
    assert str(schedule_of(lab, instance)) == "a snapshot every week, 7 kept"
    own = own_schedule("never", None, settings)
    assert str(set_schedule(lxd, DAILY, "bob", own, Silent())) == "no snapshots by schedule"
    assert run(lxd) == ["eve: take a snapshot"]
    lxd.changes.clear()
    set_schedule(lxd, DAILY, "bob", own, Silent())
    assert lxd.changes == []
    set_schedule(lxd, DAILY, "bob", None, Silent())
    assert run(lxd) == ["bob: take a snapshot"]


@pytest.mark.parametrize(("every", "keep"), [("daily", None), ("day", 0), ("day", 101)])
def test_what_cannot_be_is_refused(every: str, keep: int | None) -> None:
    with pytest.raises(InputError, match="expected"):
        own_schedule(every, keep, SnapshotSettings())
    assert read_own(f"{every} x") is None


def test_one_that_fails_does_not_stop_the_others(lxd: FakeLxd) -> None:
    lxd.failures["create_volume_snapshot home-bob/auto-20261121-010000"] = LxdError("No.")
    outcome = run_schedule(lxd, DAILY, Silent())
    assert [str(one) for one in outcome.done] == ["eve: take a snapshot"]
    assert str(failure(outcome)) == "No."
    assert run(lxd) == ["bob: take a snapshot"]


def test_a_full_pool_gets_no_more(lxd: FakeLxd) -> None:
    lxd.store.pools["default"] = Pool(
        name="default", driver="btrfs", total_bytes=100, used_bytes=97
    )
    outcome = run_schedule(lxd, DAILY, Silent())
    failed = failure(outcome)
    assert isinstance(failed, CapacityError)
    assert failed.brief == "2 snapshots could not be taken or removed."
    assert "The pool default is almost full, so no snapshot of bob was taken." in str(failed)
    assert lxd.snapshots("bob") == ()


def test_a_home_alone_is_known_by_its_name() -> None:
    home = Pair(name="auto-20261121-010000", home=Snapshot(name=""))
    assert is_scheduled(home)
    assert not is_scheduled(replace(home, name="auto-mine"))
    assert not is_scheduled(replace(home, root=Snapshot(name="")))
