"""What a snapshot may be called, and which names are those of other commands. Pure."""

from __future__ import annotations

import re
from collections.abc import Container
from datetime import datetime
from typing import Final

from lab.errors import InputError
from lab.names import quote

_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}", re.ASCII)
"""What LXD and each pool's driver can call a snapshot."""
SCHEDULED: Final = "auto-"
"""How the names of those begin that are taken by themselves."""
FOR_BACKUP: Final = "labstamp-backup-"
"""Of those that are taken for a backup, and removed when it is made."""
OTHERS: Final = {
    "isolate-": "isolate",
    "move-": "move",
    "sync-": "sync-drivers",
    "upgrade-": "upgrade",
    FOR_BACKUP: "backup",
}
"""How the names of snapshots begin that a command takes for its own way back."""


def check_label(label: str) -> None:
    """InputError unless a person's snapshot can have this name."""
    if not _LABEL.fullmatch(label):
        raise InputError(
            f"{quote(label)} cannot be the name of a snapshot.",
            fix="Use 1 to 50 letters, digits, dots, dashes and underscores; begin with a letter "
            "or a digit.",
        )
    command = others_command(label)
    if command is not None or label.startswith(SCHEDULED):
        whose = f"`invoke {command}`" if command else "the schedule"
        raise InputError(
            f"{quote(label)} cannot be the name of a snapshot.",
            details=f"Names that begin so are those of {whose}.",
            fix="Choose another name.",
        )


def others_command(name: str) -> str | None:
    """The command whose way back NAME is; None for a snapshot that is a person's."""
    return next((command for start, command in OTHERS.items() if name.startswith(start)), None)


def by_time(now: datetime, taken: Container[str], *, before: str = "") -> str:
    """A name that is not TAKEN: by the server's clock, in UTC; BEFORE stands first."""
    name = f"{before}{now:%Y%m%d-%H%M%S}"
    return next(
        each
        for each in (name, *(f"{name}-{number}" for number in range(2, 1000)))
        if each not in taken
    )
