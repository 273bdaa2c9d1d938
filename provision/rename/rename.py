"""`rename`: note, stop, rename, tell the name inside, start. LXD renames only what is stopped.

Until LXD has renamed the container, a failure brings all back; from then on the same command goes
on from wherever it was cut off. A home belongs to whom the container that mounts it says, so there
is no moment at which it is another's, whatever its volume is called.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace

from lab import labels
from lab.errors import InputError, LabError, LxdError, LxdUnreachable
from lab.lxd.model import Instance, State, Volume
from lab.lxd.port import Lxd
from lab.process import me
from lab.report import Report
from lab.settings.settings import Settings
from provision.create.ready import SshProbe, Timeouts, probe_ssh, wait_until_up
from provision.homes import home_marks, home_place, read_stores
from provision.managed import container_lock, managed_container
from provision.name_inside import is_on, switch_off, switch_on, tell_name
from provision.rename.plan import CLOUD_ID, Facts, Rename, plan
from provision.renaming import RenameMarker, rename_mark
from provision.restoring import refuse_while_restored
from provision.starting import refuse_unstartable, start_up
from provision.whole import refuse_unfinished


@dataclass(frozen=True, slots=True, kw_only=True)
class Renamed:
    """How it ended; STEPS are empty where it had the name already."""

    steps: tuple[str, ...] = ()
    down: float | None = None
    """Seconds without ssh; None where it does not run."""


class _Undone(Exception):
    """Nothing was renamed: ERROR says why, and what became of the container."""

    def __init__(self, error: LabError) -> None:
        super().__init__(error.brief)
        self.error = error


def rename(
    lxd: Lxd,
    settings: Settings,
    old: str,
    new: str,
    report: Report,
    *,
    only_plan: bool = False,
    timeouts: Timeouts | None = None,
    probe_ssh: Callable[[str], SshProbe] = probe_ssh,
) -> Renamed:
    """The container OLD is NEW afterwards, with all that it has; nothing where it is already."""
    with ExitStack() as locks:
        # In one order, so that no two wait for each other.
        for name in sorted({old, new}):
            locks.enter_context(container_lock(settings, name, report, f"rename {old}"))
        there, stores = lxd.instance(old), read_stores(lxd)
        if there is not None:
            refuse_unfinished(managed_container(lxd, old))
            _refuse_busy(there)
            refuse_while_restored(old, stores.homes(old))
        try:
            action = plan(old, new, Facts(stores=stores, me=me()))
        except InputError:
            if not only_plan:
                _give_back(lxd, there, report)
            raise
        if action is None:
            return Renamed()
        if only_plan:
            return Renamed(steps=action.steps)
        refuse_unstartable(lxd, managed_container(lxd, new if action.is_renamed else old))
        return Renamed(
            steps=action.steps,
            down=_apply(lxd, action, report, timeouts=timeouts or Timeouts(), probe_ssh=probe_ssh),
        )


def _refuse_busy(instance: Instance) -> None:
    if instance.config.get(labels.SYNC):
        raise InputError(
            f"The driver of {instance.name} is being changed.",
            fix="Wait until it ends. If that run was interrupted, continue it: "
            f"invoke sync-drivers {instance.name}",
        )


def _apply(
    lxd: Lxd,
    action: Rename,
    report: Report,
    *,
    timeouts: Timeouts,
    probe_ssh: Callable[[str], SshProbe],
) -> float | None:
    new = action.new
    began = timeouts.clock()
    try:
        mark = action.mark if action.is_renamed else _begin(lxd, action, report)
        _settle(lxd, mark, report)
        if action.mark.ran:
            report.phase(new, "boot")
            start_up(lxd, new, report)
        lxd.update(new, config={labels.RENAME: None})
    except _Undone as undone:
        report.failed(action.old, undone.error.brief)
        raise undone.error from undone
    except BaseException:
        report.say(f"{action.old} may be renamed only in part. To continue: {action.mark.command}")
        raise
    if not action.mark.ran:
        report.done(new, f"has the name {new} now")
        return None
    address = wait_until_up(lxd, new, report, timeouts=timeouts, probe_ssh=probe_ssh)
    down = timeouts.clock() - began
    report.done(new, f"has the name {new} now, runs at {address}; was down for {down:.0f} s")
    return down


def _begin(lxd: Lxd, action: Rename, report: Report) -> RenameMarker:
    """Up to its new name; or all as before, and _Undone raised."""
    old, new = action.old, action.new
    # LXD may still be at what a run asked it for that was cut off.
    lxd.wait_until_idle(old, timeout=60)
    mark = action.mark
    try:
        lxd.update(old, config={labels.RENAME: str(mark)})
        report.phase(old, "stop")
        lxd.stop(old)
        report.phase(old, f"rename to {new}")
        if not mark.held and is_on(lxd, old):
            mark = replace(mark, held=True)
            lxd.update(old, config={labels.RENAME: str(mark)})
        if mark.held:
            switch_off(lxd, old)
        lxd.rename(old, new)
    except LabError as error:
        if _is_renamed(lxd, action):
            # It has the name, and LXD failed with what comes after that.
            return mark
        raise _Undone(_undone(lxd, action, error, report)) from error
    return mark


def _is_renamed(lxd: Lxd, action: Rename) -> bool:
    mark = rename_mark(lxd.instance(action.new))
    return mark is not None and (mark.old, mark.new) == (action.old, action.new)


def _undone(lxd: Lxd, action: Rename, error: LabError, report: Report) -> LabError:
    """ERROR, with what became of the container."""
    old = action.old
    try:
        there = lxd.instance(old)
        if there is None:
            return LxdError(
                f"{error.brief} Another program renamed or removed it at the same time.",
                details=error.details,
                fix="List the containers: invoke list",
            )
        _give_back(lxd, there, report)
    except LabError as worse:
        return LxdError(
            f"{error.brief} The rollback failed, too: {worse.brief}",
            details=worse.details,
            fix=f"Correct the cause, then continue (no file is lost): {action.mark.command}",
        )
    kind = type(error) if isinstance(error, InputError) else LxdError
    return kind(
        f"{error.brief} {old} has its earlier name and state.", details=error.details, fix=error.fix
    )


def _give_back(lxd: Lxd, instance: Instance | None, report: Report) -> None:
    """As it was before a run that is over began to rename INSTANCE."""
    mark = rename_mark(instance)
    if instance is None or mark is None or mark.old != instance.name or mark.alive is not False:
        return
    name = instance.name
    if mark.held:
        switch_on(lxd, name)
    if mark.ran:
        start_up(lxd, name, report)
    lxd.update(name, config={labels.RENAME: None})


def _settle(lxd: Lxd, mark: RenameMarker, report: Report) -> None:
    """All that follows the name, before the first start with it. A second time changes nothing."""
    old, new = mark.old, mark.new
    if mark.settled:
        return
    instance = managed_container(lxd, new)
    report.phase(new, "home and host name")
    if instance.state is not State.STOPPED:
        # Somebody started it by hand.
        lxd.stop(new)
    _rename_home(lxd, mark, report)
    if instance.config.get(CLOUD_ID, mark.cloud_id) != mark.cloud_id:
        lxd.update(new, config={CLOUD_ID: mark.cloud_id})
    tell_name(lxd, new, old, report)
    if mark.held:
        switch_on(lxd, new)
    lxd.update(new, config={labels.RENAME: str(mark.done()), labels.FORMER: old})


def _rename_home(lxd: Lxd, mark: RenameMarker, report: Report) -> None:
    """Its mark, and the name of its volume where LXD changes that."""
    place = _home(lxd, mark)
    if place is None:
        return
    pool, volume = place
    lxd.update_volume(pool, volume, home_marks(mark.new, lxd.project))
    if mark.volume in {None, volume}:
        return
    try:
        lxd.rename_volume(pool, volume, str(mark.volume))
    except LxdUnreachable:
        raise
    except LxdError as error:
        report.say(f"The volume {volume} (/home) keeps its name: {error.details or error.brief}")
        _home(lxd, mark)


def _home(lxd: Lxd, mark: RenameMarker) -> tuple[str, str] | None:
    """Pool and name of the volume that is its home; None where labstamp did not make it.

    LXD renames a volume in the devices first: where it was cut off there, they name none.
    """
    instance = managed_container(lxd, mark.new)
    place = home_place(instance)
    if place is None:
        return None
    there = [one for one in lxd.volumes(place[0]) if labels.OWNER in one.config]
    if any(one.name == place[1] for one in there):
        return place
    lost = next((one.name for one in there if _is_lost(one, mark, lxd.project)), None)
    if lost is None or place[1] != mark.volume:
        return None
    devices = {
        device: {**keys, "source": lost}
        for device, keys in instance.devices.items()
        if (keys.get("pool"), keys.get("source")) == place
    }
    lxd.update(mark.new, devices=devices)
    return place[0], lost


def _is_lost(volume: Volume, mark: RenameMarker, project: str) -> bool:
    """Whether VOLUME is the home, and no instance has it attached."""
    mine = home_marks(mark.new, project).items() <= volume.config.items()
    return mine and not volume.used_by and not volume.used_elsewhere
