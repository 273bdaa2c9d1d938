"""Which releases go, and why the others stay."""

from __future__ import annotations

from datetime import timedelta

import pytest

from images.releases.promotion import rollback
from images.releases.prune import freed, parse_keep, plan_prune, prune_images
from lab import labels
from lab.errors import InputError
from lab.lxd.model import InstanceSpec
from lab.process import me
from lab.release import Smoke
from lab.sizes import format_size
from tests.support.builders.death import DEAD
from tests.support.builders.releases import PREFIX, Shelf, fits

VERSIONS = [f"2026112{day}.1" for day in range(1, 6)]


@pytest.fixture
def shelf() -> Shelf:
    shelf = Shelf()
    for version in VERSIONS:
        shelf.build(version)
    return shelf


def told(shelf: Shelf, keep: int) -> list[str]:
    return [str(fate).rpartition(" (")[0] for fate in plan_prune(shelf.lxd, PREFIX, keep)]


def test_the_newest_stay_and_every_fate_has_its_reason(shelf: Shelf) -> None:
    assert told(shelf, 3) == [
        "base: keep 20261125.1, it is current",
        "base: keep 20261124.1, one of the newest",
        "base: keep 20261123.1, one of the newest",
        "base: remove 20261122.1, superseded",
        "base: remove 20261121.1, superseded",
    ]


def test_planning_removes_nothing(shelf: Shelf) -> None:
    shelf.lxd.changes.clear()
    told(shelf, 1)
    assert shelf.lxd.changes == []


def test_what_is_removed_is_gone_with_its_aliases_and_its_bytes_are_told(shelf: Shelf) -> None:
    sizes = [shelf.release(version).image.size_bytes for version in VERSIONS[:2]]
    gone = prune_images(shelf.lxd, PREFIX, 3)
    assert [fate.of.release.version for fate in gone] == ["20261122.1", "20261121.1"]
    assert str(gone[0]) == f"base: remove 20261122.1, superseded ({format_size(sizes[1])})"
    assert freed(gone) == sum(sizes)
    assert shelf.versions() == ["20261125.1", "20261124.1", "20261123.1"]
    assert sorted(shelf.lxd.aliases()) == [
        "lab/base",
        *(f"lab/base/{version}" for version in VERSIONS[2:]),
    ]
    assert prune_images(shelf.lxd, PREFIX, 3) == ()


def test_the_current_one_stays_however_old(shelf: Shelf) -> None:
    shelf.promote(VERSIONS[0])
    prune_images(shelf.lxd, PREFIX, 1)
    assert shelf.versions() == ["20261125.1", "20261121.1"]
    assert shelf.current() == "20261121.1"


def test_a_release_that_a_container_was_made_from_stays(shelf: Shelf) -> None:
    old = shelf.release(VERSIONS[0]).image.fingerprint
    shelf.lxd.create_project("other", {})
    made = shelf.lxd.in_project("other").create(InstanceSpec(name="ann", image=old))
    assert made.image == old
    # One that came from another server, by copy: its keys alone tell.
    keyed = {labels.TEMPLATE: "base", labels.VERSION: VERSIONS[1]}
    shelf.lxd.create(InstanceSpec(name="bob", copy_of="body", config=keyed))
    assert told(shelf, 1)[1:] == [
        "base: remove 20261124.1, superseded",
        "base: remove 20261123.1, superseded",
        "base: keep 20261122.1, used by bob",
        "base: keep 20261121.1, used by ann",
    ]


def test_templates_are_counted_apart(shelf: Shelf) -> None:
    shelf.build("20261121.1", "docker-nested")
    prune_images(shelf.lxd, PREFIX, 1)
    assert shelf.versions("docker-nested") == ["20261121.1"]


def test_failed_and_abandoned_candidates_go_and_take_no_place(shelf: Shelf) -> None:
    shelf.build("20261126.1", smoke=Smoke.FAILED, current=False)
    shelf.build("20261127.1", smoke=Smoke.PENDING, builder=DEAD, current=False)
    shelf.build("20261128.1", smoke=Smoke.PENDING, builder=me(), current=False)
    assert told(shelf, 2)[:6] == [
        "base: keep 20261128.1, it is being made",
        "base: remove 20261127.1, abandoned",
        "base: remove 20261126.1, failed",
        "base: keep 20261125.1, it is current",
        "base: keep 20261124.1, one of the newest",
        "base: remove 20261123.1, superseded",
    ]


def test_a_stranger_has_six_hours_by_lxd_s_clock(shelf: Shelf) -> None:
    """Of whom nobody here can tell: not by our clock, which may be years ahead."""
    shelf.build("20261126.1", smoke=Smoke.PENDING, builder="elsewhere 1 1", current=False)
    assert told(shelf, 2)[0] == "base: keep 20261126.1, it is being made"
    shelf.lxd.store.now += timedelta(hours=6)
    assert told(shelf, 2)[0] == "base: remove 20261126.1, abandoned"


def test_an_import_that_nobody_promoted_is_kept_like_any_other(shelf: Shelf) -> None:
    shelf.build("20261126.1", smoke=Smoke.PENDING, current=False)
    assert told(shelf, 1)[0] == "base: keep 20261126.1, the newest"


def test_a_rollback_in_the_meantime_saves_a_release(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete = shelf.lxd.delete_image

    def roll_back_first(fingerprint: str) -> None:
        monkeypatch.setattr(shelf.lxd, "delete_image", delete)
        rollback(shelf.lxd, PREFIX, "base", fits=fits)
        rollback(shelf.lxd, PREFIX, "base", fits=fits)
        delete(fingerprint)

    monkeypatch.setattr(shelf.lxd, "delete_image", roll_back_first)
    prune_images(shelf.lxd, PREFIX, 1)
    assert shelf.current() == "20261123.1"
    assert "20261123.1" in shelf.versions()


@pytest.mark.parametrize("text", ["0", "-1", "three", "1.5", "", "٣", "9" * 99])
def test_nonsense_is_no_number_to_keep(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_keep(text)
    assert str(caught.value) == (
        f"--keep {text}: expected a whole number, 1 or more, such as --keep 3."
    )


def test_numbers_to_keep() -> None:
    assert [parse_keep(text) for text in ("1", "3", "007")] == [1, 3, 7]
