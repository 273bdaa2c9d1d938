"""`invoke host.gpus` as rows for people. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

COLUMNS: Final = ("index", "pci address", "model", "driver", "used by")
NONE: Final = "No GPU: this host has no NVIDIA GPU. Everything but --gpus works without."


def rows(gpus: Iterable[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """A GPU that is split is followed by its parts."""
    table: list[tuple[str, ...]] = []
    for gpu in gpus:
        driver = gpu["driver"] or "not loaded"
        table.append((str(gpu["index"]), gpu["pci"], gpu["model"], driver, _names(gpu)))
        table += [("", "", part["uuid"], "", _names(part)) for part in gpu["parts"]]
    return table


def _names(holder: Mapping[str, Any]) -> str:
    return ", ".join(holder["users"]) or "nobody"
