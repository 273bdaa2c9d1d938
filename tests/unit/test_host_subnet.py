"""Which addresses a bridge may take on a machine in somebody else's network."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from host.setup.facts import name_servers, routed_subnets
from host.setup.subnet import bridge_address

# eth0 10.3.0.0/16 behind 10.3.0.1, docker0 172.17.0.0/16
ROUTES = """\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	0100030A	0003	0	0	0	00000000	0	0	0
eth0	0000030A	00000000	0001	0	0	0	0000FFFF	0	0	0
docker0	000011AC	00000000	0001	0	0	0	0000FFFF	0	0	0
"""


def subnets(*texts: str) -> list[IPv4Network]:
    return [IPv4Network(text) for text in texts]


@pytest.mark.parametrize(
    ("taken", "address"),
    [
        ((), "10.77.0.1/24"),
        (("192.168.1.0/24",), "10.77.0.1/24"),
        # The campus is somewhere in 10.0.0.0/8: keep out of the whole block.
        (("10.3.0.0/16",), "172.29.0.1/24"),
        (("10.3.0.0/16", "172.17.0.0/16"), "192.168.192.1/24"),
        # Something everywhere: at least nothing that overlaps.
        (("10.77.0.0/24", "172.29.0.0/16", "192.168.0.0/16"), "10.77.1.1/24"),
        (("10.77.0.0/23", "172.29.0.0/16", "192.168.0.0/16"), "10.77.2.1/24"),
        (("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"), "auto"),
    ],
)
def test_bridge_hides_nothing_the_host_reaches(taken: tuple[str, ...], address: str) -> None:
    assert bridge_address(subnets(*taken)) == address


def test_routing_table_is_read_without_the_default_route() -> None:
    assert routed_subnets(ROUTES) == tuple(subnets("10.3.0.0/16", "172.17.0.0/16"))
    assert routed_subnets("") == ()


def test_name_servers_count_as_neighbours() -> None:
    text = "# by hand\nsearch lab\nnameserver 10.2.3.4\nnameserver 127.0.0.53\nnameserver fe80::1\n"
    assert name_servers(text) == tuple(subnets("10.2.3.4/32"))
