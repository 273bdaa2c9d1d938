"""Starting, stopping and removing containers; only labstamp's own."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from lab import labels
from lab.errors import LxdError
from lab.instances.removal import remove_instance, remove_volume
from lab.lxd.devices import of_type
from lab.lxd.model import Instance, Volume
from lab.lxd.port import Lxd
from lab.report import Report
from lab.settings.settings import Settings
from lab.sizes import format_size
from provision.create.ready import SshProbe, Timeouts, probe_ssh
from provision.expiring import refuse_ended
from provision.former import (
    being_upgraded,
    is_kept_root,
    read_mark,
    unfinished,
)
from provision.homes import changes, home_marks, read_stores
from provision.ids.marker import refuse_while_isolated
from provision.keys.given import given, remembering
from provision.managed import container_lock, managed_container, no_container
from provision.moving import refuse_while_moved
from provision.renaming import refuse_while_renamed
from provision.restoring import refuse_while_restored
from provision.running import start_held, stop_held
from provision.shares.prepare import close
from provision.shares.share import rights_of
from provision.starting import refuse_unstartable
from provision.whole import refuse_while_made

_PROTECTION = "security.protection.delete"


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
        refuse_ended(managed_container(lxd, name))
        return start_held(
            lxd, settings, name, report=report, timeouts=timeouts, probe_ssh=probe_ssh
        )


def stop(lxd: Lxd, settings: Settings, name: str, *, report: Report) -> bool:
    """Stopped afterwards. False when it was already."""
    with container_lock(settings, name, report, f"stop {name}"):
        return stop_held(lxd, name, report=report)


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
    instance = managed_container(lxd, name)
    refuse_ended(instance)
    refuse_unstartable(lxd, instance)
    stop(lxd, settings, name, report=report)
    start(lxd, settings, name, report=report, timeouts=timeouts, probe_ssh=probe_ssh)


def look(lxd: Lxd, name: str, *, purge: bool) -> Removed:
    """What `destroy` would do, to be shown before asking. InputError when it could do nothing."""
    instance, homes = _found(lxd, name)
    return what_destroy_would(
        instance,
        homes,
        _snapshots(lxd, instance),
        _kept_root(lxd, instance),
        purge=purge,
        used=_used(lxd, homes),
        home_snapshots=_home_snapshots(lxd, homes),
    )


def what_destroy_would(
    instance: Instance | None,
    homes: Sequence[Volume],
    snapshots: Sequence[str] = (),
    root: Instance | None = None,
    *,
    purge: bool,
    used: Mapping[str, int | None] = MappingProxyType({}),
    home_snapshots: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Removed:
    """Pure. ROOT: the one that its last upgrade kept. By the names of HOMES: bytes USED in each,
    None if not known, and its snapshots."""
    removed: list[str] = []
    kept: list[str] = []
    if instance is not None:
        removed.append(f"container {instance.name}")
        if snapshots:
            removed.append(f"its {_named(snapshots)}")
        if root is not None:
            removed.append(f"its kept root {root.name}")
    for home in homes:
        size = used.get(home.name)
        held = "" if size is None else f", {format_size(size)} in it"
        called = f"volume {home.name} (/home{held}) in pool {home.pool}"
        more = home_snapshots.get(home.name)
        with_more = f"{called} with its {_named(more)}" if more else called
        (removed if purge else kept).append(with_more)
    attached = tuple(_attached(instance, {home.name for home in homes})) if instance else ()
    return Removed(removed=tuple(removed), kept=tuple(kept), attached=attached)


def _kept_root(lxd: Lxd, instance: Instance | None) -> Instance | None:
    name = instance.config.get(labels.KEPT_ROOT) if instance is not None else None
    found = lxd.instance(name) if name else None
    return found if found is not None and is_kept_root(found) else None


def _named(snapshots: Sequence[str]) -> str:
    return f"snapshot{'s' if len(snapshots) > 1 else ''} {', '.join(snapshots)}"


def _snapshots(lxd: Lxd, instance: Instance | None) -> tuple[str, ...]:
    return lxd.snapshots(instance.name) if instance is not None else ()


def _used(lxd: Lxd, homes: Sequence[Volume]) -> dict[str, int | None]:
    return {home.name: lxd.volume_used(home.pool, home.name) for home in homes}


def _home_snapshots(lxd: Lxd, homes: Sequence[Volume]) -> dict[str, tuple[str, ...]]:
    return {home.name: lxd.volume_snapshots(home.pool, home.name) for home in homes}


def _attached(instance: Instance, homes: Container[str]) -> Iterator[str]:
    for name, device in sorted(of_type("disk", instance.devices).items()):
        source = device.get("source", "")
        if source and source not in homes:
            what = f"volume {source} in pool {device['pool']}" if "pool" in device else source
            yield f"{what} (device {name}, {device.get('path', '')})"


def destroy(lxd: Lxd, settings: Settings, name: str, *, purge: bool, report: Report) -> Removed:
    """Remove the container; its home only with PURGE."""
    with container_lock(settings, name, report, f"destroy {name}"):
        return destroy_held(lxd, settings, name, purge=purge, report=report)


def destroy_held(
    lxd: Lxd, settings: Settings, name: str, *, purge: bool, report: Report
) -> Removed:
    """The same by a caller who has the container's lock."""
    instance, homes = _found(lxd, name)
    snapshots = _snapshots(lxd, instance)
    used, more = _used(lxd, homes), _home_snapshots(lxd, homes)
    for home in homes:
        # Before it stands alone: its name may be that of another container by now.
        _mark(lxd, home, name, instance)
    root = _kept_root(lxd, instance)
    if instance is not None:
        report.phase(name, "destroy")
        rights = rights_of(lxd, instance, settings)
        for each in (*([root.name] if root else []), name):
            _unprotect(lxd, each)
            remove_instance(lxd, each)
        for right in rights:
            close(right, settings, report)
    for home in homes:
        if purge:
            remove_volume(lxd, home.pool, home.name)
    report.done(name, "destroyed")
    return what_destroy_would(
        instance, homes, snapshots, root, purge=purge, used=used, home_snapshots=more
    )


def _mark(lxd: Lxd, home: Volume, name: str, instance: Instance | None) -> None:
    # The container is all that tells which keys earlier versions wrote into its home.
    marks = {**home_marks(name, lxd.project), **remembering(given(home, instance))}
    config = changes(home.config, marks)
    if config:
        lxd.update_volume(home.pool, home.name, config)


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
    leaving = unfinished(lxd.instances(), name)
    if leaving is not None:
        raise being_upgraded(name, read_mark(leaving))
    if lxd.instance(name) is not None:
        instance = managed_container(lxd, name)
        refuse_while_moved(instance)
        refuse_while_made(instance)
        refuse_while_isolated(instance)
        refuse_while_renamed(instance)
        refuse_while_restored(name, homes)
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
