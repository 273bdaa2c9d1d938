"""The source is the container again, and what was copied goes."""

from __future__ import annotations

from lab import labels
from lab.errors import LxdError, LxdUnreachable
from lab.lxd.model import State
from lab.lxd.port import Lxd
from provision.changing import put
from provision.managed import managed_container
from provision.move.becoming import AUTOSTART
from provision.move.copies import Sides, take_away, wait_until_idle
from provision.move.noting import keys_of
from provision.moving import MoveMark, Stage, arrival_mark
from provision.restoring import home_of
from provision.starting import start_up

_NOT_HEARD = (
    "{remote} does not answer. What was copied there was never started; the next move of {name} "
    "from here removes it."
)


def go_back(sides: Sides, mark: MoveMark) -> None:
    """From wherever MARK says. LxdError where the copy may run, and cannot be stopped."""
    lxd, name, may_have_run = sides.lxd, mark.name, mark.stage is Stage.TRYING
    sides.report.phase(name, "roll back")
    if may_have_run:
        _stop_copy(sides.there, mark)
        mark = mark.at(Stage.STOPPING)
        # From here on the copy is never started again.
        put(lxd, name, config=keys_of(mark))
    if not mark.asleep and managed_container(lxd, name).state is not State.RUNNING:
        start_up(lxd, name, sides.report)
    try:
        wait_until_idle(sides.there, name)
        take_away(sides.there, name, mark.id)
    except LxdUnreachable:
        if may_have_run:
            raise
        sides.report.say(_NOT_HEARD.format(remote=mark.remote, name=name))
    drop_snapshots(lxd, mark)
    put(lxd, name, config={labels.MOVE: None, AUTOSTART: mark.autostart})


def drop_snapshots(lxd: Lxd, mark: MoveMark) -> None:
    """Of both halves, where they are."""
    instance = lxd.instance(mark.name)
    home = home_of(lxd, instance) if instance is not None else None
    for snapshot in mark.snapshots:
        if instance is not None:
            lxd.delete_snapshot(mark.name, snapshot)
        if home is not None:
            lxd.delete_volume_snapshot(home.pool, home.name, snapshot)


def _stop_copy(there: Lxd, mark: MoveMark) -> None:
    copy = there.instance(mark.name)
    if copy is None:
        return
    arrival = arrival_mark(copy)
    if arrival is None or arrival.id != mark.id:
        raise LxdError(
            f"The instance {mark.name} on {mark.remote} is not the copy that this move made.",
            fix=f"Look at it there: lxc list {mark.name}",
        )
    there.stop(mark.name)
