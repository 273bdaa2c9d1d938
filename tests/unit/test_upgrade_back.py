"""The root of before is kept, as the way back, until nobody wants it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab import labels
from lab.errors import InputError
from lab.report import Silent
from provision import lifecycle
from tests.support.builders.death import deaths
from tests.support.builders.stamping import (
    BASE,
    SETTINGS,
    inside,
    publish,
)
from tests.support.builders.upgrading import (
    NEW,
    THESIS,
    a_lab_with_a_newer_release,
    assert_upgraded,
    bobs,
    bobs_config,
    bobs_version,
    half,
    run,
    run_well,
    told,
    wish_of,
)
from tests.support.fake_lxd.lxd import FakeLxd


@pytest.fixture
def lxd() -> FakeLxd:
    return a_lab_with_a_newer_release()


def test_the_way_back_and_forth(lxd: FakeLxd) -> None:
    before = wish_of(bobs(lxd))
    run_well(lxd)
    lxd.write_file("bob", "/opt/newer", b"since then")
    lxd.update("bob", config={"limits.cpu": "5"})
    (said,) = told(lxd, back=True)
    assert said == (
        "bob: return from base 20261126.1 to its kept root bob-kept (base 20261121.1); "
        "the present root is kept as bob-kept-2; it is stopped and started once"
    )
    assert run(lxd, back=True).done == ("bob",)
    instance = bobs(lxd)
    assert instance.config[labels.VERSION] == "20261121.1"
    assert instance.files["/opt/mine"].content == b"by hand"
    # The wish is that of today.
    assert instance.config["limits.cpu"] == "5"
    assert instance.devices == before["devices"]
    assert lxd.read_file("bob", THESIS) == b"years"
    run_well(lxd, back=True)
    assert bobs(lxd).files["/opt/newer"].content == b"since then"
    assert bobs(lxd).config[labels.VERSION] == NEW


def test_the_way_back_killed_anywhere(lxd: FakeLxd) -> None:
    run_well(lxd)
    lxd.write_file("bob", "/opt/newer", b"since then")

    def back(copy: FakeLxd) -> None:
        run_well(copy, back=True)

    for copy in deaths(lxd, back, least=10, inside=True):
        if bobs_version(copy) == NEW or labels.OWNER not in bobs_config(copy) or half(copy):
            back(copy)
        assert bobs(copy).config[labels.VERSION] == "20261121.1"
        assert bobs(copy).files["/opt/mine"].content == b"by hand"
        kept = copy.store.instances["default", bobs(copy).config[labels.KEPT_ROOT]]
        assert kept.files["/opt/newer"].content == b"since then"
        assert len(copy.store.instances) == 2


def test_the_kept_root_is_removed_when_that_is_asked_for(lxd: FakeLxd) -> None:
    run_well(lxd)
    assert told(lxd, forget=True) == [
        "bob: remove its kept root bob-kept (1.0 MiB); no way back afterwards"
    ]
    run_well(lxd, forget=True)
    assert [name for _, name in lxd.store.instances] == ["bob"]
    assert labels.KEPT_ROOT not in bobs(lxd).config
    assert told(lxd, forget=True) == []
    with pytest.raises(InputError, match="bob: skip, it has no kept root to return to"):
        run(lxd, back=True)


def test_another_upgrade_waits_until_the_kept_root_is_removed(lxd: FakeLxd) -> None:
    run_well(lxd)
    publish(lxd, replace(BASE, version="20261201.1"))
    with pytest.raises(InputError) as refused:
        run(lxd)
    assert "its earlier root is still kept (bob-kept); to remove it" in str(refused.value)
    lxd.store.now = lxd.store.now.replace(year=2027)
    assert "older than the lab keeps them" in told(lxd)[0]
    run_well(lxd)
    assert bobs(lxd).config[labels.VERSION] == "20261201.1"


def test_destroying_takes_the_kept_root_along(lxd: FakeLxd) -> None:
    run_well(lxd)
    would = lifecycle.look(lxd, "bob", purge=False)
    assert "its kept root bob-kept" in would.removed
    lifecycle.destroy(lxd, SETTINGS, "bob", purge=False, report=Silent())
    assert lxd.store.instances == {}


def test_killed_on_the_way_back_the_next_run_ends_it(lxd: FakeLxd) -> None:
    """The new root does not become ready, and the run that takes it back is killed, too."""
    before = wish_of(bobs(lxd))

    def fails(copy: FakeLxd) -> None:
        inside(copy).accounts = False
        run(copy)

    for copy in deaths(lxd, fails, least=20, inside=True):
        inside(copy).accounts = True
        run_well(copy)
        assert_upgraded(copy, before)
