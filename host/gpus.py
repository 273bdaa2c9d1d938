"""The machine's GPUs, in the JSON shape of `invoke host.gpus` (stable)."""

from __future__ import annotations

from typing import Any, TypeAlias

from lab.gpus.allocation import index_of, users
from lab.gpus.users import instances_with_gpus
from lab.lxd.port import Lxd
from lab.settings.settings import Settings

Row: TypeAlias = dict[str, Any]
"""A JSON object."""


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
            "users": list(having[gpu.label]),
            "parts": [{"uuid": part.uuid, "users": list(having[part.label])} for part in gpu.parts],
        }
        for gpu in found
    ]
