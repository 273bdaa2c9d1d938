"""The note on a container that gets another name: by whom, which, and how far it is."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from lab import labels
from lab.errors import InputError
from lab.lxd.model import Instance
from lab.process import is_alive, me


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameMarker:
    """The value of `user.lab.rename`: written before anything else, removed last."""

    builder: str
    """`HOST PID STARTTIME`."""
    old: str
    new: str
    ran: bool
    """It ran when it began, and is to run afterwards."""
    cloud_id: str
    """Its own id for cloud-init, which LXD changes with the name."""
    volume: str | None = None
    """The name that the volume of its home is to have; None: the one that it has."""
    held: bool = False
    """cloud-init is switched off in it meanwhile, and is to be on afterwards."""
    settled: bool = False
    """All is done but the start."""

    def __str__(self) -> str:
        told = {
            "builder": self.builder,
            "old": self.old,
            "new": self.new,
            "ran": self.ran,
            "cloud_id": self.cloud_id,
            "volume": self.volume,
            "held": self.held,
            "settled": self.settled,
        }
        return json.dumps(told, separators=(",", ":"))

    def by(self, builder: str) -> RenameMarker:
        return replace(self, builder=builder)

    def done(self) -> RenameMarker:
        return replace(self, settled=True)

    @property
    def alive(self) -> bool | None:
        """Whether that run still goes on; None if it is not known here."""
        # What this very process wrote it has failed at: it holds the container's lock again.
        return False if self.builder == me() else is_alive(self.builder)

    @property
    def command(self) -> str:
        """What finishes it."""
        return f"invoke rename {self.old} {self.new}"


def rename_mark(instance: Instance | None) -> RenameMarker | None:
    text = instance.config.get(labels.RENAME) if instance else None
    if not text:
        return None
    try:
        told = json.loads(text)
        return RenameMarker(
            builder=told["builder"],
            old=told["old"],
            new=told["new"],
            ran=told["ran"] is True,
            cloud_id=told["cloud_id"],
            volume=told["volume"],
            held=told["held"] is True,
            settled=told["settled"] is True,
        )
    except (ValueError, TypeError, KeyError):
        return None


def refuse_while_renamed(instance: Instance) -> None:
    """InputError if a run that renames it goes on, or was cut off."""
    mark = rename_mark(instance)
    if mark is not None:
        raise InputError(
            f'The container "{instance.name}" is being renamed from {mark.old} to {mark.new}.',
            fix=f"Wait until it ends. If that run was interrupted, continue it: {mark.command}",
        )
