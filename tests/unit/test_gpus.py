"""Who uses which GPU, and who gets one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import CapacityError, InputError
from lab.gpu_selection import parse_selection
from lab.gpus.allocation import Policy, Users, allocate, index_of, users
from lab.lxd.model import Gpu
from tests.support.builders.four_gpus import FOUR, PARTS, PCI, SPLIT, instance, parts, uuid

SHARED = Policy()
EXCLUSIVE = Policy(limit=1)


def using(*names: str) -> Users:
    """Names by GPU, in order: `alice bob` or nothing."""
    return {pci: tuple(each.split()) for pci, each in zip(PCI, names, strict=True)}


FREE = using("", "", "", "")


def given_to(
    name: str,
    wish: str,
    users: Users = FREE,
    policy: Policy = SHARED,
    gpus: Sequence[Gpu] = FOUR,
) -> str:
    """The numbers of the GPUs that NAME gets."""
    found = allocate(parse_selection(wish), gpus, users, policy, name=name)
    return " ".join(str(index_of(one, gpus)) for one in found)


@pytest.mark.parametrize(
    ("wish", "got"),
    [
        ("none", ""),
        ("0", ""),
        ("1", "0"),
        ("2", "0 1"),
        ("all", "0 1 2 3"),
        ("4", "0 1 2 3"),
        (PCI[2], "2"),
        ("idx:3,idx:0", "0 3"),
        (f"{uuid(1)},{PCI[1]},idx:1", "1"),
    ],
)
def test_what_a_wish_gives_on_a_free_host(wish: str, got: str) -> None:
    assert given_to("ann", wish) == got


@pytest.mark.parametrize(
    ("busy", "wish", "got"),
    [
        (using("bob", "", "", ""), "1", "1"),
        (using("bob", "", "eve", ""), "2", "1 3"),
        (using("bob eve", "bob", "bob eve", "bob"), "1", "1"),
        (using("bob", "bob", "bob", "bob"), "1", "0"),
        (using("bob eve", "bob", "bob", "bob"), "3", "1 2 3"),
    ],
)
def test_the_least_used_come_first_and_ties_go_by_number(busy: Users, wish: str, got: str) -> None:
    assert given_to("ann", wish, busy) == got


@pytest.mark.parametrize(
    ("busy", "wish", "got"),
    [
        (using("", "", "", "ann"), "1", "3"),
        (using("", "", "", "ann"), "2", "0 3"),
        (using("", "", "ann bob eve", "ann"), "1", "3"),
        (using("ann", "ann", "ann", "ann"), "all", "0 1 2 3"),
    ],
)
def test_the_gpus_one_has_already_stay(busy: Users, wish: str, got: str) -> None:
    assert given_to("ann", wish, busy) == got
    assert given_to("ann", wish, busy, Policy(limit=3)) == got


def test_a_second_run_is_not_refused_for_those_who_came_before_the_policy() -> None:
    busy = using("ann bob", "bob", "bob", "bob")
    assert given_to("ann", "1", busy, EXCLUSIVE) == "0"
    assert given_to("ann", PCI[0], busy, EXCLUSIVE) == "0"


@pytest.mark.parametrize(
    ("policy", "got"), [(Policy(limit=1), "3"), (Policy(limit=2), "3"), (SHARED, "3")]
)
def test_a_policy_leaves_the_free_ones(policy: Policy, got: str) -> None:
    assert given_to("ann", "1", using("bob", "bob", "bob eve", ""), policy) == got


def test_sixteen_of_twenty_find_room_evenly() -> None:
    busy = dict(FREE)
    refused = 0
    for number in range(20):
        name = f"u{number}"
        try:
            (one,) = allocate(parse_selection("1"), FOUR, busy, Policy(limit=4), name=name)
        except CapacityError:
            refused += 1
        else:
            busy[one.pci] = (*busy[one.pci], name)
    assert [len(names) for names in busy.values()] == [4, 4, 4, 4]
    assert refused == 4


@pytest.mark.parametrize(
    ("wish", "busy", "policy", "whole"),
    [
        (
            "2",
            using("bob", "bob", "", "eve"),
            EXCLUSIVE,
            "2 GPUs are requested, 1 available.\n"
            "  0  0000:31:00.0  bob\n  1  0000:4b:00.0  bob\n"
            "  2  0000:b1:00.0  free\n  3  0000:ca:00.0  eve\n"
            "  `gpus:` in lab.yaml allows one container per GPU.\n"
            "Next: List the GPUs and their users: invoke host.gpus",
        ),
        (
            "1",
            using("a b", "a b", "a b", "a b"),
            Policy(limit=2),
            "1 GPU is requested, none available.\n"
            "  0  0000:31:00.0  a, b\n  1  0000:4b:00.0  a, b\n"
            "  2  0000:b1:00.0  a, b\n  3  0000:ca:00.0  a, b\n"
            "  `gpus:` in lab.yaml allows 2 containers per GPU.\n"
            "Next: List the GPUs and their users: invoke host.gpus",
        ),
        (
            "5",
            FREE,
            SHARED,
            "5 GPUs are requested, 4 available.\n"
            "  0  0000:31:00.0  free\n  1  0000:4b:00.0  free\n"
            "  2  0000:b1:00.0  free\n  3  0000:ca:00.0  free\n"
            "Next: List the GPUs and their users: invoke host.gpus",
        ),
        (
            "idx:0,idx:3",
            using("bob", "", "", "eve"),
            EXCLUSIVE,
            "0000:31:00.0, 0000:ca:00.0 are in use.\n"
            "  0  0000:31:00.0  bob\n  1  0000:4b:00.0  free\n"
            "  2  0000:b1:00.0  free\n  3  0000:ca:00.0  eve\n"
            "  `gpus:` in lab.yaml allows one container per GPU.\n"
            "Next: List the GPUs and their users: invoke host.gpus",
        ),
    ],
)
def test_who_is_refused_learns_who_has_what(
    wish: str, busy: Users, policy: Policy, whole: str
) -> None:
    with pytest.raises(CapacityError) as caught:
        given_to("ann", wish, busy, policy)
    assert str(caught.value) == whole


def test_all_under_a_policy_needs_room_on_every_gpu() -> None:
    with pytest.raises(CapacityError) as caught:
        given_to("ann", "all", using("", "bob", "", ""), EXCLUSIVE)
    assert caught.value.brief == "4 GPUs are requested, 3 available."


@pytest.mark.parametrize("wish", ["1", "all"])
def test_a_host_without_gpus_says_so(wish: str) -> None:
    with pytest.raises(CapacityError) as caught:
        given_to("ann", wish, {}, gpus=())
    assert str(caught.value) == (
        "This host has no NVIDIA GPU.\nNext: Leave --gpus out, or ask for none: --gpus none"
    )
    assert given_to("ann", "none", {}, gpus=()) == ""


@pytest.mark.parametrize("selector", ["idx:4", "0000:05:00.0", uuid(9)])
def test_a_gpu_that_is_not_there_is_told_with_those_that_are(selector: str) -> None:
    with pytest.raises(InputError) as caught:
        given_to("ann", f"idx:0,{selector}", gpus=FOUR[:2])
    assert str(caught.value) == (
        f"There is no GPU {selector}.\n  The host has:\n"
        f"  0  0000:31:00.0  {uuid(0)}\n  1  0000:4b:00.0  {uuid(1)}\n"
        "Next: List the GPUs and their users: invoke host.gpus"
    )


def test_parts_are_given_beside_whole_gpus() -> None:
    wish = parse_selection(f"{PARTS[2]},{PARTS[0]},idx:0")
    assert allocate(wish, SPLIT, {}, SHARED, name="ann") == (
        SPLIT[0],
        *parts(1, PARTS[0], PARTS[2]),
    )


def test_a_split_gpu_is_neither_counted_nor_given_whole() -> None:
    assert given_to("ann", "all", {}, gpus=SPLIT) == "0 2"
    with pytest.raises(CapacityError):
        given_to("ann", "3", {}, gpus=SPLIT)
    with pytest.raises(InputError) as caught:
        given_to("ann", "idx:1", {}, gpus=SPLIT)
    assert str(caught.value) == (
        "The GPU idx:1 is split (MIG): only its parts can be used.\n"
        + "".join(f"  {part}\n" for part in PARTS)
        + f"Next: Ask for a part: --gpus {PARTS[0]}"
    )


def test_parts_of_one_gpu_are_taken_one_by_one() -> None:
    bob = instance("bob", {"type": "gpu", "gputype": "mig", "pci": PCI[1], "mig.uuid": PARTS[0]})
    busy = users((bob,), SPLIT)
    assert busy == {
        PCI[0]: (),
        PCI[1]: ("bob",),
        PARTS[0]: ("bob",),
        PARTS[1]: (),
        PARTS[2]: (),
        PCI[2]: (),
    }
    assert given_to("ann", PARTS[1], busy, EXCLUSIVE, SPLIT) == "1"
    with pytest.raises(CapacityError) as caught:
        given_to("ann", PARTS[0], busy, EXCLUSIVE, SPLIT)
    assert caught.value.brief == f"{PARTS[0]} is in use."
    assert f"   {PARTS[0]}  bob\n   {PARTS[1]}  free\n" in (caught.value.details or "")


def test_a_part_that_nobody_knows_is_told_where_it_would_be_known() -> None:
    with pytest.raises(InputError) as caught:
        given_to("ann", PARTS[0])
    assert "only if it runs on the GPU host itself" in str(caught.value)


def test_users_are_those_whose_devices_pass_a_gpu() -> None:
    instances = (
        instance("zoe", {"type": "gpu", "pci": PCI[1]}),
        instance("ann", {"type": "gpu", "pci": "4B:00.0"}, {"type": "gpu", "pci": PCI[3]}),
        instance("bob", {"type": "disk", "path": "/"}, {"type": "none"}),
        instance("old", {"type": "gpu", "pci": "0000:99:00.0"}),
    )
    assert users(instances, FOUR) == using("", "ann zoe", "", "ann")


@pytest.mark.parametrize(
    "device",
    [
        {"type": "gpu"},
        {"type": "gpu", "id": "2"},
        {"type": "gpu", "gputype": "physical", "vendorid": "10de"},
        {"type": "gpu", "productid": "2684", "vendorid": "10DE"},
        {"type": "gpu", "id": "nvidia.com/gpu=all"},
    ],
)
def test_a_device_that_names_no_gpu_passes_all(device: dict[str, str]) -> None:
    assert users((instance("bob", device),), FOUR) == using("bob", "bob", "bob", "bob")


@given(
    st.lists(st.sets(st.sampled_from("abcdef")), min_size=4, max_size=4),
    st.integers(1, 5),
    st.one_of(st.none(), st.integers(1, 4)),
    st.sampled_from("abcxyz"),
)
def test_whatever_the_load_a_count_is_fair(
    load: list[set[str]], count: int, limit: int | None, name: str
) -> None:
    busy = using(*(" ".join(sorted(names)) for names in load))
    others = [len(names - {name}) for names in load]
    open_ = [n for n in range(4) if limit is None or name in load[n] or others[n] < limit]
    wish = parse_selection(str(count))
    if count > len(open_):
        with pytest.raises(CapacityError):
            allocate(wish, FOUR, busy, Policy(limit=limit), name=name)
        return
    chosen = [
        index_of(one, FOUR) for one in allocate(wish, FOUR, busy, Policy(limit=limit), name=name)
    ]
    assert len(chosen) == count
    assert set(chosen) <= set(open_)
    mine = [n for n in open_ if name in load[n]]
    assert set(chosen) >= set(mine) or set(chosen) <= set(mine)
    left = [n for n in open_ if n not in chosen and n not in mine]
    new = [n for n in chosen if n not in mine]
    assert all(others[n] <= others[other] for n in new for other in left)
