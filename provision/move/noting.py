"""The note on the source, written by this run and by no other."""

from __future__ import annotations

from lab import labels
from lab.errors import Conflict
from lab.lxd.port import Lxd
from provision.changing import put
from provision.managed import managed_container
from provision.move.becoming import AUTOSTART
from provision.moving import MoveMark, Stage, move_mark


def noted(lxd: Lxd, mark: MoveMark) -> MoveMark:
    """The first note. Of two that were written at once, the later one stands."""
    put(lxd, mark.name, config=keys_of(mark))
    return _insisted(lxd, mark)


def advance(lxd: Lxd, mark: MoveMark) -> MoveMark:
    """MARK is on the source, in place of this run's own earlier one."""
    _insisted(lxd, mark)
    put(lxd, mark.name, config=keys_of(mark))
    return mark


def keys_of(mark: MoveMark) -> dict[str, str | None]:
    """The note, and what a boot of the server is to do while it says so."""
    autostart = {
        Stage.COPYING: mark.autostart,
        # It was stopped by this move alone: if that is cut off with the server, it comes back.
        Stage.STOPPING: mark.autostart if mark.asleep else "true",
        Stage.TRYING: "false",
        Stage.MOVED: "false",
    }
    return {labels.MOVE: str(mark), AUTOSTART: autostart[mark.stage]}


def _insisted(lxd: Lxd, mark: MoveMark) -> MoveMark:
    """Conflict where another run has taken it over."""
    found = move_mark(managed_container(lxd, mark.name))
    if found is None or (found.id, found.builder) != (mark.id, mark.builder):
        raise Conflict(
            f"Another program began to move {mark.name} at the same time.",
            fix=f"Look at it: invoke show {mark.name}",
        )
    return mark
