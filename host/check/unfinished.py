"""Findings about work on containers that was interrupted. Pure.

What there is, provision/ tells; here it is only judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from host.finding import Finding, Status
from lab.lxd.model import Instance

_NAME = "unfinished"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """On the container NAME: WHAT has begun, by WHO, and the COMMAND that continues it."""

    name: str
    what: str
    who: str
    at_work: bool | None
    """None if it is not known here."""
    command: str


def findings(work: Sequence[Work], instances: Sequence[Instance]) -> Iterator[Finding]:
    """INSTANCES: the containers of labstamp."""
    left = [one for one in work if not one.at_work]
    for one in left:
        was = "was interrupted" if one.at_work is False else "may have been interrupted"
        yield Finding(
            name=_NAME,
            subject=one.name,
            status=Status.WARN,
            found=f"{one.what} {was} ({one.who})",
            why="Other commands refuse to change it until that is finished, and it may not run.",
            fix=one.command,
        )
    if instances and not left:
        yield Finding(name=_NAME, found="no work on a container was interrupted")
