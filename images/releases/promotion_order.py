"""In which order a template's releases became current: written on them, by number and not by clock.

The clock of the machine that builds may be days or years off, and two admins have two. So each
promotion of a template has the next number, and what LXD got when is told by its own clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone

from lab.lxd.model import Image
from lab.properties import PREFIX, moment

_PROMOTED = PREFIX + "promoted"
_PROMOTED_AT = PREFIX + "promoted_at"
_NEVER = datetime.fromtimestamp(0, tz=timezone.utc)


def promoted_property(turn: int | None) -> dict[str, str]:
    """The properties of a release that became current by its template's promotion number TURN.

    None: as if it never had. Only the number counts; the time, by the clock of that machine,
    is for people and for earlier versions of labstamp.
    """
    now = datetime.now(tz=timezone.utc)
    return {
        _PROMOTED: str(turn) if turn else "",
        _PROMOTED_AT: now.isoformat() if turn else "",
    }


def promotion(image: Image) -> tuple[int, datetime] | None:
    """By what IMAGE is ordered among the promoted; None where it never was, or is not to count.

    Releases that earlier versions promoted have a time and no number: they came before.
    """
    turn = image.properties.get(_PROMOTED, "")
    if turn.isascii() and turn.isdecimal() and len(turn) < 10:
        return int(turn), _NEVER
    try:
        return 0, moment(image.properties.get(_PROMOTED_AT, ""))
    except ValueError:
        return None


def next_turn(images: Iterable[Image]) -> int:
    """The number of the next promotion of a template with these IMAGES."""
    return 1 + max((found[0] for image in images if (found := promotion(image))), default=0)
