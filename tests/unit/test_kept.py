"""Sources and bodies that ran since they were finished are not trusted."""

from __future__ import annotations

from images.build.kept import keep, recipe_of
from lab import labels
from lab.lxd.model import Instance
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeInstance


def _kept(*, ran: bool) -> FakeLxd:
    lxd = FakeLxd()
    lxd.store.instances["default", "body-base"] = FakeInstance(
        config={labels.PHASE: labels.PREPARING}
    )
    if ran:
        lxd.start("body-base")
        lxd.stop("body-base")
    keep(lxd, "body-base", "abc")
    return lxd


def _shown(lxd: FakeLxd) -> Instance:
    found = lxd.instance("body-base")
    assert found is not None
    return found


def test_as_it_was_finished_it_is_trusted() -> None:
    for ran in (False, True):
        assert recipe_of(_shown(_kept(ran=ran))) == "abc"


def test_started_since_it_is_not() -> None:
    for ran in (False, True):
        lxd = _kept(ran=ran)
        lxd.start("body-base")
        assert recipe_of(_shown(lxd)) is None
        lxd.stop("body-base")
        assert recipe_of(_shown(lxd)) is None


def test_one_of_before_that_was_recorded_is_not() -> None:
    lxd = _kept(ran=True)
    lxd.update("body-base", config={labels.FINISHED: None})
    assert recipe_of(_shown(lxd)) is None


def test_one_that_is_being_made_is_not() -> None:
    lxd = _kept(ran=True)
    lxd.update("body-base", config={labels.PHASE: labels.PREPARING})
    assert recipe_of(_shown(lxd)) is None
