"""Which backups stay, and which are removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from lab.settings.backup import KeepSettings
from provision.backup.describe import NOTHING
from provision.backup.directory import Backup, Verdict
from provision.backup.manifest import Home, Manifest, Root, ToldWish
from provision.backup.retention import expired

NOW = datetime(2026, 11, 27, 3, 30, tzinfo=timezone.utc)
ROOT = Root(
    part=NOTHING,
    wish=ToldWish(config={}, devices={}, profiles=(), description=""),
    config={},
    image={},
    gpus=0,
    address="",
    running=True,
)


def made(days_ago: float, *, good: bool | None = None, root: bool = True) -> Backup:
    when = NOW - timedelta(days=days_ago)
    manifest = Manifest(
        format=1,
        name="bob",
        account="bob",
        project="default",
        taken_at=when.isoformat(),
        host="lab1",
        labstamp="0",
        template="base",
        version="1",
        ids=None,
        root=ROOT if root else None,
        home=Home(part=NOTHING, size=None, keys=""),
    )
    verdict = None if good is None else Verdict(at="", good=good)
    return Backup(place=Path(f"/b/bob/{when:%Y%m%dT%H%M%SZ}"), manifest=manifest, verdict=verdict)


def days_of(backups: Sequence[Backup]) -> list[float]:
    return [(NOW - one.manifest.when) / timedelta(days=1) for one in backups]


def gone(days: Sequence[float], keep: KeepSettings) -> list[float]:
    return days_of(expired([made(one) for one in sorted(days, reverse=True)], keep))


def test_the_last_ones_stay() -> None:
    keep = KeepSettings(last=2, daily=0, weekly=0, monthly=0)
    assert gone([0, 1, 2, 3], keep) == [3, 2]


def test_the_newest_of_each_day_stays() -> None:
    keep = KeepSettings(last=0, daily=2, weekly=0, monthly=0)
    assert gone([0, 0.1, 1, 1.1, 2], keep) == [2, 1.1, 0.1]


def test_a_year_of_nights() -> None:
    left = 365 - len(gone(range(365), KeepSettings(last=3, daily=7, weekly=4, monthly=6)))
    assert left == 7 + 2 + 5  # a week of days, two more weeks, five more months


def test_who_was_away_for_a_year_loses_nothing() -> None:
    assert gone([400, 401], KeepSettings(last=0, daily=2, weekly=0, monthly=0)) == []


@pytest.mark.parametrize("keep", [KeepSettings(last=0, daily=0, weekly=0, monthly=0)])
def test_the_last_good_one_always_stays(keep: KeepSettings) -> None:
    there = [made(3, good=True), made(2, good=False), made(1, good=False)]
    assert days_of(expired(there, keep)) == [2, 1]
    assert expired([made(1, good=False)], keep) == ()


def test_a_home_alone_does_not_replace_a_person() -> None:
    keep = KeepSettings(last=1, daily=0, weekly=0, monthly=0)
    there = [made(4), made(3), made(2, root=False), made(1, root=False)]
    assert days_of(expired(there, keep)) == [4, 2]


def test_what_somebodys_mark_names_and_what_is_kept_stays() -> None:
    keep = KeepSettings(last=1, daily=0, weekly=0, monthly=0)
    there = [made(4), made(3), made(2), made(1)]
    assert days_of(expired(there, keep, there[1].id)) == [4, 2]
    there[0] = replace(there[0], kept=True)
    assert days_of(expired(there, keep)) == [3, 2]
