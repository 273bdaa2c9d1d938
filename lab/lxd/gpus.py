"""NVIDIA's GPUs, from what LXD or the kernel knows of the hardware."""

from __future__ import annotations

import time
from typing import Any

from lab.errors import LxdError, LxdUnreachable
from lab.hardware.nvidia import known_gpus, parts_of_gpus
from lab.hardware.sysfs import graphics_cards, root_seen_by
from lab.lxd import parse
from lab.lxd.calls import Calls
from lab.lxd.model import Gpu

# LXD lists all hardware or none of it.
_LISTINGS = 6


class GpuCalls(Calls):
    def gpus(self) -> tuple[Gpu, ...]:
        return self._of_this_machine() if self._rest.is_local else self._listed()

    def _of_this_machine(self) -> tuple[Gpu, ...]:
        # Not what LXD lists: while it does, it closes a file twice for each network card
        # (lxd/resources/network_ethtool.go, 5.0.2 to 5.21), and the second time that may be
        # somebody else's. Containers fail to start of it ("Failed to change ownership"), and
        # LXD itself was seen to die.
        root = root_seen_by(self._rest.daemon())
        proc = root / "proc/driver/nvidia"
        return parse.gpus(graphics_cards(root), known=known_gpus(proc), parts=parts_of_gpus(proc))

    def _listed(self) -> tuple[Gpu, ...]:
        return parse.gpus(((self._hardware() or {}).get("gpu") or {}).get("cards") or ())

    def _hardware(self) -> Any:
        attempts = iter(range(1, _LISTINGS))
        while True:
            try:
                return self._rest.get("resources", what="list its hardware")
            except LxdError as error:  # noqa: PERF203 - trying again is the point
                # It may be its own file that it closed: "… bad file descriptor".
                attempt = next(attempts, None)
                if attempt is None or isinstance(error, LxdUnreachable):
                    raise
                time.sleep(0.2 * attempt)
