"""What provision/ knows of interrupted work, in the types of host/."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from host.check.unfinished import Work
    from lab.lxd.port import Lxd


def unfinished(lxd: Lxd) -> tuple[Work, ...]:
    """Work on containers that has begun and not ended."""
    from host.check.unfinished import Work
    from provision.unfinished import unfinished_work

    return tuple(
        Work(name=one.name, what=one.work, who=one.who, at_work=one.at_work, command=one.command)
        for one in unfinished_work(lxd)
    )
