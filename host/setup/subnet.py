"""A private /24 for the bridge that hides nothing from the machine."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network
from typing import Final

# Of each private block a stretch that routers, VPNs and docker do not take by default.
_BLOCKS: Final = (
    (IPv4Network("10.0.0.0/8"), IPv4Network("10.77.0.0/18")),
    (IPv4Network("172.16.0.0/12"), IPv4Network("172.29.0.0/18")),
    (IPv4Network("192.168.0.0/16"), IPv4Network("192.168.192.0/19")),
)


def bridge_address(taken: Sequence[IPv4Network], own: Sequence[IPv4Network] = ()) -> str:
    """The first address of a free /24 with `/24`, or `auto` where none is free.

    A block in which the machine has neither address, route nor name server comes first: a
    campus that routes all of 10.0.0.0/8 shows in the routing table as one small subnet. OWN, those
    of LXD's bridges, say nothing about the machine's surroundings; they are not free, either.
    """
    others = [subnet for subnet in taken if subnet not in own]
    untouched_first = sorted(_BLOCKS, key=lambda pair: any(pair[0].overlaps(t) for t in others))
    for _block, stretch in untouched_first:
        for subnet in stretch.subnets(new_prefix=24):
            if not any(subnet.overlaps(other) for other in (*others, *own)):
                return f"{subnet.network_address + 1}/24"
    return "auto"
