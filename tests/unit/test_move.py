"""A container goes to another server; killed anywhere, exactly one of the two is at work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from commands.views.containers import row
from lab import labels
from lab.errors import InputError, LxdError, LxdUnreachable
from lab.lxd.idmap import own_range
from lab.lxd.model import State
from lab.report import Silent
from provision import lifecycle, listing
from provision.create.ready import SshProbe
from provision.move.move import move
from provision.moving import Arrival, Stage
from provision.unfinished import unfinished_work
from tests.support.builders.death import deaths_at_two
from tests.support.builders.moving import (
    BOB,
    HOME,
    SETTINGS,
    assert_as_before,
    assert_moved,
    context_of,
    forgotten,
    mark_of,
    run,
    running,
    told,
    two_labs,
    wish_of,
)
from tests.support.builders.stamping import bob, stamp
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeInstance

Labs = tuple[FakeLxd, FakeLxd]


@pytest.fixture
def labs() -> Labs:
    return two_labs()


def test_all_that_is_its_user_s_is_there_afterwards(labs: Labs) -> None:
    here, there = labs
    before = wish_of(here.store.instances[BOB])
    run(here, there)
    assert_moved(here, there, before)
    changes = list(there.changes)
    run(here, there)
    assert there.changes == changes


def test_killed_anywhere_one_is_at_work_and_the_next_run_ends_it(labs: Labs) -> None:
    before = wish_of(labs[0].store.instances[BOB])
    for here, there in deaths_at_two(*labs, run, least=20):
        assert not (running(here) and running(there))
        mark = mark_of(here)
        if mark is None or mark.stage is Stage.COPYING:
            assert running(here)
        assert here.store.contents[HOME].files["/thesis"].content == b"years"
        run(here, there)
        assert_moved(here, there, before)


def test_a_boot_of_the_server_brings_it_back_until_its_copy_may_run(labs: Labs) -> None:
    here, there = labs
    here.update("bob", config={"boot.autostart": None})
    seen: dict[Stage, set[str | None]] = {}
    for one, _ in deaths_at_two(here, there, run, least=20):
        mark = mark_of(one)
        if mark is not None:
            found = one.store.instances[BOB].config.get("boot.autostart")
            seen.setdefault(mark.stage, set()).add(found or None)
    assert seen == {
        Stage.COPYING: {None},
        Stage.STOPPING: {"true"},
        Stage.TRYING: {"false"},
        Stage.MOVED: {"false"},
    }
    assert "boot.autostart" not in there.store.instances.get(BOB, FakeInstance()).config


def test_one_that_somebody_starts_meanwhile_is_the_container(labs: Labs) -> None:
    here, there = labs
    before = wish_of(here.store.instances[BOB])
    receiving = there.receive_instance

    def receive(*arguments: object, **how: object) -> object:
        done = receiving(*arguments, **how)  # type: ignore[arg-type]
        here.start("bob")
        return done

    there.receive_instance = receive  # type: ignore[method-assign, assignment]
    with pytest.raises(LxdError, match=r"bob was started here while it was being moved"):
        run(here, there)
    assert_as_before(here, there, before)


@pytest.mark.parametrize(
    "verb",
    [
        "create_volume_snapshot home-bob/move",
        "receive_volume",
        "receive_instance",
        "stop bob",
        "start bob",
        "update_volume home-bob",
    ],
)
def test_a_failure_leaves_it_as_it_was(labs: Labs, verb: str) -> None:
    here, there = labs
    before = wish_of(here.store.instances[BOB])
    at = here if verb == "stop bob" else there
    at.failures[verb] = LxdError("The disk is full.")
    if verb.startswith("create_volume_snapshot"):
        here.failures["create_volume_snapshot"] = LxdError("The disk is full.")
    with pytest.raises(LxdError, match=r"The disk is full\. bob is in its earlier state\."):
        run(here, there)
    assert_as_before(here, there, before)


def test_a_refresh_that_fails_is_a_copy_from_the_beginning(labs: Labs) -> None:
    here, there = labs
    before = wish_of(here.store.instances[BOB])
    stopping = here.stop

    def stop(name: str, **how: object) -> None:
        stopping(name, **how)  # type: ignore[arg-type]
        there.failures["receive_instance"] = LxdError("Volume exists in database only.")

    here.stop = stop  # type: ignore[method-assign]
    run(here, there)
    assert_moved(here, there, before)
    assert there.changes.count("receive_volume home-bob") == 3


def test_one_that_does_not_answer_there_comes_back(labs: Labs) -> None:
    here, there = labs
    before = wish_of(here.store.instances[BOB])
    answers = iter([SshProbe.BANNER])

    def probe(address: str) -> SshProbe:
        return next(answers, SshProbe.CLOSED)

    with pytest.raises(LxdError, match=r"ssh in bob\. bob is in its earlier state\."):
        move(context_of(here, there, probe_ssh=probe), "bob")
    assert_as_before(here, there, before)


def test_one_that_is_stopped_stays_stopped(labs: Labs) -> None:
    here, there = labs
    here.stop("bob")
    run(here, there)
    assert not running(here)
    assert there.store.instances[BOB].state is State.STOPPED
    assert there.store.instances[BOB].config[labels.PHASE] == labels.READY


def test_a_server_that_dies_while_it_is_copied_leaves_the_source_free(labs: Labs) -> None:
    here, there = labs
    before = wish_of(here.store.instances[BOB])
    there.failures["receive_instance"] = LxdUnreachable("It does not answer.")
    there.failures["delete_volume"] = LxdUnreachable("It does not answer.")
    with pytest.raises(LxdUnreachable):
        run(here, there)
    assert running(here)
    assert mark_of(here) is None
    assert HOME in there.store.volumes
    # What it left there is of no use, and in nobody's way.
    run(here, there)
    assert_moved(here, there, before)


def arrival_of(here: FakeLxd) -> str:
    """On what a move from HERE left."""
    return str(Arrival(id="0", source="lab1", server=here.store.server.certificate))


def test_while_the_copy_may_run_the_source_stays_stopped(labs: Labs) -> None:
    here, there = labs
    before = wish_of(here.store.instances[BOB])
    there.failures["start"] = LxdUnreachable("It does not answer.")
    there.failures["stop"] = LxdUnreachable("It does not answer.")
    with pytest.raises(LxdError, match="invoke move bob lab2"):
        run(here, there)
    mark = mark_of(here)
    assert mark is not None
    assert mark.stage is Stage.TRYING
    assert not running(here)
    run(here, there)
    assert_moved(here, there, before)


def test_its_ids_are_others_where_somebody_there_has_them(labs: Labs) -> None:
    here, there = labs
    mine = own_range(here.instances()[0])
    cleo = next(own_range(one) for one in there.instances() if one.name == "cleo")
    assert mine is not None
    assert mine == cleo
    assert f"not kept: its ids {mine}" in told(here, there)
    run(here, there)
    found = next(one for one in there.instances() if one.name == "bob")
    now = own_range(found)
    assert now is not None
    assert not now.overlaps(mine)
    assert there.store.volumes[HOME][labels.IDS] == str(now)


def test_ids_that_are_free_there_are_kept(labs: Labs) -> None:
    here, there = labs
    lifecycle.destroy(there, SETTINGS, "cleo", purge=True, report=Silent())
    mine = own_range(here.instances()[0])
    for whole in (there.store.id_range, None):
        there.store.id_range = whole
        assert f"ids there: {mine}" in told(here, there)
    run(here, there)
    assert own_range(there.instances()[0]) == mine


def test_other_commands_wait_until_it_has_ended(labs: Labs) -> None:
    for here, _ in deaths_at_two(*labs, run, least=20):
        mark = mark_of(here)
        if mark is None:
            continue
        for command in (
            lambda one: lifecycle.start(one, SETTINGS, "bob", report=Silent()),
            lambda one: lifecycle.destroy(one, SETTINGS, "bob", purge=True, report=Silent()),
            lambda one: stamp(one, bob()),
        ):
            changes = list(here.changes)
            with pytest.raises(InputError, match="moved to lab2"):
                command(here)
            assert here.changes == changes


def test_on_the_other_server_a_copy_is_left_alone(labs: Labs) -> None:
    here, there = labs
    for one, other in deaths_at_two(here, there, run, least=20):
        found = other.store.instances.get(BOB)
        if found is None or labels.ARRIVAL not in found.config:
            continue
        for command in (
            lambda lxd: lifecycle.destroy(lxd, SETTINGS, "bob", purge=True, report=Silent()),
            lambda lxd: stamp(lxd, bob()),
        ):
            with pytest.raises(InputError, match="is being moved here from lab1"):
                command(other)
        assert one.store.instances[BOB]


def test_another_run_is_not_disturbed(labs: Labs) -> None:
    here, there = labs
    run(here, there)
    config = here.store.instances[BOB].config
    mark = mark_of(here)
    assert mark is not None
    elsewhere = replace(mark.at(Stage.COPYING), builder="lab9 4711 1")
    config[labels.MOVE] = str(elsewhere)
    with pytest.raises(InputError, match="process 4711 on lab9 may still be moving it"):
        run(here, there)


def test_of_two_admins_at_once_one_is_told(labs: Labs) -> None:
    here, there = labs
    updating = here.update

    def update(name: str, **changes: object) -> object:
        done = updating(name, **changes)  # type: ignore[arg-type]
        mark = mark_of(here)
        if mark is not None:
            config = here.store.instances[BOB].config
            config[labels.MOVE] = str(replace(mark, builder="lab9 4711 1", id="of-another"))
        return done

    here.update = update  # type: ignore[method-assign, assignment]
    with pytest.raises(LxdError, match="Another program began to move bob at the same time"):
        run(here, there)
    assert BOB not in there.store.instances


def test_what_is_kept_goes_when_asked(labs: Labs) -> None:
    here, there = labs
    with pytest.raises(InputError, match="was not moved"):
        forgotten(here, there)
    run(here, there)
    for one, other in deaths_at_two(here, there, forgotten, least=3):
        if BOB in one.store.instances or HOME in one.store.volumes:
            forgotten(one, other)
        assert BOB not in one.store.instances
        assert HOME not in one.store.volumes
        assert running(other)


def test_the_last_copy_is_not_forgotten(labs: Labs) -> None:
    here, there = labs
    run(here, there)
    lifecycle.destroy(there, SETTINGS, "bob", purge=True, report=Silent())
    with pytest.raises(InputError, match="lab2 does not have the container bob as it should"):
        forgotten(here, there)
    assert BOB in here.store.instances


def test_a_directory_that_lxd_cannot_remove_there_is_told(labs: Labs) -> None:
    here, there = labs
    there.failures["receive_instance"] = LxdUnreachable("It does not answer.")
    with pytest.raises(LxdUnreachable):
        run(here, there)
    there.store.instances[BOB] = FakeInstance(config={labels.ARRIVAL: arrival_of(here)})
    text = 'Failed setting subvolume writable "/pool/bob": ERROR: Could not get subvolume flags'
    there.failures["delete bob"] = LxdError("LXD could not delete bob.", details=text)
    with pytest.raises(LxdError, match="as root: rmdir /pool/bob"):
        run(here, there)
    assert running(here)
    run(here, there)
    assert running(there)


def test_it_is_told_while_it_has_not_ended_and_where_it_is_afterwards(labs: Labs) -> None:
    for here, _ in deaths_at_two(*labs, run, least=20):
        mark = mark_of(here)
        work = [(one.work, one.command, one.at_work) for one in unfinished_work(here)]
        over = mark is None or mark.is_moved
        assert work == ([] if over else [("the move to lab2", "invoke move bob lab2", False)])
        rows = listing.containers(here, SETTINGS)
        assert [one["moved_to"] for one in rows] == ["lab2" if mark and mark.is_moved else None]
    assert row(rows[0])[1] == "moved to lab2"
