"""The expiry timer: each night, the steps at the end of people's time that are due are taken."""

from __future__ import annotations

from typing import Final

from host.units.timer import Timer

TIMER: Final = Timer(
    name="labstamp-expiry",
    command="expire",
    description="Steps at the end of people's time (labstamp)",
    when="*-*-* 04:30:00",
)
