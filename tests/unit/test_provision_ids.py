"""Provisioning gives each container a range of ids of its own, and a home keeps its range."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial

import pytest

from lab import labels
from lab.errors import CapacityError
from lab.gpu_selection import parse_selection
from lab.lxd.idmap import IdRange, own_range
from lab.lxd.model import Instance, InstanceSpec
from lab.lxd.port import OnProgress
from lab.report import Silent
from provision import lifecycle
from tests.support.builders.stamping import SETTINGS, a_lab, bob, stamp
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import EPOCH, FakeInstance
from tests.unit.test_ids import mapped

HOME = ("default", "home-bob")
FIRST = IdRange(1_065_536, 65_536)
SECOND = IdRange(1_131_072, 65_536)


@pytest.fixture
def lxd() -> FakeLxd:
    return a_lab()


def range_of(lxd: FakeLxd, name: str = "bob") -> IdRange | None:
    instance = lxd.instance(name)
    assert instance is not None
    return own_range(instance)


def test_a_home_keeps_its_range_over_its_containers(lxd: FakeLxd) -> None:
    stamp(lxd, bob())
    stamp(lxd, bob(name="ann"))
    lifecycle.destroy(lxd, SETTINGS, "bob", purge=False, report=Silent())
    stamp(lxd, bob(name="eve"))
    done = stamp(lxd, bob())
    assert str(done.actions[0]) == "use the kept volume home-bob in pool default as /home again"
    assert (range_of(lxd), range_of(lxd, "ann")) == (FIRST, SECOND)
    assert range_of(lxd, "eve") not in {FIRST, SECOND}


def test_a_kept_home_of_an_earlier_version_gets_one_and_the_plan_says_so(lxd: FakeLxd) -> None:
    stamp(lxd, bob())
    lifecycle.destroy(lxd, SETTINGS, "bob", purge=False, report=Silent())
    del lxd.store.volumes[HOME][labels.IDS]
    shared = mapped(IdRange(1_000_000, 1_000_000_000))
    lxd.store.volumes[HOME]["volatile.idmap.last"] = shared
    lxd.store.contents[HOME].owners = shared
    done = stamp(lxd, bob())
    assert str(done.actions[0]) == (
        "use the kept volume home-bob in pool default as /home again, and change the owners of all "
        "its files to the ids 1065536:65536"
    )
    assert lxd.store.volumes[HOME][labels.IDS] == str(FIRST)


def test_two_at_once_never_get_the_same(lxd: FakeLxd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither sees the other's facts before it has made its choice known."""
    met = threading.Barrier(2)

    id_range = lxd.id_range

    def read_together() -> IdRange | None:
        """The last question before a range is chosen."""
        with suppress(threading.BrokenBarrierError):
            met.wait(timeout=0.5)
        return id_range()

    monkeypatch.setattr(lxd, "id_range", read_together)
    with ThreadPoolExecutor(max_workers=2) as pool:
        # Who wants GPUs waits for the lock on these before.
        wishes = [bob(name=name, gpus=parse_selection("none")) for name in ("ann", "bob")]
        list(pool.map(partial(stamp, lxd), wishes))
    assert {range_of(lxd, "ann"), range_of(lxd)} == {FIRST, SECOND}
    assert met.broken


def test_the_later_of_two_machines_gives_way_and_leaves_nothing(
    lxd: FakeLxd, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = FakeLxd.create

    def create(
        self: FakeLxd, spec: InstanceSpec, *, on_progress: OnProgress | None = None
    ) -> Instance:
        theirs = {"volatile.idmap.base": str(FIRST.base), "volatile.idmap.next": mapped(FIRST)}
        made_at = EPOCH - timedelta(seconds=1)
        self.store.instances["other", "ann"] = FakeInstance(config=theirs, created_at=made_at)
        return original(self, spec, on_progress=on_progress)

    lxd.store.projects["other"] = {}
    with monkeypatch.context() as here:
        here.setattr(FakeLxd, "create", create)
        with pytest.raises(CapacityError) as caught:
            stamp(lxd, bob())
    assert "other/ann has them now." in str(caught.value)
    assert lxd.instance("bob") is None
    assert lxd.store.volumes == {}
    stamp(lxd, bob())
    assert range_of(lxd) == SECOND


def test_a_server_without_room_is_told_before_anything_is_made(lxd: FakeLxd) -> None:
    lxd.store.id_range = IdRange(100_000, 65_536)
    with pytest.raises(CapacityError):
        stamp(lxd, bob())
    assert lxd.changes == []
