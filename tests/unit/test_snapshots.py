"""Snapshots of a person, root and home as a pair: taken, listed and removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands.views.snapshots import row, schedule
from lab import labels
from lab.errors import InputError, LxdError
from lab.lxd.model import State
from lab.machine import lock
from lab.process import me
from lab.report import Silent
from provision import lifecycle
from provision.half_taken import By, TakeMarker
from provision.snapshots.listing import snapshots
from provision.snapshots.take import remove
from tests.support.builders.death import deaths
from tests.support.builders.lost_files import (
    HERE,
    HOME,
    a_lab_with_losses,
    refused,
    snapshot,
)
from tests.support.builders.stamping import SETTINGS, banner, hasty
from tests.support.fake_lxd.lxd import FakeLxd


@pytest.fixture
def lxd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeLxd:
    monkeypatch.setattr(lock, "have_place", lambda _remote: tmp_path)
    return a_lab_with_losses()


def test_root_and_home_are_taken_by_one_name_while_it_runs(lxd: FakeLxd) -> None:
    assert snapshot(lxd, "better") == "better"
    assert [change.split()[0] for change in lxd.changes] == [
        "update",
        "create_volume_snapshot",
        "create_snapshot",
        "update",
    ]
    assert lxd.snapshots("bob") == lxd.volume_snapshots(*HOME) == ("good", "better")
    instance = lxd.store.instances[HERE]
    assert instance.state is State.RUNNING
    assert instance.config["boot.autostart"] == "true"
    assert labels.SNAPSHOT not in instance.config


def test_no_boot_of_the_server_starts_what_a_snapshot_brings_back(lxd: FakeLxd) -> None:
    lxd.restore_snapshot("bob", "good")
    assert lxd.store.instances[HERE].config["boot.autostart"] == "false"


def test_without_a_name_it_is_called_after_the_servers_time(lxd: FakeLxd) -> None:
    assert snapshot(lxd) == "20261121-010000"
    assert snapshot(lxd) == "20261121-010000-2"


@pytest.mark.parametrize("label", ["", "-x", "a/b", "a b", "x" * 51, "ü", "sync-1", "isolate-1"])
def test_names_that_cannot_be_are_refused(lxd: FakeLxd, label: str) -> None:
    with pytest.raises(InputError, match="cannot be the name of a snapshot"):
        snapshot(lxd, label)
    assert lxd.changes == []


def test_a_name_is_given_once(lxd: FakeLxd) -> None:
    with pytest.raises(InputError) as caught:
        snapshot(lxd, "good")
    assert str(caught.value) == (
        'bob has a snapshot "good" already.\n'
        "Next: Choose another name, or remove it first: invoke remove-snapshot bob good"
    )
    assert lxd.changes == []


@pytest.mark.parametrize("verb", ["create_volume_snapshot", "create_snapshot"])
def test_where_one_half_fails_there_is_none(lxd: FakeLxd, verb: str) -> None:
    lxd.failures[verb] = LxdError("No.")
    with pytest.raises(LxdError, match="No"):
        snapshot(lxd, "better")
    assert lxd.snapshots("bob") == lxd.volume_snapshots(*HOME) == ("good",)
    assert lxd.store.instances[HERE].config["boot.autostart"] == "true"


def test_killed_before_any_change_the_next_one_removes_the_half(lxd: FakeLxd) -> None:
    for dead in deaths(lxd, lambda one: snapshot(one, "better"), least=4):
        snapshot(dead, "best")
        names = dead.snapshots("bob")
        assert names in {("good", "best"), ("good", "better", "best")}
        assert dead.volume_snapshots(*HOME) == names
        instance = dead.store.instances[HERE]
        assert instance.config["boot.autostart"] == "true"
        assert labels.SNAPSHOT not in instance.config


def test_killed_the_next_start_lets_it_start_with_the_server_again(lxd: FakeLxd) -> None:
    lxd.stop("bob")
    for dead in deaths(lxd, lambda one: snapshot(one, "better"), least=4):
        lifecycle.start(dead, SETTINGS, "bob", report=Silent(), timeouts=hasty(), probe_ssh=banner)
        assert dead.store.instances[HERE].config["boot.autostart"] == "true"
        assert dead.snapshots("bob") == dead.volume_snapshots(*HOME)


def test_one_that_another_process_takes_is_left_alone(lxd: FakeLxd) -> None:
    mark = TakeMarker(builder=me(), snapshot="theirs", by=By.HAND)
    lxd.store.instances[HERE].config[labels.SNAPSHOT] = str(mark)
    with pytest.raises(InputError, match="A snapshot of bob is being taken"):
        snapshot(lxd)
    assert lxd.changes == []


def test_they_are_listed_with_time_size_and_who(lxd: FakeLxd) -> None:
    snapshot(lxd, "nightly", by=By.SCHEDULE)
    lxd.create_snapshot("bob", "by-lxc")
    lxd.create_volume_snapshot(*HOME, "isolate-1")
    document = snapshots(lxd, SETTINGS, "bob")
    assert schedule(document) == "None are taken by schedule (set by: lab)."
    weekly = {"schedule": {"every": "week", "keep": 4, "from": "person"}}
    assert schedule(weekly) == "By schedule: one every week, 4 kept (set by: person)."
    found = {one["name"]: one for one in document["snapshots"]}
    assert list(found) == ["isolate-1", "good", "nightly", "by-lxc"]
    assert [one["by"] for one in found.values()] == [None, "hand", "schedule", None]
    assert found["good"] | {"taken_at": ""} == {
        "name": "good",
        "taken_at": "",
        "by": "hand",
        "command": None,
        "root": True,
        "root_bytes": None,
        "home": True,
        "home_bytes": 1 << 20,
    }
    assert [row(one)[2:] for one in document["snapshots"]] == [
        ("-", "home", "1.0 MiB", "the way back of isolate"),
        ("hand", "home and root", "?", ""),
        ("schedule", "home and root", "?", ""),
        ("-", "root", "?", "restore with --root"),
    ]
    assert row(found["good"])[1].startswith("2026-11-21 00:")


def test_both_halves_are_removed_and_a_second_time_it_is_missing(lxd: FakeLxd) -> None:
    for dead in deaths(lxd, lambda one: remove(one, SETTINGS, "bob", "good", Silent()), least=2):
        if dead.volume_snapshots(*HOME):
            remove(dead, SETTINGS, "bob", "good", Silent())
        assert dead.snapshots("bob") == dead.volume_snapshots(*HOME) == ()
        with pytest.raises(InputError) as caught:
            remove(dead, SETTINGS, "bob", "good", Silent())
        assert str(caught.value) == (
            'bob has no snapshot "good".\nNext: List its snapshots: invoke snapshots bob'
        )


def test_the_way_back_of_a_command_is_neither_removed_nor_restored(lxd: FakeLxd) -> None:
    lxd.create_snapshot("bob", "sync-1")
    with pytest.raises(InputError, match="belongs to `invoke sync-drivers`"):
        remove(lxd, SETTINGS, "bob", "sync-1", Silent())
    assert "belongs to `invoke sync-drivers`" in refused(lxd, "sync-1")


def test_destroy_names_the_snapshots_that_go(lxd: FakeLxd) -> None:
    snapshot(lxd, "better")
    kept = lifecycle.look(lxd, "bob", purge=False)
    assert kept.removed == ("container bob", "its snapshots good, better")
    home = "volume home-bob (/home, 1.0 MiB in it) in pool default with its snapshots good, better"
    assert kept.kept == (home,)
    removed = lifecycle.destroy(lxd, SETTINGS, "bob", purge=True, report=Silent())
    assert removed.removed == (*kept.removed, home)
    assert lxd.volume_snapshots(*HOME) == ()
