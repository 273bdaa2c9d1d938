"""The machine's cards, in the JSON shape of `invoke host.gpus` (stable), and as a table."""

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
NONE: Final = "No GPU: this host has no NVIDIA card. Everything but --gpus works without."


def cards(lxd: Lxd, settings: Settings) -> list[Row]:
    """NVIDIA's cards, and who has them: also instances that labstamp did not make."""
    found = lxd.cards()
    having = users(instances_with_gpus(lxd, settings), found) if found else {}
    return [
        {
            "index": index_of(card, found),
            "pci": card.pci,
            "uuid": card.uuid,
            "model": card.model,
            "driver": card.driver,
            "users": list(having[card.pci]),
            "parts": [{"uuid": part, "users": list(having[part])} for part in card.mig],
        }
        for card in found
    ]


def rows(cards: Iterable[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """For people; a card that is split is followed by its parts."""
    table: list[tuple[str, ...]] = []
    for card in cards:
        driver = card["driver"] or "not loaded"
        table.append((str(card["index"]), card["pci"], card["model"], driver, _names(card)))
        table += [("", "", part["uuid"], "", _names(part)) for part in card["parts"]]
    return table


def _names(holder: Mapping[str, Any]) -> str:
    return ", ".join(holder["users"]) or "nobody"
