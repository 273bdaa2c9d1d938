"""One container gets the host's driver: snapshot, install, prove it, or back to the snapshot."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from lab import labels
from lab.driver.userland import InstallUserland, Userland, install, version_in
from lab.errors import CheckError, InputError, LabError
from lab.gpus.nvidia_smi import QUERY, complaint
from lab.instances.boot import wait_for_init
from lab.lxd.port import Lxd
from lab.process import me
from lab.report import Report
from provision.drivers.actions import Forget, Install, Note, Restart
from provision.drivers.marker import SyncMarker, new_mark


class Interrupted(LabError):
    """Somebody pressed Ctrl-C: undo, and go no further."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncContext:
    """What the work needs. STOP is set when somebody wants it to end."""

    lxd: Lxd
    report: Report
    stop: threading.Event
    install: InstallUserland = install

    def phase(self, name: str, phase: str) -> None:
        self.go_on()
        self.report.phase(name, phase)

    def go_on(self) -> None:
        """Interrupted where STOP is set."""
        if self.stop.is_set():
            raise Interrupted("It was interrupted.")


def bring(context: SyncContext, action: Install, userland: Userland) -> None:
    """Do it, or restore the container and raise the LabError."""
    lxd, name = context.lxd, action.name
    mark = new_mark(after=action.leftover)
    try:
        lxd.update(name, config={labels.SYNC: str(mark)})
        context.phase(name, "snapshot")
        lxd.create_snapshot(name, mark.snapshots[0])
        before = _trace(lxd, name)
    except LabError:
        _clear(lxd, name, mark, leaving=action.leftover)
        raise
    try:
        _install(context, action, userland)
    except LabError as error:
        raise _undone(context, action, mark, before, error) from error
    if action.asleep:
        lxd.stop(name)
    _clear(lxd, name, mark)
    context.report.done(name, f"has driver {action.version}")


def restart(context: SyncContext, action: Restart) -> None:
    """Its start brings the driver. CheckError when its GPUs do not answer afterwards."""
    lxd, name = context.lxd, action.name
    context.phase(name, "restart")
    lxd.update(name, config={labels.SYNC: str(SyncMarker(builder=me()))})
    lxd.stop(name)
    lxd.start(name)
    wait_for_init(lxd, name)
    lxd.update(name, config={labels.SYNC: None})
    _ask_nvidia_smi(context, name, action.gpus, action.version)
    lxd.update(name, config={labels.DRIVER: action.version})
    context.report.done(name, f"has driver {action.version}")


def forget(context: SyncContext, action: Forget) -> None:
    _clear(context.lxd, action.name, action.leftover)
    context.report.done(action.name, "what an interrupted run left is removed")


def note(context: SyncContext, action: Note) -> None:
    context.lxd.update(action.name, config={labels.DRIVER: action.version})
    context.report.done(action.name, f"has driver {action.version} already")


def _install(context: SyncContext, action: Install, userland: Userland) -> None:
    lxd, name = context.lxd, action.name
    if action.asleep:
        context.phase(name, "boot")
        lxd.start(name)
        wait_for_init(lxd, name)
    context.phase(name, f"driver {action.version}")

    def heard(text: str) -> None:
        context.go_on()
        lines = text.strip().splitlines()
        if lines:
            context.report.detail(name, lines[-1])

    context.install(lxd, name, userland, on_output=heard)
    _ask_nvidia_smi(context, name, action.gpus, action.version)
    lxd.update(name, config={labels.DRIVER: action.version})


def _ask_nvidia_smi(context: SyncContext, name: str, gpus: Sequence[str], version: str) -> None:
    """Without GPUs there is nobody who could answer."""
    if not gpus:
        return
    context.phase(name, "nvidia-smi")
    wrong = complaint(context.lxd.run(name, QUERY, timeout=120), gpus, version)
    if wrong:
        raise CheckError(
            f"The GPUs of {name} do not work.",
            details=wrong,
            fix="Check the host: invoke host.check",
        )


def _undone(
    context: SyncContext, action: Install, mark: SyncMarker, before: object, error: LabError
) -> LabError:
    """ERROR with what became of the container; it is as before unless the text says otherwise."""
    lxd, name = context.lxd, action.name
    context.report.phase(name, "undo")
    # Of anything else nobody knows whether the installation inside has ended.
    ended = isinstance(error, InputError | CheckError)
    try:
        restored = not ended or _trace(lxd, name) != before
        if restored:
            _restore(lxd, action, mark.snapshots[0])
        elif action.asleep:
            lxd.stop(name)
        _clear(lxd, name, mark, leaving=action.leftover)
    except LabError as worse:
        return CheckError(
            f"{error.brief} The rollback failed, too: {worse.brief}",
            details=worse.details,
            fix=f"Roll back by hand: lxc restore {name} {mark.snapshots[0]}",
        )
    how = "The container was rolled back." if restored else "Nothing in the container was changed."
    fix = error.fix
    if action.leftover is not None and action.leftover.snapshots:
        first = action.leftover.snapshots[-1]
        fix = f"Restore the state before the interrupted run, if needed: lxc restore {name} {first}"
    kind = InputError if isinstance(error, InputError) else CheckError
    return kind(f"{error.brief} {how}", details=error.details, fix=fix)


def _restore(lxd: Lxd, action: Install, snapshot: str) -> None:
    """This also discards other changes to the root since the snapshot."""
    # By itself LXD stops what runs by force; programs in there have files in /home, too.
    lxd.stop(action.name)
    lxd.restore_snapshot(action.name, snapshot)
    if not action.asleep:
        lxd.start(action.name)


def _clear(lxd: Lxd, name: str, mark: SyncMarker, *, leaving: SyncMarker | None = None) -> None:
    """Remove the snapshots of MARK that are not LEAVING's, and the mark: last, so that a crash
    meanwhile is found again."""
    for snapshot in mark.snapshots:
        if leaving is None or snapshot not in leaving.snapshots:
            lxd.delete_snapshot(name, snapshot)
    lxd.update(name, config={labels.SYNC: str(leaving) if leaving else None})


def _trace(lxd: Lxd, name: str) -> tuple[str | None, str | None]:
    """What differs as soon as a package, a hold or a library of the driver has changed."""
    # Not what is in it: that may be anything, of any size.
    return lxd.last_written(name, "/var/lib/dpkg/status"), version_in(lxd, name)
