"""What was measured, as it is written down the moment it is known."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run of one contender."""

    contender: str
    case: str
    round: int
    seconds: float
    started_at: str
    load: tuple[float, ...]
    """Averages over 1, 5 and 15 minutes, just before."""
    phases: tuple[tuple[str, str, float], ...] = ()
    """Template, phase, seconds."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Bytes of the images, by template."""


class Stopwatch:
    """Runs from the moment it is made."""

    def __init__(self, contender: str, case: str, round_: int) -> None:
        self._what = (contender, case, round_)
        self._load = tuple(round(one, 2) for one in os.getloadavg())
        self._started_at = datetime.now(tz=timezone.utc).isoformat(timespec="seconds")
        self._phases: list[tuple[str, str, float]] = []
        self._began = time.monotonic()
        self._ended: float | None = None

    def lap(self) -> float:
        """Stop the time; what follows until `stop` is not counted."""
        self._ended = time.monotonic()
        return self._ended - self._began

    @contextmanager
    def phase(self, template: str, name: str = "") -> Iterator[None]:
        began = time.monotonic()
        yield
        self._phases.append((template, name, round(time.monotonic() - began, 2)))

    def stop(
        self,
        *,
        sizes: Mapping[str, int] | None = None,
        phases: Iterable[tuple[str, str, float]] = (),
    ) -> Measured:
        contender, case, round_ = self._what
        return Measured(
            contender=contender,
            case=case,
            round=round_,
            seconds=round((self._ended or time.monotonic()) - self._began, 2),
            started_at=self._started_at,
            load=self._load,
            phases=tuple(phases) or tuple(self._phases),
            sizes=sizes or {},
        )


def append(path: Path, every: Iterable[Measured]) -> None:
    """Add a line for each to PATH."""
    with path.open("a", encoding="utf-8") as file:
        for one in every:
            file.write(json.dumps(asdict(one)) + "\n")


def load(path: Path) -> list[Measured]:
    """All that PATH holds; nothing where it is not there."""
    if not path.exists():
        return []
    return [parse(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def parse(raw: Mapping[str, object]) -> Measured:
    """A measurement as JSON has it."""
    lists = {
        "load": tuple(raw["load"]),  # type: ignore[arg-type]
        "phases": tuple(tuple(one) for one in raw["phases"]),  # type: ignore[attr-defined]
    }
    return Measured(**{**raw, **lists})  # type: ignore[arg-type]
