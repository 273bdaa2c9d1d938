"""Shares as rows for people. Pure: from the documents of `provision.shares.listing`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COLUMNS = ("name", "kind", "source", "at", "default of", "containers", "")
NONE = "No shares. Write one into lab.yaml: shares: {data: {path: /data, kind: private-files}}"


def row(share: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        share["name"],
        share["kind"] or "",
        _source(share),
        share["at"] or "",
        _default(share["default"]),
        ", ".join(share["containers"]) or "none",
        share["problem"] or "",
    )


def line(share: Mapping[str, Any]) -> str:
    """One of a container: `team: /data/team at /team (open)`."""
    kind = share["kind"] or "no longer in lab.yaml"
    return f"{share['name']}: {_source(share)} at {share['at']} ({kind})"


def _source(share: Mapping[str, Any]) -> str:
    return f"volume {share['volume']}" if share["volume"] else str(share["path"])


def _default(default: bool | list[str]) -> str:
    if isinstance(default, bool):
        return "all" if default else ""
    return ", ".join(default)
