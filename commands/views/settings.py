"""`invoke settings` for people and for programs. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.settings.origins import Origin
from lab.yaml.problems import shown

COLUMNS = ("setting", "value", "from")


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFile:
    path: Path
    exists: bool
    named_by: str | None
    """The variable that names it; None for the usual one."""

    def __str__(self) -> str:
        if not self.exists:
            return f"There is no {shown(self.path)}: every setting has its default."
        by = f", which {self.named_by} names" if self.named_by else ""
        return f"Read from {shown(self.path)}{by}."


def document(file: SettingsFile, origins: Sequence[Origin]) -> dict[str, Any]:
    """The JSON (stable)."""
    return {
        "file": str(file.path.absolute()),
        "exists": file.exists,
        "named_by": file.named_by,
        "settings": [
            {"key": origin.key, "value": origin.value, "line": origin.line} for origin in origins
        ],
    }


def rows(file: SettingsFile, origins: Sequence[Origin]) -> Iterator[tuple[str, ...]]:
    for origin in origins:
        place = "default" if origin.line is None else f"{shown(file.path)}:{origin.line}"
        yield origin.key, _text(origin.value), place


def _text(value: Any) -> str:
    if value is None:
        return "not set"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
