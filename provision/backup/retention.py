"""Which backups of a person stay. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from lab.settings.backup import KeepSettings
from provision.backup.directory import Backup

_DAY: Final = "%Y-%m-%d"
_WEEK: Final = "%G-%V"
_MONTH: Final = "%Y-%m"


def expired(
    backups: Sequence[Backup], keep: KeepSettings, archive: str | None = None
) -> tuple[Backup, ...]:
    """Of BACKUPS, the oldest first, those that no rule keeps. ARCHIVE stays, too.

    The newest of each day, week and month count, of days that have one: who was away for a year
    loses nothing. The newest that is not known to be bad always stays, and so does the newest with
    a root: a home that was backed up alone does not replace a person.
    """
    newest_first = sorted(backups, key=lambda one: (one.manifest.when, one.id), reverse=True)
    good = [one for one in newest_first if one.verdict is None or one.verdict.good]
    kept = {one.place for one in good[: keep.last]}
    for count, form in ((keep.daily, _DAY), (keep.weekly, _WEEK), (keep.monthly, _MONTH)):
        kept |= {one.place for one in _newest_of_each(good, _by(form))[:count]}
    kept |= {one.place for one in good[:1]}
    kept |= {one.place for one in [each for each in good if each.manifest.root is not None][:1]}
    kept |= {one.place for one in backups if one.kept or one.id == archive}
    if not good:
        return ()
    return tuple(one for one in backups if one.place not in kept)


def _newest_of_each(
    newest_first: Sequence[Backup], period: Callable[[datetime], str]
) -> list[Backup]:
    found: dict[str, Backup] = {}
    for one in newest_first:
        found.setdefault(period(one.manifest.when), one)
    return list(found.values())


def _by(form: str) -> Callable[[datetime], str]:
    return lambda when: when.strftime(form)
