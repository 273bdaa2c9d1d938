"""`backup`: a snapshot of root and home is read into files, and removed. The container runs on.

Nothing is run or opened in the container: the snapshot is read from the server's own disk, by the
server's own tar (`lab.machine.trees`). What a killed run left, the next one removes.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from lab.errors import CapacityError, Conflict, LabError
from lab.lxd.devices import devices_of, root_of
from lab.lxd.port import Lxd
from lab.machine.lock import hold_lock
from lab.report import Report
from lab.settings.settings import Settings
from lab.sizes import format_size
from lab.tempdir import remove_dead_directories
from provision.backup.describe import NOTHING, describe, describe_root, home_tree, root_tree
from provision.backup.directory import Backup, Directory, write_manifest
from provision.backup.manifest import Manifest
from provision.backup.pack import Pack, pack
from provision.backup.snapshot import (
    Context,
    Person,
    as_in,
    find_person,
    has_gone,
    snapshot_of,
)
from provision.states import seen_alone

_ROOM: Final = 1.2
"""How much more than last time is asked for."""


def backup_lock(settings: Settings, name: str, report: Report) -> AbstractContextManager[None]:
    """One backup of NAME is made, restored or removed at a time; its container goes on."""
    return hold_lock(
        f"backup-{settings.project}-{name}", report, f"backup {name}", remote=settings.remote
    )


def stage_lock(settings: Settings, name: str, report: Report) -> AbstractContextManager[None]:
    """The files of NAME lie on this server for one run at a time. Taken before `backup_lock`."""
    return hold_lock(
        f"backup-stage-{settings.project}-{name}", report, f"backup {name}", remote=settings.remote
    )


def back_up_to(
    lxd: Lxd,
    settings: Settings,
    name: str,
    store: Directory,
    report: Report,
    *,
    pack: Pack = pack,
) -> Backup:
    store.insist()
    context = Context(lxd=lxd, settings=settings, report=report, pack=pack)
    remove_dead_directories()
    with backup_lock(settings, name, report):
        if left := store.clear(name):
            report.say(f"{name}: removed {left} unfinished backup(s) that earlier runs left.")
        person = find_person(context, name)
        _refuse_without_room(lxd, store, person)
        with snapshot_of(context, person) as snapshot:
            stamp = store.new_id(name, now := lxd.now())
            with store.making(name, stamp) as place:
                told = describe(lxd, name, person.instance, person.home, now)
                manifest = _packed(context, person, told, snapshot, place)
                write_manifest(place, manifest)
        size = format_size(manifest.stored_bytes)
        report.done(name, f"has the backup {stamp} ({size})")
        return Backup(place=store.top / name / stamp, manifest=manifest)


def _packed(
    context: Context, person: Person, told: Manifest, snapshot: str, place: Path
) -> Manifest:
    """Conflict where it is another container by the end: the files are those of the snapshot."""
    try:
        return _of_snapshot(context, person, told, snapshot, place)
    except LabError as error:
        if not has_gone(context.lxd, person):
            raise
        raise Conflict(
            f"{person.name} was renamed or removed while it was backed up.",
            details=error.brief,
            fix="Look what it is called: invoke list\nThen back it up: invoke backup NAME",
        ) from error


def _of_snapshot(
    context: Context, person: Person, told: Manifest, snapshot: str, place: Path
) -> Manifest:
    lxd, report = context.lxd, context.report
    root, instance = None, as_in(lxd, person, snapshot)
    if person.instance is not None and instance is not None:
        report.phase(person.name, "back up its root")
        tree = root_tree(lxd, instance, snapshot)
        # Before its files, which take long: an upgrade may give it another root meanwhile.
        described = describe_root(lxd, person.instance, person.home, NOTHING)
        part = context.pack(tree, place / "root.tar.zst", place / "root.files.zst")
        root = described.model_copy(update={"part": part})
    report.phase(person.name, "back up its home")
    tree = home_tree(lxd, person.home, snapshot)
    part = context.pack(tree, place / "home.tar.zst", place / "home.files.zst")
    home = told.home.model_copy(update={"part": part})
    return told.model_copy(update={"root": root, "home": home})


def _refuse_without_room(lxd: Lxd, store: Directory, person: Person) -> None:
    name, home, instance = person.name, person.home, person.instance
    before = [one for one in store.of(name) if isinstance(one, Backup)]
    if before:
        needed = int(before[-1].manifest.stored_bytes * _ROOM)
    else:
        needed = lxd.volume_used(home.pool, home.name) or 0
        root = root_of(devices_of(instance)) if instance is not None else None
        if instance is not None and root is not None:
            needed += seen_alone(lxd, instance).state.disk_bytes.get(root[0], 0)
    free = store.free_bytes()
    if free < needed:
        raise CapacityError(
            f"There is no room for a backup of {name} in {store.place}.",
            details=f"It may need {format_size(needed)}; {format_size(free)} are free.",
            fix="Make room there, keep fewer backups (`backup: {keep: …}` in lab.yaml), or "
            "choose another directory: --to DIRECTORY",
        )
