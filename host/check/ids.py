"""Findings about ids: containers that share theirs, and moves that were cut off. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from shlex import quote

from host.finding import Finding, Status
from lab import labels
from lab.lxd.idmap import overlapping, own_range, shares
from lab.lxd.model import Instance

_NAME = "ids"


def findings(instances: Sequence[Instance]) -> Iterator[Finding]:
    """INSTANCES: the containers of labstamp."""
    found = [*_cut_off(instances), *_sharing(instances), *_overlapping(instances)]
    if found:
        yield from found
    elif instances:
        yield Finding(name=_NAME, found="every container has ids of its own")


def _cut_off(instances: Sequence[Instance]) -> Iterator[Finding]:
    for one in instances:
        if labels.ISOLATE in one.config:
            yield Finding(
                name=_NAME,
                subject=one.name,
                status=Status.WARN,
                found="it is being moved to ids of its own, or the move was interrupted",
                why="It does not start by itself, and its files may have owners of two ranges.",
                fix=f"invoke isolate {quote(one.name)}",
            )


def _sharing(instances: Sequence[Instance]) -> Iterator[Finding]:
    names = [one.name for one in instances if shares(one) and labels.ISOLATE not in one.config]
    if names:
        yield Finding(
            name=_NAME,
            status=Status.WARN,
            found=f"without ids of their own: {', '.join(names)}",
            why="Root in one of them can read and delete everybody's files in a directory that "
            "they share, and can see the others' kernel keys.",
            fix="invoke isolate --all",
        )


def _overlapping(instances: Sequence[Instance]) -> Iterator[Finding]:
    for first, second in overlapping(instances):
        yield Finding(
            name=_NAME,
            subject=second.name,
            status=Status.WARN,
            found=f"some of its ids ({own_range(second)}) are those of {first.name}, too",
            why="Root in one of them can act as root of the other.",
            fix=f"invoke stop {quote(second.name)} && lxc config unset {quote(second.name)} "
            f"security.idmap.isolated && invoke isolate {quote(second.name)}",
        )
