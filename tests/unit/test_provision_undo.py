"""What a run that fails, is interrupted, or was killed leaves: a home, if it may have been used."""

from __future__ import annotations

import socket

import pytest

from lab import labels
from lab.errors import LxdError
from lab.process import me
from lab.report import Silent
from tests.support.builders.cut_off import destroy_after, stamp_after, stamp_until
from tests.support.builders.death import DEAD, dies
from tests.support.builders.public_keys import ed25519, fingerprint
from tests.support.builders.stamping import (
    INFO,
    a_lab,
    bob,
    inside,
    refusal,
    stamp,
)
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeInstance

HERE = ("default", "bob")
HOME = ("default", "home-bob")


@pytest.fixture
def lxd() -> FakeLxd:
    return a_lab()


def leave_half_made(lxd: FakeLxd, builder: str) -> None:
    config = {"user.lab.owner": "bob", "user.lab.phase": "preparing", "user.lab.builder": builder}
    lxd.store.volumes[HOME] = {**config, "mark": "left"}
    lxd.store.instances[HERE] = FakeInstance(
        config=dict(config),
        profiles=("default",),
        devices={"home": {"type": "disk", "pool": "default", "source": "home-bob"}},
    )


def test_what_a_crash_left_is_finished_when_the_same_is_asked_for(lxd: FakeLxd) -> None:
    stamp_until(lxd, "create bob")
    assert lxd.changes == ["create_volume home-bob", "create bob"]
    made = lxd.store.instances[HERE]
    lxd.changes.clear()
    assert stamp(lxd, bob()).changed
    assert lxd.changes == [
        "update bob",
        "update_volume home-bob",
        "write_file bob/etc/ssh/labstamp/keys/bob",
        "write_file bob/etc/ssh/sshd_config.d/00-labstamp.conf",
        *INFO,
        "start bob",
        "update bob",
        "update bob",
    ]
    assert lxd.store.instances[HERE] is made
    assert "user.lab.closed" not in made.config


def test_another_wish_makes_it_anew_while_nobody_was_able_to_log_in(lxd: FakeLxd) -> None:
    stamp_until(lxd, "start bob")
    lxd.store.volumes[HOME]["mark"] = "left"
    stamp(lxd, bob(cpus=1))
    assert lxd.store.instances[HERE].config["limits.cpu"] == "1"
    assert lxd.store.volumes[HOME]["mark"] == "left"


def test_another_wish_is_refused_once_somebody_may_have_logged_in(lxd: FakeLxd) -> None:
    stamp_until(lxd, "start bob")
    del lxd.store.instances[HERE].config["user.lab.closed"]
    assert refusal(lxd, cpus=1) == (
        'The container "bob" is half made, and was requested with other options.\n'
        "  CPUs: no limit now, 1 requested\n"
        "Next: Finish it with its first options: invoke provision bob\n"
        "      or remove it (/home is kept): invoke destroy bob"
    )


def test_the_name_alone_finishes_it_as_it_was_asked_for(lxd: FakeLxd) -> None:
    stamp_until(lxd, "start bob", template="docker", password=True, cpus=1)
    done = stamp(lxd, bob(keys=(), only_name=True))
    assert done.password
    config = lxd.store.instances[HERE].config
    assert (config["user.lab.template"], config["limits.cpu"]) == ("docker-nested", "1")
    assert config["user.lab.phase"] == "ready"


def test_keys_that_somebody_changed_meanwhile_are_refused(lxd: FakeLxd) -> None:
    stamp_until(lxd, "start bob")
    lxd.store.instances[HERE].config[labels.AUTHORIZED] = "ssh-ed25519 AAAA-private"
    assert refusal(lxd) == (
        'The ssh keys kept with the half made container "bob" cannot be used.\n'
        "  user.lab.authorized-keys: the key's base64 is damaged or incomplete\n"
        "Next: Remove it (/home is kept): invoke destroy bob\n"
        "      Then make it again, with --key."
    )


def test_a_home_of_a_container_that_never_started_is_used_at_the_size_asked_for(
    lxd: FakeLxd,
) -> None:
    stamp_until(lxd, "create_volume home-bob", home_bytes=4 << 30)
    stamp(lxd, bob(home_bytes=1 << 30))
    assert lxd.changes == [
        "create_volume home-bob",
        "update_volume home-bob",
        "create bob",
        "write_file bob/etc/ssh/labstamp/keys/bob",
        "write_file bob/etc/ssh/sshd_config.d/00-labstamp.conf",
        *INFO,
        "start bob",
        "update bob",
        "update bob",
    ]
    assert lxd.store.volumes[HOME]["size"] == "1GiB"
    assert lxd.store.volumes[HOME]["user.lab.phase"] == "ready"


def test_cut_off_at_every_change_nothing_that_was_in_the_home_goes(lxd: FakeLxd) -> None:
    """Of provisioning and destroying, over and over; the home is marked as soon as it is there."""
    every = ["create_volume home-bob", "create bob", "update_volume home-bob", "start bob"]
    marked = False
    for count in range(1, len(every) + 3):
        fresh = a_lab()
        fresh.store.volumes = dict(lxd.store.volumes)
        if marked:
            assert fresh.store.volumes[HOME]["thesis"] == "written"
        stamp_after(fresh, count)
        if HOME in fresh.store.volumes:
            fresh.store.volumes[HOME]["thesis"] = "written"
            marked = True
        stamp(fresh, bob())
        assert fresh.store.volumes[HOME]["user.lab.phase"] == "ready"
        assert fresh.store.instances[HERE].config["user.lab.phase"] == "ready"
        destroy_after(fresh, 1 + count % 3)
        assert fresh.store.volumes[HOME].get("thesis", "written") == "written"
        lxd.store.volumes = fresh.store.volumes
    assert marked


def test_a_container_in_the_making_is_left_to_its_maker(lxd: FakeLxd) -> None:
    leave_half_made(lxd, me())
    pid = me().split()[1]
    assert refusal(lxd) == (
        f'The container "bob" is being provisioned by process {pid} on {socket.gethostname()}.\n'
        "Next: Wait until it ends."
    )
    leave_half_made(lxd, "elsewhere 12 34")
    assert refusal(lxd) == (
        'The container "bob" is half made; process 12 on elsewhere may still be making it.\n'
        "Next: Wait until it ends, or, if that process no longer exists: invoke destroy bob"
    )


@pytest.mark.parametrize("verb", ["create", "update_volume", "start", "update"])
def test_what_was_made_is_removed_when_it_fails(lxd: FakeLxd, verb: str) -> None:
    lxd.failures[verb] = LxdError("No.")
    with pytest.raises(LxdError, match=r"No\."):
        stamp(lxd, bob())
    # From the first start on its home may hold somebody's files.
    assert set(lxd.store.volumes) == ({HOME} if verb in ("start", "update") else set())
    assert lxd.store.instances == {}
    assert stamp(lxd, bob()).changed


def test_no_run_takes_away_a_home_that_somebody_may_have_used(lxd: FakeLxd) -> None:
    """The terminal is gone after the account is there; bob writes a file; the admin tries again."""
    inside(lxd).interrupt = "getent"
    with pytest.raises(KeyboardInterrupt):
        stamp(lxd, bob())
    lxd.store.volumes[HOME]["thesis"] = "written"
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            stamp(lxd, bob())
        assert lxd.store.volumes[HOME]["thesis"] == "written"
    inside(lxd).interrupt = ""
    stamp(lxd, bob())
    assert lxd.store.volumes[HOME]["thesis"] == "written"


def test_killed_after_its_first_start_the_home_stays(lxd: FakeLxd) -> None:
    """At the first look inside, where the boot is waited for."""
    begun = lxd.changes
    assert dies(lxd, lambda: stamp(lxd, bob()), when=lambda: "start bob" in begun, inside=True)
    assert begun[-1] == "start bob"
    lxd.store.volumes[HOME]["thesis"] = "written"
    stamp(lxd, bob())
    assert lxd.store.volumes[HOME]["thesis"] == "written"


def test_what_cannot_be_removed_is_told_and_left_to_the_next_run(
    lxd: FakeLxd,
) -> None:
    said: list[str] = []

    class Heard(Silent):
        def say(self, text: str) -> None:
            said.append(text)

    lxd.store.failures = {
        "start": LxdError("No."),
        "delete": LxdError("Gone away."),
        "delete_volume": LxdError("Gone away."),
    }
    with pytest.raises(LxdError, match=r"No\."):
        stamp(lxd, bob(), report=Heard())
    assert said == [
        "bob is only half made: Gone away. To finish it, run the same command again.",
        "The volume home-bob (/home) is kept. The next run uses it.",
    ]
    lxd.store.instances[HERE].config["user.lab.builder"] = DEAD
    assert stamp(lxd, bob()).changed


def test_ctrl_c_removes_what_was_made(lxd: FakeLxd) -> None:
    inside(lxd).interrupt = "sh"
    with pytest.raises(KeyboardInterrupt):
        stamp(lxd, bob())
    assert lxd.store.instances == {}
    assert lxd.store.volumes[HOME]["user.lab.phase"] == "ready"


def test_a_kept_home_is_not_removed_when_it_fails(lxd: FakeLxd) -> None:
    lxd.store.volumes[HOME] = {"user.lab.owner": "bob"}
    lxd.failures["start"] = LxdError("No.")
    with pytest.raises(LxdError):
        stamp(lxd, bob())
    marks = {"user.lab.container": "bob", "user.lab.project": "default", "user.lab.phase": "ready"}
    marks["user.lab.keys"] = fingerprint(ed25519())
    # The range is its own for life, from when it was chosen on.
    marks["user.lab.ids"] = "1065536:65536"
    assert lxd.store.volumes == {HOME: {"user.lab.owner": "bob", **marks}}


def test_what_another_run_made_meanwhile_is_not_undone(lxd: FakeLxd) -> None:
    lxd.failures["create"] = LxdError("The name is taken.")
    lxd.store.volumes.clear()
    with pytest.raises(LxdError):
        provision_while_another_does(lxd)
    assert HERE in lxd.store.instances


def provision_while_another_does(lxd: FakeLxd) -> None:
    create_volume = lxd.create_volume

    def meanwhile(pool: str, name: str, config: dict[str, str]) -> None:
        create_volume(pool, name, config)
        lxd.store.instances[HERE] = FakeInstance(
            config={"user.lab.builder": "elsewhere 1 1"}, profiles=("default",)
        )

    lxd.create_volume = meanwhile  # type: ignore[method-assign, assignment]
    stamp(lxd, bob())
