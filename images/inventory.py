"""`invoke images`: every release with its state, age, users, and why it is stale."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from images.build.pipeline import plan_images
from images.build.plan import Build, Decision
from images.context import BuildContext
from images.releases.published import PublishedRelease, published, unreadable, users
from lab.lxd.model import Instance
from lab.release import Unreadable
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


def images_document(context: BuildContext) -> dict[str, Any]:
    """The stable JSON document of `invoke images --json` (docs/reference.md)."""
    _, decisions = plan_images(context)
    catalog = context.catalog
    return document(
        tuple((one.name, one.short) for one in catalog.released()),
        published(context.lxd, context.settings.alias_prefix),
        decisions,
        context.lxd.instances(),
        unreadable(context.lxd, context.settings.alias_prefix),
        abstract={one.name for one in catalog.order() if one.abstract},
    )


def document(
    templates: Sequence[tuple[str, str]],
    releases: Sequence[PublishedRelease],
    decisions: Sequence[Decision],
    containers: Sequence[Instance],
    spoiled: Sequence[Unreadable] = (),
    *,
    abstract: Collection[str] = (),
) -> dict[str, Any]:
    """Pure part: TEMPLATES are (name, short); those only LXD knows come last.

    ABSTRACT templates are shown where they have releases, from before they were abstract.
    """
    known = dict(templates)
    stale = {d.template: d.reason for d in decisions if isinstance(d, Build)}
    stale = {name: why for name, why in stale.items() if name in known}
    stale |= dict.fromkeys(abstract, "its template is abstract now")
    strangers = {r.release.template: r.release.short for r in releases}
    return {
        "templates": [
            {
                "name": name,
                "short": short,
                "stale": stale.get(name, None if name in known else "its definition is gone"),
                "versions": [
                    _version(one, containers) for one in releases if one.release.template == name
                ],
            }
            for name, short in {**known, **strangers, **known}.items()
        ],
        "unreadable": [
            {
                "name": one.name,
                "fingerprint": one.image.fingerprint,
                "aliases": list(one.image.aliases),
                "problems": list(one.problems),
                "fix": one.way_out,
            }
            for one in spoiled
        ],
    }


def _version(one: PublishedRelease, containers: Sequence[Instance]) -> dict[str, Any]:
    return {
        "version": one.release.version,
        "fingerprint": one.image.fingerprint,
        "driver": one.release.driver,
        "recipe": one.release.recipe,
        # By the builder's clock, and by LXD's, which is what counts.
        "built_at": one.release.built_at.isoformat(timespec="seconds"),
        "added_at": one.image.created_at.isoformat(timespec="seconds"),
        "size_bytes": one.image.size_bytes,
        "state": one.state.value,
        "smoke": one.release.smoke.value,
        "gpu": one.release.gpu.value,
        "used_by": sorted(users(one, containers)),
    }
