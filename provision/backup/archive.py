"""What the end of a person's time asks of backups: one that is proven, and whether it is there."""

from __future__ import annotations

from dataclasses import dataclass

from lab.lxd.port import Lxd
from lab.report import Report
from lab.settings.settings import Settings
from provision.backup.directory import Backup
from provision.backup.run import verify_one
from provision.backup.stores import back_up, store_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """An archive as `provision.expiry.archive.Archive` wants it, where `backup.to` says.

    Retention leaves those that a person's mark names, and those that are to be kept.
    """

    lxd: Lxd
    settings: Settings
    report: Report

    def make(self, name: str) -> str:
        """The id of a new backup of NAME; CheckError where it cannot be restored."""
        made = back_up(self.lxd, self.settings, name, self.report)
        store = store_of(self.settings, None)
        verify_one(self.lxd, self.settings, name, store, self.report, wanted=made.id)
        return made.id

    def has(self, name: str, backup: str) -> bool:
        """Whether BACKUP of NAME is there, whole, and was good when it was verified last."""
        return any(
            isinstance(one, Backup)
            and one.id == backup
            and one.verdict is not None
            and one.verdict.good
            for one in store_of(self.settings, None).of(name)
        )

    def keep(self, name: str, backup: str) -> None:
        """No retention removes BACKUP any more."""
        store_of(self.settings, None).keep(name, backup)
