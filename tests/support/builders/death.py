"""Commands that are killed at any of their changes to a fake LXD, and what the dead leave there."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any, Final

import pytest

from lab.process import here, me
from tests.support.fake_lxd.commands import FakeCommands
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeCalls

DEAD: Final = " ".join((*me().split()[:2], "1", here()))
"""The mark of a builder on this host whose process number somebody else has by now."""


class Killed(BaseException):
    """As SIGKILL: nothing that a process would do on its way out reaches LXD."""


def dies(
    lxd: FakeLxd,
    act: Callable[[], object],
    *,
    when: Callable[[], bool],
    inside: bool = False,
    also: FakeLxd | None = None,
) -> bool:
    """Whether ACT was killed: before the first change at which it was WHEN.

    INSIDE: a command that is run inside an instance is a change, too.
    ALSO: another LXD that it changes.
    What it marked as its own is a dead process's afterwards.
    """
    dead = False

    def go_on(*, is_change: bool) -> None:
        nonlocal dead
        dead = dead or (is_change and when())
        if dead:
            raise Killed

    with pytest.MonkeyPatch.context() as patched:
        for calls, verb, is_change in ((FakeCalls, "_do", True), (FakeCommands, "run", inside)):
            first = partial(go_on, is_change=is_change)
            patched.setattr(calls, verb, _after(first, getattr(calls, verb)))
        with suppress(Killed):
            act()
    for one in (lxd, *([also] if also else [])):
        _bury(one)
    return dead


def dies_after(
    lxd: FakeLxd,
    changes: int,
    act: Callable[[], object],
    *,
    inside: bool = False,
    also: FakeLxd | None = None,
) -> bool:
    """The same, where it makes more than this many CHANGES."""
    left = iter(range(changes))
    return dies(lxd, act, when=lambda: next(left, None) is None, inside=inside, also=also)


def deaths(
    lab: FakeLxd, act: Callable[[FakeLxd], object], *, least: int, inside: bool = False
) -> Iterator[FakeLxd]:
    """Copies of LAB in which ACT was killed: before its first change, before its second, …

    So it is killed after each change, too: in the last one it had made them all.
    LEAST: as many changes there are; fewer would mean that they are not seen.
    """
    for changes in count():
        lxd = _copied(lab)
        killed = dies_after(lxd, changes, partial(act, lxd), inside=inside)
        yield lxd
        if not killed:
            assert changes >= least
            break


def deaths_at_two(
    here: FakeLxd, there: FakeLxd, act: Callable[[FakeLxd, FakeLxd], object], *, least: int
) -> Iterator[tuple[FakeLxd, FakeLxd]]:
    """The same for two LXDs that ACT changes."""
    for changes in count():
        one, other = _copied(here), _copied(there)
        killed = dies_after(one, changes, partial(act, one, other), also=other)
        yield one, other
        if not killed:
            assert changes >= least
            break


def _after(first: Callable[[], None], verb: Callable[..., Any]) -> Callable[..., Any]:
    def both(*given: object, **more: object) -> Any:
        first()
        return verb(*given, **more)

    return both


def _copied(lab: FakeLxd) -> FakeLxd:
    return copy.deepcopy(lab, {id(lab.store.lock): threading.RLock()})


def _bury(lxd: FakeLxd) -> None:
    """Whoever was killed was this very process, which lives."""
    store, alive = lxd.store, me()

    def buried(config: Mapping[str, str]) -> dict[str, str]:
        return {key: value.replace(alive, DEAD) for key, value in config.items()}

    for config in store.volumes.values():
        config.update(buried(config))
    for instance in store.instances.values():
        instance.config.update(buried(instance.config))
        for name, kept in instance.kept.items():
            instance.kept[name] = replace(kept, config=buried(kept.config))
    for image in store.images.values():
        image.image = replace(image.image, properties=buried(image.image.properties))
