"""NVIDIA's GPUs, from what LXD or the kernel knows of the hardware."""

from __future__ import annotations

from typing import Any

from lab.errors import LxdUnreachable
from lab.hardware.nvidia import known_gpus, parts_of_gpus
from lab.hardware.sysfs import graphics_cards, root_seen_by
from lab.lxd import parse
from lab.lxd.calls import Calls
from lab.lxd.model import Gpu
from lab.wait import retry

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
        # It may be its own file that it closed: "… bad file descriptor".
        return retry(
            lambda: self._rest.get("resources", what="list its hardware"),
            when=lambda error: not isinstance(error, LxdUnreachable),
            times=_LISTINGS,
        )
