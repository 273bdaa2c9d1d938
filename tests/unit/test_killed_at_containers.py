"""Commands about containers, killed at any of their changes: whoever has a file has it afterwards.

`provision` and `destroy` are killed on a real LXD, too (tests/live/test_killed_at_every_change.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from lab import labels
from lab.lxd.model import State
from lab.report import Silent
from provision import lifecycle
from provision.drivers.plan import Options
from provision.drivers.sync import Outcome, sync_drivers
from tests.support.builders.death import deaths
from tests.support.builders.driven import NEW, OLD, has, inside, put
from tests.support.builders.four_gpus import FOUR
from tests.support.builders.people import assert_files_are_there, containers, homes, wishes
from tests.support.builders.stamping import stamp
from tests.support.builders.tiny_builds import Checkout, Machines
from tests.support.fake_lxd.lxd import FakeLxd

Command = Callable[[FakeLxd], object]


def killed(
    lab: FakeLxd, command: Command, *, least: int, again: Command | None = None
) -> Iterator[FakeLxd]:
    """Copies of LAB in which COMMAND was killed and run AGAIN."""
    assert_files_are_there(lab)
    for lxd in deaths(lab, command, least=least, inside=True):
        assert_files_are_there(lxd)
        (again or command)(lxd)
        assert_files_are_there(lxd)
        yield lxd


def test_a_container_for_a_kept_home(inhabited: FakeLxd, checkout: Checkout) -> None:
    def command(lxd: FakeLxd) -> None:
        stamp(lxd, wishes("eve", "tiny"), settings=checkout.settings)

    for lxd in killed(inhabited, command, least=10):
        eve = containers(lxd)["eve"]
        assert (eve.state, eve.config[labels.PHASE]) == (State.RUNNING, labels.READY)
        assert eve.devices["home"]["source"] == "home-eve"


@pytest.mark.parametrize("name", ["ann", "ben"])
def test_a_container_that_goes(inhabited: FakeLxd, checkout: Checkout, name: str) -> None:
    def command(lxd: FakeLxd) -> None:
        lifecycle.destroy(lxd, checkout.settings, name, purge=False, report=Silent())

    for lxd in killed(inhabited, command, least=2):
        assert list(containers(lxd)) == ["ann" if name == "ben" else "ben"]


@pytest.fixture
def drifting(inhabited: FakeLxd) -> FakeLxd:
    """The host has another driver than what is in people's containers."""
    for name in ("ann", "ben"):
        put(inside(inhabited, name), OLD)
    inhabited.host_gpus = tuple(replace(gpu, driver=NEW) for gpu in FOUR)
    return inhabited


def sync(lxd: FakeLxd, checkout: Checkout) -> Outcome:
    # One by one, or it would be chance whose container a change is of.
    options = Options(restart=True)
    return sync_drivers(lxd, checkout.settings, (), options, Silent(), at_once=1)


def synced(
    lab: FakeLxd, checkout: Checkout, *, least: int, fails: bool = False
) -> Iterator[FakeLxd]:
    """Copies of LAB in which drivers were being changed, without success where it FAILS, and then
    were. But for the drivers all is as it was."""
    had, theirs = containers(lab), homes(lab)

    def command(lxd: FakeLxd) -> None:
        machines = lxd.on_run
        assert isinstance(machines, Machines)
        machines.broken = fails
        sync(lxd, checkout)

    def again(lxd: FakeLxd) -> None:
        assert list(containers(lxd)) == list(had)
        machines = lxd.on_run
        assert isinstance(machines, Machines)
        machines.broken = False
        assert sync(lxd, checkout).failed == ()

    for lxd in killed(lab, command, least=least, again=again):
        assert homes(lxd) == theirs
        for name, found in containers(lxd).items():
            unlike = {labels.DRIVER: found.config.get(labels.DRIVER, "")}
            assert found.config == {**had[name].config, **unlike}
            assert (found.devices, found.snapshots) == (had[name].devices, ())
        yield lxd


def test_a_driver_that_is_installed(drifting: FakeLxd, checkout: Checkout) -> None:
    for lxd in synced(drifting, checkout, least=20):
        assert has(lxd, "ann", NEW)
        assert has(lxd, "ben", NEW)


def test_a_driver_that_cannot_be_installed(drifting: FakeLxd, checkout: Checkout) -> None:
    """Killed on the way back, too."""
    for lxd in synced(drifting, checkout, least=20, fails=True):
        assert has(lxd, "ann", NEW)
        assert has(lxd, "ben", NEW)


def test_a_driver_that_comes_by_a_restart(drifting: FakeLxd, checkout: Checkout) -> None:
    for name in ("ann", "ben"):
        inside(drifting, name).config[labels.DELIVERY] = "runtime"
    for lxd in synced(drifting, checkout, least=5):
        assert inside(lxd, "ann").state is State.RUNNING
        assert inside(lxd, "ben").state is State.STOPPED
