"""What there is to tell, and what came of it. A failure to tell never fails the work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lab.settings.notify import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    event: Event
    fields: Mapping[str, str] = field(default_factory=dict)
    """As `lab.notify.texts` names them for the event."""
    mail: str | None = None
    """Of the person whom it is about, where it is about one who has an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How many of the addresses accepted it, and in words, why others did not."""

    sent: int = 0
    troubles: tuple[str, ...] = ()

    @property
    def reached_nobody(self) -> bool:
        """Though there was somebody to tell."""
        return self.sent == 0 and bool(self.troubles)


Tell = Callable[[Notice], Told]


def nobody(_notice: Notice) -> Told:
    """Where the settings name no addresses."""
    return Told()
