"""Volumes of LXD's that several containers have."""

from __future__ import annotations

from host.check.shares import findings, read_share_facts
from lab.machine.access import may_change, named
from lab.settings.settings import Settings
from provision.shares.listing import list_shares
from tests.support.builders.shared_lab import BOB, Scene
from tests.support.builders.sharing import (
    a_ground,
    directory,
    share_settings,
)


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
    containers = scene.lxd.instances()
    facts = read_share_facts(scene.lxd, scene.settings, containers, a_ground(scene.directory))
    assert [one.found for one in findings(facts)] == ["in order: papers, scratch, sets, team"]
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
