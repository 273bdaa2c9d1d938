"""Backups as rows for people. Pure: from the document of `provision.backup.listing`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.sizes import format_size

COLUMNS = ("name", "backup", "of", "has", "files", "size", "checked")


def row(backup: Mapping[str, Any]) -> tuple[str, ...]:
    if backup["damaged"]:
        return (backup["name"], backup["id"], "-", "-", "-", "-", f"damaged: {backup['damaged']}")
    return (
        backup["name"],
        backup["id"],
        f"{backup['template']} {backup['version']}".strip() or "-",
        "home and root" if backup["root"] else "home",
        str(backup["files"]),
        format_size(backup["stored_bytes"]),
        _checked(backup),
    )


def _checked(backup: Mapping[str, Any]) -> str:
    if backup["verified_at"] is None:
        return "never"
    when = backup["verified_at"][:16].replace("T", " ")
    return f"{when}: {'good' if backup['good'] else 'NOT good'}"
