"""A container gets a root of another release; killed anywhere, the next run goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab import labels
from lab.errors import InputError, LabError, LxdError
from lab.lxd.idmap import overlapping, own_range, read_map
from lab.lxd.model import State
from lab.report import Silent
from provision import lifecycle, listing
from provision.former import Stage, read_mark
from provision.upgrade.upgrade import Outcome, every_name, failure
from tests.support.builders.death import deaths
from tests.support.builders.stamping import (
    BASE,
    SETTINGS,
    bob,
    inside,
    publish,
    stamp,
)
from tests.support.builders.upgrading import (
    HASH,
    NEW,
    THESIS,
    a_lab_with_a_newer_release,
    assert_as_before,
    assert_upgraded,
    bobs,
    bobs_config,
    half,
    run,
    run_well,
    told,
    wish_of,
)
from tests.support.fake_lxd.lxd import FakeLxd
from tests.unit.test_isolate import share


@pytest.fixture
def lxd() -> FakeLxd:
    return a_lab_with_a_newer_release()


def test_the_plan_says_what_stays_and_changes_nothing(lxd: FakeLxd) -> None:
    assert told(lxd) == [
        "bob: upgrade from base 20261121.1 to base 20261126.1\n"
        "  kept: /home, its account, ids, ssh keys, password, host keys, address, GPUs, disks, "
        "ports and limits; it is stopped and started once\n"
        "  not kept: packages and files outside of /home; they stay in the present root, "
        "bob-kept, until: invoke upgrade bob --forget, or for 14 days\n"
        "  packages added by hand: htop; to install them: invoke upgrade bob --reinstall\n"
        "  changed in /etc: not known\n"
        "  its snapshot monday stays with that root"
    ]
    assert lxd.changes == []


def test_all_that_is_its_user_s_is_there_afterwards(lxd: FakeLxd) -> None:
    before = wish_of(bobs(lxd))
    run_well(lxd)
    assert_upgraded(lxd, before)
    assert f"bob:{HASH}\n".encode() in inside(lxd).stdin
    assert not any(HASH in word for argv in inside(lxd).ran for word in argv)
    assert not any(HASH in value for value in bobs(lxd).config.values())
    assert told(lxd) == []
    assert run(lxd) == Outcome(done=())


def test_the_new_root_keeps_the_host_keys_it_finds(lxd: FakeLxd) -> None:
    run_well(lxd)
    assert "ssh_deletekeys: false" in bobs(lxd).config["cloud-init.user-data"]
    assert "ssh_deletekeys: true" not in bobs(lxd).config["cloud-init.user-data"]


def test_killed_anywhere_the_next_run_ends_it(lxd: FakeLxd) -> None:
    before = wish_of(bobs(lxd))
    for copy in deaths(lxd, run_well, least=15, inside=True):
        assert copy.store.contents["default", "home-bob"].files["/thesis"].content == b"years"
        run_well(copy)
        assert_upgraded(copy, before)


def test_a_failure_anywhere_leaves_it_as_it_was_or_is_gone_on_with(lxd: FakeLxd) -> None:
    before = wish_of(bobs(lxd))
    for verb in ("create", "stop", "update bob-next", "rename bob", "rename bob-next", "start bob"):
        lxd.failures[verb] = LxdError("The disk is full.")
        failed = failure(run(lxd))
        assert failed is not None
        assert "bob is in its earlier state." in failed.brief
        assert_as_before(lxd, before)


def test_a_root_that_does_not_become_ready_is_taken_back(lxd: FakeLxd) -> None:
    before = wish_of(bobs(lxd))
    inside(lxd).accounts = False
    failed = failure(run(lxd))
    assert failed is not None
    assert "made no account bob. bob is in its earlier state." in failed.brief
    assert_as_before(lxd, before)


def stop(lxd: FakeLxd) -> None:
    lifecycle.stop(lxd, SETTINGS, "bob", report=Silent())


def is_open(lxd: FakeLxd) -> bool:
    marks = filter(None, map(read_mark, lxd.instances()))
    opening = any(mark.stage is Stage.OPENING for mark in marks)
    return opening and bobs_config(lxd)[labels.PHASE] == labels.READY


def test_one_that_is_stopped_stays_stopped(lxd: FakeLxd) -> None:
    lxd.stop("bob")
    before = wish_of(bobs(lxd))
    run_well(lxd)
    assert bobs(lxd).state is State.STOPPED
    assert wish_of(bobs(lxd)) == before


def test_other_commands_wait_until_it_has_ended(lxd: FakeLxd) -> None:
    for copy in deaths(lxd, run_well, least=15, inside=True):
        if not half(copy):
            continue
        rows = listing.containers(copy, SETTINGS)
        fixes = [row["half_made"] for row in rows if row["half_made"] is not None]
        assert all(one["fix"] == "invoke upgrade bob" for one in fixes)
        assert {row["owner"] for row in rows} == {"bob"}
        for command in (
            lambda one: stamp(one, bob()),
            lambda one: lifecycle.destroy(one, SETTINGS, "bob", purge=True, report=Silent()),
            # Once its user may log in, the rest harms nobody.
            *([] if is_open(copy) else [stop]),
        ):
            changes = list(copy.changes)
            with pytest.raises(LabError, match='The container "bob" is being upgraded'):
                command(copy)
            assert copy.changes == changes


def test_one_that_shares_its_ids_gets_its_own_first(lxd: FakeLxd) -> None:
    share(lxd, "bob")
    (said,) = told(lxd)
    assert "first: bob: stop it, change the owners of its files (root, volume home-bob)" in said
    for copy in deaths(lxd, run_well, least=25, inside=True):
        run_well(copy)
        instance = bobs(copy)
        assert instance.config[labels.VERSION] == NEW
        assert instance.config["security.idmap.isolated"] == "true"
        mapped = read_map(copy.store.contents["default", "home-bob"].owners)
        assert mapped == read_map(instance.owners) == own_range(copy.instances()[0])
        assert copy.read_file("bob", THESIS) == b"years"


def test_a_release_by_its_version(lxd: FakeLxd) -> None:
    publish(lxd, replace(BASE, version="20261127.1"))
    assert "to base 20261127.1" in told(lxd)[0]
    assert f"invoke upgrade bob --to {NEW} --reinstall" in told(lxd, to=NEW)[0]
    run_well(lxd, to=NEW)
    assert bobs(lxd).config[labels.VERSION] == NEW
    with pytest.raises(InputError, match=r'its template "base" has no release 20200101\.1'):
        told(lxd, to="20200101.1")


def test_all_containers_of_a_template(lxd: FakeLxd) -> None:
    stamp(lxd, bob(name="ann", template="docker"))
    run_well(lxd)
    assert every_name(lxd, None) == ("ann", "bob")
    assert every_name(lxd, "base") == ("bob",)
    assert told(lxd, *every_name(lxd, None)) == []


def test_no_id_is_another_s_because_two_roots_have_it(lxd: FakeLxd) -> None:
    run_well(lxd)
    assert list(overlapping(lxd.instances())) == []


def test_ctrl_c_takes_it_back(lxd: FakeLxd) -> None:
    before = wish_of(bobs(lxd))
    inside(lxd).interrupt = "getent"
    with pytest.raises(KeyboardInterrupt):
        run(lxd)
    assert_as_before(lxd, before)
