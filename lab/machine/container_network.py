"""The addresses of a container, told by the host's kernel: nothing is run or entered inside.

INIT is the first process of the container, by the host's number.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from pathlib import Path
from typing import Final

from lab.machine.container_processes import lines_of

_PROC: Final = Path("/proc")
_MOST: Final = 256 << 10
"""Bytes of each list: some thousand addresses."""
_USUAL: Final = ("eth", "en")
_GLOBAL: Final = "00"
"""The scope of an address in if_inet6."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    ipv4: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()


def addresses(init: int, own: Collection[str], *, proc: Path = _PROC) -> Addresses | None:
    """Those of scope global on the interfaces OWN, and on others of a NIC's usual name.

    So docker's bridges do not count. None where the kernel's lists do not tell: an interface was
    renamed inside, or an address is in no connected subnet. TooMuch where a user made them so.
    """
    net = proc / str(init) / "net"
    present = {line.partition(":")[0].strip() for line in _lines(net / "dev")}
    if not set(own) <= present:
        return None
    ours = sorted(name for name in present if name in own or name.startswith(_USUAL))
    routes = tuple(_connected(net / "route"))
    placed: dict[str, list[IPv4Address]] = {name: [] for name in ours}
    for address in _local(net / "fib_trie"):
        name = _interface(address, routes)
        if name is None:
            return None
        placed.get(name, []).append(address)
    return Addresses(
        ipv4=tuple(str(one) for name in ours for one in sorted(placed[name])),
        ipv6=tuple(_ipv6(net / "if_inet6", ours)),
    )


def _local(trie: Path) -> Iterator[IPv4Address]:
    """The container's own addresses, each once."""
    seen: set[str] = set()
    last = ""
    for line in _lines(trie):
        text = line.strip()
        if text.startswith("|--"):
            last = text.removeprefix("|--").strip()
        elif text == "/32 host LOCAL" and last not in seen:
            seen.add(last)
            address = IPv4Address(last)
            if not address.is_loopback and not address.is_link_local:
                yield address


def _connected(table: Path) -> Iterator[tuple[IPv4Network, str]]:
    """The subnets that are reached without a gateway, and through which interface."""
    for line in _lines(table)[1:]:
        fields = line.split()
        if len(fields) > 7 and fields[2] == "0" * 8:
            network = (_ipv4(fields[1]), str(_ipv4(fields[7])))
            yield IPv4Network(network, strict=False), fields[0]


def _interface(address: IPv4Address, routes: Collection[tuple[IPv4Network, str]]) -> str | None:
    holding = [(net.prefixlen, name) for net, name in routes if address in net and net.prefixlen]
    return max(holding)[1] if holding else None


def _ipv6(table: Path, ours: Collection[str]) -> Iterator[str]:
    for line in _lines(table):
        fields = line.split()
        if len(fields) == 6 and fields[3] == _GLOBAL and fields[5] in ours:
            yield str(IPv6Address(int(fields[0], 16)))


def _ipv4(text: str) -> IPv4Address:
    """As /proc/net/route writes it: the bytes in the order of the machine."""
    return IPv4Address(int.from_bytes(bytes.fromhex(text), sys.byteorder))


def _lines(table: Path) -> list[str]:
    return lines_of(table, most=_MOST)
