"""Provisioning and destroying that end in their middle, as by SIGKILL, and leave their marks."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress

import pytest

from lab.report import Silent
from provision import lifecycle
from provision.create import apply
from tests.fake_lxd import FakeLxd
from tests.unit.stamping import SETTINGS, bob, stamp

DEAD = f"{socket.gethostname()} 1 7"
"""A builder's mark of a process that is no more."""


class Killed(BaseException):
    """As SIGKILL: nothing is undone."""


def _dying(lxd: FakeLxd, still: Callable[[], bool], act: Callable[[], object]) -> None:
    """ACT, which is killed as soon as STILL is false, and its marks are those of a dead process."""
    do = lxd._do

    def counted(verb: str, name: str) -> None:
        if not still():
            raise Killed
        do(verb, name)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FakeLxd, "_do", lambda _self, verb, name: counted(verb, name))
        patched.setattr(apply, "_undo_instance", lambda *_: None)
        patched.setattr(apply, "_undo_volume", lambda *_: None)
        with suppress(Killed):
            act()
    for config in (*lxd.store.volumes.values(), *(i.config for i in lxd.store.instances.values())):
        if "user.lab.builder" in config:
            config["user.lab.builder"] = DEAD


def stamp_until(lxd: FakeLxd, change: str, **wishes: object) -> None:
    """Provision bob, killed after CHANGE."""
    _dying(lxd, lambda: change not in lxd.changes, lambda: stamp(lxd, bob(**wishes)))


def stamp_after(lxd: FakeLxd, count: int) -> None:
    before = len(lxd.changes)
    _dying(lxd, lambda: len(lxd.changes) - before < count, lambda: stamp(lxd, bob()))


def destroy_after(lxd: FakeLxd, count: int) -> None:
    before = len(lxd.changes)
    _dying(
        lxd,
        lambda: len(lxd.changes) - before < count,
        lambda: lifecycle.destroy(lxd, SETTINGS, "bob", purge=False, report=Silent()),
    )
