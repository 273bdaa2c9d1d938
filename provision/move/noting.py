"""The note on the source, written by this run and by no other."""

from __future__ import annotations

from lab import labels
from lab.errors import Conflict
from lab.lxd.port import Lxd
from provision.changing import put
from provision.managed import managed_container
from provision.moving import MoveMark, move_mark


def noted(lxd: Lxd, mark: MoveMark) -> MoveMark:
    """The first note. Of two that were written at once, the later one stands."""
    put(lxd, mark.name, config={labels.MOVE: str(mark)})
    return _insisted(lxd, mark)


def advance(lxd: Lxd, mark: MoveMark) -> MoveMark:
    """MARK is on the source, in place of this run's own earlier one."""
    _insisted(lxd, mark)
    put(lxd, mark.name, config={labels.MOVE: str(mark)})
    return mark


def _insisted(lxd: Lxd, mark: MoveMark) -> MoveMark:
    """Conflict where another run has taken it over."""
    found = move_mark(managed_container(lxd, mark.name))
    if found is None or (found.id, found.builder) != (mark.id, mark.builder):
        raise Conflict(
            f"Another program began to move {mark.name} at the same time.",
            fix=f"Look at it: invoke show {mark.name}",
        )
    return mark
