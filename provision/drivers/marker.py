"""The note on a container whose driver is being changed: by whom, and the way back."""

from __future__ import annotations

import time
from dataclasses import dataclass

from lab.process import is_alive, me


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncMarker:
    """The value of `user.lab.sync`. Written before SNAPSHOT is made, removed after it is gone."""

    builder: str
    """`HOST PID STARTTIME`."""
    snapshot: str

    def __str__(self) -> str:
        return f"{self.builder} {self.snapshot}"

    @property
    def alive(self) -> bool | None:
        """Whether that run still goes on; None if it is not known here."""
        return is_alive(self.builder)


def new_mark() -> SyncMarker:
    """Of this process, with a name that no earlier snapshot has."""
    return SyncMarker(builder=me(), snapshot=time.strftime("sync-%Y%m%d-%H%M%S"))


def read_mark(text: str | None) -> SyncMarker | None:
    if not text:
        return None
    builder, _, snapshot = text.rpartition(" ")
    return SyncMarker(builder=builder, snapshot=snapshot)
