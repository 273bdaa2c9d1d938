"""How an instance with a limit of memory is kept from swapping, by what the daemon can. Pure.

LXD turned the meaning of `limits.memory.swap` round, where the kernel limits swap (driver_lxc.go):

| LXD | not set, or true | false |
| --- | --- | --- |
| 5.0.2 and before | nothing is swapped out | no limit of swap |
| 5.0.3, 5.20 and later | as much again as the limit | nothing is swapped out |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lab.lxd.model import Server

KEY: Final = "limits.memory.swap"
_TURNED_ROUND: Final = "operation_wait"
"""Came with the same versions of the long-term branches."""


def without_swap(server: Server) -> Mapping[str, str]:
    """What an instance says, so that its limit holds for memory and swap together."""
    return {KEY: "false"} if server.has(_TURNED_ROUND) else {}


def swaps_freely(server: Server, config: Mapping[str, str]) -> bool:
    """Whether CONFIG lets an instance swap out more than nothing on this daemon."""
    value = config.get(KEY, "").lower()
    off = value in {"false", "0", "no", "off"}
    return not off if server.has(_TURNED_ROUND) else off
