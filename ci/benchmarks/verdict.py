"""From measurements to medians, ratios and verdicts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from ci.benchmarks.by_hand import NAME as BY_HAND
from ci.benchmarks.floor import NAME as FLOOR
from ci.benchmarks.labstamp import DEFAULT
from ci.benchmarks.labstamp import NAME as LABSTAMP
from ci.benchmarks.packer import NAME as PACKER
from ci.benchmarks.results import Measured

TARGETS = {"cold": 0.5, DEFAULT: 0.8, "driver change": 0.08, "nothing": 0.002}
"""labstamp ÷ the better of the others, at most."""
FLOOR_TARGET = 1.25
"""labstamp ÷ the floor, at most, where the target above is missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Seconds of some runs."""

    median: float
    least: float
    most: float
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One case: what each contender took, and what that makes of labstamp."""

    case: str
    by_hand: Spread
    packer: Spread
    labstamp: Spread
    floor: Spread | None
    target: float

    @property
    def contenders(self) -> tuple[Spread, ...]:
        return self.by_hand, self.packer, self.labstamp

    @property
    def better(self) -> float:
        """The median of the better of the other two."""
        return min(self.by_hand.median, self.packer.median)

    @property
    def ratio(self) -> float:
        return self.labstamp.median / self.better

    @property
    def over_floor(self) -> float | None:
        return self.labstamp.median / self.floor.median if self.floor else None

    @property
    def met(self) -> bool:
        return self.ratio <= self.target


def rows(measured: Sequence[Measured]) -> tuple[Row, ...]:
    """A row for each case that all contenders have runs of.

    The other two know no change: whatever the case, their whole recipe is run again. So their
    cold builds stand in every row.
    """
    by_hand, packer = spread(measured, BY_HAND, "cold"), spread(measured, PACKER, "cold")
    found = []
    for case, target in TARGETS.items():
        is_managed = spread(measured, LABSTAMP, case)
        if by_hand and packer and is_managed:
            row = Row(
                case=case,
                by_hand=by_hand,
                packer=packer,
                labstamp=is_managed,
                floor=spread(measured, FLOOR, case),
                target=target,
            )
            found.append(row)
    return tuple(found)


def spread(measured: Sequence[Measured], contender: str, case: str) -> Spread | None:
    """Of all runs of CONTENDER in CASE; None where there are none."""
    times = [one.seconds for one in runs(measured, contender, case)]
    if not times:
        return None
    return Spread(median=median(times), least=min(times), most=max(times), runs=len(times))


def runs(measured: Sequence[Measured], contender: str, case: str) -> list[Measured]:
    return [one for one in measured if (one.contender, one.case) == (contender, case)]


def typical(measured: Sequence[Measured], contender: str, case: str) -> Measured | None:
    """The run in the middle; of an even number the quicker of the two there."""
    ordered = sorted(runs(measured, contender, case), key=lambda one: one.seconds)
    return ordered[(len(ordered) - 1) // 2] if ordered else None
