"""Starting, stopping, listing: labstamp's containers only."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from commands.views.containers import of_container, row
from lab.errors import InputError, LxdError
from lab.lxd.errors import refused
from lab.lxd.model import State
from lab.machine import lock
from lab.process import in_words, me
from lab.report import Silent
from provision import lifecycle
from provision.lifecycle import Removed
from provision.listing import containers, show
from tests.support.builders.stamping import INFO, SETTINGS, banner, lab_of_bob
from tests.support.fake_lxd.lxd import FakeLxd

BOB = ("default", "bob")
FOREIGN = (
    '"theirs" is an instance that labstamp did not make.\n'
    "  It was not changed.\n"
    "Next: Use lxc to work on it."
)


@pytest.fixture
def lxd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeLxd:
    """With Bob's container, and one that is not ours."""
    monkeypatch.setattr(lock, "have_place", lambda _remote: tmp_path)
    return lab_of_bob()


def destroy(lxd: FakeLxd, name: str = "bob", *, purge: bool = False) -> Removed:
    return lifecycle.destroy(lxd, SETTINGS, name, purge=purge, report=Silent())


def test_list_and_show(lxd: FakeLxd) -> None:
    address = lxd.state("bob").ipv4[0]
    row = {
        "name": "bob",
        "owner": "bob",
        "template": "base",
        "version": "20261121.1",
        "state": "Running",
        "phase": "ready",
        "half_made": None,
        "moved_to": None,
        "ipv4": [address],
        "ipv6": [],
        "gpus": [],
        "cpus": 1,
        "memory_bytes": 1 << 30,
        "memory_used_bytes": 1 << 20,
        "memory_held_bytes": 1 << 19,
        "memory_limit": "1GiB",
        "processes": 3000,
        "disk_bytes": 2 << 30,
        "disk_used_bytes": 1 << 20,
        "home_bytes": 2 << 30,
        "home_used_bytes": 1 << 20,
        "told_by": "kernel",
        "driver": None,
        "drift": False,
        "ids": {"base": 1065536, "size": 65536},
        "until": None,
        "expiry": None,
        "frozen_until": None,
        "mail": None,
        "location": "none",
        "trouble": None,
        "created_at": "2026-11-21T00:00:01+00:00",
    }
    assert containers(lxd, SETTINGS) == [row]
    shown = show(lxd, SETTINGS, "bob")
    assert shown == {
        **row,
        "host_driver": None,
        "delivery": None,
        "cards": [],
        "missing_cards": [],
        "mend": None,
        "access": {"ssh": f"ssh bob@{address}", "rdp": None, "ports": {}},
        "volumes": [
            {
                "name": "home-bob",
                "pool": "default",
                "path": "/home",
                "size_bytes": 2 << 30,
                "used_bytes": 1 << 20,
            }
        ],
        "snapshots": [],
        "kept_root": None,
        "shares": [],
        "groups": [],
        "own_keys": None,
        "profile": {"config": {}, "devices": {}},
    }
    assert json.loads(json.dumps(shown)) == shown


def test_gpus_and_odd_limits_are_read_as_they_are(lxd: FakeLxd) -> None:
    made = lxd.store.instances[BOB]
    made.devices["gpu0"] = {"type": "gpu", "pci": "0000:b1:00.0"}
    made.config |= {"limits.cpu": "0-2,7", "limits.memory": "50%"}
    row = containers(lxd, SETTINGS)[0]
    assert (row["gpus"], row["cpus"], row["memory_bytes"]) == (["0000:b1:00.0"], 4, None)


def test_a_stopped_container_has_no_address(lxd: FakeLxd) -> None:
    lifecycle.stop(lxd, SETTINGS, "bob", report=Silent())
    shown = show(lxd, SETTINGS, "bob")
    assert (shown["state"], shown["ipv4"], shown["access"]["ssh"]) == ("Stopped", [], None)


def test_stopping_and_starting_twice_changes_nothing(lxd: FakeLxd) -> None:
    assert [lifecycle.stop(lxd, SETTINGS, "bob", report=Silent()) for _ in range(2)] == [
        True,
        False,
    ]
    assert [
        lifecycle.start(lxd, SETTINGS, "bob", report=Silent(), probe_ssh=banner) for _ in range(2)
    ] == [
        True,
        False,
    ]
    lifecycle.restart(lxd, SETTINGS, "bob", report=Silent(), probe_ssh=banner)
    assert lxd.changes == [*("stop bob", *INFO, "start bob") * 2]


def test_a_container_whose_disk_is_full_cannot_start_and_says_why(lxd: FakeLxd) -> None:
    lifecycle.stop(lxd, SETTINGS, "bob", report=Silent())
    lxd.failures["start"] = LxdError(
        "LXD could not start bob.", details="saving config file for the container failed"
    )
    with pytest.raises(LxdError) as error:
        lifecycle.start(lxd, SETTINGS, "bob", report=Silent(), probe_ssh=banner)
    assert str(error.value) == (
        "LXD could not start bob.\n"
        "  saving config file for the container failed\n"
        "Next: Make room on its disk, which may be full: lxc file delete bob/PATH"
    )
    # Of its disk, and not of the pool, as for anything else that LXD says it of.
    lxd.failures["start"] = refused("start bob", "No space left on device")
    with pytest.raises(LxdError, match="Make room on its disk"):
        lifecycle.start(lxd, SETTINGS, "bob", report=Silent(), probe_ssh=banner)
    lxd.failures["start"] = LxdError("No.")
    with pytest.raises(LxdError, match=r"^No\.$"):
        lifecycle.start(lxd, SETTINGS, "bob", report=Silent(), probe_ssh=banner)


def test_list_and_show_tell_what_is_half_made(lxd: FakeLxd) -> None:
    def shown(builder: str) -> tuple[object, ...]:
        lxd.store.instances[BOB].config |= {
            "user.lab.phase": "preparing",
            "user.lab.builder": builder,
        }
        document = show(lxd, SETTINGS, "bob")
        return document["half_made"], row(document)[1], of_container(document)[1][:2]

    here = socket.gethostname()
    assert shown(f"{here} 1 7") == (
        {"by": f"process 1 on {here}", "at_work": False, "fix": "invoke provision bob"},
        "half made",
        [
            ("state", "half made"),
            ("", f"process 1 on {here} was interrupted; to finish it: invoke provision bob"),
        ],
    )
    half, word, rows = shown(me())
    assert half == {"by": in_words(me()), "at_work": True, "fix": None}
    assert (word, rows) == ("being made", [("state", word), ("", f"by {in_words(me())}")])
    assert shown("elsewhere 1 7")[2] == [
        ("state", "half made"),
        ("", "process 1 on elsewhere may still be making it; to finish it: invoke provision bob"),
    ]


def test_a_container_in_the_making_is_left_alone(lxd: FakeLxd) -> None:
    lxd.store.instances[BOB].config |= {
        "user.lab.phase": "preparing",
        "user.lab.builder": me(),
    }
    with pytest.raises(InputError, match='"bob" is being provisioned by process'):
        destroy(lxd)
    lxd.store.instances[BOB].config["user.lab.builder"] = ""
    with pytest.raises(InputError) as error:
        lifecycle.stop(lxd, SETTINGS, "bob", report=Silent())
    assert str(error.value) == (
        'The container "bob" is only half made.\n'
        "Next: Finish it: invoke provision bob\n"
        "      or remove it (/home is kept): invoke destroy bob"
    )
    assert lxd.changes == []


def test_foreign_instances_are_never_touched(lxd: FakeLxd) -> None:
    def attempts() -> list[str]:
        texts: list[str] = []
        for verb in (lifecycle.start, lifecycle.stop, lifecycle.restart):
            with pytest.raises(InputError) as error:
                verb(lxd, SETTINGS, "theirs", report=Silent())
            texts.append(str(error.value))
        with pytest.raises(InputError) as error:
            destroy(lxd, "theirs", purge=True)
        texts.append(str(error.value))
        with pytest.raises(InputError) as error:
            show(lxd, SETTINGS, "theirs")
        return [*texts, str(error.value)]

    assert attempts() == [FOREIGN] * 5
    assert lxd.changes == []
    assert lxd.store.instances["default", "theirs"].state is State.STOPPED


def test_a_container_that_is_not_there(lxd: FakeLxd) -> None:
    with pytest.raises(InputError) as error:
        destroy(lxd, "bobb")
    assert str(error.value) == (
        'There is no container "bobb" (did you mean "bob"?).\n'
        "Next: List the containers: invoke list"
    )
