"""The backup timer: each night, all containers are backed up and expired backups are removed."""

from __future__ import annotations

from typing import Final

from host.units.timer import Timer

USUAL: Final = "03:30"


def timer(when: str = USUAL) -> Timer:
    """It fires WHEN (systemd.time(7)); removed, it is the same whenever it fired."""
    return Timer(
        name="labstamp-backups",
        command="host.make-backups",
        description="Backups of users' containers, made and removed by schedule (labstamp)",
        when=when,
        begin="IOSchedulingClass=idle\n",
    )
