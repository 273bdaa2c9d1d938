"""What the end of a person's time asks of backups; `commands/` says who does it."""

from __future__ import annotations

from typing import Protocol

from lab.errors import InputError


class Archive(Protocol):
    """Both raise a LabError where they cannot do it. The caller holds no lock of the container."""

    def make(self, name: str) -> str:
        """Back up root, home and wish of NAME, verify that, and return the backup's id.

        It stays as long as the person's mark names it.
        """

    def has(self, name: str, backup: str) -> bool:
        """Whether BACKUP of NAME is there, and was verified. It may be asked under the lock."""

    def keep(self, name: str, backup: str) -> None:
        """BACKUP stays until an admin removes it: soon it is all that there is of NAME."""


class NoArchive:
    """Where no backups are made."""

    def make(self, name: str) -> str:
        raise InputError(
            f"The files of {name} cannot be archived: no backup target is set.",
            details="Without a verified backup nothing is removed.",
            fix="Set backup.to in lab.yaml, or let it end with the stop there: "
            "`expiry: {archive: none}`",
        )

    def has(self, name: str, backup: str) -> bool:
        raise InputError(
            f"The backup {backup} of {name} cannot be checked: no backup target is set.",
            details="Without a verified backup nothing is removed.",
            fix="Set backup.to in lab.yaml again.",
        )

    def keep(self, name: str, backup: str) -> None:
        """Nothing comes that far."""
