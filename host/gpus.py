"""The machine's GPUs, in the JSON shape of `invoke host.gpus` (stable), and as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from lab.gpus.allocation import index_of, users
from lab.gpus.users import instances_with_gpus
from lab.lxd.port import Lxd
from lab.settings.settings import Settings

Row: TypeAlias = dict[str, Any]
"""A JSON object."""

COLUMNS: Final = ("index", "pci address", "model", "driver", "used by")
NONE: Final = "No GPU: this host has no NVIDIA GPU. Everything but --gpus works without."


def gpus(lxd: Lxd, settings: Settings) -> list[Row]:
    """NVIDIA's GPUs, and who has them: also instances that labstamp did not make."""
    found = lxd.gpus()
    having = users(instances_with_gpus(lxd, settings), found) if found else {}
    return [
        {
            "index": index_of(gpu, found),
            "pci": gpu.pci,
            "uuid": gpu.uuid,
            "model": gpu.model,
            "driver": gpu.driver,
            "users": list(having[gpu.pci]),
            "parts": [{"uuid": part, "users": list(having[part])} for part in gpu.mig],
        }
        for gpu in found
    ]


def rows(gpus: Iterable[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """For people; a GPU that is split is followed by its parts."""
    table: list[tuple[str, ...]] = []
    for gpu in gpus:
        driver = gpu["driver"] or "not loaded"
        table.append((str(gpu["index"]), gpu["pci"], gpu["model"], driver, _names(gpu)))
        table += [("", "", part["uuid"], "", _names(part)) for part in gpu["parts"]]
    return table


def _names(holder: Mapping[str, Any]) -> str:
    return ", ".join(holder["users"]) or "nobody"
