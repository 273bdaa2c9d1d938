"""Backups of several people, one after the other; old ones are removed when new ones are there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lab.errors import CheckError, LabError, together
from lab.lxd.port import Lxd
from lab.report import Report
from lab.settings.settings import Settings
from provision.backup.choosing import choose
from provision.backup.directory import Backup, Directory, Verdict
from provision.backup.pack import Pack, pack
from provision.backup.restic import Restic
from provision.backup.retention import expired
from provision.backup.stores import Store, at_hand, newest_id, put_into
from provision.backup.take import backup_lock
from provision.backup.verify import Means, failure, verify
from provision.expiry.people import person
from provision.homes import read_stores
from provision.managed import is_managed


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    done: tuple[str, ...] = ()
    failed: tuple[tuple[str, LabError], ...] = ()


def everybody(lxd: Lxd) -> tuple[str, ...]:
    """Who has a container."""
    return tuple(sorted(one.name for one in read_stores(lxd).instances if is_managed(one)))


def back_up_all(
    lxd: Lxd,
    settings: Settings,
    names: Sequence[str],
    store: Store,
    report: Report,
    *,
    pack: Pack = pack,
) -> Outcome:
    """A failure of one does not stop the others, and removes nothing of that one."""

    def one(name: str) -> None:
        put_into(store, lxd, settings, name, report, pack=pack)
        remove_expired(settings, name, store, report, archive=_archive_of(lxd, name))

    return _each(names, one, report)


def _archive_of(lxd: Lxd, name: str) -> str | None:
    """The backup without which nothing of NAME is removed at the end of their time."""
    one = person(lxd, name)
    mark = one.mark if one is not None else None
    return mark.backup if mark is not None else None


def remove_expired(
    settings: Settings, name: str, store: Store, report: Report, *, archive: str | None
) -> None:
    """ARCHIVE stays in any case."""
    with backup_lock(settings, name, report):
        there = [one for one in store.of(name) if isinstance(one, Backup)]
        old_ones = expired(there, settings.backup.keep, archive)
        if isinstance(store, Directory):
            for old in old_ones:
                store.remove(old)
        elif old_ones:
            store.telling(report).remove(old_ones)
        for old in old_ones:
            report.say(f"{name}: removed the backup {old.id}, which has expired.")


def verify_all(
    lxd: Lxd, settings: Settings, names: Sequence[str], store: Store, report: Report
) -> Outcome:
    """The newest of each of NAMES."""

    def one(name: str) -> None:
        verify_one(lxd, settings, name, store, report, wanted=newest_id(store, name))

    return _each(names, one, report)


def verify_one(
    lxd: Lxd,
    settings: Settings,
    name: str,
    store: Store,
    report: Report,
    *,
    wanted: str | None,
    means: Means | None = None,
) -> None:
    """CheckError where it is not good, which is noted beside it."""
    if isinstance(store, Directory):
        backup = choose(store.of(name), name, wanted)
        verdict = verify(lxd, settings, backup, store, report, means=means)
    else:
        backup, verdict = _fetched(lxd, settings, name, store, report, wanted=wanted, means=means)
        store.telling(report).note(backup, verdict)
    error = failure(backup, verdict)
    if error is not None:
        raise error


def _fetched(
    lxd: Lxd,
    settings: Settings,
    name: str,
    store: Restic,
    report: Report,
    *,
    wanted: str | None,
    means: Means | None,
) -> tuple[Backup, Verdict]:
    try:
        with at_hand(store, settings, name, wanted, report) as (directory, backup):
            return backup, verify(lxd, settings, backup, directory, report, means=means)
    except CheckError as error:
        # The repository is damaged. CheckError again where that is so of the manifest itself.
        backup = choose(store.of(name), name, wanted)
        found = tuple((error.details or error.brief).splitlines())
        report.failed(name, f"the backup {backup.id} is not good: {found[0]}")
        return backup, Verdict(at=lxd.now().isoformat(), good=False, found=found)


def failure_of(outcome: Outcome, what: str) -> LabError | None:
    """What makes the command end badly. WHAT could not be done, in words."""
    names = " ".join(name for name, _ in outcome.failed)
    return together(
        outcome.failed,
        f"{len(outcome.failed)} backups could not be {what}.",
        fix=f"Correct these causes, then run the same command for: {names}",
    )


def _each(names: Iterable[str], do: Callable[[str], None], report: Report) -> Outcome:
    found = [(name, _tried(name, do, report)) for name in names]
    return Outcome(
        done=tuple(name for name, error in found if error is None),
        failed=tuple((name, error) for name, error in found if error is not None),
    )


def _tried(name: str, do: Callable[[str], None], report: Report) -> LabError | None:
    try:
        do(name)
    except LabError as error:
        report.failed(name, error.brief)
        return error
    return None
