"""What `ci/bench` runs: every round of every contender that is not on record yet."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ci.benchmarks import by_hand, floor, labstamp, packer, record
from ci.benchmarks.results import Measured
from ci.benchmarks.scene import Scene, set_scene
from lab.console import print_error, print_text
from lab.errors import LabError, LxdError

_ROOT = Path(__file__).resolve().parents[2]
_ATTEMPTS = 3
_PAUSE = 20.0
"""Seconds."""
Turn = tuple[str, str, int, Callable[[Scene, int], list[Measured]]]
"""Contender, the first case of what it measures, round, and how."""


def main() -> int:
    wanted = _arguments()
    try:
        _bench(wanted.rounds, wanted.log, resume=wanted.resume, note=wanted.note)
    except LabError as error:
        print_error(error)
        print_text("Go on where it stopped with: sudo ci/bench images --resume")
        return int(error.exit_code)
    return 0


def turns(rounds: int) -> list[Turn]:
    """Contenders take turns, so that whatever the machine does besides meets all of them.

    The floor is no contender: it comes last, when the figures that count are there.
    """
    every: list[Turn] = []
    for number in range(1, rounds + 1):
        every.append((by_hand.NAME, "cold", number, by_hand.measure))
        every.append((packer.NAME, "cold", number, packer.measure))
        every.append((labstamp.NAME, "cold", number, labstamp.measure))
    every.append((floor.NAME, "cold", rounds, floor.measure))
    return every


def _bench(rounds: int, log: Path, *, resume: bool, note: str) -> None:
    kept = record.open_record(_ROOT / "logs" / "bench-images.jsonl", resume=resume)
    scene = set_scene(_ROOT, _ROOT / "logs" / "bench", log)
    for name, case, number, measure in turns(rounds):
        if kept.has(name, case, number):
            continue
        found = _persist(partial(measure, scene, number), f"round {number}: {name}")
        kept.add(found)
        for one in found:
            print_text(f"round {number}: {one.contender}, {one.case}: {one.seconds:.1f} s")
        record.write_report(_ROOT / "docs" / "benchmarks", kept, note)
    print_text("The report: docs/benchmarks/images.md")


def _persist(
    measure: Callable[[], list[Measured]], told: str, attempts: int = _ATTEMPTS
) -> list[Measured]:
    """Repeat what failed, from its beginning: hours are not to be lost to one bad download."""
    try:
        return measure()
    except LxdError as error:
        if attempts == 1:
            raise
        print_error(error)
        print_text(f"{told}: failed, and is repeated")
        time.sleep(_PAUSE)  # LXD may still be stopping what failed
    return _persist(measure, told, attempts - 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="ci/bench")
    parser.add_argument("what", choices=["images"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--note", default="")
    parser.add_argument("--log", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
