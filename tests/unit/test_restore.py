"""Files come back from a snapshot, and nothing else of that day; or it is said why not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab import labels
from lab.errors import InputError
from lab.instances.ssh_keys import KEYS
from lab.lxd.idmap import IdRange
from lab.lxd.model import Pool, State
from lab.machine import lock
from lab.report import Silent
from provision import lifecycle
from provision.name_inside import HOSTNAME, HOSTS
from provision.restoring import Half
from provision.snapshots.plan import Restore
from provision.snapshots.restore import plan_restore
from provision.snapshots.wish import IDENTITY
from tests.support.builders.lost_files import (
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
from tests.support.builders.public_keys import key
from tests.support.builders.stamping import SETTINGS, bob, stamp
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeFile
from tests.unit.test_ids import mapped


@pytest.fixture
def lxd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeLxd:
    monkeypatch.setattr(lock, "have_place", lambda _remote: tmp_path)
    return a_lab_with_losses()


def test_a_restore_brings_back_files_and_nothing_else(lxd: FakeLxd) -> None:
    assert str(plan_restore(lxd, "bob", "good")) == (
        "bob: stop it, restore its home and root from good (2026-11-21 00:00 UTC), start it\n"
        "  Files of its home and root that were written since are lost. GPUs, limits, ports, keys "
        "and shares stay as they are."
    )
    assert lxd.changes == []
    back(lxd)
    assert_restored(lxd)
    # Nothing of the snapshot is used up.
    lxd.write_file("bob", THESIS, b"")
    back(lxd)
    assert_restored(lxd)


def test_what_was_stopped_stays_stopped(lxd: FakeLxd) -> None:
    lxd.stop("bob")
    back(lxd)
    assert_restored(lxd, State.STOPPED)
    assert lxd.store.instances[HERE].config["volatile.last_state.power"] == "STOPPED"


@pytest.mark.parametrize(
    ("half", "there"), [(Half.HOME, (b"years", None)), (Half.ROOT, (b"", b"ELF"))]
)
def test_one_half_alone(lxd: FakeLxd, half: Half, there: tuple[bytes | None, ...]) -> None:
    back(lxd, "good", half)
    assert files(lxd) == there
    assert "card" not in lxd.store.instances[HERE].devices
    assert lxd.store.instances[HERE].state is State.RUNNING


def test_what_describes_the_files_comes_back_with_them(lxd: FakeLxd) -> None:
    """The release and the driver, and whom cloud-init takes it for: it makes no new host keys."""
    config = lxd.store.instances[HERE].config
    before = config[IDENTITY]
    lxd.update("bob", config={"cloud-init.user-data": "#cloud-config\n{}"})
    config = lxd.store.instances[HERE].config
    assert config[IDENTITY] != before
    config |= {labels.VERSION: "20270101.1", labels.DRIVER: "550.1", labels.TEMPLATE: "docker"}
    back(lxd)
    config = lxd.store.instances[HERE].config
    assert (config[labels.VERSION], config[labels.TEMPLATE]) == ("20261121.1", "base")
    assert labels.DRIVER not in config
    assert config["cloud-init.user-data"] == "#cloud-config\n{}"
    assert config[IDENTITY] == before


def test_its_host_name_is_todays(lxd: FakeLxd) -> None:
    found = lxd.store.instances[HERE]
    for path, name in ((HOSTNAME, "rob"), (HOSTS, "127.0.1.1 rob")):
        kept = found.kept["good"]
        found.kept["good"] = replace(
            kept, files={**kept.files, path: FakeFile(content=f"{name}\n".encode())}
        )
    lxd.update("bob", config={labels.FORMER: "rob"})
    back(lxd)
    assert lxd.store.instances[HERE].files[HOSTNAME].content == b"bob\n"
    assert lxd.store.instances[HERE].files[HOSTS].content == b"127.0.1.1 bob\n"


def test_keys_are_todays(lxd: FakeLxd) -> None:
    found = lxd.store.instances[HERE]
    kept = found.kept["good"]
    files = {**kept.files, str(KEYS / "bob"): FakeFile(content=b"ssh-ed25519 gone\n")}
    found.kept["good"] = replace(kept, files=files)
    back(lxd)
    written = lxd.store.instances[HERE].files[str(KEYS / "bob")].content.decode()
    assert written == f"{key().line}\n"


def test_the_quota_of_that_day_does_not_stay(lxd: FakeLxd) -> None:
    """LXD sets one only where a size changes, and it takes today's for the one that is there."""
    then = lxd.store.volumes[HOME]["size"]
    lxd.update_volume(*HOME, {"size": "40GiB"})
    lxd.changes.clear()
    back(lxd)
    assert [change.split()[0] for change in lxd.changes].count("update_volume") == 5
    assert lxd.store.volumes[HOME]["size"] == "40GiB"
    lxd.changes.clear()
    lxd.update_volume(*HOME, {"size": then})
    back(lxd)
    assert [change.split()[0] for change in lxd.changes].count("update_volume") == 4


def test_a_snapshot_from_before_it_had_its_ids_is_refused(lxd: FakeLxd) -> None:
    kept = lxd.store.contents[HOME].kept["good"]
    earlier = {**kept.config, "volatile.idmap.last": mapped(IdRange(1_000_000, 1_000_000_000))}
    lxd.store.contents[HOME].kept["good"] = replace(kept, config=earlier)
    assert refused(lxd).startswith(
        "The snapshot good was taken before bob was given its present ids.\n"
        "  The files of its home have other owners on the server than today's.\n"
    )
    back(lxd, "good", Half.ROOT)
    assert files(lxd) == (b"", b"ELF")


def test_zfs_restores_the_newest_alone(lxd: FakeLxd) -> None:
    lxd.store.pools["default"] = Pool(name="default", driver="zfs")
    snapshot(lxd, "better")
    lxd.create_snapshot("bob", "best")
    told = refused(lxd, "good", Half.HOME)
    assert told.startswith("The pool default is ZFS, which restores the newest snapshot only.\n")
    assert "Newer than good: better.\n" in told
    assert told.endswith("remove the newer ones first: invoke remove-snapshot bob better")
    back(lxd, "better", Half.HOME)
    assert "Newer than better: best." in refused(lxd, "better")


def test_one_without_the_other_half_is_refused_by_what_it_has(lxd: FakeLxd) -> None:
    lxd.create_snapshot("bob", "by-lxc")
    assert refused(lxd, "by-lxc") == (
        "The snapshot by-lxc of bob has no home.\n"
        "  It has the root alone.\n"
        "Next: Restore that alone: invoke restore bob by-lxc --root"
    )
    back(lxd, "by-lxc", Half.ROOT)
    assert files(lxd) == (b"", None)


def test_a_home_outlives_its_container_with_its_snapshots(lxd: FakeLxd) -> None:
    lifecycle.destroy(lxd, SETTINGS, "bob", purge=False, report=Silent())
    stamp(lxd, bob())
    assert refused(lxd).endswith("Restore that alone: invoke restore bob good --home")
    back(lxd, "good", Half.HOME)
    assert lxd.store.contents[HOME].files["/thesis"].content == b"years"


def test_a_home_that_others_have_too_is_refused(lxd: FakeLxd) -> None:
    other = replace(
        lxd.store.instances[HERE], devices={"x": lxd.store.instances[HERE].devices["home"]}
    )
    lxd.store.instances["default", "eve"] = other
    assert refused(lxd).startswith("The home of bob (volume home-bob) is also attached to eve.")


def test_without_a_volume_at_home_there_is_neither(lxd: FakeLxd) -> None:
    lxd.store.instances[HERE].devices.pop("home")
    for act in (lambda: snapshot(lxd), lambda: back(lxd)):
        with pytest.raises(InputError, match="bob has no volume as its /home"):
            act()
    assert lxd.changes == []


def test_a_name_that_is_close_is_named(lxd: FakeLxd) -> None:
    assert refused(lxd, "godo").startswith('bob has no snapshot "godo" (did you mean "good"?).')


def test_a_plan_is_a_value(lxd: FakeLxd) -> None:
    found = plan_restore(lxd, "bob", "good", halves=(Half.HOME,))
    assert isinstance(found, Restore)
    assert (found.halves, found.asleep, found.leftover) == ((Half.HOME,), False, None)
