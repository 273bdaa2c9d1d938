"""Destroying a container: what goes, what stays, and what is never touched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from commands.views.containers import of_removal
from lab.errors import LxdError
from lab.machine import lock
from lab.report import Silent
from provision import lifecycle
from provision.lifecycle import Removed
from tests.support.builders.stamping import SETTINGS, lab_of_bob
from tests.support.fake_lxd.lxd import FakeLxd

BOB = ("default", "bob")
HOME = "volume home-bob (/home, 1.0 MiB in it) in pool default"


@pytest.fixture
def lxd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeLxd:
    """With Bob's container, and one that is not ours."""
    monkeypatch.setattr(lock, "have_place", lambda _remote: tmp_path)
    return lab_of_bob()


def destroy(lxd: FakeLxd, name: str = "bob", *, purge: bool = False) -> Removed:
    return lifecycle.destroy(lxd, SETTINGS, name, purge=purge, report=Silent())


def test_destroy_keeps_the_home(lxd: FakeLxd) -> None:
    would = lifecycle.look(lxd, "bob", purge=False)
    assert lxd.changes == []
    assert destroy(lxd) == would == Removed(removed=("container bob",), kept=(HOME,))
    assert lxd.changes == ["update bob", "delete bob"]
    assert list(lxd.store.volumes) == [("default", "home-bob")]


def test_destroy_names_all_that_goes_and_all_that_stays(lxd: FakeLxd) -> None:
    bob = lxd.store.instances[BOB]
    bob.snapshots = ("good", "older")
    bob.devices["data"] = {"type": "disk", "source": "/srv/data", "path": "/data"}
    bob.devices["scratch"] = {"type": "disk", "pool": "fast", "source": "tmp", "path": "/scratch"}
    would = lifecycle.look(lxd, "bob", purge=False)
    assert of_removal("bob", would, question=True).splitlines() == [
        "This removes: container bob, its snapshots good, older.",
        f"It keeps: {HOME}. The next `invoke provision bob` uses it again; "
        "`invoke destroy bob --purge` removes it.",
        "It does not touch: /srv/data (device data, /data), volume tmp in pool fast "
        "(device scratch, /scratch).",
        "Continue?",
    ]
    assert destroy(lxd) == would


def test_the_protection_is_lifted_before_deleting(lxd: FakeLxd) -> None:
    seen: list[str | None] = []
    delete = lxd.delete

    def watch(name: str) -> None:
        seen.append(lxd.store.instances[BOB].config.get("security.protection.delete"))
        delete(name)

    lxd.delete = watch  # type: ignore[method-assign]
    destroy(lxd)
    assert seen == [None]


def full_disk(lxd: FakeLxd) -> None:
    """LXD makes a change, then fails to write backup.yaml into the container's own quota."""
    update = lxd.update

    def fail(name: str, *, config: Mapping[str, str | None]) -> None:
        update(name, config=config)
        raise LxdError("Failed to write backup file: disk quota exceeded")

    lxd.update = fail  # type: ignore[method-assign, assignment]


def test_a_container_whose_disk_is_full_can_be_destroyed(lxd: FakeLxd) -> None:
    full_disk(lxd)
    assert destroy(lxd).removed == ("container bob",)


def test_a_container_that_stays_protected_is_not_deleted(lxd: FakeLxd) -> None:
    lxd.failures["update"] = LxdError("No.")
    with pytest.raises(LxdError, match=r"No\."):
        destroy(lxd)
    assert BOB in lxd.store.instances


def test_purge_takes_the_home_too_also_later(lxd: FakeLxd) -> None:
    destroy(lxd)
    assert destroy(lxd, purge=True) == Removed(removed=(HOME,))
    assert lxd.store.volumes == {}


def test_a_home_that_another_instance_uses_stays(lxd: FakeLxd) -> None:
    lxd.store.instances["default", "theirs"].devices["x"] = {
        "pool": "default",
        "source": "home-bob",
    }
    assert destroy(lxd, purge=True) == Removed(
        removed=("container bob",),
        attached=("volume home-bob in pool default (device home, /home)",),
    )
    assert list(lxd.store.volumes) == [("default", "home-bob")]


def test_a_home_goes_with_purge_alone_also_one_of_a_half_made_container(lxd: FakeLxd) -> None:
    half = {"user.lab.phase": "preparing", "user.lab.builder": "elsewhere 1 1"}
    lxd.store.instances[BOB].config |= half
    lxd.store.volumes["default", "home-bob"] |= half
    assert destroy(lxd) == Removed(removed=("container bob",), kept=(HOME,))
    assert destroy(lxd, purge=True) == Removed(removed=(HOME,))
