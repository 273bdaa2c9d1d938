"""The note on a container whose driver is being changed: by whom, and the way back."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from lab.process import is_alive, me

_NONE = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncMarker:
    """The value of `user.lab.sync`. Written before a snapshot is made, removed after it is gone."""

    builder: str
    """`HOST PID STARTTIME`."""
    snapshots: tuple[str, ...] = ()
    """The newest first: BUILDER's, then those of runs before it that were cut off."""

    def __str__(self) -> str:
        return f"{self.builder} {','.join(self.snapshots) or _NONE}"

    @property
    def alive(self) -> bool | None:
        """Whether that run still goes on; None if it is not known here."""
        return is_alive(self.builder)


def new_mark(*, after: SyncMarker | None) -> SyncMarker:
    """Of this process, with a snapshot that is yet to be made; AFTER a run that was cut off.

    The name is nobody else's, even if that run took its own in this very second.
    """
    snapshot = f"{time.strftime('sync-%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
    return SyncMarker(builder=me(), snapshots=(snapshot, *(after.snapshots if after else ())))


def read_mark(text: str | None) -> SyncMarker | None:
    if not text:
        return None
    builder, _, names = text.rpartition(" ")
    return SyncMarker(
        builder=builder, snapshots=tuple(each for each in names.split(",") if each != _NONE)
    )
