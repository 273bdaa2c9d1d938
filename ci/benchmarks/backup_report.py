"""What `ci/bench backup` measured, as a document beside its numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Final

from ci.benchmarks.markdown import figures, load_before, table
from lab.console import print_text
from lab.sizes import format_size

BY_HAND: Final = "by hand"
DIRECTORY: Final = "labstamp, a directory"
RESTIC: Final = "labstamp, restic"
_NONE: Final = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lap:
    what: str
    way: str
    seconds: float
    stored: int | None
    """Bytes that were written to the target; None where nothing is stored."""
    load: float


def write(
    directory: Path, machine: Mapping[str, str], laps: Sequence[Lap], *, files: int, size: int
) -> None:
    raw = {"machine": dict(machine), "files": files, "size": size}
    measured = {**raw, "measured": [asdict(one) for one in laps]}
    text = json.dumps(measured, indent=1) + "\n"
    (directory / "backup.json").write_text(text, encoding="utf-8")
    document = report(machine, laps, files=files, size=size)
    (directory / "backup.md").write_text(document, encoding="utf-8")
    print_text("The report: docs/benchmarks/backup.md")


def report(machine: Mapping[str, str], laps: Sequence[Lap], *, files: int, size: int) -> str:
    """The document, in Markdown. Pure."""
    return "\n".join(
        [
            "# Backups of a person with many files",
            "",
            "Made by `sudo ci/bench backup`; what was measured is in [backup.json](backup.json). "
            f"One container of base has {files:,} files",
            f"of {format_size(size)} in its home; half of them cannot be packed. Before the "
            "second backup one file in a hundred was replaced.",
            "",
            "By hand: `lxc export` and `lxc storage volume export`, both with "
            "`--compression=zstd`, then both imports, `lxc start`, and",
            "until sshd answers, as `restore-backup` waits. It is what LXD alone has for a "
            "person. It compares no file, so nothing stands",
            "beside `verify-backup`, and it loses the keys of the home. labstamp also lists every "
            "file with its hash.",
            "",
            *table(("what", "found"), list(machine.items())),
            "",
            *table(("what", "how", "seconds", "ratio to by hand", "stored", "runs"), _rows(laps)),
            "",
            "Seconds: medians, with the least and the most where there are several runs. Stored: "
            "bytes that were written to the target, of the",
            f"last run. {load_before(one.load for one in laps)}",
            "",
        ]
    )


def _rows(laps: Sequence[Lap]) -> Iterator[tuple[str, ...]]:
    kinds = dict.fromkeys((one.what, one.way) for one in laps)
    for what, way in kinds:
        own = [one for one in laps if (one.what, one.way) == (what, way)]
        other = [one.seconds for one in laps if (one.what, one.way) == (what, BY_HAND)]
        seconds = median(one.seconds for one in own)
        ratio = f"{seconds / median(other):.2f}" if other and way != BY_HAND else _NONE
        stored = own[-1].stored
        told = format_size(stored) if stored is not None else _NONE
        yield what, way, figures([one.seconds for one in own]), ratio, told, str(len(own))
