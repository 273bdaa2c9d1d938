"""bob, who has files, and backups of him: in a lab in memory, in a directory of the test."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lab.gpu_selection import GpuSelection
from lab.report import Report, Silent
from lab.settings.backup import BackupSettings
from lab.settings.settings import Settings
from provision import lifecycle
from provision.backup.choosing import choose
from provision.backup.directory import Backup, Directory, Verdict
from provision.backup.manifest import Part
from provision.backup.pack import Tree, list_tree, pack, unpack_home
from provision.backup.restore import restore_backup
from provision.backup.take import back_up_to
from provision.backup.verify import Means, verify
from provision.restoring import Half
from tests.support.builders.stamping import SETTINGS, banner, bob, hasty, lab_of_bob, stamp
from tests.support.fake_lxd.lxd import FakeLxd

HERE: Final = ("default", "bob")
HOME: Final = ("default", "home-bob")
THESIS: Final = b"years of bob"


def own_ids(tree: Tree) -> Tree:
    """The fake's files belong to whoever runs the tests."""
    return Tree(place=tree.place)


def packed(tree: Tree, archive: Path, listing: Path) -> Part:
    return pack(own_ids(tree), archive, listing)


def unpacked(backup: Backup, tree: Tree) -> None:
    unpack_home(backup, own_ids(tree))


def listed(tree: Tree, listing: Path) -> None:
    list_tree(own_ids(tree), listing)


def lab_with_files(tmp_path: Path) -> FakeLxd:
    lxd = lab_of_bob()
    lxd.store.disk = tmp_path / "lxd"
    lxd.write_file("bob", "/home/thesis", THESIS)
    lxd.write_file("bob", "/etc/ssh/host_key", b"bob's host")
    lxd.update("bob", config={"limits.cpu": "8"})
    lxd.changes.clear()
    return lxd


def store_in(tmp_path: Path) -> Directory:
    place = tmp_path / "backups"
    place.mkdir(exist_ok=True)
    return Directory(place)


def settings_for(store: Directory) -> Settings:
    return SETTINGS.model_copy(update={"backup": BackupSettings(to=str(store.place))})


def back_up_bob(lxd: FakeLxd, store: Directory, report: Report | None = None) -> Backup:
    return back_up_to(lxd, SETTINGS, "bob", store, report or Silent(), pack=packed)


def restore_bob(
    lxd: FakeLxd,
    store: Directory,
    *,
    wanted: str | None = None,
    only: Half | None = None,
    gpus: GpuSelection | None = None,
    report: Report | None = None,
) -> None:
    restore_backup(
        lxd,
        SETTINGS,
        choose(store.of("bob"), "bob", wanted),
        store,
        report or Silent(),
        only=only,
        gpus=gpus,
        timeouts=hasty(),
        probe_ssh=banner,
        unpack=unpacked,
    )


def lose_bob(lxd: FakeLxd, *, home: bool = True) -> None:
    lifecycle.destroy(lxd, SETTINGS, "bob", purge=home, report=Silent())
    lxd.changes.clear()


def make_bob_again(lxd: FakeLxd) -> None:
    stamp(lxd, bob())


def newest(store: Directory) -> Backup:
    return choose(store.of("bob"), "bob", store.of("bob")[-1].id)


def verify_bob(lxd: FakeLxd, store: Directory) -> Verdict:
    backup = newest(store)
    means = Means(unpack=unpacked, list=listed)
    return verify(lxd, SETTINGS, backup, store, Silent(), means=means)
