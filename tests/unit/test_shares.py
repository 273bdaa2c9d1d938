"""Shares of containers: given and taken while they run."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lab import labels
from lab.lxd.idmap import own_range
from lab.machine.access import may_change, named
from lab.report import Silent
from provision import lifecycle
from provision.shares.listing import list_shares
from tests.support.builders.death import deaths
from tests.support.builders.shared_lab import BOB, Scene
from tests.support.builders.sharing import (
    NFS,
    ROOT,
    a_ground,
    directory,
    share_settings,
)
from tests.support.builders.stamping import SETTINGS
from tests.support.fake_lxd.lxd import FakeLxd

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a directory to another id")


def test_shares_are_given_while_it_runs_and_a_second_run_changes_nothing(scene: Scene) -> None:
    data, (root, account) = scene.data, scene.ids("bob")
    told = (
        f"try whether files of bob in {data}/scratch stay its own",
        f"let bob (ids {root} and {account}) change everything in {data}/team, by access lists",
        f"share sets ({data}/sets at /data/sets, read-only), scratch ({data}/scratch at /scratch, "
        f"private-files), team ({data}/team at /team, open) with bob",
    )
    assert scene.plan("sets", "scratch", "team") == told
    assert (scene.lxd.changes, set(named(data / "team"))) == ([], set())
    assert scene.share("sets", "scratch", "team") == told
    assert scene.lxd.changes == ["update bob"]
    devices = scene.lxd.store.instances[BOB].devices
    assert devices["share-sets"] == {
        "type": "disk",
        "source": f"{data}/sets",
        "path": "/data/sets",
        "required": "false",
        "readonly": "true",
    }
    assert "readonly" not in devices["share-team"]
    assert not any("shift" in device for device in devices.values())
    assert named(data / "team" / "plan.txt") == {root, account}
    assert scene.trials.seen == [("owners", "scratch"), ("lists", "team")]
    assert scene.share("sets", "scratch", "team") == ()
    assert scene.lxd.changes == ["update bob"]


def test_an_open_share_of_two(scene: Scene) -> None:
    scene.share("team")
    scene.share("team", of="ann")
    team = scene.data / "team"
    assert named(team) == {*scene.ids("bob"), *scene.ids("ann")}
    assert scene.unshare("team") == (
        "remove team (/team) from bob; files that are open in it stay open until: "
        "invoke restart bob",
        f"remove the rights of bob (ids {own_range_of(scene, 'bob')}) from {team}",
    )
    assert (set(named(team)), scene.has(), scene.has("ann")) == (
        set(scene.ids("ann")),
        {},
        {"share-team": "/team"},
    )
    assert scene.unshare("team") == ()


def own_range_of(scene: Scene, name: str) -> str:
    instance = scene.lxd.instance(name)
    return str(own_range(instance)) if instance else ""


@as_root
def test_a_directory_for_each_where_only_root_may_write(scene: Scene) -> None:
    kinds = {**scene.kinds, "own": {"path": f"{scene.data}/own", "kind": "private-files"}}
    scene.settings = share_settings(scene.data, **{**kinds, "own": {**kinds["own"], "at": "/own"}})
    account = scene.ids("bob")[1]
    assert scene.share("own")[0] == f"make {scene.data}/own/bob for bob (id {account})"
    mine = (scene.data / "own" / "bob").stat()
    assert (mine.st_uid, mine.st_gid, mine.st_mode & 0o7777) == (account, account, 0o755)
    assert scene.share("own") == ()
    scene.unshare("own")
    assert (scene.data / "own" / "bob").stat().st_uid == account
    os.chown(scene.data / "own" / "bob", 4321, 4321)
    assert f"{scene.data}/own/bob belongs to the id 4321, not to {account}" in scene.refusal("own")


@as_root
def test_a_directory_that_a_killed_run_left_is_taken_up(scene: Scene) -> None:
    own = {"path": f"{scene.data}/own", "at": "/own", "kind": "private-files"}
    scene.settings = share_settings(scene.data, own=own)
    directory(scene.data / "own" / "bob", 0o700)
    scene.share("own")
    assert (scene.data / "own" / "bob").stat().st_uid == scene.ids("bob")[1]


@as_root
def test_a_link_that_is_put_in_its_place_meanwhile_is_not_followed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {"path": f"{scene.data}/own", "at": "/own", "kind": "private-files"}
    scene.settings = share_settings(scene.data, own=own)
    secret = directory(scene.directory / "secret", 0o700)
    make = Path.mkdir

    def make_and_lose(path: Path, mode: int = 0o777) -> None:
        make(path, mode)
        path.rmdir()
        path.symlink_to(secret)

    monkeypatch.setattr(Path, "mkdir", make_and_lose)
    assert "labstamp cannot give rights in" in scene.refusal("own")
    assert (secret.stat().st_uid, secret.stat().st_mode & 0o7777) == (os.geteuid(), 0o700)


def test_what_changed_in_lab_yaml_is_followed(scene: Scene) -> None:
    """From open to read-only: the rights go, too."""
    scene.share("team")
    kinds = {**scene.kinds, "team": {**scene.kinds["team"], "kind": "read-only", "at": "/papers"}}
    (scene.data / "team").chmod(0o775)
    scene.settings = share_settings(scene.data, **kinds)
    scene.share("team")
    assert (scene.has(), set(named(scene.data / "team"))) == ({"share-team": "/papers"}, set())
    assert scene.share("team") == ()


def test_one_directory_under_two_names(scene: Scene) -> None:
    """Everybody reads it, and those who care for it change it."""
    (scene.data / "team").chmod(0o775)
    read = {"path": f"{scene.data}/team", "at": "/papers", "kind": "read-only"}
    scene.settings = share_settings(scene.data, papers=read, **scene.kinds)
    scene.share("papers")
    scene.share("team")
    assert scene.share("papers") == ()
    assert may_change(scene.data / "team", scene.ids("bob"))
    scene.unshare("team")
    assert (scene.has(), set(named(scene.data / "team"))) == ({"share-papers": "/papers"}, set())


def test_one_that_lab_yaml_has_no_more_can_be_taken(scene: Scene) -> None:
    scene.share("team")
    scene.settings = SETTINGS
    (row,) = list_shares(scene.lxd, scene.settings)
    assert (row["name"], row["kind"], row["containers"]) == ("team", None, ["bob"])
    scene.unshare("team")
    assert (scene.has(), set(named(scene.data / "team"))) == ({}, set())


def test_killed_at_any_change_the_next_run_finishes(scene: Scene) -> None:
    for killed in deaths(scene.lxd, lambda one: scene.share("team", lxd=one), least=1):
        scene.share("team", lxd=killed)
        assert "share-team" in killed.store.instances[BOB].devices
        assert may_change(scene.data / "team", scene.ids("bob"))
    scene.share("team")
    for killed in deaths(scene.lxd, lambda one: scene.unshare("team", lxd=one), least=1):
        scene.unshare("team", lxd=killed)
        assert "share-team" not in killed.store.instances[BOB].devices
        assert named(scene.data / "team") == set()
        scene.share("team", lxd=scene.lxd)


class Blind(FakeLxd):
    """Whose containers run on this machine, and see only what it has mounted itself."""

    def init_pid(self, name: str) -> int | None:
        return os.getpid()


def test_what_was_missing_at_its_start_is_attached_again(scene: Scene) -> None:
    scene.share("sets")
    blind = Blind(store=scene.lxd.store)
    blind.changes.clear()
    assert scene.share("sets", lxd=blind) == (
        "attach /data/sets to bob again, where it is not mounted",
    )
    assert (blind.changes, scene.has()) == (["update bob"] * 2, {"share-sets": "/data/sets"})
    for killed in deaths(blind, lambda one: scene.share("sets", lxd=one), least=2):
        scene.share("sets", lxd=killed)
        assert "share-sets" in killed.store.instances[BOB].devices


def test_who_leaves_leaves_no_rights_behind(scene: Scene) -> None:
    scene.share("team")
    scene.share("team", of="ann")
    would = lifecycle.look(scene.lxd, "bob", purge=False)
    assert would.attached == (f"{scene.data}/team (device share-team, /team)",)
    lifecycle.destroy(scene.lxd, scene.settings, "bob", purge=False, report=Silent())
    assert named(scene.data / "team") == set(scene.ids("ann"))


def test_the_mount_that_a_share_is_on_is_remembered(scene: Scene) -> None:
    a_ground(scene.directory)
    (scene.directory / "mountinfo").write_text(ROOT + NFS.format(point=scene.data / "sets"))
    scene.share("sets", "scratch")
    config = scene.lxd.store.instances[BOB].config
    assert json.loads(config[labels.SHARES]) == {
        "scratch": ["ext4", "/"],
        "sets": ["nfs4", f"{scene.data}/sets"],
    }
    scene.unshare("sets", "scratch")
    assert labels.SHARES not in scene.lxd.store.instances[BOB].config
