"""Backups and restores that fail, are disturbed, or find damage: nothing is half made."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lab import labels
from lab.errors import CapacityError, CheckError, Conflict, InputError, LxdError
from lab.report import Silent
from lab.settings.settings import Settings
from provision.backup.directory import Damaged, Directory
from provision.backup.manifest import Part
from provision.backup.pack import Tree
from provision.backup.stores import store_of
from provision.backup.take import back_up_to
from provision.half_taken import By
from provision.snapshots.take import take
from tests.support.builders.backups import (
    HERE,
    HOME,
    back_up_bob,
    lab_with_files,
    lose_bob,
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


@pytest.mark.parametrize("file", ["home.tar.zst", "root.tar.zst", "home.files.zst"])
def test_nothing_is_made_of_a_damaged_one(lxd: FakeLxd, store: Directory, file: str) -> None:
    place = back_up_bob(lxd, store).place
    lose_bob(lxd)
    content = bytearray((place / file).read_bytes())
    content[len(content) // 2] ^= 1
    (place / file).write_bytes(content)
    with pytest.raises(CheckError, match="is damaged"):
        restore_bob(lxd, store)
    assert lxd.changes == []


def test_a_manifest_of_another_person_is_no_backup(lxd: FakeLxd, store: Directory) -> None:
    place = back_up_bob(lxd, store).place
    shutil.copytree(place, store.top / "eve" / place.name)
    (found,) = store.of("eve")
    assert found == Damaged(place=store.top / "eve" / place.name, why="it is a backup of bob")


@pytest.mark.parametrize(
    ("before", "after"), [('"bob"', '"eve"'), ('"format": 1', '"format": 0'), ("{", "[")]
)
def test_a_changed_manifest_is_told(
    lxd: FakeLxd, store: Directory, before: str, after: str
) -> None:
    file = back_up_bob(lxd, store).place / "manifest.json"
    file.write_text(file.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
    (found,) = store.of("bob")
    assert isinstance(found, Damaged)


def test_a_full_target_leaves_nothing(
    lxd: FakeLxd, store: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "free_bytes", lambda: 1000)
    with pytest.raises(CapacityError, match="no room for a backup of bob"):
        back_up_bob(lxd, store)
    assert store.of("bob") == ()
    assert lxd.snapshots("bob") == ()


def test_a_failed_one_leaves_nothing(lxd: FakeLxd, store: Directory) -> None:
    lxd.store.disk = None
    with pytest.raises(InputError, match="not to be seen from here"):
        back_up_bob(lxd, store)
    assert not (store.top / "bob").exists()
    assert (lxd.snapshots("bob"), lxd.volume_snapshots(*HOME)) == ((), ())


def test_snapshots_of_killed_backups_are_removed(lxd: FakeLxd, store: Directory) -> None:
    left = take(lxd, SETTINGS, "bob", None, Silent(), by=By.BACKUP)
    take(lxd, SETTINGS, "bob", "mine", Silent())
    back_up_bob(lxd, store)
    assert left.startswith("labstamp-backup-")
    assert lxd.snapshots("bob") == lxd.volume_snapshots(*HOME) == ("mine",)


def test_one_that_is_renamed_meanwhile_is_told_and_leaves_nothing(
    lxd: FakeLxd, store: Directory
) -> None:
    def renamed(tree: Tree, archive: Path, listing: Path) -> Part:
        part = packed(tree, archive, listing)
        lxd.stop("bob")
        lxd.rename("bob", "rob")
        lxd.rename_volume(*HOME, "home-rob")
        return part

    with pytest.raises(Conflict, match="bob was renamed or removed while it was backed up"):
        back_up_to(lxd, SETTINGS, "bob", store, Silent(), pack=renamed)
    assert (lxd.snapshots("rob"), lxd.volume_snapshots("default", "home-rob")) == ((), ())
    assert store.of("bob") == ()


def test_one_that_gets_another_root_meanwhile_is_whole(lxd: FakeLxd, store: Directory) -> None:
    def upgraded(tree: Tree, archive: Path, listing: Path) -> Part:
        part = packed(tree, archive, listing)
        if archive.name.startswith("root"):
            lxd.stop("bob")
            lxd.rename("bob", "bob-former")
        return part

    backup = back_up_to(lxd, SETTINGS, "bob", store, Silent(), pack=upgraded)
    assert backup.manifest.root is not None
    assert backup.manifest.root.image["metadata.yaml"]
    assert (lxd.snapshots("bob-former"), lxd.volume_snapshots(*HOME)) == ((), ())


def test_a_restore_that_fails_leaves_nothing(lxd: FakeLxd, store: Directory) -> None:
    back_up_bob(lxd, store)
    lose_bob(lxd)
    lxd.failures["create"] = LxdError("The pool is broken.")
    with pytest.raises(LxdError, match="The pool is broken"):
        restore_bob(lxd, store)
    assert (HERE in lxd.store.instances, HOME in lxd.store.volumes) == (False, False)
    assert not any("lab.backup" in one.image.properties for one in lxd.store.images.values())


def test_a_place_that_cannot_be_written_is_told(store: Directory) -> None:
    (store.place / "labstamp-backup").write_text("a file")
    with pytest.raises(InputError, match="cannot be written"), store.making("bob", "now"):
        pass


def test_two_runs_do_not_write_one_backup(store: Directory) -> None:
    with store.making("bob", "now"):
        with pytest.raises(Conflict, match="Another run writes"), store.making("bob", "now"):
            pass
        assert (store.top / "bob/.making-now/builder").is_file()


def test_a_half_restored_one_is_finished_from_its_own_backup(
    lxd: FakeLxd, store: Directory
) -> None:
    first, second = back_up_bob(lxd, store), back_up_bob(lxd, store)
    lose_bob(lxd)
    lxd.failures["start"] = LxdError("The server is busy.")
    with pytest.raises(LxdError, match="busy"):
        restore_bob(lxd, store, wanted=first.id)
    lxd.failures.clear()
    with pytest.raises(InputError, match=f"half restored from the backup {first.id}"):
        restore_bob(lxd, store, wanted=second.id)
    restore_bob(lxd, store, wanted=first.id)
    assert lxd.store.instances[HERE].config[labels.FROM_BACKUP] == first.id


def test_where_backups_go_is_asked_for() -> None:
    with pytest.raises(InputError, match="not known where backups go"):
        store_of(Settings(), None)
    with pytest.raises(InputError, match="on another machine"):
        store_of(Settings(remote="https://lab1.example:8443"), "/srv")
