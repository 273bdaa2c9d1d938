"""Shares of containers: given and taken while they run, and with a new container."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from host.check.shares import ShareFacts, findings, read_share_facts
from lab import labels
from lab.errors import InputError
from lab.lxd.idmap import own_range
from lab.machine import lock
from lab.machine.access import allow, forbid, may_change, named
from lab.machine.mounts import Mount
from lab.report import Silent
from lab.settings.settings import Settings
from lab.shares.trial import try_lists, try_owners
from provision import lifecycle
from provision.create.provision import Provisioned
from provision.create.request import Request
from provision.shares.listing import list_shares
from provision.shares.share import share, unshare
from provision.shares.sharing import people
from tests.support.builders.death import deaths
from tests.support.builders.sharing import (
    NFS,
    ROOT,
    Trials,
    a_ground,
    directory,
    share_settings,
)
from tests.support.builders.stamping import SETTINGS, a_lab, banner, bob, hasty, stamp
from tests.support.fake_lxd.lxd import FakeLxd

BOB, ANN = ("default", "bob"), ("default", "ann")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a directory to another id")


class Scene:
    """A lab with three shares, and bob and ann, who have none of them yet."""

    def __init__(self, tmp_path: Path) -> None:
        self.directory = tmp_path
        self.data = directory(tmp_path / "data", 0o755)
        for name, mode in (("sets", 0o755), ("scratch", 0o1777), ("team", 0o750), ("own", 0o755)):
            directory(self.data / name, mode)
        (self.data / "team" / "plan.txt").write_text("")
        self.kinds = {
            "sets": {"path": f"{self.data}/sets", "at": "/data/sets", "kind": "read-only"},
            "scratch": {"path": f"{self.data}/scratch", "at": "/scratch", "kind": "private-files"},
            "team": {"path": f"{self.data}/team", "at": "/team", "kind": "open"},
        }
        self.settings = share_settings(self.data, **self.kinds)
        self.trials = Trials()
        self.lxd = a_lab()
        for name in ("bob", "ann"):
            stamp(self.lxd, bob(name=name))
        self.lxd.changes.clear()

    def share(self, *names: str, lxd: FakeLxd | None = None, of: str = "bob") -> tuple[str, ...]:
        ground = a_ground(self.directory, self.trials)
        where = lxd or self.lxd
        return tuple(map(str, share(where, self.settings, of, names, Silent(), ground=ground)))

    def unshare(self, *names: str, lxd: FakeLxd | None = None, of: str = "bob") -> tuple[str, ...]:
        ground = a_ground(self.directory, self.trials)
        where = lxd or self.lxd
        return tuple(map(str, unshare(where, self.settings, of, names, Silent(), ground=ground)))

    def plan(self, *names: str) -> tuple[str, ...]:
        ground = a_ground(self.directory, self.trials)
        planned = share(
            self.lxd, self.settings, "bob", names, Silent(), only_plan=True, ground=ground
        )
        return tuple(map(str, planned))

    def stamp(self, request: Request, *, settings: Settings | None = None) -> Provisioned:
        return stamp(
            self.lxd,
            request,
            settings=settings or self.settings,
            ground=a_ground(self.directory, self.trials),
        )

    def refusal(self, *names: str) -> str:
        before = list(self.lxd.changes)
        with pytest.raises(InputError) as error:
            self.share(*names)
        assert self.lxd.changes == before
        return str(error.value)

    def has(self, name: str = "bob") -> dict[str, str]:
        """Device → where it is inside."""
        devices = self.lxd.store.instances["default", name].devices
        return {
            device: keys["path"] for device, keys in devices.items() if device.startswith("share-")
        }

    def kept(self, name: str = "bob") -> object:
        config = self.lxd.store.instances["default", name].config
        return json.loads(config[labels.REQUEST]).get("shares")

    def ids(self, name: str) -> tuple[int, int]:
        instance = self.lxd.instance(name)
        own = own_range(instance) if instance else None
        assert own is not None
        return people(own)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(lock, "have_place", lambda _remote: tmp_path)
    return Scene(tmp_path)


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


def test_the_list_tells_what_is_wrong(scene: Scene) -> None:
    scene.share("team", "sets")
    ground = a_ground(scene.directory)
    (scene.directory / "fstab").write_text(f"nas:/x {scene.data}/sets nfs x\n")
    rows = list_shares(scene.lxd, scene.settings, ground)
    assert [(row["name"], row["containers"], row["problem"]) for row in rows] == [
        ("scratch", [], None),
        (
            "sets",
            ["bob"],
            f"nas:/x is not mounted at {scene.data}/sets, where {scene.data}/sets is.",
        ),
        ("team", ["bob"], None),
    ]


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


def test_a_new_container_gets_those_that_are_asked_for(scene: Scene) -> None:
    made = scene.stamp(bob(name="eve", shares=("team", "sets")))
    assert scene.has("eve") == {"share-team": "/team", "share-sets": "/data/sets"}
    assert scene.kept("eve") == ["sets", "team"]
    assert may_change(scene.data / "team", scene.ids("eve"))
    told = [str(action) for action in made.actions]
    assert "share sets at /data/sets, share team at /team)" in told[1]
    assert told[3].startswith("let eve (ids ")
    assert made.summary is not None
    assert [row["name"] for row in made.summary["shares"]] == ["sets", "team"]
    assert not scene.stamp(bob(name="eve", shares=("sets", "team"))).changed
    assert not scene.stamp(bob(name="eve")).changed


def test_a_new_container_gets_the_defaults_of_its_template(scene: Scene) -> None:
    kinds = {
        "sets": {**scene.kinds["sets"], "default": True},
        "scratch": {**scene.kinds["scratch"], "default": ("docker-nested",)},
    }
    scene.settings = share_settings(scene.data, **kinds)
    scene.stamp(bob(name="eve"))
    scene.stamp(bob(name="dan", template="docker"))
    scene.stamp(bob(name="sue", shares=()))
    assert [sorted(scene.has(name)) for name in ("eve", "dan", "sue")] == [
        ["share-sets"],
        ["share-scratch", "share-sets"],
        [],
    ]
    assert not scene.stamp(bob(name="eve")).changed
    assert not scene.stamp(bob(name="sue", shares=())).changed


def test_provision_names_the_commands_and_finds_it_done_afterwards(scene: Scene) -> None:
    scene.share("sets")
    with pytest.raises(InputError) as error:
        scene.stamp(bob(shares=("team",)))
    assert str(error.value) == (
        'The container "bob" exists, and was requested with other options.\n'
        "  share: sets is present, not requested\n"
        "  share: team is requested, not present\n"
        "Next: Change the shares: invoke share bob team && invoke unshare bob sets"
    )
    scene.share("team")
    scene.unshare("sets")
    assert not scene.stamp(bob(shares=("team",))).changed
    with pytest.raises(InputError) as error:
        scene.stamp(bob(shares=("team", "sets"), cpus=2))
    assert str(error.value).endswith(
        "Next: Change the sizes: invoke resize bob --cpus 2\n"
        "      Change the shares: invoke share bob sets"
    )
    with pytest.raises(InputError, match='There is no share "x"'):
        scene.stamp(bob(shares=("x",)))


def test_a_container_that_was_cut_off_is_finished_with_its_shares(scene: Scene) -> None:
    def make(lxd: FakeLxd) -> None:
        stamp(
            lxd,
            bob(name="eve", shares=("team",)),
            settings=scene.settings,
            ground=a_ground(scene.directory, scene.trials),
        )

    for killed in deaths(scene.lxd, make, least=6, inside=True):
        make(killed)
        made = killed.store.instances["default", "eve"]
        assert (made.config[labels.PHASE], "share-team" in made.devices) == (labels.READY, True)


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


def checked(scene: Scene) -> list[tuple[str | None, str, str | None]]:
    containers = scene.lxd.instances()
    facts = read_share_facts(scene.lxd, scene.settings, containers, a_ground(scene.directory))
    return [(one.subject, one.found, one.fix) for one in findings(facts)]


def test_the_host_check_of_shares(scene: Scene) -> None:
    team, sets = scene.data / "team", scene.data / "sets"
    assert checked(scene) == [(None, "in order: scratch, sets, team", None)]
    scene.share("team", "sets")
    assert len(checked(scene)) == 1
    forbid(team, scene.ids("bob"), lambda _count: None)
    allow(team, (70_000, 1500), lambda _count: None)
    sets.rmdir()
    kinds = {**scene.kinds, "team": {**scene.kinds["team"], "at": "/papers"}}
    scene.settings = share_settings(scene.data, **kinds)
    assert checked(scene) == [
        ("sets", f"{sets} does not exist on the server", f"sudo install -d {sets}"),
        (
            "bob",
            "bob has the share team in another way than lab.yaml says",
            "invoke share bob team",
        ),
        (
            "bob",
            "it has the share team, without the right to change things in it",
            "invoke share bob team",
        ),
        (
            str(team),
            "ids without a container that has it may change things in it: 70000",
            f"sudo setfacl -R -x u:70000 {team} && sudo setfacl -R -d -x u:70000 {team}",
        ),
    ]
    scene.settings = SETTINGS
    assert [fix for _, _, fix in checked(scene)] == [
        "invoke unshare bob sets",
        "invoke unshare bob team",
    ]
    elsewhere = share_settings(scene.data, **scene.kinds).model_copy(update={"remote": "https://x"})
    assert read_share_facts(scene.lxd, elsewhere, (), a_ground(scene.directory)) == ShareFacts()


def test_a_mount_that_is_missing_since_is_found(scene: Scene) -> None:
    """Also where /etc/fstab does not name it: it was there when the share was given."""
    a_ground(scene.directory)
    (scene.directory / "mountinfo").write_text(ROOT + NFS.format(point=scene.data / "sets"))
    scene.share("sets")
    (scene.directory / "mountinfo").write_text(ROOT)
    sets = scene.data / "sets"
    assert checked(scene) == [
        ("bob", f"nfs4 is not mounted at {sets}, where {sets} is", f"sudo mount {sets}")
    ]


def test_a_start_says_what_will_be_missing(scene: Scene) -> None:
    scene.share("sets")
    scene.lxd.stop("bob")
    (scene.data / "sets").rmdir()
    said: list[str] = []
    report = Said(said)
    lifecycle.start(
        scene.lxd, scene.settings, "bob", report=report, timeouts=hasty(), probe_ssh=banner
    )
    assert said == [
        f"bob: the share sets may be missing or empty: {scene.data}/sets does not exist on the "
        "server."
    ]


class Said(Silent):
    def __init__(self, said: list[str]) -> None:
        self.said = said

    def say(self, text: str) -> None:
        self.said.append(text)


def volume_settings(scene: Scene, kind: str, **more: object) -> Settings:
    papers = {"volume": "default/papers", "at": "/papers", "kind": kind, **more}
    return share_settings(scene.data, papers=papers, **scene.kinds)


def test_a_volume_that_is_read(scene: Scene) -> None:
    scene.settings = volume_settings(scene, "read-only")
    assert "There is no volume papers in the pool default." in scene.refusal("papers")
    scene.lxd.create_volume("default", "papers", {})
    scene.lxd.changes.clear()
    told = scene.refusal("papers")
    assert told.startswith("LXD attaches the volume papers to one container only.")
    assert "lxc storage volume set default papers security.unmapped=true" in told
    scene.lxd.update_volume("default", "papers", {"security.shifted": "true"})
    scene.share("papers")
    assert scene.lxd.store.instances[BOB].devices["share-papers"] == {
        "type": "disk",
        "pool": "default",
        "source": "papers",
        "path": "/papers",
        "required": "false",
        "readonly": "true",
    }
    assert scene.share("papers") == ()
    rows = {row["name"]: row for row in list_shares(scene.lxd, scene.settings)}
    assert (rows["papers"]["volume"], rows["papers"]["path"]) == ("default/papers", None)
    scene.unshare("papers")
    assert scene.has() == {}


def test_a_volume_of_a_team(scene: Scene) -> None:
    scene.settings = volume_settings(scene, "open")
    scene.lxd.create_volume("default", "papers", {"security.shifted": "true"})
    scene.lxd.changes.clear()
    assert "Root in each container would own all files in the volume" in scene.refusal("papers")
    unmapped = {"security.shifted": None, "security.unmapped": "true"}
    scene.lxd.update_volume("default", "papers", unmapped)
    assert "is not seen on the server at" in scene.refusal("papers")
    papers = scene.directory / "lxd" / "storage-pools" / "default" / "custom" / "default_papers"
    directory(papers, 0o777)
    assert "has the mode 0777" in scene.refusal("papers")
    papers.chmod(0o770)
    scene.share("papers")
    assert may_change(papers, scene.ids("bob"))
    assert checked(scene) == [(None, "in order: papers, scratch, sets, team", None)]
    scene.unshare("papers")
    assert set(named(papers)) == set()


def test_a_home_is_no_share(scene: Scene) -> None:
    papers = {"volume": "default/home-ann", "at": "/papers", "kind": "open"}
    scene.settings = share_settings(scene.data, papers=papers)
    assert "The volume home-ann in the pool default is a home." in scene.refusal("papers")


def test_a_volume_that_is_read_can_be_shared_from_elsewhere(scene: Scene) -> None:
    elsewhere = volume_settings(scene, "read-only").model_copy(update={"remote": "https://x"})
    scene.lxd.create_volume("default", "papers", {"security.unmapped": "true"})
    scene.settings = elsewhere
    scene.share("papers")
    assert scene.has() == {"share-papers": "/papers"}
    assert scene.unshare("papers")


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
