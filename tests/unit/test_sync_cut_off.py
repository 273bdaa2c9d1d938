"""A sync that was cut off: what it left is found, mended and removed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

import pytest

from lab import labels
from lab.errors import CheckError, LxdError
from lab.lxd.idmap import IdRange
from lab.lxd.model import State
from lab.process import me
from provision.ids.marker import MoveMarker
from tests.support.builders.death import DEAD, dies_after
from tests.support.builders.driven import NEW, OLD, Installer, has, inside, put, run
from tests.support.fake_lxd.lxd import FakeLxd

UNKNOWN = "nowhere 1 1"
"""The mark of a builder of which nobody here can tell whether it lives."""


def test_what_a_crash_left_is_mended_and_removed(
    driven: FakeLxd,
) -> None:
    cat = inside(driven, "cat")
    driven.create_snapshot("cat", "sync-20261120-101500")
    driven.create_snapshot("cat", "sync-of-the-user")
    cat.config[labels.SYNC] = f"{DEAD} sync-20261120-101500"
    outcome = run(driven)
    assert str(outcome.done[-1]) == (
        f"cat: install driver {NEW} again (an earlier run was interrupted here)"
    )
    assert cat.snapshots == ("sync-of-the-user",)
    driven.delete_snapshot("cat", "sync-of-the-user")


def test_the_way_back_from_before_a_crash_outlives_another_failure(
    driven: FakeLxd, installer: Installer
) -> None:
    ann = inside(driven, "ann")
    driven.create_snapshot("ann", "sync-20261120-101500")
    ann.config[labels.SYNC] = f"{DEAD} sync-20261120-101500"
    installer.failures["ann"] = CheckError("apt broke.")
    (failed,) = run(driven, "ann").failed
    assert failed.error.fix == (
        "Restore the state before the interrupted run, if needed: lxc restore ann "
        "sync-20261120-101500"
    )
    assert ann.snapshots == ("sync-20261120-101500",)
    assert ann.config[labels.SYNC] == f"{DEAD} sync-20261120-101500"
    installer.failures.clear()
    run(driven, "ann")


def test_what_several_crashes_left_is_known_until_it_is_removed(
    driven: FakeLxd, installer: Installer
) -> None:
    ann = inside(driven, "ann")
    for _ in range(2):
        assert dies_after(driven, 2, lambda: run(driven, "ann"))
    first, second = ann.snapshots
    assert ann.config[labels.SYNC].endswith(f" {second},{first}")
    installer.failures["ann"] = CheckError("apt broke.")
    (failed,) = run(driven, "ann").failed
    assert (
        failed.error.fix
        == f"Restore the state before the interrupted run, if needed: lxc restore ann {first}"
    )
    assert ann.snapshots == (first, second)
    installer.failures.clear()
    assert run(driven, "ann").failed == ()
    assert inside(driven, "ann").snapshots == ()


def test_a_restart_that_was_cut_off_is_finished(
    driven: FakeLxd,
) -> None:
    for name, state in (("ann", State.STOPPED), ("cat", State.RUNNING)):
        inside(driven, name).state = state
        inside(driven, name).config |= {labels.DELIVERY: "runtime", labels.SYNC: f"{DEAD} -"}
    assert [str(action) for action in run(driven, "ann", "cat").done] == [
        f"ann: restart, for driver {NEW} by runtime",
        "cat: remove what an interrupted run left",
    ]
    assert inside(driven, "ann").state is State.RUNNING


def test_what_another_run_is_at_is_left_to_it(
    driven: FakeLxd,
) -> None:
    inside(driven, "ann").config[labels.SYNC] = f"{me()} sync-20261120-101500"
    assert "is syncing it" in str(run(driven, "ann").left[0])
    inside(driven, "ann").config[labels.SYNC] = f"{UNKNOWN} sync-20261120-101500"
    assert str(run(driven, "ann").left[0]) == (
        "ann: skip, process 1 on nowhere may still be syncing it. If that process no longer "
        "exists, remove the mark of that run: "
        "lxc config unset ann user.lab.sync"
    )
    del inside(driven, "ann").config[labels.SYNC]


def test_going_back_that_fails_keeps_the_snapshot_and_says_how(
    driven: FakeLxd, installer: Installer
) -> None:
    installer.failures["ann"] = CheckError("apt broke.")
    driven.failures["restore_snapshot"] = LxdError("LXD could not restore ann.")
    (failed,) = run(driven, "ann").failed
    (snapshot,) = inside(driven, "ann").snapshots
    assert str(failed.error) == (
        "apt broke. The rollback failed, too: LXD could not restore ann.\n"
        f"Next: Roll back by hand: lxc restore ann {snapshot}"
    )
    assert inside(driven, "ann").config[labels.SYNC].endswith(snapshot)
    driven.delete_snapshot("ann", snapshot)
    del inside(driven, "ann").config[labels.SYNC]


def test_a_snapshot_that_cannot_be_taken_leaves_nothing(driven: FakeLxd) -> None:
    driven.failures["create_snapshot"] = LxdError("LXD could not take the snapshot.")
    (failed,) = run(driven, "ann").failed
    assert failed.error.brief == "LXD could not take the snapshot."


def test_ctrl_c_undoes_what_is_under_way(driven: FakeLxd) -> None:
    at_once = threading.Barrier(2)

    def install(
        _lxd: object, name: str, _userland: object, /, *, on_output: Callable[[str], None]
    ) -> None:
        put(inside(driven, name), NEW)
        if at_once.wait(10) == 0:
            os.kill(os.getpid(), signal.SIGINT)
        for _ in range(500):
            on_output("Unpacking libcuda1\n")
            time.sleep(0.01)

    # Of a shell's background job it is ignored, and we inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run(driven, install=install)
    finally:
        signal.signal(signal.SIGINT, before)
    assert has(driven, "ann", OLD)
    assert has(driven, "ben", OLD)


def test_a_container_that_is_being_moved_to_ids_of_its_own_is_left_alone(driven: FakeLxd) -> None:
    mark = MoveMarker(builder=UNKNOWN, range=IdRange(165_536, 65_536), snapshot="s")
    inside(driven, "ann").config[labels.ISOLATE] = str(mark)
    (failed,) = run(driven, "ann").failed
    assert "invoke isolate ann" in str(failed.error)
    assert driven.changes == []
