"""A person who had a snapshot taken, and has lost files since: bob, in a lab in memory."""

from __future__ import annotations

import pytest

from lab import labels
from lab.errors import InputError
from lab.lxd.model import Profile, State
from lab.report import Silent
from provision.half_taken import By
from provision.restoring import Half
from provision.snapshots.restore import restore
from provision.snapshots.take import take
from tests.support.builders.stamping import SETTINGS, a_lab, banner, bob, hasty, stamp
from tests.support.fake_lxd.lxd import FakeLxd

HERE = ("default", "bob")
HOME = ("default", "home-bob")
THESIS, SHELL = "/home/thesis", "/usr/bin/bash"
GPU = {"type": "gpu", "pci": "0000:b1:00.0"}
PORT = {"type": "proxy", "listen": "tcp:0.0.0.0:8080", "connect": "tcp:127.0.0.1:80"}


def a_lab_with_losses() -> FakeLxd:
    """With bob in it, who has a snapshot `good` and has lost all since, and a port and a limit."""
    lxd = a_lab()
    lxd.store.profiles["lab"] = Profile(name="lab")
    stamp(lxd, bob())
    lxd.write_file("bob", THESIS, b"years")
    lxd.write_file("bob", SHELL, b"ELF")
    lxd.update("bob", config={"limits.cpu": "8", "user.note": "old"}, devices={"card": GPU})
    snapshot(lxd, "good")
    lxd.write_file("bob", THESIS, b"")
    lxd.delete_file("bob", SHELL)
    lxd.update(
        "bob",
        config={"limits.cpu": "2", "user.note": None, "boot.autostart": "true"},
        devices={"card": None, "port": PORT},
        profiles=("default", "lab"),
        description="bob's",
    )
    lxd.changes.clear()
    return lxd


def snapshot(lxd: FakeLxd, label: str | None = None, *, by: By = By.HAND) -> str:
    return take(lxd, SETTINGS, "bob", label, Silent(), by=by)


def back(lxd: FakeLxd, name: str = "good", *halves: Half) -> None:
    timeouts = hasty()
    restore(
        *(lxd, SETTINGS, "bob", name, Silent()),
        halves=halves,
        timeouts=timeouts,
        probe_ssh=banner,
    )


def refused(lxd: FakeLxd, name: str = "good", *halves: Half) -> str:
    """What is said, when nothing at all is changed."""
    before = list(lxd.changes)
    with pytest.raises(InputError) as caught:
        back(lxd, name, *halves)
    assert lxd.changes == before
    return str(caught.value)


def files(lxd: FakeLxd) -> tuple[bytes | None, bytes | None]:
    """bob's thesis, and his shell."""
    home, root = lxd.store.contents[HOME].files, lxd.store.instances[HERE].files
    shell = root.get(SHELL)
    return home["/thesis"].content, shell.content if shell else None


def assert_restored(lxd: FakeLxd, state: State = State.RUNNING) -> None:
    """The files of that day, and all that was wished for since."""
    found = lxd.store.instances[HERE]
    assert files(lxd) == (b"years", b"ELF")
    assert found.state is state
    assert (found.config["limits.cpu"], found.config.get("user.note")) == ("2", None)
    assert found.devices["port"] == PORT
    assert "card" not in found.devices
    assert (found.profiles, found.description) == (("default", "lab"), "bob's")
    assert found.config["boot.autostart"] == "true"
    assert labels.SNAPSHOT not in found.config
    assert labels.RESTORE not in lxd.store.volumes[HOME]
    assert found.snapshots == ("good",)
    assert lxd.volume_snapshots(*HOME) == ("good",)
