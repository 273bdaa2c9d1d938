"""The note on a container that is being moved to ids of its own: by whom, how far, the way back."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import Enum

from lab import labels
from lab.errors import InputError
from lab.lxd.idmap import IdRange, read_range
from lab.lxd.model import Instance
from lab.process import is_alive


class Stage(str, Enum):
    BEFORE = "before"
    """Nothing was changed yet; SNAPSHOT may be there."""
    MOVING = "moving"
    """SNAPSHOT is the way back; files may have owners of either range."""
    MOVED = "moved"
    """It has its range and has run with it; SNAPSHOT is not the way back any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveMarker:
    """The value of `user.lab.isolate`: written before anything else, removed last."""

    builder: str
    """`HOST PID STARTTIME`."""
    range: IdRange
    snapshot: str
    """Of the root, and of each volume that goes with it."""
    stage: Stage = Stage.BEFORE
    asleep: bool = False
    """Was stopped when it began, and is to be afterwards."""
    autostart: str | None = None
    """Its own `boot.autostart`, which is off meanwhile."""

    def at(self, stage: Stage) -> MoveMarker:
        return replace(self, stage=stage)

    def __str__(self) -> str:
        told = {
            "builder": self.builder,
            "ids": str(self.range),
            "snapshot": self.snapshot,
            "stage": self.stage.value,
            "asleep": self.asleep,
            "autostart": self.autostart,
        }
        return json.dumps(told, separators=(",", ":"))

    @property
    def alive(self) -> bool | None:
        """Whether that run still goes on; None if it is not known here."""
        return is_alive(self.builder)


def read_mark(text: str | None) -> MoveMarker | None:
    if not text:
        return None
    try:
        told = json.loads(text)
        found = read_range(told["ids"])
        if found is None:
            return None
        return MoveMarker(
            builder=told["builder"],
            range=found,
            snapshot=told["snapshot"],
            stage=Stage(told["stage"]),
            asleep=told["asleep"] is True,
            autostart=told["autostart"],
        )
    except (ValueError, TypeError, KeyError):
        return None


def refuse_while_isolated(instance: Instance) -> None:
    """InputError if its files may have owners of two ranges: a start does not fix that."""
    if read_mark(instance.config.get(labels.ISOLATE)) is not None:
        raise InputError(
            f'The container "{instance.name}" is being moved to ids of its own.',
            details="If somebody starts or removes it now, its files may get wrong owners.",
            fix="Wait until it ends. If that run was interrupted, continue it: invoke isolate "
            f"{instance.name}",
        )
