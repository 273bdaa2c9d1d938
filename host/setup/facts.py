"""What a machine and its LXD have already. Reads, decides nothing."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from pathlib import Path

from host.machine import Machine
from host.units import gpu_boot, kernel_limits
from lab.lxd.model import Network, Pool, Server
from lab.lxd.port import Lxd
from lab.machine.local_daemon import lxd_directory


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    server: Server
    pools: tuple[Pool, ...]
    networks: tuple[Network, ...]
    profile_devices: Mapping[str, Mapping[str, str]]
    """Those of the profile `default`."""
    subnets: tuple[IPv4Network, ...]
    """What the machine reaches without its default route, and its name servers."""
    directory: str
    """Where LXD keeps its files; empty for an LXD elsewhere."""
    free_bytes: int | None
    """Room on that file system; None for an LXD elsewhere."""
    lacks_gpu_unit: bool = False
    """Whether this machine has GPUs and no GPU boot unit, or an old one."""
    low_limits: Mapping[str, int] | None = None
    """Limits of the kernel that are too low, and what is wanted; None where all is as it should."""
    superuser: bool = False
    can_install_units: bool = False
    """Whether systemd runs this machine, and we may write its units."""


def read_facts(lxd: Lxd, machine: Machine, *, local: bool) -> Facts:
    profile = lxd.profile("default")
    networks = lxd.networks()
    directory = lxd_directory()
    return Facts(
        pools=lxd.pools(),
        networks=networks,
        profile_devices=profile.devices if profile else {},
        subnets=(*_bridged(networks), *(_own_subnets() if local else ())),
        directory=str(directory) if local else "",
        free_bytes=_free_bytes(directory) if local else None,
        server=lxd.server(),
        lacks_gpu_unit=local and not gpu_boot.is_installed(machine) and bool(lxd.gpus()),
        low_limits=_low_limits(machine) if local else None,
        superuser=machine.superuser,
        can_install_units=machine.superuser and machine.systemd_runs,
    )


def _low_limits(machine: Machine) -> Mapping[str, int] | None:
    if not kernel_limits.is_lacking(machine):
        return None
    return kernel_limits.too_low(kernel_limits.read_limits(machine))


def routed_subnets(table: str) -> tuple[IPv4Network, ...]:
    """The destinations in the text of /proc/net/route, without the default route."""
    rows = [line.split() for line in table.splitlines()[1:]]
    found = (IPv4Network((_address(row[1]), str(_address(row[7])))) for row in rows if len(row) > 7)
    return tuple(subnet for subnet in found if subnet.prefixlen > 0)


def name_servers(resolv_conf: str) -> tuple[IPv4Network, ...]:
    words = (line.split() for line in resolv_conf.splitlines())
    return tuple(
        subnet
        for found in words
        if found[:1] == ["nameserver"] and len(found) > 1
        for subnet in _networks([found[1]])
        if not subnet.is_loopback
    )


def _address(field: str) -> IPv4Address:
    # The kernel prints the number as it lies in memory.
    return IPv4Address(struct.pack("=I", int(field, 16)))


def _own_subnets() -> tuple[IPv4Network, ...]:
    return routed_subnets(_text("/proc/net/route")) + name_servers(_text("/etc/resolv.conf"))


def _bridged(networks: Iterable[Network]) -> tuple[IPv4Network, ...]:
    return _networks(network.config.get("ipv4.address", "") for network in networks)


def _networks(addresses: Iterable[str]) -> tuple[IPv4Network, ...]:
    return tuple(subnet for subnet in map(_network, addresses) if subnet is not None)


def _network(address: str) -> IPv4Network | None:
    """None for `none`, `auto`, an IPv6 address."""
    try:
        return IPv4Network(address, strict=False)
    except (AddressValueError, NetmaskValueError):
        return None


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _free_bytes(directory: Path) -> int:
    there = next(path for path in (directory, *directory.parents) if path.exists())
    return shutil.disk_usage(there).free
