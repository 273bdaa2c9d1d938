"""The note on a container while its snapshot is taken, and what a run that was killed left.

The snapshot has the note, too, for good: so it says who took it. And it has `boot.autostart` off:
after LXD has restored it, with that day's GPUs and ports, no boot of the server starts it so.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import Final

from lab import labels
from lab.errors import InputError
from lab.lxd.model import Instance
from lab.lxd.port import Lxd
from lab.process import is_alive
from provision.homes import home_place
from provision.other_run import in_other_hands

AUTOSTART: Final = "boot.autostart"


class By(str, Enum):
    HAND = "hand"
    SCHEDULE = "schedule"
    BACKUP = "backup"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeMarker:
    """The value of `user.lab.snapshot`."""

    builder: str
    """`HOST PID STARTTIME`."""
    snapshot: str
    by: By
    autostart: str | None = None
    """Its own `boot.autostart`, which is off meanwhile."""

    def __str__(self) -> str:
        told = {
            "builder": self.builder,
            "snapshot": self.snapshot,
            "by": self.by.value,
            "autostart": self.autostart,
        }
        return json.dumps(told, separators=(",", ":"))

    @property
    def alive(self) -> bool | None:
        """Whether that run still goes on; None if it is not known here."""
        return is_alive(self.builder)


def read_take(text: str | None) -> TakeMarker | None:
    if not text:
        return None
    try:
        told = json.loads(text)
        return TakeMarker(
            builder=told["builder"],
            snapshot=told["snapshot"],
            by=By(told["by"]),
            autostart=told["autostart"],
        )
    except (ValueError, TypeError, KeyError):
        return None


def finish_half_taken(lxd: Lxd, instance: Instance) -> str | None:
    """Remove the half of a snapshot that a killed run left; its name, None where there is none.

    The home is taken first and the root last, so a root is that of a whole one, which stays. Also
    after `lxc restore`, which brings the note of its snapshot back. InputError while another
    process takes one.
    """
    mark = read_take(instance.config.get(labels.SNAPSHOT))
    if mark is None:
        return None
    if mark.alive is not False and not _is_whole(lxd, instance, mark):
        reason, fix = in_other_hands(
            mark,
            "taking a snapshot of",
            once_over="unset the key",
            fix=f"lxc config unset {instance.name} {labels.SNAPSHOT}",
        )
        raise InputError(
            f"A snapshot of {instance.name} is being taken.",
            details=reason,
            fix=f"Wait until it ends.{f' If it does not: {fix}' if fix else ''}",
        )
    return None if settle(lxd, instance, mark) else mark.snapshot


def settle(lxd: Lxd, instance: Instance, mark: TakeMarker) -> bool:
    """Whether the snapshot of MARK is whole; what there is of any other is removed."""
    whole = _is_whole(lxd, instance, mark)
    place = home_place(instance)
    if not whole and place is not None:
        lxd.delete_volume_snapshot(*place, mark.snapshot)
    lxd.update(instance.name, config={labels.SNAPSHOT: None, AUTOSTART: mark.autostart})
    return whole


def _is_whole(lxd: Lxd, instance: Instance, mark: TakeMarker) -> bool:
    return mark.snapshot in lxd.snapshots(instance.name)
