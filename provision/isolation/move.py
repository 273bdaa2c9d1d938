"""One container gets ids of its own: stop, snapshot, start with them; or back to the snapshot.

LXD changes the owners of all files when a container starts with another range than its files have:
of the root first, then of each volume. Where it is cut off in between, its own notes are wrong, and
its next try would spoil the files. So there is a snapshot of each, and the note on the container
says whether it is the way back (`isolate_mark.Stage`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lab import labels
from lab.errors import CapacityError, InputError, LabError, LxdError
from lab.instances.boot import wait_for_init
from lab.lxd.idmap import NEXT, ON_DISK, ON_VOLUME, own_range, same_map
from lab.lxd.model import Instance, State, Volume
from lab.lxd.port import Lxd
from lab.machine.lock import hold_lock
from lab.process import me
from lab.report import Report
from provision.ids.facts import IDS_LOCK, read_ids
from provision.ids.marker import MoveMarker, Stage, read_mark
from provision.ids.ranges import choose, refuse_second
from provision.isolation.obstacles import refuse_large_ids
from provision.isolation.plan import Move, home_of, kept_of, person_of
from provision.managed import managed_container

_AUTOSTART = "boot.autostart"
_AS_LONG_AS_IT_TAKES = 6 * 3600.0
"""For what LXD still does for a run that was killed: some 10,000 files a second at best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveContext:
    lxd: Lxd
    report: Report
    remote: str
    """The LXD that is meant, as in the settings."""


def move(context: MoveContext, action: Move) -> None:
    """Do it, or restore the container and raise the LabError."""
    name = action.name
    try:
        mark = _resumed(context, action) if action.leftover else _begun(context, action)
        if mark.stage is Stage.BEFORE:
            mark = _moved(context, action, mark)
    except LabError as error:
        raise _undone(context, action, error) from error
    except BaseException:
        context.report.say(f"{name} was moved only in part. To continue: invoke isolate {name}")
        raise
    _finish(context, action, mark)
    context.report.done(name, f"has the ids {mark.range}")


def _begun(context: MoveContext, action: Move) -> MoveMarker:
    """The range is taken before anything else is done: nobody else's, from here on."""
    lxd, name = context.lxd, action.name
    with hold_lock(IDS_LOCK, context.report, f"isolate {name}", remote=context.remote):
        before = read_ids(lxd)
        instance = managed_container(lxd, name)
        home = home_of(instance, action.volumes)
        person = person_of(instance)
        mark = MoveMarker(
            builder=me(),
            range=choose(before, person, kept_of(home)),
            snapshot=_new_snapshot(),
            asleep=instance.state is not State.RUNNING,
            autostart=instance.config.get(_AUTOSTART),
        )
        lxd.update(name, config={labels.ISOLATE: str(mark)})
        if home is not None and home.config.get(labels.IDS) != str(mark.range):
            lxd.update_volume(home.pool, home.name, {labels.IDS: str(mark.range)})
        try:
            refuse_second(before, read_ids(lxd), person, mark.range, None)
        except CapacityError:
            if home is not None:
                lxd.update_volume(home.pool, home.name, {labels.IDS: home.config.get(labels.IDS)})
            raise
    return mark


def _resumed(context: MoveContext, action: Move) -> MoveMarker:
    """Where a run that was cut off left it: at the beginning, or moved."""
    lxd, name = context.lxd, action.name
    context.report.phase(name, "wait for LXD")
    lxd.wait_until_idle(name, timeout=_AS_LONG_AS_IT_TAKES)
    instance = managed_container(lxd, name)
    mark = read_mark(instance.config.get(labels.ISOLATE))
    if mark is None:
        raise InputError(
            f"Another program changed {name} at the same time.", fix=f"invoke isolate {name}"
        )
    home = home_of(instance, action.volumes)
    if home is not None:
        lxd.update_volume(home.pool, home.name, {labels.IDS: str(mark.range)})
    if mark.stage is Stage.MOVING:
        if has_moved(instance, _fresh(lxd, action.volumes), mark):
            mark = mark.at(Stage.MOVED)
        else:
            _go_back(context, action, mark)
            mark = mark.at(Stage.BEFORE)
    if mark.stage is Stage.BEFORE:
        _drop_snapshots(lxd, action, mark)
        mark = replace(mark, builder=me(), snapshot=_new_snapshot())
        lxd.update(name, config={labels.ISOLATE: str(mark)})
    return mark


def _moved(context: MoveContext, action: Move, mark: MoveMarker) -> MoveMarker:
    lxd, name = context.lxd, action.name
    context.report.phase(name, "check its files")
    refuse_large_ids(lxd, name, action.volumes)
    context.report.phase(name, "stop")
    lxd.stop(name)
    context.report.phase(name, "snapshot")
    lxd.create_snapshot(name, mark.snapshot)
    for volume in action.volumes:
        lxd.create_volume_snapshot(volume.pool, volume.name, mark.snapshot)
    mark = mark.at(Stage.MOVING)
    # Neither the server's boot nor anybody's `lxc start --all` is to go on in between.
    begun = {**mark.range.config, _AUTOSTART: "false", labels.ISOLATE: str(mark)}
    lxd.update(name, config=begun)
    context.report.phase(name, f"change the owners of its files to {mark.range}")
    lxd.start(name)
    wait_for_init(lxd, name)
    if not has_moved(managed_container(lxd, name), _fresh(lxd, action.volumes), mark):
        raise LxdError(
            f"LXD did not change the owners of the files of {name} to the ids {mark.range}.",
            fix=f"Try again: invoke isolate {name}",
        )
    return mark.at(Stage.MOVED)


def _finish(context: MoveContext, action: Move, mark: MoveMarker) -> None:
    """From here on its user may have written to it: nothing goes back any more."""
    lxd, name = context.lxd, action.name
    done = {labels.ISOLATE: str(mark), _AUTOSTART: mark.autostart}
    lxd.update(name, config=done)
    _drop_snapshots(lxd, action, mark)
    _as_it_was(lxd, name, mark)
    lxd.update(name, config={labels.ISOLATE: None})


def has_moved(instance: Instance, volumes: Sequence[Volume], mark: MoveMarker) -> bool:
    """Whether LXD came to the end of it, by its own notes."""
    wanted = instance.config.get(NEXT)
    if own_range(instance) != mark.range:
        return False
    on_disk = [instance.config.get(ON_DISK), *(one.config.get(ON_VOLUME) for one in volumes)]
    # Where the kernel maps the mount, a root's files keep the ids that they have inside.
    unmapped = same_map(on_disk[0], "[]")
    return all(same_map(one, wanted) for one in on_disk[unmapped:])


def _go_back(context: MoveContext, action: Move, mark: MoveMarker) -> None:
    """To the snapshots: of the root, and of each volume that LXD did not get done with.

    One that it got done with has the new range by LXD's own note, and is given back at the start.
    """
    lxd, name = context.lxd, action.name
    context.report.phase(name, "roll back")
    lxd.stop(name)
    wanted = managed_container(lxd, name).config.get(NEXT)
    for volume in _fresh(lxd, action.volumes):
        if not same_map(volume.config.get(ON_VOLUME), wanted):
            lxd.restore_volume(volume.pool, volume.name, mark.snapshot)
    # With it come the old config and the earlier mark.
    lxd.restore_snapshot(name, mark.snapshot)


def _undone(context: MoveContext, action: Move, error: LabError) -> LabError:
    """ERROR with what became of the container; it is as before unless the text says otherwise."""
    lxd, name = context.lxd, action.name
    try:
        lxd.wait_until_idle(name, timeout=_AS_LONG_AS_IT_TAKES)
        mark = read_mark(managed_container(lxd, name).config.get(labels.ISOLATE))
        if mark is None or mark.builder != me():
            return _with_way_on(error, name)
        if mark.stage is Stage.MOVING:
            _go_back(context, action, mark)
        _drop_snapshots(lxd, action, mark)
        _as_it_was(lxd, name, mark)
        lxd.update(name, config={labels.ISOLATE: None})
    except LabError as worse:
        both = f"{error.brief} The rollback failed, too: {worse.brief}"
        return _with_way_on(LxdError(both, details=worse.details, fix=worse.fix), name)
    kind = type(error) if isinstance(error, InputError | CapacityError) else LxdError
    return kind(
        f"{error.brief} {name} is in its earlier state.", details=error.details, fix=error.fix
    )


def _with_way_on(error: LabError, name: str) -> LabError:
    way_on = f"Correct the cause, then continue (no file is lost): invoke isolate {name}"
    fix = "\n".join(filter(None, (error.fix, way_on)))
    return LxdError(error.brief, details=error.details, fix=fix)


def _as_it_was(lxd: Lxd, name: str, mark: MoveMarker) -> None:
    if mark.asleep:
        lxd.stop(name)
    else:
        lxd.start(name)


def _drop_snapshots(lxd: Lxd, action: Move, mark: MoveMarker) -> None:
    lxd.delete_snapshot(action.name, mark.snapshot)
    for volume in action.volumes:
        lxd.delete_volume_snapshot(volume.pool, volume.name, mark.snapshot)


def _fresh(lxd: Lxd, volumes: Sequence[Volume]) -> tuple[Volume, ...]:
    names = {(one.pool, one.name) for one in volumes}
    return tuple(
        volume
        for pool in {one.pool for one in volumes}
        for volume in lxd.volumes(pool)
        if (volume.pool, volume.name) in names
    )


def _new_snapshot() -> str:
    """A name that no earlier snapshot has."""
    return time.strftime("isolate-%Y%m%d-%H%M%S")
