"""Snapshots as rows for people. Pure: from the document of `provision.snapshots.listing`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.sizes import format_size

COLUMNS = ("name", "taken (UTC)", "by", "has", "size", "")


def row(snapshot: Mapping[str, Any]) -> tuple[str, ...]:
    halves = [half for half in ("home", "root") if snapshot[half]]
    return (
        snapshot["name"],
        (snapshot["taken_at"] or "-")[:16].replace("T", " "),
        snapshot["by"] or "-",
        " and ".join(halves),
        _size(snapshot, halves),
        _remark(snapshot, halves),
    )


def schedule(document: Mapping[str, Any]) -> str:
    told = document["schedule"]
    if told["every"] == "never":
        return f"None are taken by schedule (set by: {told['from']})."
    return f"By schedule: one every {told['every']}, {told['keep']} kept (set by: {told['from']})."


def _size(snapshot: Mapping[str, Any], halves: list[str]) -> str:
    sizes = [snapshot[f"{half}_bytes"] for half in halves]
    return "?" if None in sizes else format_size(sum(sizes))


def _remark(snapshot: Mapping[str, Any], halves: list[str]) -> str:
    if snapshot["command"]:
        return f"the way back of {snapshot['command']}"
    return "" if len(halves) > 1 else f"restore with --{halves[0]}"
