"""Provisioning and destroying that end in their middle, as by SIGKILL, and leave their marks."""

from __future__ import annotations

from lab.report import Silent
from provision import lifecycle
from tests.support.builders.death import dies, dies_after
from tests.support.builders.stamping import SETTINGS, bob, stamp
from tests.support.fake_lxd.lxd import FakeLxd


def stamp_until(lxd: FakeLxd, change: str, **wishes: object) -> None:
    """Provision bob, killed after CHANGE."""
    assert dies(lxd, lambda: stamp(lxd, bob(**wishes)), when=lambda: change in lxd.changes)


def stamp_after(lxd: FakeLxd, count: int) -> None:
    dies_after(lxd, count, lambda: stamp(lxd, bob()))


def destroy_after(lxd: FakeLxd, count: int) -> None:
    dies_after(
        lxd,
        count,
        lambda: lifecycle.destroy(lxd, SETTINGS, "bob", purge=False, report=Silent()),
    )
