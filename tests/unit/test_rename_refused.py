"""Names that a container cannot get, and what others do while it gets one."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from lab import labels
from lab.errors import InputError
from lab.machine import lock
from lab.process import here
from lab.report import Silent
from provision import lifecycle
from provision.former import Stage, UpgradeMark
from provision.homes import read_stores
from provision.resize.resize import resize
from provision.resize.sizes import Sizes
from provision.restoring import BOTH, Journal, Wish
from tests.support.builders.death import dies_after
from tests.support.builders.renaming import BOB, a_lab_of_bob, run
from tests.support.builders.stamping import SETTINGS, bob, stamp
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeInstance


@pytest.fixture
def lxd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeLxd:
    monkeypatch.setattr(lock, "have_place", lambda _remote: tmp_path)
    return a_lab_of_bob()


def refusal(lxd: FakeLxd, old: str = "bob", new: str = "robert") -> str:
    before = list(lxd.changes)
    with pytest.raises(InputError) as error:
        run(lxd, old, new)
    assert lxd.changes == before
    return str(error.value)


def test_names_that_cannot_be(lxd: FakeLxd) -> None:
    stamp(lxd, bob(name="ann"))
    lxd.store.instances["default", "theirs"] = FakeInstance(profiles=("default",))
    lifecycle.destroy(lxd, SETTINGS, "ann", purge=False, report=Silent())
    stamp(lxd, bob(name="eve"))
    assert "has that name" in refusal(lxd, new="bob")
    assert 'The name "eve" is taken by a container.' in refusal(lxd, new="eve")
    assert "labstamp did not make" in refusal(lxd, new="theirs")
    assert "differ in upper and lower case only" in refusal(lxd, new="Eve")
    assert "invoke destroy ann --purge" in refusal(lxd, new="ann")
    assert "cannot be the name of a container" in refusal(lxd, new="bob_2")
    assert 'There is no container "zoe".' in refusal(lxd, old="zoe")
    assert "labstamp did not make" in refusal(lxd, old="theirs")


def test_what_another_command_still_needs_by_this_name(lxd: FakeLxd) -> None:
    config = lxd.store.instances[BOB].config
    config[labels.KEPT_ROOT] = "bob-kept"
    mark = UpgradeMark(
        builder="elsewhere 7 8", name="bob", next="bob-next", kept="bob-kept", stage=Stage.KEPT
    )
    lxd.store.instances["default", "bob-kept"] = FakeInstance(
        profiles=("default",), config={labels.UPGRADE: str(mark)}
    )
    assert "invoke upgrade bob --forget" in refusal(lxd)
    del config[labels.KEPT_ROOT]
    home = next(one for one in read_stores(lxd).homes("bob"))
    journal = Journal(builder="elsewhere 7 8", snapshot="good", halves=BOTH, wish=Wish())
    lxd.update_volume(home.pool, home.name, {labels.RESTORE: str(journal)})
    assert "invoke restore bob good" in refusal(lxd)


def test_another_run_is_not_disturbed(lxd: FakeLxd) -> None:
    dies_after(lxd, 4, lambda: run(lxd))
    mark = json.loads(lxd.store.instances[BOB].config[labels.RENAME])
    parent = os.getppid()
    began = Path(f"/proc/{parent}/stat").read_text().rpartition(")")[2].split()[19]
    alive = f"{socket.gethostname()} {parent} {began} {here()}"
    for builder, told in (
        (alive, "is renaming bob now"),
        ("elsewhere 7 8", "may still be renaming"),
    ):
        lxd.store.instances[BOB].config[labels.RENAME] = json.dumps({**mark, "builder": builder})
        assert told in refusal(lxd)


def test_other_commands_leave_it_alone(lxd: FakeLxd) -> None:
    dies_after(lxd, 4, lambda: run(lxd))
    told = "invoke rename bob robert"
    for command in (
        lambda: lifecycle.start(lxd, SETTINGS, "bob", report=Silent()),
        lambda: lifecycle.stop(lxd, SETTINGS, "bob", report=Silent()),
        lambda: lifecycle.destroy(lxd, SETTINGS, "bob", purge=False, report=Silent()),
        lambda: resize(lxd, SETTINGS, "bob", Sizes(cpus=1), Silent()),
        lambda: stamp(lxd, bob()),
    ):
        with pytest.raises(InputError, match=told):
            command()
