"""The report on `ci/bench images`, in Markdown. Pure: from measurements to text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ci.benchmarks.by_hand import NAME as BY_HAND
from ci.benchmarks.floor import NAME as FLOOR
from ci.benchmarks.labstamp import DEFAULT
from ci.benchmarks.labstamp import NAME as LABSTAMP
from ci.benchmarks.markdown import table
from ci.benchmarks.packer import NAME as PACKER
from ci.benchmarks.results import Measured
from ci.benchmarks.verdict import FLOOR_TARGET, Row, Spread, rows, spread, typical

_ROUNDS_WANTED = 3
_HEAD = """\
# Building images: by hand, with Packer, with labstamp

Made by `sudo ci/bench images`; what was measured is in [images.json](images.json).
All four templates (base, docker-nested, xfce-xrdp, gnome-xrdp) are built by

- **by hand**: the recipe of the guides typed as `lxc` commands, one template after the other:
  launch the plain image, `apt-get update`, install, install the driver's package, clean up, stop,
  `lxc publish` (gzip, LXD's default);
- **Packer**: the same commands in one template file with four `lxd` builders, side by side;
- **labstamp**: `invoke build-images --no-smoke` with its defaults.

All start from one plain image of the distribution with cloud-init, made beforehand and already
unpacked in the pool, so nobody pays for a bootstrap or a download of it (for labstamp:
`source: {kind: instance}`). All install the same packages from the same mirror without recommends,
by labstamp's own lists; the driver is a stand-in .deb. For a cold build nothing is kept of an
earlier one: no bodies, images or downloaded packages. Contenders take turns in each round.
`--no-smoke` because the other two check nothing. What an admin waits for, the default command
that boots and judges each image as well, has a row of its own.

By hand and with Packer there is no notion of a change: after a driver update, or with nothing to
do, the whole recipe is run again. So their cold builds stand in every row.

labstamp's builders install under eatmydata; by hand and with Packer dpkg waits for the disk after
each file, as it does by default. So others who write to the same disk slow those two down more.
"""


def report(machine: Mapping[str, str], measured: Sequence[Measured]) -> str:
    """The whole document."""
    parts = [_HEAD, _machine(machine, measured), _results(measured)]
    parts += [_misses(measured), _time(measured), _floor(measured), _sizes(measured)]
    parts.append(_loads(measured))
    return "\n".join(part for part in parts if part)


def _machine(machine: Mapping[str, str], measured: Sequence[Measured]) -> str:
    began = min((one.started_at for one in measured), default="")
    facts = {**machine, "begun": began}
    return "## Machine\n\n" + _table(("what", "found"), facts.items())


def _results(measured: Sequence[Measured]) -> str:
    head = ("case", BY_HAND, PACKER, LABSTAMP, "ratio", "target", "verdict")
    table = _table(
        head,
        (
            (
                row.case,
                _told(row.by_hand),
                _told(row.packer),
                _told(row.labstamp),
                f"**{row.ratio:.3f}**",
                f"≤ {row.target}",
                "met" if row.met else "missed",
            )
            for row in rows(measured)
        ),
    )
    text = (
        "## Results\n\nSeconds: median (least–most, number of runs). The ratio is labstamp's "
        "median over the better median of the other two.\n\n"
    )
    fewest = min((one.runs for row in rows(measured) for one in row.contenders), default=0)
    if fewest < _ROUNDS_WANTED:
        text += f"**Preliminary: {fewest} of {_ROUNDS_WANTED} rounds.**\n\n"
    return text + table + _own(measured)


def _own(measured: Sequence[Measured]) -> str:
    """What a driver update costs an admin who has labstamp already."""
    cold, change = (spread(measured, LABSTAMP, case) for case in ("cold", "driver change"))
    if cold is None or change is None:
        return ""
    return (
        "\nOf labstamp's own cold build, its rebuild after a driver change takes "
        f"**{change.median / cold.median:.3f}**.\n"
    )


def _misses(measured: Sequence[Measured]) -> str:
    missed = [row for row in rows(measured) if not row.met]
    if not missed:
        return ""
    return "## What missed its target\n\n" + "\n".join(_miss(row) for row in missed) + "\n"


def _miss(row: Row) -> str:
    text = f"- {row.case}: {row.ratio:.3f} instead of {row.target}. "
    if row.over_floor is None or row.floor is None:
        return text + "There is no floor to compare with."
    verdict = "met" if row.over_floor <= FLOOR_TARGET else "missed"
    return text + (
        f"labstamp takes {row.over_floor:.2f} × the floor ({row.floor.median:.1f} s); the aim, "
        f"≤ {FLOOR_TARGET}, is {verdict}. The floor itself is at "
        f"{row.floor.median / row.better:.3f} of the better of the other two."
    )


def _time(measured: Sequence[Measured]) -> str:
    parts = [
        "## Where labstamp's time goes\n\nThe typical run of each case: the one in the middle."
    ]
    for case in ("cold", DEFAULT, "driver change"):
        one = typical(measured, LABSTAMP, case)
        if one is not None:
            parts.append(f"### {case.capitalize()}: {one.seconds:.1f} s\n\n{_phases(one)}")
    return "\n\n".join(parts) + "\n" if len(parts) > 1 else ""


def _phases(one: Measured) -> str:
    """Templates side by side, a phase a row."""
    templates = list(dict.fromkeys(template for template, _, _ in one.phases))
    table: dict[str, dict[str, float]] = {}
    for template, name, seconds in one.phases:
        row = table.setdefault(name, dict.fromkeys(templates, 0.0))
        row[template] += seconds  # `clean` comes twice: in the body and in the driver's layer
    body = (
        (name, *(f"{row[template]:.1f}" for template in templates), f"{sum(row.values()):.1f}")
        for name, row in table.items()
    )
    note = (
        "Templates are built side by side, so the sums exceed the time it took; `waiting` is for a "
        "free place among those that work.\n\n"
    )
    return note + _table(("phase", *templates, "sum"), body).rstrip()


def _floor(measured: Sequence[Measured]) -> str:
    text = (
        "## The floor\n\nBare `apt-get install` of the same templates with warm archives, and "
        "publish: in labstamp's order and with its means (copy-on-write clones, as many side by "
        "side, eatmydata, zstd), without download, cloud-init, scripts and bookkeeping. Its cold "
        "build has no driver layer. It leaves packing to LXD, which packs one image at a time: its "
        "`publish` includes waiting for that of another template. labstamp's builders pack "
        "themselves, and pack a body once, so it may come out below this floor.\n\n"
    )
    body = [
        (row.case, _told(row.floor), _told(row.labstamp), f"{row.over_floor:.2f}")
        for row in rows(measured)
        if row.floor is not None and row.over_floor is not None
    ]
    if not body:
        return ""
    table = _table(("case", FLOOR, LABSTAMP, "labstamp ÷ floor"), body)
    for case in ("cold", "driver change"):
        one = typical(measured, FLOOR, case)
        if one is not None:
            table += f"\n### Floor, {case}: {one.seconds:.1f} s\n\n{_phases(one)}\n"
    return text + table


def _sizes(measured: Sequence[Measured]) -> str:
    made = {name: typical(measured, name, "cold") for name in (BY_HAND, PACKER, LABSTAMP)}
    found = {name: one.sizes for name, one in made.items() if one and one.sizes}
    if not found:
        return ""
    templates = list(next(iter(found.values())))
    body = (
        (name, *(f"{sizes.get(template, 0) / 1024**2:.0f}" for template in templates))
        for name, sizes in found.items()
    )
    return "## Sizes of the images, MiB\n\n" + _table(("made", *templates), body)


def _loads(measured: Sequence[Measured]) -> str:
    body = (
        (
            str(one.round),
            one.contender,
            one.case,
            one.started_at[11:19],
            f"{one.seconds:.1f}",
            " ".join(f"{load:.2f}" for load in one.load),
        )
        for one in measured
    )
    head = ("round", "contender", "case", "begun, UTC", "seconds", "load before (1, 5, 15 min)")
    return "## Every run\n\n" + _table(head, body)


def _told(spread: Spread | None) -> str:
    if spread is None:
        return ""
    digits = 1 if spread.median >= 10 else 2
    low, high = f"{spread.least:.{digits}f}", f"{spread.most:.{digits}f}"
    return f"{spread.median:.{digits}f} ({low}–{high}, {spread.runs})"


def _table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    return "".join(f"{line}\n" for line in table(head, body))
