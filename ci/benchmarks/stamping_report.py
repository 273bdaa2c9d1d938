"""What `ci/bench provision` and `ci/bench apply` measured, as documents beside their numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Final

from ci.benchmarks.markdown import figures, load_before, table
from lab.console import print_text

PROVISION: Final = "provision"
APPLY: Final = "apply"
BY_HAND: Final = "by hand"
LABSTAMP: Final = "labstamp"
_TITLES: Final = {
    PROVISION: "One container, until its person can log in",
    APPLY: "A lab of many people, until all of them can log in",
}
_WAYS: Final = {
    PROVISION: "`invoke provision`, the whole command.",
    APPLY: "`invoke apply --yes`, the whole command; by hand, one container after the other.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lap:
    template: str
    way: str
    count: int
    """Containers."""
    seconds: float
    load: float


def write(directory: Path, what: str, machine: Mapping[str, str], laps: Sequence[Lap]) -> None:
    raw = {"machine": dict(machine), "measured": [asdict(one) for one in laps]}
    text = json.dumps(raw, indent=1) + "\n"
    (directory / f"{what}.json").write_text(text, encoding="utf-8")
    (directory / f"{what}.md").write_text(report(what, machine, laps), encoding="utf-8")
    print_text(f"The report: docs/benchmarks/{what}.md")


def report(what: str, machine: Mapping[str, str], laps: Sequence[Lap]) -> str:
    """The document, in Markdown. Pure."""
    return "\n".join(
        [
            f"# {_TITLES[what]}",
            "",
            f"Made by `sudo ci/bench {what}`; what was measured is in [{what}.json]({what}.json). "
            f"{_WAYS[what]}",
            "",
            "By hand: `lxc launch` of the same image, the size of the root, limits of CPUs and "
            "memory (docker: nesting), `useradd`, the key,",
            "`lxc restart`. Measured until the person is logged in by ssh with the key. By hand "
            "there is no home of its own, no range of ids,",
            "no filter of the network and no check of anything. The ways take turns.",
            "",
            *table(("what", "found"), list(machine.items())),
            "",
            *table(("template", "containers", "how", "seconds", "ratio", "runs"), _rows(laps)),
            "",
            "Seconds: medians, with the least and the most. "
            f"{load_before(one.load for one in laps)}",
            "",
        ]
    )


def _rows(laps: Sequence[Lap]) -> Iterator[tuple[str, ...]]:
    kinds = dict.fromkeys((one.template, one.count) for one in laps)
    for template, count in kinds:
        of = {
            way: [one.seconds for one in laps if (one.template, one.way) == (template, way)]
            for way in (BY_HAND, LABSTAMP)
        }
        by_hand = median(of[BY_HAND])
        for way, seconds in of.items():
            ratio = "–" if way == BY_HAND else f"{median(seconds) / by_hand:.2f}"
            yield template, str(count), way, figures(seconds), ratio, str(len(seconds))
