"""Containers get the host's driver, or stay as they were."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from lab import labels
from lab.driver.userland import Userland
from lab.errors import CheckError, InputError, LxdError
from lab.lxd.model import State
from lab.settings.settings import Settings
from provision.drivers import sync
from provision.drivers.actions import Install
from provision.drivers.plan import Options
from provision.drivers.sync import Outcome
from tests.support.builders.driven import (
    GPUS,
    NEW,
    OLD,
    Installer,
    has,
    inside,
    put,
    run,
    settings,
    smi,
)
from tests.support.fake_lxd.lxd import FakeLxd


def test_those_that_drift_are_mended_and_a_second_run_changes_nothing(driven: FakeLxd) -> None:
    outcome = run(driven)
    assert [str(action) for action in outcome.done] == [
        f"ann: install driver {OLD} → {NEW}",
        f"ben: install driver {OLD} → {NEW}",
    ]
    assert (outcome.left, outcome.failed) == ((), ())
    for name in ("ann", "ben"):
        assert has(driven, name, NEW)
        assert inside(driven, name).config[labels.DRIVER] == NEW
        assert inside(driven, name).files["/root/notes"].content == b"mine"
    driven.changes.clear()
    assert run(driven) == Outcome(version=NEW)
    assert driven.changes == []


def test_the_snapshot_comes_first_and_the_mark_goes_last(driven: FakeLxd) -> None:
    run(driven, "ann")
    verbs = [change.split("/")[0] for change in driven.changes]
    assert verbs == [
        "update ann",
        "create_snapshot ann",
        "update ann",
        "delete_snapshot ann",
        "update ann",
    ]


def test_a_plan_changes_nothing(driven: FakeLxd) -> None:
    _, actions = sync.plan_sync(driven, settings(), ["ben"], Options())
    assert actions == (Install(name="ben", had=OLD, version=NEW, gpus=(GPUS[1].pci,)),)
    assert driven.changes == []


def test_a_stopped_one_is_started_for_it_and_stopped_again(driven: FakeLxd) -> None:
    inside(driven, "ann").state = State.STOPPED
    outcome = run(driven, "ann")
    assert str(outcome.done[0]) == (
        f"ann: install driver {OLD} → {NEW} (starts it for that, and stops it again)"
    )
    assert has(driven, "ann", NEW)
    assert inside(driven, "ann").state is State.STOPPED


def test_a_failure_is_rolled_back_named_and_no_one_elses(
    driven: FakeLxd, installer: Installer
) -> None:
    installer.failures["ann"] = CheckError("apt broke.", details="dpkg: error", fix="Mend apt.")
    outcome = run(driven)
    assert [action.name for action in outcome.done] == ["ben"]
    assert has(driven, "ann", OLD)
    assert not has(driven, "ann", NEW)
    assert any(change.startswith("restore_snapshot ann/sync-") for change in driven.changes)
    failure = sync.failure(outcome)
    assert isinstance(failure, CheckError)
    assert str(failure) == (
        f"1 container could not be brought to driver {NEW}.\n"
        "  ann: apt broke. The container was rolled back.\n"
        "    dpkg: error\n"
        "  Next: Mend apt.\n"
        "Next: Correct these causes, then run: invoke sync-drivers ann"
    )


def test_where_nothing_was_changed_nobody_is_interrupted_by_a_restore(
    driven: FakeLxd, installer: Installer
) -> None:
    installer.early["ann"] = InputError("There is no such version.")
    outcome = run(driven, "ann")
    assert not any(change.startswith("restore_snapshot") for change in driven.changes)
    failure = sync.failure(outcome)
    assert isinstance(failure, InputError)
    assert "There is no such version. Nothing in the container was changed." in str(failure)


def test_gpus_that_do_not_answer_are_a_failure(driven: FakeLxd) -> None:
    smi(driven).broken = ("ann",)
    (failed,) = run(driven).failed
    assert (failed.name, failed.error.details) == (
        "ann",
        "nvidia-smi failed with exit code 18: Driver/library version mismatch",
    )
    assert has(driven, "ann", OLD)


def test_a_stopped_one_that_fails_is_stopped_again(driven: FakeLxd, installer: Installer) -> None:
    inside(driven, "ann").state = State.STOPPED
    installer.failures["ann"] = CheckError("apt broke.")
    run(driven, "ann")
    assert inside(driven, "ann").state is State.STOPPED
    assert has(driven, "ann", OLD)


def test_without_gpus_the_files_have_to_do(driven: FakeLxd) -> None:
    put(inside(driven, "dan"), OLD)
    smi(driven).broken = ("dan",)
    assert [action.name for action in run(driven, "dan").done] == ["dan"]


def test_those_at_work_are_skipped_and_named_unless_forced(driven: FakeLxd) -> None:
    smi(driven).busy["ann"] = "python3 (412)\npython3 (413)\nsleep (9)\nx (10)\n"
    (left,) = run(driven).left
    assert str(left) == (
        "ann: skip, its GPUs are in use by python3 (412), python3 (413), sleep (9), 1 more; try "
        "later, or: invoke sync-drivers ann --force"
    )
    assert has(driven, "ann", OLD)
    assert [action.name for action in run(driven, force=True).done] == ["ann"]


def test_one_that_begins_to_work_before_its_turn_is_skipped_too(
    driven: FakeLxd, installer: Installer
) -> None:
    def begin(_: str) -> None:
        smi(driven).busy["ben"] = "python3 (1)\n"

    installer.meanwhile = begin
    outcome = run(driven, at_once=1)
    assert ([one.name for one in outcome.done], [one.name for one in outcome.left]) == (
        ["ann"],
        ["ben"],
    )


def test_a_frozen_one_and_one_of_its_users_own_are_named(driven: FakeLxd) -> None:
    inside(driven, "ann").state = State.FROZEN
    inside(driven, "ben").config[labels.DELIVERY] = "none"
    assert [str(left) for left in run(driven).left] == [
        "ann: skip, it is Frozen, neither running nor stopped",
        "ben: skip, its user installs the driver (delivery none)",
    ]
    assert driven.changes == []


@pytest.mark.parametrize("delivery", ["runtime", "cdi"])
def test_those_that_get_it_by_a_start_are_restarted_when_asked_for(
    driven: FakeLxd, delivery: str, installer: Installer
) -> None:
    inside(driven, "ann").config[labels.DELIVERY] = delivery
    assert [str(left) for left in run(driven, "ann").left] == [
        f"ann: skip, a restart gives it driver {NEW} (delivery {delivery}): "
        "invoke sync-drivers ann --restart"
    ]
    assert driven.changes == []
    assert [str(action) for action in run(driven, "ann", restart=True).done] == [
        f"ann: restart, for driver {OLD} → {NEW} by {delivery}"
    ]
    assert driven.changes == [
        "update ann",
        "stop ann",
        "start ann",
        "update ann",
        "update ann",
    ]
    assert installer.did == []
    assert inside(driven, "ann").config[labels.DRIVER] == NEW


def test_names_are_checked_before_anything_is_done(driven: FakeLxd) -> None:
    with pytest.raises(InputError, match='There is no container "benn" \\(did you mean "ben"'):
        run(driven, "benn", "ann")
    assert driven.changes == []


def test_a_version_that_no_source_has_is_told_before_anything_is_touched(
    driven: FakeLxd,
) -> None:
    def missing(_settings: Settings, version: str) -> Userland:
        raise InputError(f"No userland of {version}.")

    with pytest.raises(InputError, match="No userland"):
        run(driven, prepare=missing)
    assert driven.changes == []
    assert run(driven, "cat", prepare=missing) == Outcome(version=NEW)


def test_a_host_without_nvidia_has_nothing_to_bring(driven: FakeLxd) -> None:
    driven.host_gpus = ()
    assert run(driven) == Outcome(version=None)
    assert "No NVIDIA kernel module" in sync.nothing_to_do(None)
    assert (
        sync.nothing_to_do(NEW) == f"Every container fits the host's driver {NEW}; nothing to do."
    )


def test_one_that_is_gone_when_its_turn_comes_is_no_failure(
    driven: FakeLxd, installer: Installer
) -> None:
    def vanish(_: str) -> None:
        driven.store.instances.pop(("default", "ben"), None)

    installer.meanwhile = vanish
    outcome = run(driven, at_once=1)
    assert [one.name for one in outcome.done] == ["ann"]
    assert outcome.failed == ()


def test_what_its_user_mended_by_hand_is_noted(driven: FakeLxd) -> None:
    inside(driven, "cat").config[labels.DRIVER] = OLD
    assert [str(action) for action in run(driven, "cat").done] == [
        f"cat: record that it has driver {NEW} already"
    ]
    assert inside(driven, "cat").config[labels.DRIVER] == NEW
    assert run(driven, "cat") == Outcome(version=NEW)


def test_one_that_nobody_can_look_into_is_named_and_no_obstacle(
    driven: FakeLxd, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_directory = driven.list_directory

    def look(name: str, path: str) -> tuple[str, ...]:
        if name == "ben":
            raise LxdError("LXD could not look.")
        return list_directory(name, path)

    monkeypatch.setattr(driven, "list_directory", look)
    outcome = run(driven)
    assert [action.name for action in outcome.done] == ["ann"]
    assert [str(left) for left in outcome.left] == [
        "ben: skip, could not be inspected: LXD could not look."
    ]


def test_where_nobody_knows_whether_it_ended_it_is_rolled_back(
    driven: FakeLxd, installer: Installer
) -> None:
    installer.early["ann"] = LxdError("The connection broke.")
    driven.changes.clear()
    (failed,) = run(driven, "ann").failed
    assert failed.error.brief == "The connection broke. The container was rolled back."
    verbs = [change.split("/")[0] for change in driven.changes]
    assert verbs[2:6] == ["stop ann", "restore_snapshot ann", "start ann", "delete_snapshot ann"]


def test_two_runs_at_once_install_once(driven: FakeLxd, installer: Installer) -> None:
    with ThreadPoolExecutor() as pool:
        outcomes = list(pool.map(lambda _: run(driven), range(2)))
    assert sorted(installer.did) == ["ann", "ben"]
    assert sorted(one.name for outcome in outcomes for one in outcome.done) == ["ann", "ben"]
    assert not any(outcome.failed for outcome in outcomes)
