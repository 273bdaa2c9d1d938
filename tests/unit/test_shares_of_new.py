"""The shares of a new container."""

from __future__ import annotations

import pytest

from lab import labels
from lab.errors import InputError
from lab.machine.access import may_change
from tests.support.builders.death import deaths
from tests.support.builders.shared_lab import Scene
from tests.support.builders.sharing import (
    a_ground,
    share_settings,
)
from tests.support.builders.stamping import bob, stamp
from tests.support.fake_lxd.lxd import FakeLxd


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
