"""A copy is cleaned by removing files, so nothing of the server's is mounted meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from lab.lxd.devices import of_type
from lab.lxd.model import Completed
from lab.machine import lock
from provision.clone.cleaning import clean_copy
from tests.support.builders.stamping import a_lab, bob, stamp
from tests.support.fake_lxd.lxd import FakeLxd

OF_OTHERS = {
    "nas": {"type": "disk", "source": "/srv/nas", "path": "/root/nas"},
    "volume": {"type": "disk", "pool": "default", "source": "data", "path": "/var/data"},
    "below": {"type": "disk", "source": "/srv/data", "path": "/home/bob/data"},
}


@pytest.fixture
def lxd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeLxd:
    """With a container that has run and is stopped, as a copy is."""
    monkeypatch.setattr(lock, "have_place", lambda _remote: tmp_path)
    lxd = a_lab()
    stamp(lxd, bob())
    lxd.stop("bob", force=True)
    return lxd


def disks(lxd: FakeLxd) -> Mapping[str, Mapping[str, str]]:
    bob = lxd.instance("bob")
    assert bob is not None
    return of_type("disk", bob.expanded_devices)


def cleaned(lxd: FakeLxd) -> list[set[str]]:
    """Clean it, and return which disks it had at each command inside."""
    seen: list[set[str]] = []

    def look(_name: str, _argv: Sequence[str], _stdin: bytes | None) -> Completed:
        seen.append(set(disks(lxd)))
        return Completed(exit_code=0, stdout="sleep\n", stderr="")

    lxd.on_run = look
    clean_copy(lxd, "bob", "bob", None)
    return seen


def assert_hidden(lxd: FakeLxd) -> None:
    before = lxd.instance("bob")
    shown = disks(lxd)
    assert OF_OTHERS.keys() <= shown.keys()
    seen = cleaned(lxd)
    assert seen
    assert all(each == {"root", "home"} for each in seen)
    assert disks(lxd) == shown
    after = lxd.instance("bob")
    assert before is not None
    assert after is not None
    assert after.devices == before.devices


def test_disks_of_a_profile(lxd: FakeLxd) -> None:
    profile = lxd.store.profiles["default"]
    lxd.store.profiles["default"] = replace(profile, devices={**profile.devices, **OF_OTHERS})
    assert_hidden(lxd)


def test_its_own_shares(lxd: FakeLxd) -> None:
    lxd.update("bob", devices=OF_OTHERS)
    assert_hidden(lxd)


def test_where_there_are_none_no_device_is_written(lxd: FakeLxd) -> None:
    before = lxd.instance("bob")
    cleaned(lxd)
    after = lxd.instance("bob")
    assert before is not None
    assert after is not None
    assert (after.devices, after.config) == (before.devices, before.config)
