"""A restore that is killed anywhere is gone on with, and nothing starts what is half restored."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import labels
from lab.errors import InputError, LxdError
from lab.lxd.model import State
from lab.machine import lock
from lab.process import me
from lab.report import Silent
from provision import lifecycle
from provision.half_taken import By, TakeMarker, read_take
from provision.isolation.isolate import plan_isolation
from provision.restoring import BOTH, Half, Journal, Wish, read_journal
from provision.snapshots.restore import plan_restore
from tests.support.builders.death import DEAD, deaths
from tests.support.builders.lost_files import (
    GPU,
    HERE,
    HOME,
    THESIS,
    a_lab_with_losses,
    assert_restored,
    back,
    files,
    refused,
    snapshot,
)
from tests.support.builders.stamping import SETTINGS, banner, bob, refusal, stamp
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeFile


@pytest.fixture
def lxd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeLxd:
    monkeypatch.setattr(lock, "have_place", lambda _remote: tmp_path)
    return a_lab_with_losses()


def could_start_by_itself(lxd: FakeLxd) -> bool:
    return lxd.store.instances[HERE].config.get("boot.autostart") != "false"


@pytest.mark.parametrize("asleep", [False, True])
def test_killed_before_any_change_the_next_run_finishes(lxd: FakeLxd, *, asleep: bool) -> None:
    if asleep:
        lxd.stop("bob")
    lxd.store.contents[HOME].files["/draft"] = FakeFile(content=b"of today")
    for dead in deaths(lxd, back, least=10):
        instance = dead.store.instances[HERE]
        whole = files(dead) in {(b"", None), (b"years", b"ELF")}
        # Half restored, or with the GPU of that day, nothing but `restore` starts it.
        if not whole or "card" in instance.devices:
            assert not could_start_by_itself(dead)
            assert instance.state is State.STOPPED
        if labels.RESTORE in dead.store.volumes[HOME]:
            assert_nothing_else_works(dead)
        back(dead)
        assert_restored(dead, State.STOPPED if asleep else State.RUNNING)
        assert "/draft" not in dead.store.contents[HOME].files


def assert_nothing_else_works(lxd: FakeLxd) -> None:
    before = list(lxd.changes)
    for other in (
        lambda: lifecycle.start(lxd, SETTINGS, "bob", report=Silent(), probe_ssh=banner),
        lambda: lifecycle.stop(lxd, SETTINGS, "bob", report=Silent()),
        lambda: lifecycle.destroy(lxd, SETTINGS, "bob", purge=False, report=Silent()),
        lambda: snapshot(lxd),
        lambda: stamp(lxd, bob()),
    ):
        with pytest.raises(InputError) as caught:
            other()
        assert str(caught.value).endswith("continue it: invoke restore bob good")
    assert lxd.changes == before


def test_what_its_user_wrote_after_the_start_is_not_lost_by_the_next_run(lxd: FakeLxd) -> None:
    starts = 0
    for dead in deaths(lxd, back, least=10):
        running = dead.store.instances[HERE].state is State.RUNNING
        begun = labels.RESTORE in dead.store.volumes[HOME]
        if not (begun and running and files(dead) == (b"years", b"ELF")):
            continue
        starts += 1
        dead.write_file("bob", THESIS, b"more years")
        assert str(plan_restore(dead, "bob", "good")) == (
            "bob: finish the restore from good, which was interrupted: start it"
        )
        back(dead)
        assert files(dead) == (b"more years", b"ELF")
    assert starts == 1


def test_after_a_run_that_was_killed_another_snapshot_may_be_meant(lxd: FakeLxd) -> None:
    snapshot(lxd, "lost")
    for dead in deaths(lxd, back, least=10):
        back(dead, "lost")
        assert files(dead) == (b"", None)
        assert labels.RESTORE not in dead.store.volumes[HOME]
        assert "card" not in dead.store.instances[HERE].devices


def test_half_of_what_a_killed_run_began_is_refused(lxd: FakeLxd) -> None:
    mark_dead(lxd)
    assert refused(lxd, "good", Half.HOME) == (
        "An interrupted run was restoring more of bob than this.\n"
        "  It was restoring its home and root.\n"
        "Next: Continue that first: invoke restore bob good"
    )


def mark_dead(lxd: FakeLxd, builder: str = DEAD) -> None:
    wish = Wish(devices=dict(lxd.store.instances[HERE].devices))
    journal = Journal(builder=builder, snapshot="good", halves=BOTH, wish=wish)
    lxd.store.volumes[HOME][labels.RESTORE] = str(journal)


def parent() -> str:
    """The mark of a process that lives, and is not this one."""
    host, _, _, where = me().split()
    number = os.getppid()
    started = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[19]
    return f"{host} {number} {started} {where}"


def test_a_run_that_lives_or_may_live_is_left_alone(lxd: FakeLxd) -> None:
    mark_dead(lxd, parent())
    assert "is restoring it" in refused(lxd)
    mark_dead(lxd, "elsewhere 4711 1")
    assert "If that process no longer exists, run on that machine" in refused(lxd)


def test_the_journal_is_found_whatever_home_the_snapshot_had(lxd: FakeLxd) -> None:
    mark_dead(lxd)
    found = lxd.store.instances[HERE]
    found.devices["home"] = {**found.devices["home"], "source": "home-old"}
    assert_nothing_else_works(lxd)


def test_a_home_whose_container_went_meanwhile_is_not_given_again_unseen(lxd: FakeLxd) -> None:
    mark_dead(lxd)
    lxd.delete("bob")
    told = refusal(lxd)
    assert told.startswith(
        "The home of bob (volume home-bob) was being restored when its container"
    )
    assert told.endswith("lxc storage volume unset default home-bob user.lab.restore")
    removed = lifecycle.destroy(lxd, SETTINGS, "bob", purge=True, report=Silent())
    assert len(removed.removed) == 1


def test_isolate_waits_for_a_restore(lxd: FakeLxd) -> None:
    mark_dead(lxd)
    found = lxd.store.instances[HERE]
    for word in ("base", "isolated", "size"):
        del found.config[f"security.idmap.{word}"]
    found.config["volatile.idmap.base"] = "0"
    assert [str(one) for one in plan_isolation(lxd, ())] == [
        "bob: skip, its files are being restored; first: invoke restore bob good"
    ]


@pytest.mark.parametrize("verb", ["restore_volume", "restore_snapshot", "update_volume"])
def test_a_failure_says_how_to_go_on(lxd: FakeLxd, verb: str) -> None:
    lxd.failures[verb] = LxdError("No room.", fix="Free space.")
    with pytest.raises(LxdError) as caught:
        back(lxd)
    assert str(caught.value) == (
        "No room. bob is restored only in part.\n"
        "Next: Free space.\n"
        "      Correct the cause, then continue: invoke restore bob good"
    )
    back(lxd)
    assert_restored(lxd)


def test_two_admins_at_once_wait_for_each_other(lxd: FakeLxd) -> None:
    acts = (
        lambda: back(lxd),
        lambda: snapshot(lxd, "one"),
        lambda: back(lxd),
        lambda: snapshot(lxd, "two"),
    )
    with ThreadPoolExecutor(max_workers=len(acts)) as pool:
        for done in [pool.submit(act) for act in acts]:
            done.result()
    names = set(lxd.snapshots("bob"))
    assert names == set(lxd.volume_snapshots(*HOME)) == {"good", "one", "two"}
    lxd.store.instances[HERE].snapshots = ("good",)
    for name in ("one", "two"):
        lxd.delete_volume_snapshot(*HOME, name)
    assert_restored(lxd)


def test_marks_are_read_as_they_were_written(lxd: FakeLxd) -> None:
    take_mark = TakeMarker(builder="x 1 1", snapshot="s", by=By.SCHEDULE, autostart="true")
    assert read_take(str(take_mark)) == take_mark
    wish = Wish(
        config={"a": "1"}, devices={"d": GPU}, profiles=("p",), description="x", home_size="1GiB"
    )
    journal = Journal(builder="x 1 1", snapshot="s", halves=(Half.ROOT,), wish=wish, asleep=True)
    assert read_journal(str(journal)) == journal
    assert (read_journal(None), read_take(None), read_take("{}")) == (None, None, None)
    for text in ("{}", "[]", "no"):
        with pytest.raises(InputError, match="cannot be read"):
            read_journal(text)
