"""Commands about what labstamp installs on the machine: the GPU boot unit and the driver hook."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from invoke.context import Context

from commands.cli import command, connect_to, keep_quotas, read_settings, rebuild, this_machine
from commands.versions import drifting
from lab import console
from lab.errors import CheckError, InputError, LabError
from lab.lxd.port import Lxd
from lab.places import ROOT
from lab.settings.settings import Settings

if TYPE_CHECKING:
    from host.check.drift import Versions
    from host.units.timer import Timer

_NOT_BOOTED = "This machine was not booted with systemd, so nothing starts the unit."


@command()
def install_gpu_unit(_c: Context) -> None:
    """Have each boot load NVIDIA's modules and make /dev/nvidia-uvm before LXD starts."""
    from host.units import gpu_boot

    machine = this_machine()
    _local(read_settings())
    machine.require_root("sudo .venv/bin/invoke host.install-gpu-unit")
    _say(gpu_boot.install(machine), nothing="The GPU boot unit is installed; nothing to do.")
    if not machine.systemd_runs:
        console.print_note(_NOT_BOOTED)


@command()
def remove_gpu_unit(_c: Context) -> None:
    """Remove the GPU boot unit, and nothing else. Modules and nodes stay as they are."""
    from host.units import gpu_boot

    machine = this_machine()
    machine.require_root("sudo .venv/bin/invoke host.remove-gpu-unit")
    _say(gpu_boot.remove(machine), nothing="There is no GPU boot unit; nothing to do.")


@command()
def install_driver_hook(_c: Context) -> None:
    """Update images and containers to the driver at boot, and hold the driver's packages."""
    from host.units import driver_hook

    machine = this_machine()
    settings = read_settings()
    _local(settings)
    machine.require_root("sudo .venv/bin/invoke host.install-driver-hook")
    driver_hook.insist_on_root_alone(machine, ROOT, settings)
    done = driver_hook.install(machine, ROOT)
    _say(done, nothing="The driver hook is installed; nothing to do.")
    if not machine.systemd_runs:
        console.print_note(_NOT_BOOTED)


@command()
def remove_driver_hook(_c: Context) -> None:
    """Remove the driver hook's unit, and release the packages that it held."""
    from host.units import driver_hook

    machine = this_machine()
    machine.require_root("sudo .venv/bin/invoke host.remove-driver-hook")
    _say(driver_hook.remove(machine), nothing="There is no driver hook; nothing to do.")


@command()
def after_driver_update(_c: Context) -> None:
    """Update releases and containers to the host's driver. The driver hook runs this."""
    settings = read_settings()
    lxd = connect_to(settings)
    follow_driver(drifting(lxd, settings), build=rebuild, sync=lambda: _sync(lxd, settings))


@command()
def install_snapshot_timer(_c: Context) -> None:
    """Take snapshots each hour where `snapshots:` in lab.yaml says so, and remove expired ones."""
    from host.units.snapshot_timer import TIMER

    _install_timer(TIMER, "snapshot timer", "host.install-snapshot-timer")


@command()
def remove_snapshot_timer(_c: Context) -> None:
    """Remove the snapshot timer. Snapshots stay."""
    from host.units.snapshot_timer import TIMER

    _remove_timer(TIMER, "snapshot timer", "host.remove-snapshot-timer")


@command()
def install_expiry_timer(_c: Context) -> None:
    """Each night, take the steps that are due at the end of people's time."""
    from host.units.expiry_timer import TIMER

    _install_timer(TIMER, "expiry timer", "host.install-expiry-timer")


@command()
def remove_expiry_timer(_c: Context) -> None:
    """Remove the expiry timer. Dates stay; nothing happens when they have passed."""
    from host.units.expiry_timer import TIMER

    _remove_timer(TIMER, "expiry timer", "host.remove-expiry-timer")


@command()
def install_state_timer(_c: Context) -> None:
    """Have each night run export-state, into /var/lib/labstamp/states."""
    from host.units.state_timer import TIMER

    _install_timer(TIMER, "state timer", "host.install-state-timer")


@command()
def remove_state_timer(_c: Context) -> None:
    """Remove the state timer. The files that it wrote stay."""
    from host.units.state_timer import TIMER

    _remove_timer(TIMER, "state timer", "host.remove-state-timer")


@command(help={"plan": "Show what would be done; change nothing."})
def take_snapshots(_c: Context, plan: bool = False) -> None:
    """Take the snapshots that are due, remove those that have expired. The timer runs this."""
    from provision.snapshots import run

    settings = read_settings()
    lxd = connect_to(settings)
    planned = run.plan_schedule(lxd, settings)
    for action in planned if plan else ():
        console.print_text(str(action))
    if not planned:
        console.print_text("No snapshot is due, and none has expired; nothing to do.")
    if plan or not planned:
        return
    with console.reporter() as report:
        keep_quotas(settings, report)
        failed = run.failure(run.run_schedule(lxd, settings, report))
    if failed is not None:
        raise failed


@command()
def install_backup_timer(_c: Context) -> None:
    """Make backups each night, where and when `backup:` in lab.yaml says."""
    from host.units import driver_hook
    from host.units.backup_timer import timer
    from provision.backup.stores import store_of

    machine = this_machine()
    settings = read_settings()
    _local(settings)
    machine.require_root("sudo .venv/bin/invoke host.install-backup-timer")
    driver_hook.insist_on_root_alone(machine, ROOT, settings)
    store_of(settings, None).insist()
    done = timer(settings.backup.when).install(machine, ROOT)
    _say(done, nothing="The backup timer is installed; nothing to do.")
    if not machine.systemd_runs:
        console.print_note(_NOT_BOOTED)


@command()
def remove_backup_timer(_c: Context) -> None:
    """Remove the backup timer. Backups stay."""
    from host.units.backup_timer import timer

    machine = this_machine()
    machine.require_root("sudo .venv/bin/invoke host.remove-backup-timer")
    _say(timer().remove(machine), nothing="There is no backup timer; nothing to do.")


@command()
def make_backups(_c: Context) -> None:
    """Back up all containers, and remove backups that have expired. The timer runs this."""
    from provision.backup import run
    from provision.backup.stores import store_of

    settings = read_settings()
    this_machine().require_root("sudo .venv/bin/invoke host.make-backups")
    lxd = connect_to(settings)
    store = store_of(settings, None)
    with console.reporter() as report:
        keep_quotas(settings, report)
        outcome = run.back_up_all(lxd, settings, run.everybody(lxd), store, report)
    if failed := run.failure_of(outcome, "made"):
        raise failed


def follow_driver(found: Versions, *, build: Callable[..., None], sync: Callable[[], None]) -> None:
    """BUILD the releases and SYNC the containers that drift. The LabError of all that failed."""
    if found.host is None:
        console.print_text("No NVIDIA kernel module is loaded; nothing to do.")
        return
    for name, trouble in found.unseen:
        console.print_text(f"{name}: {trouble}")
    if not found.drift:
        console.print_text(f"Every release and container fits driver {found.host}; nothing to do.")
        return
    failures: list[LabError] = []
    if found.releases:
        _try(lambda: build(*(one.name for one in found.releases)), failures)
    # Also after a build that failed: these are people's containers, and need no release.
    if found.containers or found.restarts:
        _try(sync, failures)
    if failures:
        raise _together(failures)


def _sync(lxd: Lxd, settings: Settings) -> None:
    from provision.drivers import sync
    from provision.drivers.plan import Options

    with console.reporter() as report:
        outcome = sync.sync_drivers(lxd, settings, (), Options(), report)
    for left in outcome.left:
        console.print_text(str(left))
    failed = sync.failure(outcome)
    if failed is not None:
        raise failed


def _try(work: Callable[[], None], failures: list[LabError]) -> None:
    try:
        work()
    except LabError as error:
        failures.append(error)


def _together(failures: Sequence[LabError]) -> LabError:
    if len(failures) == 1:
        return failures[0]
    return CheckError(
        "Some releases or containers could not be brought to the host's driver.",
        details="\n".join(map(str, failures)),
        fix="Correct these causes, then run: invoke host.after-driver-update",
    )


def _install_timer(timer: Timer, called: str, command: str) -> None:
    from host.units import driver_hook

    machine = this_machine()
    settings = read_settings()
    _local(settings)
    machine.require_root(f"sudo .venv/bin/invoke {command}")
    driver_hook.insist_on_root_alone(machine, ROOT, settings)
    _say(timer.install(machine, ROOT), nothing=f"The {called} is installed; nothing to do.")
    if not machine.systemd_runs:
        console.print_note(_NOT_BOOTED)


def _remove_timer(timer: Timer, called: str, command: str) -> None:
    machine = this_machine()
    machine.require_root(f"sudo .venv/bin/invoke {command}")
    _say(timer.remove(machine), nothing=f"There is no {called}; nothing to do.")


def _local(settings: Settings) -> None:
    if not settings.is_local:
        raise InputError(
            f"The lab's LXD is on another machine: {settings.remote}.",
            fix="Run this command on that machine.",
        )


def _say(done: Sequence[object], *, nothing: str) -> None:
    for one in done:
        console.print_text(str(one))
    if not done:
        console.print_text(nothing)
