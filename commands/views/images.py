"""`invoke images` and the phases of a build as rows for people. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from images.build.template_build import Built
from lab.sizes import format_size

COLUMNS = (
    "template",
    "version",
    "state",
    "checks",
    "driver",
    "nvidia-smi",
    "age",
    "size",
    "used by",
    "stale",
)
PHASES = ("template", "phase", "seconds")


def rows(document: Mapping[str, Any], *, now: datetime | None = None) -> Iterator[list[str]]:
    """The document as a table's cells: a row per version, one for a template without any."""
    now = now or datetime.now(tz=timezone.utc)
    for template in document["templates"]:
        name = f"{template['name']} ({template['short']})"
        stale = template["stale"] or ""
        if not template["versions"]:
            yield [name, "-", *[""] * (len(COLUMNS) - 3), stale]
        for version in template["versions"]:
            yield [
                name,
                version["version"],
                version["state"],
                version["smoke"],
                version["driver"] or "-",
                version["gpu"],
                age(datetime.fromisoformat(version["added_at"]), now),
                format_size(version["size_bytes"]),
                ", ".join(version["used_by"]) or "-",
                stale,
            ]
            # Said once, beside the newest.
            name = stale = ""


def remarks(document: Mapping[str, Any]) -> Iterator[str]:
    """What images cannot be read, and what to do with each: lines below the table."""
    for one in document["unreadable"]:
        yield f"{one['name']} cannot be read, and is not used:"
        yield from (f"  {problem}" for problem in one["problems"])
        yield f"  If nothing needs it: {one['fix']}"


def age(then: datetime, now: datetime) -> str:
    """`5 min`, `3 h`, `12 d`."""
    minutes = int((now - then).total_seconds() // 60)
    if minutes < 60:
        return f"{max(minutes, 0)} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h"
    return f"{minutes // (24 * 60)} d"


def timetable(built: Sequence[Built]) -> Iterator[tuple[str, str, str]]:
    """Where the time went: a row per phase, and one for the whole of each template."""
    for one in built:
        name = f"{one.template} {one.version or 'body'}"
        for phase, seconds in one.phases:
            yield name, phase, f"{seconds:.1f}"
            name = ""
        yield "", "in all", f"{sum(seconds for _, seconds in one.phases):.1f}"
