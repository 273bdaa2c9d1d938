"""What is told of a container that another run is at work on, or was. Pure."""

from __future__ import annotations

from typing import Protocol

from lab.process import in_words


class Mark(Protocol):
    """What such a run wrote on the container."""

    @property
    def builder(self) -> str: ...
    @property
    def alive(self) -> bool | None: ...


def in_other_hands(mark: Mark, doing: str, *, once_over: str, fix: str) -> tuple[str, str | None]:
    """Why the container is left to the run of MARK, and the command FIX where that may be over.

    DOING: `syncing`; ONCE_OVER goes on after `If that process no longer exists, `.
    """
    who = in_words(mark.builder)
    if mark.alive:
        return f"{who} is {doing} it", None
    return f"{who} may still be {doing} it. If that process no longer exists, {once_over}", fix
