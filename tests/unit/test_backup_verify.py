"""`verify-backup` says of each backup whether it brings back what was there."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import CheckError
from lab.report import Silent
from provision.backup.choosing import choose
from provision.backup.directory import Backup, Damaged, Directory, Verdict
from provision.backup.pack import Tree, differences
from provision.backup.run import verify_all
from provision.backup.verify import PROJECT, failure
from tests.support.builders.backups import (
    back_up_bob,
    lab_with_files,
    listed,
    newest,
    store_in,
    verify_bob,
)
from tests.support.builders.death import deaths
from tests.support.builders.stamping import SETTINGS
from tests.support.fake_lxd.lxd import FakeLxd


@pytest.fixture
def lxd(tmp_path: Path) -> FakeLxd:
    return lab_with_files(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> Directory:
    return store_in(tmp_path)


def things(lxd: FakeLxd) -> tuple[list[str], list[str], list[str]]:
    """Names of instances, volumes and images."""
    return (
        sorted(name for _, name in lxd.store.instances),
        sorted(name for _, name in lxd.store.volumes),
        sorted(lxd.store.images),
    )


def test_a_good_one_is_noted_as_good(lxd: FakeLxd, store: Directory) -> None:
    back_up_bob(lxd, store)
    before = things(lxd)
    verdict = verify_bob(lxd, store)
    assert (verdict.good, verdict.found) == (True, ())
    assert things(lxd) == before
    assert newest(store).verdict == verdict


def test_what_is_checked_is_in_a_project_of_its_own_without_network(
    lxd: FakeLxd, store: Directory
) -> None:
    back_up_bob(lxd, store)
    seen: list[tuple[str, set[str]]] = []

    start = FakeLxd.start

    def look_and_start(fake: FakeLxd, name: str) -> None:
        devices = fake.store.instances[fake.project, name].devices
        seen.append((fake.project, {f"{key} {one['type']}" for key, one in devices.items()}))
        start(fake, name)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FakeLxd, "start", look_and_start)
        assert verify_bob(lxd, store).good
    assert seen == [(PROJECT, {"eth0 none", "root disk", "home disk"})]


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("home.tar.zst", "home.tar.zst is not the file that this backup was made with."),
        ("root.tar.zst", "root.tar.zst is not the file that this backup was made with."),
        ("root.files.zst", "root.files.zst is not the file that this backup was made with."),
    ],
)
def test_a_flipped_byte_is_found(lxd: FakeLxd, store: Directory, file: str, told: str) -> None:
    place = back_up_bob(lxd, store).place
    content = bytearray((place / file).read_bytes())
    content[-9] ^= 1
    (place / file).write_bytes(content)
    verdict = verify_bob(lxd, store)
    assert (verdict.good, verdict.found) == (False, (told,))
    error = failure(newest(store), verdict)
    assert error is not None
    assert (error.exit_code, error.details) == (5, told)


def test_a_truncated_archive_is_told_as_such(lxd: FakeLxd, store: Directory) -> None:
    archive = back_up_bob(lxd, store).archive("home")
    whole = archive.read_bytes()
    archive.write_bytes(whole[:20])
    (told,) = verify_bob(lxd, store).found
    assert told == f"home.tar.zst was cut off: 20 of {len(whole)} bytes are there."


def test_a_missing_archive_is_told(lxd: FakeLxd, store: Directory) -> None:
    back_up_bob(lxd, store).archive("root").unlink()
    assert verify_bob(lxd, store).found == ("root.tar.zst: No such file or directory",)


def test_files_of_another_are_told(lxd: FakeLxd, store: Directory, tmp_path: Path) -> None:
    backup = back_up_bob(lxd, store)
    other = tmp_path / "other"
    (other / "etc").mkdir(parents=True)
    (other / "thesis").write_bytes(b"other years")
    (other / "etc/new").write_bytes(b"")
    now = tmp_path / "now.zst"
    listed(Tree(place=other), now)
    told = differences(backup.list("home"), now)
    assert "./thesis is not what it was" in told
    assert {"./etc was not there", "./etc/new was not there"} <= set(told)
    assert "./thesis is not what it was" in differences(now, backup.list("home"))
    assert "./etc is missing" in differences(now, backup.list("home"))


def test_what_does_not_boot_is_not_good(lxd: FakeLxd, store: Directory) -> None:
    back_up_bob(lxd, store)
    lxd.failures["start"] = CheckError("It has no init.")
    assert verify_bob(lxd, store).found == ("it does not boot: It has no init.",)


def test_one_that_failed_is_not_restored_by_itself(lxd: FakeLxd, store: Directory) -> None:
    first, second = back_up_bob(lxd, store), back_up_bob(lxd, store)
    store.note(second, Verdict(at="2026-11-21T00:00:00+00:00", good=False, found=("x",)))
    assert choose(store.of("bob"), "bob", None).id == first.id
    assert newest(store).id == second.id


def test_a_damaged_newest_one_is_an_error_of_its_own(lxd: FakeLxd, store: Directory) -> None:
    place = back_up_bob(lxd, store).place
    (place / "manifest.json").write_text("{}", encoding="utf-8")
    assert isinstance(store.of("bob")[0], Damaged)
    outcome = verify_all(lxd, SETTINGS, ["bob"], store, Silent())
    ((name, error),) = outcome.failed
    assert (name, error.exit_code) == ("bob", 5)


def test_killed_at_any_change_it_leaves_nothing_behind_for_long(
    lxd: FakeLxd, store: Directory
) -> None:
    back_up_bob(lxd, store)
    before = things(lxd)
    for lab in deaths(lxd, lambda each: verify_bob(each, store), least=7):
        assert verify_bob(lab, store).good
        assert things(lab) == before
        assert isinstance(newest(store), Backup)
