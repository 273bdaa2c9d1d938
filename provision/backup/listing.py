"""Backups, in the JSON shape of `invoke backups` (stable)."""

from __future__ import annotations

from typing import Any

from provision.backup.directory import Backup, Damaged
from provision.backup.stores import Store


def backups(store: Store, name: str | None) -> list[dict[str, Any]]:
    """Of NAME, or of all; by name, the oldest first."""
    names = (name,) if name is not None else store.names()
    return [_row(each, one) for each in names for one in store.of(each)]


def _row(name: str, one: Backup | Damaged) -> dict[str, Any]:
    if isinstance(one, Damaged):
        return {"name": name, "id": one.id, "place": str(one.place), "damaged": one.why}
    manifest, verdict = one.manifest, one.verdict
    return {
        "name": name,
        "id": one.id,
        "place": str(one.place),
        "damaged": None,
        "account": manifest.account,
        "project": manifest.project,
        "host": manifest.host,
        "taken_at": manifest.taken_at,
        "template": manifest.template,
        "version": manifest.version,
        "root": manifest.root is not None,
        "files": sum(part.files for part in manifest.parts.values()),
        "content_bytes": manifest.content_bytes,
        "stored_bytes": manifest.stored_bytes,
        "verified_at": verdict.at if verdict else None,
        "good": verdict.good if verdict else None,
        "found": list(verdict.found) if verdict else [],
    }
