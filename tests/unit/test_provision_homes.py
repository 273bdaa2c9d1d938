"""Whose home a volume is: by who mounts it and by its marks, whatever it is called."""

from __future__ import annotations

import pytest

from lab.errors import InputError
from lab.lxd.model import Instance, Pool, State, Volume
from lab.report import Silent
from provision import lifecycle
from provision.homes import Stores
from provision.lifecycle import Removed
from tests.support.builders.stamping import SETTINGS, a_lab, bob, refusal, stamp
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import EPOCH

HOME = ("default", "home-bob")
HELD = "volume home-bob (/home, 1.0 MiB in it) in pool default"


def volume(name: str, pool: str = "default", **config: str) -> Volume:
    keyed = {f"user.lab.{key}": value for key, value in config.items()}
    return Volume(pool=pool, name=name, config=keyed)


def container(name: str, home: str, **config: str) -> Instance:
    return Instance(
        name=name,
        state=State.RUNNING,
        config={"user.lab.owner": "bob", **config},
        devices={"home": {"type": "disk", "path": "/home", "pool": "default", "source": home}},
        created_at=EPOCH,
    )


def stores(*volumes: Volume, instances: tuple[Instance, ...] = ()) -> Stores:
    return Stores(volumes=volumes, instances=instances, project="default")


def test_by_the_name_where_there_is_no_mark() -> None:
    old = volume("home-bob", owner="bob")
    assert stores(old).homes("bob") == (old,)
    assert stores(old).homes("home-bob") == ()
    assert stores(volume("home-bob")).homes("bob") == ()


def test_by_the_mark_where_there_is_one() -> None:
    marked = volume("home-bob", owner="bob", container="robert")
    assert stores(marked).homes("robert") == (marked,)
    assert stores(marked).homes("bob") == ()
    nobodys = volume("home-bob", owner="bob", container="")
    assert stores(nobodys).homes("bob") == ()


def test_who_mounts_it_has_the_last_word() -> None:
    marked = volume("home-bob", owner="bob", container="bob")
    found = stores(marked, instances=(container("robert", "home-bob"),))
    assert found.homes("robert") == (marked,)
    assert found.homes("bob") == ()


def test_one_of_another_project_is_not_ours() -> None:
    theirs = volume("home-bob", owner="bob", container="bob", project="lab2")
    assert stores(theirs).homes("bob") == ()


def test_the_pool_decides_between_two_and_nothing_else_does() -> None:
    here = volume("home-bob", owner="bob")
    there = volume("home-bob", "fast", owner="bob")
    assert stores(here, there).home("bob", "default") == here
    assert stores(there).home("bob", "default") == there
    other = volume("bobs", "fast", owner="bob", container="bob")
    with pytest.raises(InputError) as error:
        stores(there, other).home("bob", "default")
    assert str(error.value) == (
        '"bob" has 2 kept homes: home-bob in pool fast, bobs in pool fast.\n'
        "  It is not known which one to use.\n"
        "Next: Detach the others from this name, one by one:\n"
        "      lxc storage volume set POOL VOLUME user.lab.container="
    )


def test_a_new_one_gets_a_name_that_is_free() -> None:
    taken = volume("home-bob", owner="bob", container="robert")
    assert stores(taken).new_name("bob", "default") == "home-bob-2"
    assert stores(taken).new_name("bob", "fast") == "home-bob"
    # Somebody's own: it is for its owner to say what is to become of it.
    assert stores(volume("home-bob")).new_name("bob", "default") == "home-bob"


@pytest.fixture
def renamed() -> FakeLxd:
    """`lxc move bob robert`."""
    lxd = a_lab()
    stamp(lxd, bob())
    lxd.stop("bob")
    lxd.rename("bob", "robert")
    return lxd


def test_the_home_of_a_renamed_container_is_named_kept_and_found_again(renamed: FakeLxd) -> None:
    done = lifecycle.destroy(renamed, SETTINGS, "robert", purge=False, report=Silent())
    assert done == Removed(removed=("container robert",), kept=(HELD,))
    assert renamed.store.volumes[HOME]["user.lab.container"] == "robert"
    stamp(renamed, bob(name="robert", account="bob"))
    devices = renamed.store.instances["default", "robert"].devices
    assert devices["home"]["source"] == "home-bob"
    assert list(renamed.store.volumes) == [HOME]


def test_another_bob_gets_a_home_of_his_own(renamed: FakeLxd) -> None:
    stamp(renamed, bob())
    devices = renamed.store.instances["default", "bob"].devices
    assert devices["home"]["source"] == "home-bob-2"
    done = lifecycle.destroy(renamed, SETTINGS, "bob", purge=True, report=Silent())
    assert done.removed == (
        "container bob",
        "volume home-bob-2 (/home, 1.0 MiB in it) in pool default",
    )
    assert list(renamed.store.volumes) == [HOME]


def test_a_kept_home_of_another_pool_is_used_there() -> None:
    lxd = a_lab()
    lxd.store.pools["fast"] = Pool(name="fast", driver="btrfs")
    lxd.store.volumes["fast", "home-bob"] = {"user.lab.owner": "bob"}
    stamp(lxd, bob())
    devices = lxd.store.instances["default", "bob"].devices
    assert (devices["home"]["pool"], devices["root"]["pool"]) == ("fast", "default")
    assert HOME not in lxd.store.volumes


def test_one_home_for_two_projects_is_refused() -> None:
    lxd = a_lab()
    lxd.store.volumes[HOME] = {
        "user.lab.owner": "bob",
        "user.lab.container": "bob",
        "user.lab.project": "lab2",
    }
    assert refusal(lxd) == (
        'The volume "home-bob" in pool "default" belongs to "bob" of the project lab2.\n'
        "  It was not changed.\n"
        "Next: Choose another name for the container, or rename the volume with lxc."
    )
