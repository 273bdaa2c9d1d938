"""Passwords of new accounts: who gets one, and where it is never found."""

from __future__ import annotations

import pytest

from lab.errors import LxdError
from tests.support.builders.stamping import (
    a_lab,
    bob,
    inside,
    stamp,
)
from tests.support.fake_lxd.lxd import FakeLxd

HERE = ("default", "bob")


@pytest.fixture
def lxd() -> FakeLxd:
    return a_lab()


def test_without_a_key_there_is_a_password(lxd: FakeLxd) -> None:
    done = stamp(lxd, bob(keys=()))
    assert done.password is not None
    assert inside(lxd).stdin == [f"bob:{done.password}\n".encode()]
    assert "lock_passwd: false" in lxd.store.instances[HERE].config["cloud-init.user-data"]


def test_with_a_key_there_is_none_unless_asked_for(lxd: FakeLxd) -> None:
    assert stamp(lxd, bob()).password is None
    assert inside(lxd).stdin == []
    assert "lock_passwd: true" in lxd.store.instances[HERE].config["cloud-init.user-data"]
    assert stamp(lxd, bob(name="eve", password=True)).password is not None


def test_the_password_is_nowhere_but_in_stdin(lxd: FakeLxd) -> None:
    done = stamp(lxd, bob(password=True))
    assert done.password is not None
    store = lxd.store
    seen = [
        store.changes,
        store.instances,
        store.volumes,
        inside(lxd).ran,
        done.actions,
        done.summary,
    ]
    assert not any(done.password in repr(each) for each in [*seen, done])


def test_a_password_that_cannot_be_set_is_not_echoed(lxd: FakeLxd) -> None:
    inside(lxd).chpasswd = 1
    with pytest.raises(LxdError) as error:
        stamp(lxd, bob(keys=()))
    assert str(error.value) == (
        "The password of bob in bob could not be set.\n  bad line: bob:…\n"
        "Next: Run the same command again."
    )
