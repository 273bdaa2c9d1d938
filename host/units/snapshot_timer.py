"""The snapshot timer: each hour, snapshots that are due are taken and expired ones are removed."""

from __future__ import annotations

from typing import Final

from host.units.timer import Timer

TIMER: Final = Timer(
    name="labstamp-snapshots",
    command="host.take-snapshots",
    description="Snapshots of users' containers, taken and removed by schedule (labstamp)",
    when="hourly",
)
