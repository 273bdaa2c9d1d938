"""A first boot that goes wrong: what is told, what is made once more, what is undone."""

from __future__ import annotations

import pytest

from lab.errors import InstanceCorrupted, LxdError
from provision.create.ready import SshProbe
from tests.support.builders.stamping import (
    INFO,
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


def test_cloud_init_failing_inside_is_told_with_the_log_that_matters(lxd: FakeLxd) -> None:
    inside(lxd).boot = (
        '{"v1": {"errors": ["users-groups failed"]}}\n0\n'
        "one\ntwo\nthree\nfour\nE: useradd: UID 1000 is not unique\nlast\n"
    )
    with pytest.raises(LxdError) as error:
        stamp(lxd, bob())
    assert str(error.value) == (
        "cloud-init failed in bob.\n"
        "  users-groups failed\n"
        "  two\n"
        "  three\n"
        "  four\n"
        "  E: useradd: UID 1000 is not unique\n"
        "  last\n"
        "Next: Correct what these lines report, then run the same command again."
    )
    assert lxd.store.instances == {}


def test_an_account_that_nobody_made(lxd: FakeLxd) -> None:
    inside(lxd).accounts = False
    with pytest.raises(LxdError) as error:
        stamp(lxd, bob())
    assert str(error.value) == (
        "cloud-init succeeded in bob, but made no account bob.\n"
        "Next: Check that cloud-init in the release has the module users-groups."
    )


def test_ssh_that_never_answers(lxd: FakeLxd) -> None:
    with pytest.raises(LxdError) as error:
        stamp(lxd, bob(), probe_ssh=lambda _: SshProbe.CLOSED)
    assert str(error.value).startswith("ssh in bob (10.77.0.3) did not answer within 60 s.\n")


def test_one_that_lxd_spoiled_at_its_first_start_is_made_once_more(lxd: FakeLxd) -> None:
    lxd.failures["start bob"] = InstanceCorrupted("LXD could not start bob.", details="It gave up.")
    done = stamp(lxd, bob())
    assert done.changed
    keys = [
        "write_file bob/etc/ssh/labstamp/keys/bob",
        "write_file bob/etc/ssh/sshd_config.d/00-labstamp.conf",
    ]
    assert lxd.changes[:13] == [
        *("create_volume home-bob", "create bob", *keys, "update_volume home-bob", *INFO),
        *("delete bob", "create bob", *keys, *INFO),
    ]
    assert lxd.store.instances[HERE].config["user.lab.phase"] == "ready"


def test_one_that_is_spoiled_twice_is_undone(lxd: FakeLxd, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoil(_lxd: FakeLxd, _name: str) -> None:
        raise InstanceCorrupted("LXD could not start bob.", details="It gave up.")

    monkeypatch.setattr(FakeLxd, "start", spoil)
    with pytest.raises(InstanceCorrupted):
        stamp(lxd, bob())
    assert HERE not in lxd.store.instances
