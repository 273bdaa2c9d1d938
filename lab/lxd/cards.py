"""NVIDIA's cards, from what LXD knows of the hardware."""

from __future__ import annotations

import time
from typing import Any

from lab.errors import LxdError, LxdUnreachable
from lab.lxd import parse
from lab.lxd.calls import Calls
from lab.lxd.model import Card
from lab.nvidia import known_cards, parts_of_cards

# LXD lists all hardware or none of it. Seen on 5.0.2 with four containers starting at once, whose
# nics come and go: "Failed to retrieve network information: … bad file descriptor".
_LISTINGS = 6


class CardCalls(Calls):
    def cards(self) -> tuple[Card, ...]:
        found = self._hardware()
        gpus = ((found or {}).get("gpu") or {}).get("cards") or ()
        if not self._rest.is_local:
            return parse.cards(gpus)
        # LXD learns UUIDs from nvidia-container-cli alone, which few machines have.
        return parse.cards(gpus, known=known_cards(), parts=parts_of_cards())

    def _hardware(self) -> Any:
        attempts = iter(range(1, _LISTINGS))
        while True:
            try:
                return self._rest.get("resources", what="list its hardware")
            except LxdError as error:  # noqa: PERF203 - trying again is the point
                attempt = next(attempts, None)
                if attempt is None or isinstance(error, LxdUnreachable):
                    raise
                time.sleep(0.2 * attempt)
