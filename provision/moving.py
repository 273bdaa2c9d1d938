"""The notes on both sides of a move to another server: by whom, where to, how far. Pure.

The one on the source decides: until it says `trying`, the source is the container; from `moved` on,
the copy is. In between the source is stopped, and the copy is the container if it gets ready.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import Enum

from lab import labels
from lab.errors import InputError
from lab.lxd.model import Instance, Volume
from lab.names import quote
from lab.process import in_words, is_alive, me


class Stage(str, Enum):
    COPYING = "copying"
    """The container is as it was, and may run; its copy is being made on the other server."""
    STOPPING = "stopping"
    """It is stopped, or about to be; what has changed since is sent after."""
    TRYING = "trying"
    """The copy is whole and may run, to be judged; the source stays stopped."""
    MOVED = "moved"
    """The copy was judged fit: it is the container, and nothing goes back any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveMark:
    """The value of `user.lab.move`, on the source: written before anything else is done."""

    builder: str
    """`HOST PID STARTTIME`."""
    id: str
    """Of this move; the copies have it, too."""
    name: str
    """Of the container."""
    remote: str
    """As it was typed."""
    url: str
    server: str
    """The other server, by the fingerprint of its certificate."""
    stage: Stage = Stage.COPYING
    asleep: bool = False
    """The container was stopped when it began, and is to be afterwards."""
    autostart: str | None = None
    """Its own `boot.autostart`, which is off from `stopping` on."""
    answered: bool = False
    """Whether ssh answered before it was stopped."""
    since: str = ""
    """When it was stopped for it, by the source's clock."""

    def at(self, stage: Stage) -> MoveMark:
        return replace(self, stage=stage)

    def __str__(self) -> str:
        told = {
            "builder": self.builder,
            "id": self.id,
            "name": self.name,
            "remote": self.remote,
            "url": self.url,
            "server": self.server,
            "stage": self.stage.value,
            "asleep": self.asleep,
            "autostart": self.autostart,
            "answered": self.answered,
            "since": self.since,
        }
        return json.dumps(told, separators=(",", ":"))

    @property
    def alive(self) -> bool | None:
        """Whether that run still goes on; None if it is not known here."""
        # What this very process wrote it has failed at: it holds the container's lock again.
        return False if self.builder == me() else is_alive(self.builder)

    @property
    def is_moved(self) -> bool:
        return self.stage is Stage.MOVED

    @property
    def command(self) -> str:
        """What continues it."""
        return f"invoke move {self.name} {self.remote}"

    @property
    def snapshots(self) -> tuple[str, str]:
        """What is sent: the first while the container runs, the second after its stop.

        LXD sends what has changed between the two, where the second follows the first in the
        order of their names, too.
        """
        return f"move-{self.id}-1", f"move-{self.id}-2"


def move_mark(found: Instance | Volume | None) -> MoveMark | None:
    text = found.config.get(labels.MOVE) if found is not None else None
    if not text:
        return None
    try:
        told = json.loads(text)
        return MoveMark(
            builder=told["builder"],
            id=told["id"],
            name=told["name"],
            remote=told["remote"],
            url=told["url"],
            server=told["server"],
            stage=Stage(told["stage"]),
            asleep=told["asleep"] is True,
            autostart=told["autostart"],
            answered=told["answered"] is True,
            since=told["since"],
        )
    except (ValueError, TypeError, KeyError):
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """The value of `user.lab.arrival`, on the copies: there from the call on that makes them."""

    id: str
    source: str
    """The server that it comes from, as it calls itself."""
    server: str
    """The same, by the fingerprint of its certificate."""
    whole: bool = False
    """All bytes of the last transfer came."""

    def __str__(self) -> str:
        told = {
            "id": self.id,
            "source": self.source,
            "server": self.server,
            "whole": self.whole,
        }
        return json.dumps(told, separators=(",", ":"))


def arrival_mark(found: Instance | Volume | None) -> Arrival | None:
    text = found.config.get(labels.ARRIVAL) if found is not None else None
    if not text:
        return None
    try:
        told = json.loads(text)
        return Arrival(
            id=told["id"],
            source=told["source"],
            server=told["server"],
            whole=told["whole"] is True,
        )
    except (ValueError, TypeError, KeyError):
        return None


def is_moved_away(instance: Instance) -> bool:
    """Whether another server has the container, and this is what is kept of it."""
    mark = move_mark(instance)
    return mark is not None and mark.is_moved


def refuse_while_moved(instance: Instance) -> None:
    """InputError where another server has the container, or may get it at any moment."""
    mark, name = move_mark(instance), instance.name
    if mark is not None:
        raise being_moved(mark)
    arrival = arrival_mark(instance)
    if arrival is not None:
        raise InputError(
            f"The container {quote(name)} is being moved here from {arrival.source}.",
            details="It is a copy until that ends. It was not changed.",
            fix=f"Wait until it ends. If that run was interrupted, continue it there: "
            f"invoke move {name} SERVER",
        )
    if labels.MOVE in instance.config:
        raise InputError(
            f"The note about a move of {quote(name)} cannot be read ({labels.MOVE}).",
            fix=f"Remove the note, if it is on no other server: lxc config unset {name} "
            f"{labels.MOVE}",
        )


def being_moved(mark: MoveMark) -> InputError:
    where = f"{mark.remote} ({mark.url})" if mark.remote != mark.url else mark.url
    if mark.is_moved:
        return InputError(
            f"The container {quote(mark.name)} was moved to {where}.",
            details="What is kept of it here stays stopped.",
            fix=f"Use it there. Remove what is kept here: invoke move {mark.name} --forget",
        )
    if mark.alive:
        return InputError(
            f"The container {quote(mark.name)} is being moved to {where} by "
            f"{in_words(mark.builder)}.",
            fix="Wait until it ends.",
        )
    return InputError(
        f"The container {quote(mark.name)} is being moved to {where}.",
        details=f"{in_words(mark.builder)} began it.",
        fix=f"Wait until it ends. If that run was interrupted, continue it: {mark.command}",
    )
