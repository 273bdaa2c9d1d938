"""Backing up and restoring, killed at any change to LXD: the next run leaves one whole person."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab import labels
from lab.lxd.model import State
from lab.process import me
from provision.backup.directory import Backup, Directory
from provision.backup.restore import plan_restore
from tests.support.builders.backups import (
    HERE,
    HOME,
    THESIS,
    back_up_bob,
    lab_with_files,
    lose_bob,
    newest,
    restore_bob,
    store_in,
)
from tests.support.builders.death import DEAD, deaths
from tests.support.builders.stamping import SETTINGS


def test_a_backup(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    for lxd in deaths(lab_with_files(tmp_path), lambda lab: back_up_bob(lab, store), least=6):
        back_up_bob(lxd, store)
        assert lxd.store.instances[HERE].state is State.RUNNING
        assert lxd.snapshots("bob") == lxd.volume_snapshots(*HOME) == ()
        assert labels.SNAPSHOT not in lxd.store.instances[HERE].config
        assert all(isinstance(one, Backup) for one in store.of("bob"))


def test_a_restore(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    lab = lab_with_files(tmp_path)
    back_up_bob(lab, store)
    lose_bob(lab)
    assert lab.store.disk is not None
    for lxd in deaths(lab, lambda each: restore_bob(each, store), least=9):
        shutil.rmtree(lab.store.disk, ignore_errors=True)
        whole = lxd.store.instances.get(HERE)
        if whole is None or whole.config.get(labels.PHASE) != labels.READY:
            # The command shows it and asks, before it takes a lock.
            planned = plan_restore(lxd, SETTINGS, newest(store))
            assert str(planned).startswith("bob: ")
            restore_bob(lxd, store)
        found = lxd.store.instances[HERE]
        assert found.state is State.RUNNING
        assert (found.config[labels.PHASE], labels.UNCLEAN in found.config) == ("ready", False)
        home = lxd.store.volumes[HOME]
        assert (home[labels.PHASE], labels.UNCLEAN in home) == ("ready", False)
        assert len(lxd.store.volumes) == 1
        assert not any("lab.backup" in one.image.properties for one in lxd.store.images.values())


def test_only_what_dead_runs_left_is_cleared_away(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    lxd = lab_with_files(tmp_path)
    back_up_bob(lxd, store)
    person = store.top / "bob"
    for name, builder in (("dead", DEAD), ("alive", me()), ("elsewhere", "other 1 1 x")):
        (person / f".making-{name}").mkdir()
        (person / f".making-{name}" / "builder").write_text(builder, encoding="utf-8")
    (person / ".removing-old").mkdir()
    (person / "notes").mkdir()
    assert store.clear("bob") == 2
    left = {one.name for one in person.iterdir() if one.name.startswith((".", "n"))}
    assert left == {".making-alive", ".making-elsewhere", "notes"}


def test_thesis_is_what_was_backed_up(tmp_path: Path) -> None:
    store = Directory(store_in(tmp_path).place)
    lxd = lab_with_files(tmp_path)
    back_up_bob(lxd, store)
    lose_bob(lxd)
    restore_bob(lxd, store)
    place = lxd.volume_files(*HOME)
    assert place is not None
    assert (place / "thesis").read_bytes() == THESIS
