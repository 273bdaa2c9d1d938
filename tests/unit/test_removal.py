"""Nothing of others is deleted: it is told by labstamp's mark, and one module alone deletes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import labels
from lab.errors import Conflict
from lab.instances.removal import remove_image, remove_instance, remove_volume
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeInstance

ROOT = Path(__file__).resolve().parents[2]
DELETING = {"delete", "delete_volume", "delete_image"}


def test_an_instance_of_somebody_s_is_refused_by_any_name() -> None:
    lxd = FakeLxd()
    for name in ("body-base", "check-base-1", "bob"):
        lxd.store.instances["default", name] = FakeInstance(config={"user.note": "mine"})
        with pytest.raises(Conflict) as error:
            remove_instance(lxd, name)
        assert str(error.value) == (
            f"labstamp did not make the instance {name} in the project default.\n"
            "  labstamp never changes or removes what it did not make.\n"
            f"Next: Rename it: lxc --project default rename {name} NEW-NAME"
        )
    assert len(lxd.instances()) == 3


def test_ours_goes_and_what_is_not_there_is_no_error() -> None:
    lxd = FakeLxd()
    lxd.store.instances["default", "bob"] = FakeInstance(config={labels.OWNER: "bob"})
    remove_instance(lxd, "bob")
    remove_instance(lxd, "bob")
    assert lxd.instances() == ()


def test_a_volume_without_our_mark_stays() -> None:
    lxd = FakeLxd()
    lxd.create_volume("default", "home-ann", {"size": "1GiB"})
    lxd.create_volume("default", "home-bob", {labels.OWNER: "bob"})
    remove_volume(lxd, "default", "home-bob")
    with pytest.raises(
        Conflict, match="labstamp did not make the volume home-ann in the pool default"
    ):
        remove_volume(lxd, "default", "home-ann")
    assert [volume.name for volume in lxd.volumes("default")] == ["home-ann"]


def test_an_image_without_our_properties_stays() -> None:
    lxd = FakeLxd()
    lxd.store.instances["default", "x"] = FakeInstance()
    theirs = lxd.publish("x", aliases=[], properties={"os": "debian"}, compression="none")
    is_managed = lxd.publish("x", aliases=[], properties={"lab.source": "x"}, compression="none")
    remove_image(lxd, is_managed.fingerprint)
    with pytest.raises(Conflict, match="labstamp did not make the "):
        remove_image(lxd, theirs.fingerprint)
    assert [image.fingerprint for image in lxd.images()] == [theirs.fingerprint]


def _deletions() -> Iterator[str]:
    """Where LXD is asked to delete an instance, a volume or an image, or somebody is given the
    means to."""
    for folder in ("commands", "images", "provision", "host", "lab"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path.is_relative_to(ROOT / "lab" / "lxd"):
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Attribute) and node.attr in DELETING:
                    yield str(path.relative_to(ROOT))


def _removals_of_volumes() -> Iterator[tuple[str, str]]:
    """Module and function in which a volume is removed."""
    for folder in ("commands", "images", "provision", "host"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for function in ast.walk(ast.parse(path.read_text())):
                if not isinstance(function, ast.FunctionDef):
                    continue
                for node in ast.walk(function):
                    if isinstance(node, ast.Name) and node.id == "remove_volume":
                        yield str(path.relative_to(ROOT)), function.name


def test_volumes_go_in_few_places_and_homes_with_purge_alone() -> None:
    """No build, import, promotion or pruning comes near a user's home, whatever ends it."""
    assert set(_removals_of_volumes()) == {
        # With --purge, after it was said how much is in it.
        ("provision/lifecycle.py", "destroy_held"),
        # What this very run made for a container that never started.
        ("provision/create/home_volume.py", "_undo_volume"),
        # A copy of a home that was killed with it, before its container ever started.
        ("provision/create/home_volume.py", "_remove_copy"),
        # A copy of a snapshot, made to take a file out of it.
        ("provision/snapshots/files.py", "clear"),
        # A copy on the server that a container is moved to, which has not become it.
        ("provision/move/copies.py", "_take_away_home"),
        # What is kept of a container that another server has, when asked for.
        ("provision/move/forget.py", "_remove_home"),
        # What a run of restore-backup made, this one or one that was killed: never whole yet.
        ("provision/backup/restore.py", "_undo_home"),
        ("provision/backup/leftovers.py", "half_restored"),
        # What verify-backup makes: another name, and its maker's mark.
        ("provision/backup/verify.py", "_home"),
        ("provision/backup/verify.py", "_clear"),
        # Those of judged images: another name, and their makers' mark.
        ("images/checks/homes.py", "remove_home"),
        ("images/checks/homes.py", "remove_leftover_homes"),
    }


def test_no_other_module_deletes() -> None:
    assert set(_deletions()) == {"lab/instances/removal.py"}
