"""The bench's record: complete turns on disk, to go on from, and the report made of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ci.benchmarks.machine import describe_machine
from ci.benchmarks.report import report
from ci.benchmarks.results import Measured, append, load


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    path: Path
    measured: list[Measured] = field(default_factory=list)

    def has(self, contender: str, case: str, number: int) -> bool:
        """Whether that turn is complete: a turn is written when all of it is measured."""
        return any(
            (one.contender, one.case, one.round) == (contender, case, number)
            for one in self.measured
        )

    def add(self, found: Sequence[Measured]) -> None:
        append(self.path, found)
        self.measured.extend(found)


def open_record(path: Path, *, resume: bool) -> Record:
    """What an earlier run left at PATH when it is to go on, else an empty one."""
    if not resume:
        path.unlink(missing_ok=True)
    return Record(path=path, measured=load(path))


def write_report(directory: Path, record: Record, note: str) -> None:
    """Write images.json and images.md of DIRECTORY."""
    machine = describe_machine(note)
    directory.mkdir(parents=True, exist_ok=True)
    raw = {"machine": machine, "measured": [asdict(one) for one in record.measured]}
    (directory / "images.json").write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    (directory / "images.md").write_text(report(machine, record.measured), encoding="utf-8")
