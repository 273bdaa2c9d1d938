"""NVIDIA's cards, from what LXD knows of the hardware."""

from __future__ import annotations

from lab.lxd import parse
from lab.lxd.calls import Calls
from lab.lxd.model import Card
from lab.nvidia import known_cards, parts_of_cards


class CardCalls(Calls):
    def cards(self) -> tuple[Card, ...]:
        found = self._rest.get("resources", what="list its hardware")
        gpus = ((found or {}).get("gpu") or {}).get("cards") or ()
        if not self._rest.is_local:
            return parse.cards(gpus)
        # LXD learns UUIDs from nvidia-container-cli alone, which few machines have.
        return parse.cards(gpus, known=known_cards(), parts=parts_of_cards())
