"""Ranges of ids: nobody's overlap, and a person's stays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import labels
from lab.errors import CapacityError
from lab.lxd.idmap import (
    IdRange,
    daemon_range,
    kept_range,
    overlapping,
    own_range,
    read_map,
    read_range,
    shares,
    trial_range,
)
from lab.lxd.model import Instance, State, Volume
from provision.ids.marker import MoveMarker
from provision.ids.ranges import IdFacts, Person, Shelf, choose, claims, refuse_second
from tests.support.fake_lxd.store import EPOCH

WHOLE = IdRange(100_000, 10_000_001)
FIRST = IdRange(165_536, 65_536)
SECOND = IdRange(231_072, 65_536)
BOB = Person(project="default", name="bob", home=("default", "home-bob"))


def mapped(found: IdRange, groups: IdRange | None = None) -> str:
    pairs = (("Isuid", "Isgid", found), ("Isgid", "Isuid", groups or found))
    return json.dumps(
        [
            {yes: True, no: False, "Hostid": one.base, "Nsid": 0, "Maprange": one.size}
            for yes, no, one in pairs
        ]
    )


def instance(
    name: str,
    own: IdRange | None,
    config: Mapping[str, str] | None = None,
    *,
    project: str = "default",
    age: int = 0,
) -> Instance:
    return Instance(
        name=name,
        project=project,
        state=State.STOPPED,
        config={
            "volatile.idmap.base": str(own.base if own else 0),
            "volatile.idmap.next": mapped(own or WHOLE),
            **(config or {}),
        },
        created_at=EPOCH - timedelta(seconds=age),
    )


def home(name: str, used_by: tuple[str, ...] = (), pool: str = "default", **config: str) -> Volume:
    named = {key.replace("_", "."): value for key, value in config.items()}
    return Volume(pool=pool, name=f"home-{name}", config=named, used_by=used_by)


def facts(
    *instances: Instance, volumes: tuple[Volume, ...] = (), whole: IdRange | None = WHOLE
) -> IdFacts:
    shelf = Shelf(project="default", volumes=volumes)
    return IdFacts(reserved=whole, instances=instances, shelves=(shelf,))


def test_the_first_ids_are_those_of_containers_that_share() -> None:
    assert choose(facts(instance("old", None)), BOB, None) == FIRST


def test_behind_whatever_is_taken_in_any_project_and_on_any_volume() -> None:
    there = facts(
        instance("ann", IdRange(300_000, 65_536), project="other"),
        volumes=(home("eve", pool="slow", user_lab_ids="400000:65536"),),
    )
    assert choose(there, BOB, None).base == 465_536


def test_a_home_keeps_its_range_over_its_containers() -> None:
    kept = home("bob", user_lab_ids=str(FIRST))
    assert choose(facts(instance("ann", SECOND), volumes=(kept,)), BOB, FIRST) == FIRST


def test_a_range_that_a_container_took_meanwhile_is_kept_no_more() -> None:
    """By hand: LXD knows nothing of homes that are not attached."""
    taken = facts(instance("by-hand", IdRange(FIRST.base + 1, 65_536)))
    assert choose(taken, BOB, FIRST).base == FIRST.end + 1


def test_a_copy_of_a_home_takes_its_range_from_nobody() -> None:
    copy = home("copy", user_lab_ids=str(FIRST))
    assert choose(facts(volumes=(copy,)), BOB, FIRST) == FIRST
    assert choose(facts(volumes=(copy,)), BOB, None) == SECOND


@pytest.mark.parametrize("kept", [IdRange(100_000, 65_536), IdRange(5_000, 65_536)])
def test_a_kept_range_that_is_no_persons_is_not_used(kept: IdRange) -> None:
    """That of the containers that share, and one that the daemon may not give."""
    assert choose(facts(), BOB, kept) == FIRST


def test_no_room_is_said_with_what_mends_it() -> None:
    with pytest.raises(CapacityError) as caught:
        choose(facts(instance("ann", FIRST), whole=IdRange(100_000, 131_072)), BOB, None)
    assert caught.value.exit_code == 3
    assert str(caught.value) == (
        "There is no room for another range of 65536 ids.\n"
        "  LXD has 100000:131072, and 131072 of it are in use.\n"
        "Next: Give root more in /etc/subuid and /etc/subgid of that machine and restart LXD,\n"
        "      or remove homes that are not needed any more: invoke destroy NAME --purge"
    )


def test_what_was_given_back_is_used_when_all_else_is_taken() -> None:
    whole = IdRange(100_000, 65_536 * 4)
    assert choose(facts(instance("ann", SECOND), whole=whole), BOB, None) == FIRST


def test_the_last_ids_are_those_of_judged_images() -> None:
    whole = IdRange(100_000, 65_536 * 3)
    assert trial_range(whole) == SECOND
    assert choose(facts(whole=whole), BOB, SECOND) == FIRST
    with pytest.raises(CapacityError):
        choose(facts(instance("ann", FIRST), whole=whole), BOB, None)
    assert trial_range(IdRange(100_000, 65_536 * 3 - 1)) is None


def test_a_daemon_elsewhere_tells_its_range_by_containers_that_share() -> None:
    there = facts(instance("old", None), whole=None)
    assert there.whole == WHOLE
    assert choose(there, BOB, None) == FIRST
    with pytest.raises(CapacityError) as caught:
        choose(facts(instance("ann", FIRST), whole=None), BOB, None)
    assert "lxc init IMAGE tells-ids" in str(caught.value)


bases = st.integers(min_value=100_000, max_value=100_000 + 65_536 * 12)
ranges = st.builds(IdRange, bases, st.sampled_from([1, 1_000, 65_536, 200_000]))


@given(st.lists(ranges, max_size=8), st.lists(ranges, max_size=8), st.none() | ranges)
def test_no_two_ranges_ever_overlap(
    had: list[IdRange], kept: list[IdRange], mine: IdRange | None
) -> None:
    """Whatever is there already, and however often one is chosen after the other."""
    whole = IdRange(100_000, 65_536 * 16)
    made = [instance(f"c{number}", one) for number, one in enumerate(had)]
    volumes = tuple(home(f"v{n}", user_lab_ids=str(one)) for n, one in enumerate(kept))
    given_out: list[IdRange] = []
    for number in range(20):
        person = Person(project="default", name=f"p{number}", home=("default", f"home-p{number}"))
        there = facts(*made, volumes=volumes, whole=whole)
        try:
            found = choose(there, person, mine if number == 0 else None)
        except CapacityError:
            break
        assert whole.holds(found)
        assert not found.overlaps(IdRange(whole.base, 65_536))
        assert not found.overlaps(IdRange(whole.end - 65_536, 65_536))
        assert not any(found.overlaps(one) for one in [*had, *given_out])
        if found != mine:
            assert not any(found.overlaps(one) for one in kept)
        given_out.append(found)
        made.append(instance(person.name, found))
    assert list(overlapping(made[len(had) :])) == []


def test_of_two_that_took_one_range_the_later_gives_way() -> None:
    before = facts()
    mine, theirs = instance("bob", FIRST, age=1), instance("ann", FIRST, age=2)
    with pytest.raises(CapacityError) as caught:
        refuse_second(before, facts(mine, theirs), BOB, FIRST, mine.created_at)
    assert "ann has them now." in str(caught.value)
    earlier = instance("bob", FIRST, age=3)
    refuse_second(before, facts(earlier, theirs), BOB, FIRST, earlier.created_at)


def test_of_one_second_the_name_decides() -> None:
    both = facts(instance("bob", FIRST), instance("ann", FIRST))
    ann = Person(project="default", name="ann", home=("default", "home-ann"))
    refuse_second(facts(), both, ann, FIRST, EPOCH)
    with pytest.raises(CapacityError):
        refuse_second(facts(), both, BOB, FIRST, EPOCH)


def test_a_container_that_was_there_before_always_gives_way() -> None:
    making = home("eve", user_lab_ids=str(FIRST))
    refuse_second(facts(), facts(volumes=(making,)), BOB, FIRST, EPOCH)
    with pytest.raises(CapacityError):
        refuse_second(facts(), facts(volumes=(making,)), BOB, FIRST, None)
    # What was known when it chose is none of this.
    refuse_second(facts(volumes=(making,)), facts(volumes=(making,)), BOB, FIRST, None)


def test_who_is_being_moved_has_the_range_already() -> None:
    mark = MoveMarker(builder="lab1 1 1", range=FIRST, snapshot="s")
    moving = instance("ann", None, {labels.ISOLATE: str(mark)})
    assert [claim.range for claim in claims(facts(moving), BOB)] == [FIRST]
    assert choose(facts(moving), BOB, None) == SECOND


def test_the_files_of_a_stopped_container_count() -> None:
    """It had a range, and will have another from its next start on."""
    moved = instance("ann", SECOND, {"volatile.last_state.idmap": mapped(FIRST)})
    assert {claim.range for claim in claims(facts(moved), BOB)} == {FIRST, SECOND}


def test_maps_as_lxd_writes_them() -> None:
    assert read_map(mapped(FIRST)) == FIRST
    assert read_map(mapped(FIRST, SECOND)) is None
    for text in (None, "", "[]", "no", "{}", "[1]", '[{"Isuid": true}]'):
        assert read_map(text) is None


@pytest.mark.parametrize(
    "text", [None, "", "1", "1:", ":1", "1:0", "-1:5", "1:2:3", "99999999999:1"]
)
def test_what_is_no_range(text: str | None) -> None:
    assert read_range(text) is None


@given(st.builds(IdRange, bases, st.integers(min_value=1, max_value=70_000)))
def test_a_range_is_read_as_it_was_written(one: IdRange) -> None:
    assert read_range(str(one)) == one


def test_who_shares() -> None:
    privileged = instance("root", None, {"security.privileged": "true"})
    machine = Instance(name="vm", state=State.STOPPED, created_at=EPOCH)
    assert shares(instance("old", None))
    assert not any(shares(one) for one in (privileged, machine, instance("ann", FIRST)))
    assert own_range(instance("ann", FIRST)) == FIRST
    assert own_range(privileged) is None
    by_hand = {"volatile.idmap.next": "[]"}
    assert own_range(instance("nas", FIRST, by_hand)) == FIRST


def test_members_of_a_cluster_may_give_different_ids() -> None:
    narrow = {"volatile.idmap.next": mapped(IdRange(200_000, 65_536))}
    assert daemon_range([instance("a", None), instance("b", None, narrow)]) == IdRange(
        200_000, 65_536
    )
    assert daemon_range([]) is None


def test_a_home_of_an_isolated_container_has_its_range_without_our_note() -> None:
    assert kept_range({"volatile.idmap.last": mapped(FIRST)}) == FIRST
    assert kept_range({"volatile.idmap.last": mapped(WHOLE)}) is None
    noted = {"user.lab.ids": str(SECOND), "volatile.idmap.last": mapped(FIRST)}
    assert kept_range(noted) == SECOND
