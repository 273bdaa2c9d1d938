"""Where backups go, and how one gets there: a directory, or a repository of restic's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from lab.errors import InputError
from lab.lxd.port import Lxd
from lab.report import Report
from lab.settings.backup import RESTIC
from lab.settings.settings import Settings
from lab.sizes import format_size
from provision.backup.choosing import choose
from provision.backup.directory import Backup, Directory
from provision.backup.pack import Pack, pack
from provision.backup.restic import Restic
from provision.backup.take import back_up_to, stage_lock

Store: TypeAlias = Directory | Restic


def back_up(lxd: Lxd, settings: Settings, name: str, report: Report) -> Backup:
    """A backup of NAME where the settings say; of its home alone where it has no container."""
    return put_into(store_of(settings, None), lxd, settings, name, report)


def store_of(settings: Settings, to: str | None) -> Store:
    """TO, as it was typed, else what the settings say; InputError where neither says anything."""
    wanted = to or settings.backup.to
    if not wanted:
        raise InputError(
            "It is not known where backups go.",
            fix="Set `backup: {to: DIRECTORY}` in lab.yaml, or name it: --to DIRECTORY",
        )
    if not settings.is_local:
        raise InputError(
            f"The lab's LXD is on another machine: {settings.remote}.",
            details="Backups read the files on the server's own disk.",
            fix="Run this command on that machine.",
        )
    if wanted.startswith(RESTIC):
        return Restic(wanted, settings.backup)
    return Directory(Path(wanted).absolute())


def put_into(
    store: Store,
    lxd: Lxd,
    settings: Settings,
    name: str,
    report: Report,
    *,
    pack: Pack = pack,
) -> Backup:
    """A new backup of NAME, in STORE."""
    if isinstance(store, Directory):
        store.insist()
        return back_up_to(lxd, settings, name, store, report, pack=pack)
    store = store.telling(report)
    store.insist()
    with stage_lock(settings, name, report):
        stage = store.emptied(name)
        backup = back_up_to(lxd, settings, name, stage, report, pack=pack)
        try:
            report.phase(name, "store it")
            added = store.push(backup)
        finally:
            stage.remove(backup)
    report.done(name, f"is stored in {store.place}; {format_size(added)} were new")
    return backup


@contextmanager
def at_hand(
    store: Store, settings: Settings, name: str, wanted: str | None, report: Report
) -> Iterator[tuple[Directory, Backup]]:
    """A backup whose files are on this machine, and the directory that it is in meanwhile."""
    if isinstance(store, Directory):
        yield store, choose(store.of(name), name, wanted)
        return
    store = store.telling(report)
    store.insist()
    with stage_lock(settings, name, report):
        report.phase(name, "fetch the backup")
        with store.fetched(name, wanted) as backup:
            yield store.stage, backup


def newest_id(store: Store, name: str) -> str | None:
    """Also of one that a check has failed, or that is damaged."""
    return next(reversed(store.ids(name)), None)
