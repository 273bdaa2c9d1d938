"""Starting, stopping and removing containers; only labstamp's own."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from lab.errors import LxdError
from lab.instances.removal import remove_instance, remove_volume
from lab.lxd.devices import of_type
from lab.lxd.model import Instance, State, Volume
from lab.lxd.port import Lxd
from lab.report import Report
from lab.settings.settings import Settings
from lab.sizes import format_size
from provision.create.ready import SshProbe, Timeouts, probe_ssh, wait_until_up
from provision.filtered import EXPLAINED, needs_netfilter
from provision.gpu_view import refuse_without_gpus
from provision.homes import changes, home_marks, read_stores
from provision.ids.marker import refuse_while_isolated
from provision.keys.given import given, remembering
from provision.lab_info import give_lab_info
from provision.managed import container_lock, managed_container, no_container
from provision.whole import refuse_while_made, whole_container

_PROTECTION = "security.protection.delete"
_FULL_DISK = ("disk quota exceeded", "no space left on device", "saving config file")
"""What LXD and liblxc say when they cannot write; the last is all of liblxc's message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What `destroy` takes away and what it leaves, each as a person calls it."""

    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    attached: tuple[str, ...] = ()
    """What somebody attached to the container by hand; it stays where it is."""


def start(
    lxd: Lxd,
    settings: Settings,
    name: str,
    *,
    report: Report,
    timeouts: Timeouts | None = None,
    probe_ssh: Callable[[str], SshProbe] = probe_ssh,
) -> bool:
    """Running, with ssh answering, afterwards. False when it was running already."""
    with container_lock(settings, name, report, f"start {name}"):
        instance = whole_container(lxd, name)
        if instance.state is State.RUNNING:
            return False
        _refuse_without_gpus(lxd, instance)
        report.phase(name, "boot")
        give_lab_info(lxd, name, report)
        _start(lxd, name)
        waits = timeouts or Timeouts()
        address = wait_until_up(lxd, name, report, timeouts=waits, probe_ssh=probe_ssh)
        report.done(name, f"runs at {address}")
        return True


def stop(lxd: Lxd, settings: Settings, name: str, *, report: Report) -> bool:
    """Stopped afterwards. False when it was already."""
    with container_lock(settings, name, report, f"stop {name}"):
        if whole_container(lxd, name).state is State.STOPPED:
            return False
        report.phase(name, "stop")
        lxd.stop(name)
        report.done(name, "stopped")
        return True


def restart(
    lxd: Lxd,
    settings: Settings,
    name: str,
    *,
    report: Report,
    timeouts: Timeouts | None = None,
    probe_ssh: Callable[[str], SshProbe] = probe_ssh,
) -> None:
    """Also starts one that is stopped. One that could not start again is not stopped."""
    _refuse_without_gpus(lxd, managed_container(lxd, name))
    stop(lxd, settings, name, report=report)
    start(lxd, settings, name, report=report, timeouts=timeouts, probe_ssh=probe_ssh)


def look(lxd: Lxd, name: str, *, purge: bool) -> Removed:
    """What `destroy` would do, to be shown before asking. InputError when it could do nothing."""
    instance, homes = _found(lxd, name)
    return what_destroy_would(
        instance, homes, _snapshots(lxd, instance), purge=purge, used=_used(lxd, homes)
    )


def what_destroy_would(
    instance: Instance | None,
    homes: Sequence[Volume],
    snapshots: Sequence[str] = (),
    *,
    purge: bool,
    used: Mapping[str, int | None] = MappingProxyType({}),
) -> Removed:
    """Pure. USED: bytes in each of HOMES, by name; None if not known."""
    removed: list[str] = []
    kept: list[str] = []
    if instance is not None:
        removed.append(f"container {instance.name}")
        if snapshots:
            plural = "s" if len(snapshots) > 1 else ""
            removed.append(f"its snapshot{plural} {', '.join(snapshots)}")
    for home in homes:
        size = used.get(home.name)
        held = "" if size is None else f", {format_size(size)} in it"
        called = f"volume {home.name} (/home{held}) in pool {home.pool}"
        (removed if purge else kept).append(called)
    attached = tuple(_attached(instance, {home.name for home in homes})) if instance else ()
    return Removed(removed=tuple(removed), kept=tuple(kept), attached=attached)


def _snapshots(lxd: Lxd, instance: Instance | None) -> tuple[str, ...]:
    return lxd.snapshots(instance.name) if instance is not None else ()


def _used(lxd: Lxd, homes: Sequence[Volume]) -> dict[str, int | None]:
    return {home.name: lxd.volume_used(home.pool, home.name) for home in homes}


def _attached(instance: Instance, homes: Container[str]) -> Iterator[str]:
    for name, device in sorted(of_type("disk", instance.devices).items()):
        source = device.get("source", "")
        if source and source not in homes:
            what = f"volume {source} in pool {device['pool']}" if "pool" in device else source
            yield f"{what} (device {name}, {device.get('path', '')})"


def destroy(lxd: Lxd, settings: Settings, name: str, *, purge: bool, report: Report) -> Removed:
    """Remove the container; its home only with PURGE."""
    with container_lock(settings, name, report, f"destroy {name}"):
        instance, homes = _found(lxd, name)
        snapshots = _snapshots(lxd, instance)
        used = _used(lxd, homes)
        for home in homes:
            # Before it stands alone: its name may be that of another container by now.
            _mark(lxd, home, name, instance)
        if instance is not None:
            report.phase(name, "destroy")
            _unprotect(lxd, name)
            remove_instance(lxd, name)
        for home in homes:
            if purge:
                remove_volume(lxd, home.pool, home.name)
        report.done(name, "destroyed")
        return what_destroy_would(instance, homes, snapshots, purge=purge, used=used)


def _mark(lxd: Lxd, home: Volume, name: str, instance: Instance | None) -> None:
    # The container is all that tells which keys earlier versions wrote into its home.
    marks = {**home_marks(name, lxd.project), **remembering(given(home, instance))}
    config = changes(home.config, marks)
    if config:
        lxd.update_volume(home.pool, home.name, config)


def _refuse_without_gpus(lxd: Lxd, instance: Instance) -> None:
    if of_type("gpu", instance.expanded_devices):
        refuse_without_gpus(instance, lxd.gpus())


def _start(lxd: Lxd, name: str) -> None:
    try:
        lxd.start(name)
    except LxdError as error:
        if needs_netfilter(error):
            raise LxdError(error.brief, details=error.details, fix=EXPLAINED) from error
        # LXD keeps files of its own on the container's root, within the user's quota (seen with
        # 5.0.2 on btrfs).
        if not any(sign in f"{error.details}".lower() for sign in _FULL_DISK):
            raise
        raise LxdError(
            error.brief,
            details=error.details,
            fix=f"Make room on its disk, which may be full: lxc file delete {name}/PATH",
        ) from error


def _unprotect(lxd: Lxd, name: str) -> None:
    try:
        lxd.update(name, config={_PROTECTION: None})
    except LxdError:
        # On a full root LXD makes the change, and then fails to write its copy there.
        instance = lxd.instance(name)
        if instance is not None and _PROTECTION in instance.config:
            raise


def _found(lxd: Lxd, name: str) -> tuple[Instance | None, tuple[Volume, ...]]:
    """The container, and its homes (one, unless the pool was changed between two lives)."""
    homes = _homes(lxd, name)
    if lxd.instance(name) is not None:
        instance = managed_container(lxd, name)
        refuse_while_made(instance)
        refuse_while_isolated(instance)
        return instance, homes
    if not homes:
        raise no_container(lxd, name)
    return None, homes


def _homes(lxd: Lxd, name: str) -> tuple[Volume, ...]:
    """Those that no other instance uses."""
    return tuple(
        home
        for home in read_stores(lxd).homes(name)
        if set(home.used_by) <= {name} and not home.used_elsewhere
    )
