"""`snapshot` and `remove-snapshot`: both halves of a pair are taken, or removed."""

from __future__ import annotations

from typing import Final

from lab import labels
from lab.errors import InputError
from lab.lxd.model import Instance, Volume
from lab.lxd.port import Lxd
from lab.process import me
from lab.report import Report
from lab.settings.settings import Settings
from provision.half_taken import AUTOSTART, By, TakeMarker, finish_half_taken, settle
from provision.managed import container_lock
from provision.restoring import home_of
from provision.snapshots.names import FOR_BACKUP, SCHEDULED, by_time, check_label
from provision.snapshots.pairs import find, read_pairs
from provision.whole import whole_container

_BEFORE: Final = {By.SCHEDULE: SCHEDULED, By.BACKUP: FOR_BACKUP}
"""How the name of one begins that nobody has named."""


def take(
    lxd: Lxd,
    settings: Settings,
    name: str,
    label: str | None,
    report: Report,
    *,
    by: By = By.HAND,
) -> str:
    """The name of the snapshot that was taken of NAME, which may be running."""
    if label is not None:
        check_label(label)
    with container_lock(settings, name, report, f"snapshot {name}"):
        instance = whole_container(lxd, name)
        home = _home(lxd, instance)
        removed = finish_half_taken(lxd, instance)
        if removed is not None:
            report.say(f"{name}: removed the snapshot {removed}, which an interrupted run left.")
        instance = whole_container(lxd, name)
        taken = {one.name: one for one in read_pairs(lxd, instance, home)}
        if label in taken:
            raise InputError(
                f'{name} has a snapshot "{label}" already.',
                fix=f"Choose another name, or remove it first: "
                f"invoke remove-snapshot {name} {label}",
            )
        snapshot = label or by_time(lxd.now(), taken, before=_BEFORE.get(by, ""))
        report.phase(name, "snapshot")
        _take(lxd, instance, home, snapshot, by)
        report.done(name, f"has the snapshot {snapshot}")
        return snapshot


def remove(lxd: Lxd, settings: Settings, name: str, snapshot: str, report: Report) -> None:
    """Of the root first, so that what a killed run leaves is a home, which is told as such."""
    with container_lock(settings, name, report, f"remove-snapshot {name}"):
        instance = whole_container(lxd, name)
        home = home_of(lxd, instance)
        pair = find(read_pairs(lxd, instance, home), name, snapshot)
        if pair.command is not None:
            raise InputError(
                f"The snapshot {snapshot} belongs to `invoke {pair.command}`.",
                details="It may be the way back of a run that has not ended.",
                fix=f"Let that command finish: invoke {pair.command} {name}",
            )
        report.phase(name, "remove the snapshot")
        if pair.root is not None:
            lxd.delete_snapshot(name, snapshot)
        if pair.home is not None and home is not None:
            lxd.delete_volume_snapshot(home.pool, home.name, snapshot)
        report.done(name, f"the snapshot {snapshot} is removed")


def _take(lxd: Lxd, instance: Instance, home: Volume, snapshot: str, by: By) -> None:
    mark = TakeMarker(
        builder=me(), snapshot=snapshot, by=by, autostart=instance.config.get(AUTOSTART)
    )
    lxd.update(instance.name, config={labels.SNAPSHOT: str(mark), AUTOSTART: "false"})
    try:
        lxd.create_volume_snapshot(home.pool, home.name, snapshot)
        lxd.create_snapshot(instance.name, snapshot)
    except BaseException:
        lxd.wait_until_idle(instance.name)
        settle(lxd, instance, mark)
        raise
    settle(lxd, instance, mark)


def _home(lxd: Lxd, instance: Instance) -> Volume:
    home = home_of(lxd, instance)
    if home is None:
        raise no_home(instance.name)
    return home


def no_home(name: str) -> InputError:
    return InputError(
        f"{name} has no volume as its /home, so labstamp takes and restores no snapshots of it.",
        details="A restore keeps its note on that volume.",
        fix=f"Attach the volume again, or use LXD's own snapshots: lxc snapshot {name}",
    )
