"""A person is backed up while the container runs, and comes back where it is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from lab import labels
from lab.errors import CapacityError, InputError
from lab.gpu_selection import GpuSelection
from lab.lxd.model import State
from lab.report import Silent
from lab.settings.backup import BackupSettings, KeepSettings
from provision.backup.directory import Backup, Directory
from provision.backup.listing import backups
from provision.backup.restore import plan_restore
from provision.backup.run import back_up_all
from provision.expiring import Mark
from provision.expiring import State as Warned
from provision.expiry.people import person
from provision.restoring import Half
from tests.support.builders.backups import (
    HERE,
    HOME,
    THESIS,
    back_up_bob,
    lab_with_files,
    lose_bob,
    make_bob_again,
    packed,
    restore_bob,
    store_in,
)
from tests.support.builders.stamping import SETTINGS
from tests.support.fake_lxd.lxd import FakeLxd


@pytest.fixture
def lxd(tmp_path: Path) -> FakeLxd:
    return lab_with_files(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Directory:
    return store_in(tmp_path)


def volume_files(lxd: FakeLxd) -> dict[str, bytes]:
    """What is in bob's home on the fake's disk."""
    place = lxd.volume_files(*HOME)
    assert place is not None
    return {
        str(path.relative_to(place)): path.read_bytes()
        for path in sorted(place.rglob("*"))
        if path.is_file()
    }


def test_it_runs_on_and_no_snapshot_stays(lxd: FakeLxd, store: Directory) -> None:
    backup = back_up_bob(lxd, store)
    assert lxd.store.instances[HERE].state is State.RUNNING
    assert (lxd.snapshots("bob"), lxd.volume_snapshots(*HOME)) == ((), ())
    assert labels.SNAPSHOT not in lxd.store.instances[HERE].config
    assert sorted(path.name for path in backup.place.iterdir()) == [
        "home.files.zst",
        "home.tar.zst",
        "manifest.json",
        "root.files.zst",
        "root.tar.zst",
    ]
    assert {path.stat().st_mode & 0o077 for path in backup.place.iterdir()} == {0}
    assert backup.place.stat().st_mode & 0o077 == 0


def test_the_manifest_says_whose_it_is(lxd: FakeLxd, store: Directory) -> None:
    manifest = back_up_bob(lxd, store).manifest
    assert (manifest.name, manifest.account, manifest.template) == ("bob", "bob", "base")
    assert manifest.ids == lxd.store.volumes[HOME][labels.IDS]
    assert manifest.root is not None
    assert manifest.root.wish.config["limits.cpu"] == "8"
    assert manifest.root.running
    (found,) = store.of("bob")
    assert isinstance(found, Backup)
    assert found.manifest == manifest
    (row,) = backups(store, None)
    assert (row["name"], row["root"], row["good"], row["damaged"]) == ("bob", True, None, None)


def test_a_person_comes_back(lxd: FakeLxd, store: Directory) -> None:
    before = lxd.store.instances[HERE]
    config, home = dict(before.config), dict(lxd.store.volumes[HOME])
    backup = back_up_bob(lxd, store)
    lose_bob(lxd)
    restore_bob(lxd, store)

    found = lxd.store.instances[HERE]
    assert found.state is State.RUNNING
    assert found.config[labels.FROM_BACKUP] == backup.id
    gone = {"volatile.uuid", "volatile.base_image", "volatile.cloud-init.instance-id"}
    gone |= {key for key in config if key.startswith("volatile.") and "hwaddr" not in key}
    kept = {key: value for key, value in config.items() if key not in gone}
    kept |= {"volatile.cloud-init.instance-id": config["volatile.cloud-init.instance-id"]}
    assert {key: found.config.get(key) for key in kept} == kept
    assert labels.UNCLEAN not in found.config
    assert not any(key.startswith("image.lab.b") for key in found.config if "backup" in key)
    assert found.devices == before.devices
    assert volume_files(lxd) == {"thesis": THESIS}
    again = lxd.store.volumes[HOME]
    ours = {key: value for key, value in home.items() if key.startswith("user.lab.")}
    assert {key: again.get(key) for key in ours} == ours
    assert not any("lab.backup" in one.image.properties for one in lxd.store.images.values())


def test_the_time_of_a_person_comes_back_with_them(lxd: FakeLxd, store: Directory) -> None:
    warned = Mark(until=date(2027, 1, 31), state=Warned.WARNED, since=date(2027, 1, 1))
    time = {labels.UNTIL: "2027-01-31", labels.EXPIRY: str(warned), labels.MAIL: "bob@lab.example"}
    lxd.update_volume(*HOME, time)
    lxd.update("bob", config=time)
    back_up_bob(lxd, store)
    lose_bob(lxd)
    restore_bob(lxd, store)
    one = person(lxd, "bob")
    assert one is not None
    assert one.is_level
    assert (one.until, one.mark, one.mail) == (date(2027, 1, 31), warned, "bob@lab.example")


def test_the_archive_that_a_mark_names_outlives_its_turn(lxd: FakeLxd, store: Directory) -> None:
    first = back_up_bob(lxd, store)
    since = date(2026, 11, 1)
    mark = Mark(until=since, state=Warned.ARCHIVED, since=since, backup=first.id)
    lxd.update_volume(*HOME, {labels.EXPIRY: str(mark)})
    settings = SETTINGS.model_copy(
        update={"backup": BackupSettings(keep=KeepSettings(last=1, daily=0, weekly=0, monthly=0))}
    )
    for _ in range(3):
        lxd.store.now += timedelta(days=40)
        assert back_up_all(lxd, settings, ["bob"], store, Silent(), pack=packed).failed == ()
    assert store.of("bob")[0].id == first.id
    assert len(store.of("bob")) == 2
    store.keep("bob", first.id)
    lxd.update_volume(*HOME, {labels.EXPIRY: None})
    back_up_all(lxd, settings, ["bob"], store, Silent(), pack=packed)
    assert store.of("bob")[0].id == first.id


def test_a_stopped_one_comes_back_stopped(lxd: FakeLxd, store: Directory) -> None:
    lxd.stop("bob")
    back_up_bob(lxd, store)
    lose_bob(lxd)
    restore_bob(lxd, store)
    assert lxd.store.instances[HERE].state is State.STOPPED
    assert lxd.store.instances[HERE].config[labels.PHASE] == labels.READY


def test_an_address_that_somebody_else_has_is_not_asked_for(lxd: FakeLxd, store: Directory) -> None:
    root = back_up_bob(lxd, store).manifest.root
    assert root is not None
    address = root.address
    assert address in lxd.state("bob").ipv4
    lxd.store.instances["default", "eve"] = replace(lxd.store.instances[HERE], devices={})
    lose_bob(lxd)
    asked: list[object] = []
    update = lxd.update

    def look_and_update(name: str, **changes: Any) -> None:
        devices = changes.get("devices") or {}
        asked.extend(
            one["ipv4.address"] for one in devices.values() if "ipv4.address" in (one or {})
        )
        update(name, **changes)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lxd, "update", look_and_update)
        restore_bob(lxd, store)
    assert address in lxd.state("eve").ipv4
    assert asked == []


def test_nothing_that_is_there_is_overwritten(lxd: FakeLxd, store: Directory) -> None:
    back_up_bob(lxd, store)
    lxd.changes.clear()
    with pytest.raises(InputError, match='"bob" exists, and is not overwritten'):
        restore_bob(lxd, store)
    lose_bob(lxd, home=False)
    with pytest.raises(InputError, match="bob has a kept home"):
        restore_bob(lxd, store)
    with pytest.raises(InputError, match="bob has a kept home"):
        restore_bob(lxd, store, only=Half.HOME)
    assert lxd.changes == []


def test_the_root_comes_back_to_a_kept_home(lxd: FakeLxd, store: Directory) -> None:
    back_up_bob(lxd, store)
    lose_bob(lxd, home=False)
    kept = dict(lxd.store.volumes[HOME])
    restore_bob(lxd, store, only=Half.ROOT)
    assert lxd.store.instances[HERE].state is State.RUNNING
    assert lxd.store.volumes[HOME][labels.IDS] == kept[labels.IDS]


def test_a_home_comes_back_alone(lxd: FakeLxd, store: Directory) -> None:
    back_up_bob(lxd, store)
    lose_bob(lxd)
    restore_bob(lxd, store, only=Half.HOME)
    assert HERE not in lxd.store.instances
    assert volume_files(lxd) == {"thesis": THESIS}
    assert labels.UNCLEAN not in lxd.store.volumes[HOME]
    make_bob_again(lxd)
    assert lxd.store.instances[HERE].devices["home"]["source"] == "home-bob"


def test_a_kept_home_is_backed_up_alone(lxd: FakeLxd, store: Directory) -> None:
    lose_bob(lxd, home=False)
    backup = back_up_bob(lxd, store)
    assert backup.manifest.root is None
    assert lxd.volume_snapshots(*HOME) == ()
    lxd.delete_volume(*HOME)
    with pytest.raises(InputError, match="has a home and no root"):
        restore_bob(lxd, store)
    restore_bob(lxd, store, only=Half.HOME)
    assert volume_files(lxd) == {"thesis": THESIS}


def test_a_plan_changes_nothing(lxd: FakeLxd, store: Directory) -> None:
    backup = back_up_bob(lxd, store)
    lose_bob(lxd)
    told = str(plan_restore(lxd, SETTINGS, backup))
    assert told.startswith(f"bob: restore the backup {backup.id}\n")
    assert "GPUs: none" in told
    assert lxd.changes == []


def test_ids_of_somebody_else_are_not_taken(lxd: FakeLxd, store: Directory) -> None:
    ids = back_up_bob(lxd, store).manifest.ids
    assert ids is not None
    lose_bob(lxd)
    lxd.store.volumes["default", "home-eve"] = {labels.OWNER: "eve", labels.IDS: ids}
    lxd.store.instances["default", "eve"] = lab_with_files(store.place).store.instances[HERE]
    lxd.store.instances["default", "eve"].config["security.idmap.base"] = ids.split(":")[0]
    restore_bob(lxd, store)
    assert lxd.store.volumes[HOME][labels.IDS] != ids


def test_gpus_that_are_not_there_are_told(lxd: FakeLxd, store: Directory) -> None:
    back_up_bob(lxd, store)
    lose_bob(lxd)
    with pytest.raises(CapacityError):
        restore_bob(lxd, store, gpus=GpuSelection(count=1))
    assert lxd.changes == []


def test_what_the_server_lacks_is_told(lxd: FakeLxd, store: Directory) -> None:
    lxd.update("bob", devices={"data": {"type": "disk", "source": "/not/there", "path": "/d"}})
    back_up_bob(lxd, store)
    lose_bob(lxd)
    with pytest.raises(InputError) as caught:
        restore_bob(lxd, store)
    assert caught.value.details == "device data: there is no /not/there"
