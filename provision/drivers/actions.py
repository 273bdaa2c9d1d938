"""What a driver sync does to one container. Each says itself in a line, for --plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from lab.driver.delivery import Delivery
from provision.drivers.marker import SyncMarker


@dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """Put VERSION inside. LEFTOVER: of an earlier run that was cut off."""

    name: str
    had: str | None
    version: str
    gpus: tuple[str, ...]
    asleep: bool = False
    """Stopped: it is started for this, and stopped again."""
    leftover: SyncMarker | None = None

    def __str__(self) -> str:
        also = []
        if self.leftover is not None:
            also.append("an earlier run was interrupted here")
        if self.asleep:
            also.append("starts it for that, and stops it again")
        tail = f" ({'; '.join(also)})" if also else ""
        return f"{self.name}: install driver {_step(self.had, self.version)}{tail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """Its next start brings VERSION by itself."""

    name: str
    had: str | None
    version: str
    gpus: tuple[str, ...]
    delivery: Delivery

    def __str__(self) -> str:
        return (
            f"{self.name}: restart, for driver {_step(self.had, self.version)} "
            f"by {self.delivery.value}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Not touched, though it drifts. FIX: a command, where one helps."""

    name: str
    reason: str
    fix: str | None = None
    restart: bool = False
    """Whether a restart is all that is missing."""

    def __str__(self) -> str:
        return f"{self.name}: skip, {self.reason}" + (f": {self.fix}" if self.fix else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """Remove what a run that was cut off left; the container is as it should be."""

    name: str
    leftover: SyncMarker

    def __str__(self) -> str:
        return f"{self.name}: remove what an interrupted run left"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Its user brought it to VERSION by hand; only our key says otherwise."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}: record that it has driver {self.version} already"


Action: TypeAlias = Install | Restart | Forget | Note | Leave


def _step(had: str | None, version: str) -> str:
    if had == version:
        return f"{version} again"
    return f"{had} → {version}" if had else version
