"""A container gets another name, with all that belongs to it; killed anywhere, it is finished."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab import labels
from lab.errors import InputError, LxdError, LxdUnreachable, Stuck
from lab.lxd.errors import refused
from lab.lxd.model import State
from lab.machine import lock
from lab.report import Silent
from provision import lifecycle
from provision.name_inside import HOSTNAME, HOSTS, OFF, SEEN
from provision.rename.plan import CLOUD_ID
from provision.rename.rename import Renamed
from tests.support.builders.death import deaths, dies_after
from tests.support.builders.renaming import BOB, ROBERT, a_lab_of_bob, run
from tests.support.builders.stamping import SETTINGS, bob, stamp
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeFile, FakeInstance


@pytest.fixture
def lxd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeLxd:
    monkeypatch.setattr(lock, "have_place", lambda _remote: tmp_path)
    return a_lab_of_bob()


def assert_renamed(lxd: FakeLxd, before: FakeInstance, state: State = State.RUNNING) -> None:
    """All of BEFORE, bob's container, is robert's, and nothing else has changed."""
    assert BOB not in lxd.store.instances
    after = lxd.store.instances[ROBERT]
    assert after.config == {**before.config, labels.FORMER: "bob"}
    assert after.devices == {
        **before.devices,
        "home": {**before.devices["home"], "source": "home-robert"},
    }
    assert after.state is state
    assert (after.created_at, after.profiles) == (before.created_at, before.profiles)
    text = {path: file.content.decode() for path, file in after.files.items()}
    assert text == {
        **{path: file.content.decode() for path, file in before.files.items() if path != SEEN},
        HOSTNAME: "robert\n",
        HOSTS: "127.0.0.1 localhost\n127.0.1.1 robert.lan robert\n10.0.0.9 bob\n",
    }
    assert list(lxd.store.volumes) == [("default", "home-robert")]
    assert lxd.store.volumes["default", "home-robert"][labels.CONTAINER] == "robert"
    assert lxd.store.contents["default", "home-robert"].files["/thesis"].content == b"years"


def test_all_goes_with_it_and_a_second_run_changes_nothing(lxd: FakeLxd) -> None:
    before = lxd.store.instances[BOB]
    before = FakeInstance(
        config=dict(before.config),
        devices=dict(before.devices),
        profiles=before.profiles,
        files=dict(before.files),
        created_at=before.created_at,
    )
    assert run(lxd).down is not None
    assert_renamed(lxd, before)
    lxd.changes.clear()
    assert run(lxd) == Renamed()
    assert lxd.changes == []


def test_a_plan_changes_nothing(lxd: FakeLxd) -> None:
    assert run(lxd, only_plan=True).steps == (
        "stop bob",
        "rename the container bob to robert",
        "mark the volume home-bob in pool default as the home of robert",
        "rename that volume to home-robert",
        "change its host name from bob to robert",
        "start robert and wait until ssh answers",
        "keep the account bob, its files, ids, keys, host keys, MAC address and limits",
    )
    assert lxd.changes == []


def test_what_is_stopped_stays_stopped(lxd: FakeLxd) -> None:
    lxd.stop("bob")
    assert run(lxd).down is None
    assert lxd.store.instances[ROBERT].state is State.STOPPED


def test_killed_anywhere_the_next_run_finishes_it(lxd: FakeLxd) -> None:
    before = lxd.store.instances[BOB]
    for each in deaths(lxd, run, least=14):
        run(each)
        assert_renamed(each, before)


def test_cloud_init_never_meets_another_id(lxd: FakeLxd) -> None:
    """Else it makes new ssh host keys at the next start, whoever starts it."""
    kept = lxd.store.instances[BOB].config[CLOUD_ID]
    for each in deaths(lxd, run, least=14):
        for name in (BOB, ROBERT):
            found = each.store.instances.get(name)
            if found is not None and found.config[CLOUD_ID] != kept:
                assert OFF in found.files


def test_cloud_init_that_its_user_switched_off_stays_off(lxd: FakeLxd) -> None:
    lxd.store.instances[BOB].files[OFF] = FakeFile(content=b"mine")
    run(lxd)
    assert lxd.store.instances[ROBERT].files[OFF].content == b"mine"


def test_a_host_name_of_the_users_own_stays(lxd: FakeLxd) -> None:
    files = lxd.store.instances[BOB].files
    files[HOSTNAME] = FakeFile(content=b"bobs-box\n")
    del files[HOSTS]
    run(lxd)
    after = lxd.store.instances[ROBERT].files
    assert after[HOSTNAME].content == b"bobs-box\n"
    assert HOSTS not in after


def test_files_that_cannot_be_read_do_not_stop_it(lxd: FakeLxd) -> None:
    files = lxd.store.instances[BOB].files
    del files[HOSTNAME]
    files[f"{HOSTNAME}/trap"] = FakeFile(content=b"")
    files[HOSTS] = FakeFile(content=b"x" * (2 << 20))
    run(lxd)
    assert lxd.store.instances[ROBERT].state is State.RUNNING


def test_lxd_dies_between_the_devices_and_the_volume(lxd: FakeLxd) -> None:
    """It changes the devices first; then they name no volume."""
    lxd.store.cut_off_in_rename_volume = True
    with pytest.raises(LxdUnreachable):
        run(lxd)
    lxd.store.cut_off_in_rename_volume = False
    assert lxd.store.instances[ROBERT].devices["home"]["source"] == "home-robert"
    # The next bob gets a home of his own.
    stamp(lxd, bob())
    assert lxd.store.instances[BOB].devices["home"]["source"] == "home-bob-2"
    with pytest.raises(InputError, match='There is no container "zoe"'):
        run(lxd, old="zoe")
    lifecycle.destroy(lxd, SETTINGS, "bob", purge=True, report=Silent())
    run(lxd)
    assert lxd.store.contents["default", "home-robert"].files["/thesis"].content == b"years"
    assert lxd.store.instances[ROBERT].devices["home"]["source"] == "home-robert"


def test_a_busy_lxd_is_asked_again_for_a_file(lxd: FakeLxd) -> None:
    for path in (HOSTS, SEEN):
        lxd.failures[f"delete_file robert{path}"] = Stuck("LXD timed out")
    before = lxd.store.instances[BOB]
    run(lxd)
    assert_renamed(lxd, before)


def test_a_volume_that_cannot_be_renamed_keeps_its_name(lxd: FakeLxd) -> None:
    lxd.failures["rename_volume"] = LxdError("no")
    run(lxd)
    assert list(lxd.store.volumes) == [("default", "home-bob")]
    assert lxd.store.volumes["default", "home-bob"][labels.CONTAINER] == "robert"
    assert lxd.store.instances[ROBERT].devices["home"]["source"] == "home-bob"
    # The next bob gets another one.
    stamp(lxd, bob())
    assert lxd.store.instances[BOB].devices["home"]["source"] == "home-bob-2"


def test_a_failure_before_the_new_name_brings_all_back(lxd: FakeLxd) -> None:
    before = lxd.store.instances[BOB]
    config, files = dict(before.config), dict(before.files)
    lxd.failures["rename bob"] = refused("rename bob to robert", "no space left on device")
    with pytest.raises(LxdError, match="bob has its earlier name and state"):
        run(lxd)
    after = lxd.store.instances[BOB]
    assert (after.config, after.files, after.state) == (config, files, State.RUNNING)


def test_a_failure_after_the_new_name_is_gone_on_with(lxd: FakeLxd) -> None:
    before = lxd.store.instances[BOB]
    config = dict(before.config)
    lxd.failures["start robert"] = LxdError("the GPU is missing")
    with pytest.raises(LxdError, match="the GPU is missing"):
        run(lxd)
    assert labels.RENAME in lxd.store.instances[ROBERT].config
    run(lxd)
    assert lxd.store.instances[ROBERT].config == {**config, labels.FORMER: "bob"}
    assert lxd.store.instances[ROBERT].state is State.RUNNING


def test_a_name_that_is_taken_meanwhile_leaves_no_mark(lxd: FakeLxd) -> None:
    dies_after(lxd, 4, lambda: run(lxd))
    assert labels.RENAME in lxd.store.instances[BOB].config
    stamp(lxd, bob(name="robert"))
    with pytest.raises(InputError, match="is taken by a container"):
        run(lxd)
    after = lxd.store.instances[BOB]
    assert labels.RENAME not in after.config
    assert OFF not in after.files
    assert after.state is State.RUNNING
    assert after.devices["home"]["source"] == "home-bob"


def test_another_name_is_chosen_after_a_run_that_was_cut_off(lxd: FakeLxd) -> None:
    dies_after(lxd, 4, lambda: run(lxd))
    run(lxd, new="rob")
    assert lxd.store.instances["default", "rob"].state is State.RUNNING
    assert labels.RENAME not in lxd.store.instances["default", "rob"].config


class Beside(FakeLxd):
    """Another admin, on another machine, renames bob to rob when LXD is asked to rename him."""

    wins = True

    def rename(self, name: str, new_name: str) -> None:
        bob = self.store.instances[BOB].config
        bob[labels.RENAME] = bob[labels.RENAME].replace("robert", "rob")
        if self.wins:
            super().rename(name, "rob")
        super().rename(name, new_name)


def test_another_admin_is_first(lxd: FakeLxd) -> None:
    beside = Beside("default", lxd.store)
    with pytest.raises(LxdError, match="Another program renamed or removed it at the same time"):
        run(beside)
    assert ("default", "rob") in lxd.store.instances
    assert list(lxd.store.volumes) == [("default", "home-bob")]


def test_another_admin_is_second(lxd: FakeLxd) -> None:
    before = lxd.store.instances[BOB]
    beside = Beside("default", lxd.store)
    beside.wins = False
    run(beside)
    assert_renamed(lxd, before)


def test_provision_finds_it_as_requested(lxd: FakeLxd) -> None:
    run(lxd)
    lxd.changes.clear()
    assert not stamp(lxd, bob(name="robert")).changed
    assert lxd.changes == []
