"""Another spelling of a limit of CPUs, by which LXD is made to look at it twice. Pure.

LXD 5.0.2 tells its scheduler of a changed `limits.cpu` before it has written it down
(driver_lxc.go, Update), and the scheduler reads what is written: in about half of all cases the
earlier limit, and the instance keeps that until some instance starts or stops. 5.0.3 and later
write first. Two changes in a row are right whoever is faster: the scheduler that is told of the
second one finds the first, or both, and they mean the same.
"""

from __future__ import annotations

from typing import Final

KEY: Final = "limits.cpu"
_ALL: Final = "9999"
"""As many as there are."""


def spelled_otherwise(limit: str | None) -> str:
    """What LXD holds for another value than LIMIT, and understands as the same."""
    return f"0{limit}" if limit else _ALL


def was_cut_off(limit: str) -> bool:
    """Whether LIMIT is the other spelling, so that LXD may hold the instance to an earlier one."""
    return len(limit) > 1 and limit.startswith("0") and limit[1].isdecimal()
