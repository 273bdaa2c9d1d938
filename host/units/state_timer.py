"""The state timer: each night, all that labstamp keeps in LXD is written into a file beside it."""

from __future__ import annotations

from typing import Final

from host.units.timer import Timer

TIMER: Final = Timer(
    name="labstamp-state",
    command="export-state",
    description="The keys and marks of the lab's containers and homes, as a file (labstamp)",
    when="*-*-* 03:00:00",
    begin="UMask=0077\n",
)
