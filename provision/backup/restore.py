"""`restore-backup`: a person whose container is gone gets it again, with home, ids, keys and wish.

Everything that is made bears the mark of this run, and "unclean" until all files are there: no
other command starts or uses it, and the next run removes it. From the first start on its user may
write to it, so from then on nothing goes back: the next run of the same command finishes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Final

from lab import labels
from lab.errors import InputError, LabError, LxdError
from lab.gpu_selection import GpuSelection
from lab.instances.removal import remove_instance, remove_volume
from lab.lxd.model import Instance, State
from lab.lxd.port import Lxd
from lab.machine.lock import hold_lock
from lab.process import me
from lab.report import Report
from lab.settings.settings import Settings
from provision.backup.describe import home_tree
from provision.backup.directory import Backup, Directory
from provision.backup.facts import read
from provision.backup.leftovers import half_restored, is_half
from provision.backup.pack import Tree, Unpack, as_check_error, check_stored, unpack_home
from provision.backup.restore_plan import Finish, NewHome, Plan, plan
from provision.backup.restored import PROTECTION
from provision.backup.root_image import COPIED, root_image
from provision.backup.take import backup_lock
from provision.create.provision import GPUS_LOCK
from provision.create.ready import SshProbe, Timeouts, probe_ssh, wait_until_up
from provision.filtered import start_filtered
from provision.half_taken import AUTOSTART
from provision.homes import FINISHED, home_place
from provision.ids.facts import IDS_LOCK, read_ids
from provision.ids.ranges import Person, refuse_second
from provision.lab_info import give_lab_info
from provision.managed import container_lock, is_unclean
from provision.restoring import Half
from provision.snapshots.wish import IDENTITY
from provision.upgrade.address import asked_for, asking_for

_WHOLE: Final[Mapping[str, str | None]] = {**FINISHED, labels.FROM_BACKUP: None}
"""What a home is marked with, that no next run removes."""
_TEMPLATE_DUE: Final = "volatile.apply_template"
"""That LXD writes files of its own into the root at the first start: those that are there stay."""


def plan_restore(
    lxd: Lxd,
    settings: Settings,
    backup: Backup,
    *,
    only: Half | None = None,
    gpus: GpuSelection | None = None,
) -> Plan | Finish:
    """What `restore-backup` would do. Changes nothing."""
    begun = lxd.instance(backup.name)
    if begun is not None and is_half(begun) and not is_unclean(begun):
        _refuse_another(begun, backup)
        return Finish(backup=backup)
    return plan(backup, read(lxd, settings, backup.manifest), only=only, gpus=gpus)


def restore_backup(
    lxd: Lxd,
    settings: Settings,
    backup: Backup,
    store: Directory,
    report: Report,
    *,
    only: Half | None = None,
    gpus: GpuSelection | None = None,
    timeouts: Timeouts | None = None,
    probe_ssh: Callable[[str], SshProbe] = probe_ssh,
    unpack: Unpack = unpack_home,
) -> None:
    """BACKUP is in STORE. The container runs afterwards, with ssh answering, if it ran then."""
    store.insist()
    name = backup.name
    waits = timeouts or Timeouts()
    what, remote = f"restore-backup {name}", settings.remote
    with ExitStack() as locks, ExitStack() as choosing:
        locks.enter_context(backup_lock(settings, name, report))
        locks.enter_context(container_lock(settings, name, report, what))
        begun = half_restored(lxd, name)
        if begun is not None:
            _refuse_another(begun, backup)
        else:
            report.phase(name, "check the backup")
            check_stored(backup)
            choosing.enter_context(hold_lock(GPUS_LOCK, report, what, remote=remote))
            choosing.enter_context(hold_lock(IDS_LOCK, report, what, remote=remote))
            facts = read(lxd, settings, backup.manifest)
            action = plan(backup, facts, only=only, gpus=gpus)
            try:
                _make(lxd, action, report, choosing, unpack)
            except LabError as error:
                report.failed(name, error.brief)
                raise
            for note in action.notes:
                report.say(f"{name}: {note}")
            if action.root is None:
                report.done(name, f"has its home again; next: invoke provision {name}")
                return
        _finish(lxd, backup, report, waits, probe_ssh)


def _refuse_another(begun: Instance, backup: Backup) -> None:
    first = begun.config[labels.FROM_BACKUP]
    if first != backup.id:
        raise InputError(
            f"{begun.name} is half restored from the backup {first}.",
            fix=f"Finish that: invoke restore-backup {begun.name} {first}\n"
            f"or remove it: invoke destroy {begun.name}",
        )


def _make(lxd: Lxd, action: Plan, report: Report, choosing: ExitStack, unpack: Unpack) -> None:
    """All files are there afterwards, and nothing runs; or nothing is there."""
    with ExitStack() as undo:
        if action.home is not None:
            undo.callback(partial(_undo_home, lxd, action.home, report))
            lxd.create_volume(action.home.pool, action.home.name, action.home.config)
        if action.spec is None:
            choosing.close()
        else:
            _make_root(lxd, action, report, undo, choosing)
        if action.home is not None:
            _fill_home(lxd, action.backup, action.home, report, unpack)
        undo.pop_all()
    # This one change makes it whole: of a home alone, or of the container with its home.
    if action.spec is not None:
        lxd.update(action.name, config={labels.UNCLEAN: None})
    elif action.home is not None:
        lxd.update_volume(action.home.pool, action.home.name, _WHOLE)


def _make_root(
    lxd: Lxd, action: Plan, report: Report, undo: ExitStack, choosing: ExitStack
) -> None:
    if action.root is None or action.spec is None:
        return
    name = action.name
    before = read_ids(lxd)
    with root_image(lxd, action.backup, action.root, report) as fingerprint:
        undo.callback(partial(_undo_instance, lxd, name, report))
        made = lxd.create(replace(action.spec, image=fingerprint))
    place = home_place(made)
    person = Person(project=lxd.project, name=name, home=place)
    refuse_second(before, read_ids(lxd), person, action.ids, made.created_at)
    choosing.close()
    identity = action.root.config.get(IDENTITY)
    # Its files are those of a container that has run: LXD writes no first ones into it, and
    # cloud-init is not to take it for a new machine.
    lxd.update(name, config={_TEMPLATE_DUE: None, **dict.fromkeys(COPIED)})
    if identity:
        lxd.update(name, config={IDENTITY: identity})


def _fill_home(lxd: Lxd, backup: Backup, home: NewHome, report: Report, unpack: Unpack) -> None:
    report.phase(backup.name, "unpack its home")
    volume = next(one for one in lxd.volumes(home.pool) if one.name == home.name)
    place = home_tree(lxd, volume).place
    try:
        unpack(backup, Tree(place=place, range=home.ids))
    except LxdError as error:
        raise as_check_error(error, backup) from error


def _finish(
    lxd: Lxd,
    backup: Backup,
    report: Report,
    waits: Timeouts,
    probe_ssh: Callable[[str], SshProbe],
) -> None:
    """From here on its user may have written to it. Each step may be done twice."""
    name, root = backup.name, backup.manifest.root
    instance = lxd.instance(name)
    if instance is None or root is None:
        raise LxdError(f"The container {name} is missing.", fix="Run the same command again.")
    place = home_place(instance)
    if place is not None:
        lxd.update_volume(*place, _WHOLE)
    if root.running:
        _start(lxd, instance, root.address, report)
        wait_until_up(lxd, name, report, timeouts=waits, probe_ssh=probe_ssh)
    done = {
        labels.PHASE: labels.READY,
        labels.BUILDER: None,
        AUTOSTART: root.wish.config.get(AUTOSTART),
        PROTECTION: "true",
    }
    started = lxd.instance(name) or instance
    lxd.update(name, config=done, devices=asked_for(started, root.wish.devices))
    state = "runs" if root.running else "is stopped, as it was"
    report.done(name, f"is restored from the backup {backup.id}; it {state}")


def _start(lxd: Lxd, instance: Instance, address: str, report: Report) -> None:
    name = instance.name
    lxd.update(name, config={labels.BUILDER: me()})
    if lxd.state(name).state is State.RUNNING:
        return
    if other := _who_has(lxd, address, name):
        # LXD would let it send from that address alone, and DHCP give it another one.
        report.say(f"{name}: gets another address than {address}: {other} has that one.")
    else:
        try:
            lxd.update(name, devices=asking_for(address, instance))
        except LxdError as error:
            report.say(f"{name}: gets another address than {address}: {error.brief}")
    give_lab_info(lxd, name, report)
    report.phase(name, "boot")
    start_filtered(lxd, name, report)


def _who_has(lxd: Lxd, address: str, name: str) -> str | None:
    """The running instance, other than NAME, that has ADDRESS now."""
    running = [
        one.name for one in lxd.instances() if one.state is State.RUNNING and one.name != name
    ]
    return next((one for one in running if address in lxd.state(one).ipv4), None)


def _undo_home(lxd: Lxd, home: NewHome, report: Report) -> None:
    try:
        for volume in lxd.volumes(home.pool):
            if volume.name == home.name and volume.config.get(labels.BUILDER) == me():
                remove_volume(lxd, home.pool, home.name)
    except LabError as error:
        report.say(f"The volume {home.name} stays; the next run removes it: {error.brief}")


def _undo_instance(lxd: Lxd, name: str, report: Report) -> None:
    try:
        lxd.wait_until_idle(name, timeout=60)
        found = lxd.instance(name)
        if found is not None and found.config.get(labels.BUILDER) == me():
            remove_instance(lxd, name)
    except LabError as error:
        report.say(f"The container {name} stays; the next run removes it: {error.brief}")
