"""Releases that differ, or were imported, in lines for people. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from images.releases.compare import Difference
from images.releases.importing import Imported
from images.releases.packages import Change
from lab.release import Needs


def of_difference(difference: Difference) -> Iterator[str]:
    """A heading, then a line for each package."""
    old, new = difference.old.name, difference.new.release.version
    yield f"{old} → {new}: {_counts(difference.changes)}"
    yield from (f"  {change}" for change in difference.changes)


def of_import(imported: Imported, incompatibility: str | None = None) -> str:
    """INCOMPATIBILITY: why users of this host cannot have it, if they cannot."""
    release = imported.release
    name = f"{release.template} {release.version}"
    if not imported.is_new:
        return f"LXD already has {name}; nothing to do."
    if incompatibility:
        return (
            f"{name} is imported, but cannot be used on this host: {incompatibility}.\n"
            "Next, to make one that fits:\n"
            f"  invoke build-images --only {release.short}"
        )
    return (
        f"{name} is imported; users do not get it yet.\n"
        f"{_asked(release.needs)}"
        "Next, to check it on this machine and give it to users:\n"
        f"  invoke promote {release.short} {release.version}"
    )


def _counts(changes: Sequence[Change]) -> str:
    kinds = Counter(change.kind for change in changes)
    told = [
        f"{kinds[kind]} {kind}"
        for kind in ("added", "removed", "upgraded", "downgraded")
        if kinds[kind]
    ]
    return ", ".join(told) or "the same packages"


def _asked(needs: Needs) -> str:
    """What LXD gives each of its containers, a line; empty where that is nothing."""
    asked = [f"{key}={value}" for key, value in sorted(needs.config.items())]
    asked += [f"device {name}" for name in sorted(needs.devices)]
    return f"Its containers are given: {', '.join(asked)}\n" if asked else ""
