"""A published image on trial: what is judged, as whom, by what."""

from __future__ import annotations

from dataclasses import dataclass, field

from images.definition import Check
from images.gpus import Given
from lab.lxd.model import Image
from lab.release import Needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is judged: IMAGE as containers of TEMPLATE would use it, by CHECKS."""

    template: str
    image: Image
    needs: Needs
    checks: tuple[Check, ...]
    given: Given = field(default_factory=Given)
    """The cards of the first instance."""
    allowed: tuple[str, ...] = ()
    """Files that may be the same in every container, though they look secret."""

    @property
    def to_run(self) -> tuple[Check, ...]:
        skipped = {"gpu"} if self.given.skipped else set()
        return tuple(check for check in self.checks if check.kind not in skipped)

    @property
    def asks_cards(self) -> bool:
        """Cards are given only where something is asked of them."""
        return any(check.kind == "gpu" for check in self.checks)

    @property
    def size(self) -> int:
        """How many instances it takes: two, where they are compared."""
        return 2 if any(check.kind == "identity" for check in self.checks) else 1
