"""Which release users get: promote, rollback, and the way back that they write."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from images.releases.promotion import promote, rollback
from images.releases.published import PublishedRelease
from lab.errors import CheckError, InputError, LxdError
from lab.process import in_words
from lab.release import Needs, Smoke, smoke_property
from tests.support.builders.death import DEAD
from tests.support.builders.releases import PREFIX, Shelf, fits, unjudged

A, B, C, D = (f"2026112{day}.1" for day in range(1, 5))


@pytest.fixture
def shelf() -> Shelf:
    shelf = Shelf()
    for version in (A, B, C):
        shelf.build(version)
    shelf.lxd.changes.clear()
    return shelf


def back(shelf: Shelf) -> str:
    return str(rollback(shelf.lxd, PREFIX, "base", fits=fits))


def refused(shelf: Shelf, version: str, template: str = "base") -> str:
    before = shelf.current()
    with pytest.raises(InputError) as caught:
        shelf.promote(version, template)
    assert shelf.current() == before
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_promote_moves_the_alias_last(shelf: Shelf) -> None:
    fingerprint = shelf.release(A).image.fingerprint
    assert shelf.promote(A) == f"base: {A} is current (before: {C})."
    assert shelf.current() == A
    assert shelf.lxd.changes == [f"set_image_properties {fingerprint}", "set_alias lab/base"]


def test_promoting_what_is_current_changes_nothing(shelf: Shelf) -> None:
    assert shelf.promote(C) == f"base: {C} is current already, nothing to do."
    assert shelf.lxd.changes == []


def test_rollback_twice_goes_back_two(shelf: Shelf) -> None:
    assert back(shelf) == f"base: {B} is current (before: {C})."
    assert back(shelf) == f"base: {A} is current (before: {B})."


def test_rollback_undoes_a_promotion(shelf: Shelf) -> None:
    shelf.promote(A)
    back(shelf)
    assert shelf.current() == C
    back(shelf)
    assert shelf.current() == B


def test_a_release_that_was_rolled_back_from_is_not_returned_to(shelf: Shelf) -> None:
    back(shelf)
    shelf.build(D)
    back(shelf)
    assert shelf.current() == B


def test_a_rollback_that_was_cut_off_goes_back_by_one_when_repeated(shelf: Shelf) -> None:
    shelf.lxd.failures["set_alias lab/base"] = LxdError("gone")
    with pytest.raises(LxdError):
        back(shelf)
    assert shelf.current() == C
    back(shelf)
    assert shelf.current() == B


def test_a_candidate_is_no_way_back() -> None:
    shelf = Shelf()
    shelf.build(A)
    shelf.build(B, smoke=Smoke.PENDING, current=False)
    shelf.build(C)
    back(shelf)
    assert shelf.current() == A


def test_without_a_release_before_rollback_says_so() -> None:
    shelf = Shelf()
    shelf.build(A)
    with pytest.raises(InputError) as caught:
        back(shelf)
    assert str(caught.value) == (
        f"base: no release was current before {A}.\n"
        "  Its releases:\n"
        f"  {A} (current, checks: passed)\n"
        "Next: Choose one: invoke promote base VERSION"
    )


def test_an_unknown_version_lists_those_there_are(shelf: Shelf) -> None:
    assert refused(shelf, "20261129.1") == (
        'base has no release "20261129.1".\n'
        "  Its releases:\n"
        f"  {C} (current, checks: passed)\n"
        f"  {B} (superseded, checks: passed)\n"
        f"  {A} (superseded, checks: passed)\n"
        "Next: Choose one of these versions."
    )


def test_an_unknown_template_names_the_nearest(shelf: Shelf) -> None:
    assert refused(shelf, A, "bsae") == (
        'There is no release of "bsae" (did you mean "base"?).\n  There are releases of: base.'
    )


def test_a_template_without_releases_names_what_is_made_on_top_of_it(shelf: Shelf) -> None:
    for name in ("gnome-xrdp", "xfce-xrdp"):
        shelf.build(A, name, parent="desktop")
    assert refused(shelf, A, "desktop") == (
        'There is no release of "desktop".\n'
        "  There are releases of: base, gnome-xrdp, xfce-xrdp.\n"
        "Next: Name a template that is based on it: gnome-xrdp, xfce-xrdp"
    )


def test_a_release_that_failed_is_refused(shelf: Shelf) -> None:
    shelf.build(D, smoke=Smoke.FAILED, current=False)
    assert refused(shelf, D) == (
        f"base {D} failed its checks, so users cannot get it.\n"
        "Next: Correct its definition, then: invoke build-images --only base"
    )


def test_a_release_that_is_half_made_is_refused(shelf: Shelf) -> None:
    shelf.build(D, smoke=Smoke.PENDING, builder=DEAD, current=False)
    assert refused(shelf, D) == (
        f"base {D} is not finished: {in_words(DEAD)} is making it, or was interrupted.\n"
        "Next: Wait for it to end, or: invoke build-images --only base"
    )


def test_one_that_was_published_without_checks_may_be_promoted_again() -> None:
    shelf = Shelf()
    shelf.build(A, smoke=Smoke.SKIPPED)
    shelf.build(B)
    shelf.promote(A)
    assert shelf.current() == A


def test_an_imported_release_is_judged_first(shelf: Shelf) -> None:
    shelf.build(D, smoke=Smoke.PENDING, current=False)
    judged = []

    def judge(one: PublishedRelease) -> None:
        assert shelf.current() == C
        judged.append(one.name)
        shelf.lxd.set_image_properties(one.image.fingerprint, smoke_property(Smoke.PASSED))

    promote(shelf.lxd, PREFIX, "base", D, judge=judge, fits=fits)
    assert judged == [f"base {D}"]
    assert shelf.current() == D
    promote(shelf.lxd, PREFIX, "base", C, judge=unjudged, fits=fits)
    promote(shelf.lxd, PREFIX, "base", D, judge=unjudged, fits=fits)


def test_an_imported_release_that_fails_leaves_users_alone(shelf: Shelf) -> None:
    shelf.build(D, smoke=Smoke.PENDING, current=False)

    def judge(one: PublishedRelease) -> None:
        raise CheckError(f"{one.name} failed")

    with pytest.raises(CheckError):
        promote(shelf.lxd, PREFIX, "base", D, judge=judge, fits=fits)
    assert shelf.current() == C
    back(shelf)
    assert shelf.current() == B


def test_a_clock_that_is_off_by_years_changes_no_order() -> None:
    """Built and promoted by machines whose clocks say 2036, 1970 and 2026."""
    shelf = Shelf()
    for version, year in ((A, 2036), (B, 1970), (C, 2026)):
        shelf.now = datetime(year, 1, 1, tzinfo=timezone.utc)
        shelf.build(version)
        when = {"lab.promoted_at": shelf.now.isoformat()}
        shelf.lxd.set_image_properties(shelf.release(version).image.fingerprint, when)
    assert shelf.versions() == [C, B, A]
    back(shelf)
    assert shelf.current() == B
    back(shelf)
    assert shelf.current() == A


def test_what_an_earlier_version_promoted_came_before(shelf: Shelf) -> None:
    """It wrote a time, and no number; by a clock that was ahead, for that matter."""
    for version, day in ((A, 1), (B, 2)):
        fingerprint = shelf.release(version).image.fingerprint
        when = f"2036-01-0{day}T00:00:00+00:00"
        properties = {"lab.promoted": "", "lab.promoted_at": when}
        shelf.lxd.set_image_properties(fingerprint, properties)
    back(shelf)
    assert shelf.current() == B
    back(shelf)
    assert shelf.current() == A


@pytest.mark.parametrize("smoke", [Smoke.FAILED, Smoke.PENDING])
def test_what_did_not_pass_here_is_no_way_back(shelf: Shelf, smoke: Smoke) -> None:
    shelf.lxd.set_image_properties(shelf.release(B).image.fingerprint, smoke_property(smoke))
    back(shelf)
    assert shelf.current() == A


def test_a_release_that_asks_for_too_much_is_neither_promoted_nor_returned_to() -> None:
    shelf = Shelf()
    shelf.build(A, needs=Needs(config={"security.privileged": "true"}))
    shelf.build(B)
    told = (
        f"base {A}, in its property lab.needs, requests settings or devices that containers may "
        "not have.\n"
        "  security.privileged: containers here are unprivileged\n"
    )
    assert refused(shelf, A).startswith(told)
    with pytest.raises(InputError) as caught:
        back(shelf)
    assert str(caught.value).startswith(told)
    assert shelf.current() == B
