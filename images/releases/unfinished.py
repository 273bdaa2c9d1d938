"""What a builder left unfinished: told by the process that it is marked with."""

from __future__ import annotations

from datetime import datetime, timedelta

from lab.lxd.model import Image
from lab.process import is_alive
from lab.release import BUILDER

# Nobody can ask another host for its processes; no build takes this long.
_ABANDONED = timedelta(hours=6)


def is_abandoned(image: Image, now: datetime) -> bool:
    """Whether IMAGE was left unfinished by somebody who is dead. NOW by LXD's clock."""
    builder = image.properties.get(BUILDER, "")
    return bool(builder) and is_dead(builder, image.created_at, now)


def is_dead(builder: str, since: datetime, now: datetime) -> bool:
    """Whether BUILDER is known to be dead, or is unknown and too old to be still running."""
    alive = is_alive(builder)
    if alive is None and builder:
        return now - since > _ABANDONED
    return not alive
