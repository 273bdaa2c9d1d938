"""Shares that are refused, and why; the trials of a file system."""

from __future__ import annotations

import os

import pytest

from lab.errors import InputError
from lab.machine.access import named
from lab.machine.mounts import Mount
from lab.report import Silent
from lab.shares.trial import try_lists, try_owners
from provision.shares.share import share
from tests.support.builders.shared_lab import Scene
from tests.support.builders.sharing import (
    a_ground,
    directory,
    share_settings,
)
from tests.support.builders.stamping import bob, stamp

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a directory to another id")


def test_a_file_system_that_cannot_do_it_changes_nothing(scene: Scene) -> None:
    scene.trials.error = InputError("no owners")
    assert scene.refusal("scratch") == "no owners"
    assert scene.refusal("team") == "no owners"
    assert (scene.has(), set(named(scene.data / "team"))) == ({}, set())


def test_without_root_only_reading_can_be_shared(scene: Scene) -> None:
    ground = a_ground(scene.directory, scene.trials, superuser=False)
    with pytest.raises(InputError, match="Run the same command with sudo"):
        share(scene.lxd, scene.settings, "bob", ["team"], Silent(), ground=ground)
    wish = bob(name="eve", shares=("team",))
    with pytest.raises(InputError, match="Run the same command with sudo"):
        stamp(scene.lxd, wish, settings=scene.settings, ground=ground)
    assert scene.lxd.changes == []
    share(scene.lxd, scene.settings, "bob", ["sets"], Silent(), ground=ground)
    assert scene.has() == {"share-sets": "/data/sets"}


def test_what_cannot_be_shared_is_refused(scene: Scene) -> None:
    assert scene.refusal("stes").startswith('There is no share "stes" (did you mean "sets"?).')
    (scene.data / "sets").rmdir()
    assert scene.refusal("sets").startswith(f"{scene.data}/sets does not exist on the server.")
    with pytest.raises(InputError, match='bob has no share "teem"'):
        scene.unshare("teem")
    scene.settings = scene.settings.model_copy(update={"remote": "https://lab:8443"})
    assert "LXD is on another machine (https://lab:8443)" in scene.refusal("team")


def test_one_without_ids_of_its_own_only_reads(scene: Scene) -> None:
    scene.lxd.update("bob", config={"security.idmap.isolated": None, "security.idmap.base": None})
    scene.lxd.changes.clear()
    told = scene.refusal("team")
    assert "bob has no ids of its own, so it cannot write in the share team." in told
    assert "invoke isolate bob" in told
    scene.share("sets")
    assert scene.has() == {"share-sets": "/data/sets"}


def test_no_share_hides_another(scene: Scene) -> None:
    scene.lxd.update("bob", devices={"data": {"type": "disk", "source": "/srv/x", "path": "/data"}})
    told = scene.refusal("sets")
    assert told.startswith(
        "The share sets is to be at /data/sets, and the device data is at /data."
    )
    kinds = {**scene.kinds, "team": {**scene.kinds["team"], "at": "/scratch/team"}}
    scene.settings = share_settings(scene.data, **kinds)
    assert "and the share scratch is at /scratch." in scene.refusal("scratch", "team")


@as_root
def test_the_real_trials_on_a_file_system_with_owners_and_lists(scene: Scene) -> None:
    here = Mount(point="/", kind="ext4")
    for path in ("scratch", "team"):
        try_owners(str(directory(scene.data / path, 0o1777)), 4321, here)
        try_lists(str(scene.data / path), (4000, 4321), here)
    assert [one.name for one in (scene.data / "team").iterdir()] == ["plan.txt"]
    with pytest.raises(InputError) as error:
        try_owners(str(directory(scene.data / "own", 0o755)), 4321, here)
    assert error.value.brief == (
        f"The id 4321 cannot write files of its own in {scene.data}/own (ext4): Permission denied."
    )
