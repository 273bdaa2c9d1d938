"""What lies between containers and the world: their bridge, its DHCP server, the firewall."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from host.check.packet import Table
from host.check.ruleset import read_tables
from host.machine import Machine
from lab import labels
from lab.lxd.devices import nic_of, plug_of
from lab.lxd.model import Network
from lab.lxd.port import Lxd
from lab.settings.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFacts:
    """Of a bridge that containers or builders are plugged into."""

    name: str
    managed: bool
    config: Mapping[str, str] = field(default_factory=dict)
    there: bool = True
    """Whether the kernel has it."""
    unforwarded: str = ""
    """The key of the kernel that keeps it from passing on what comes from there, or goes back."""
    filtered: bool = False
    """Whether iptables also judges what stays on a bridge (br_netfilter)."""
    serves: bool | None = None
    """Whether LXD's dnsmasq runs for it; None where that cannot be seen."""
    uplink: str = ""
    """The interface of the default route; empty where there is none."""
    tables: tuple[Table, ...] | None = None
    """None where only root may see them."""


def read_network_facts(lxd: Lxd, settings: Settings, machine: Machine) -> NetworkFacts | None:
    """None where containers are on no bridge of this machine."""
    network = users_network(lxd, settings)
    return _read(network, machine) if network is not None and network.type == "bridge" else None


def read_builders_facts(lxd: Lxd, machine: Machine) -> NetworkFacts | None:
    """None where builders have no bridge of their own."""
    own = (one for one in lxd.networks() if one.managed and labels.BUILDERS in one.config)
    network = next(own, None)
    return _read(network, machine) if network is not None else None


def _read(network: Network, machine: Machine) -> NetworkFacts:
    name = network.name
    uplink = _uplink(machine.text("/proc/net/route") or "")
    bridged = machine.text("/proc/sys/net/bridge/bridge-nf-call-iptables")
    return NetworkFacts(
        name=name,
        managed=network.managed,
        config=network.config,
        there=machine.at(f"/sys/class/net/{name}").exists(),
        unforwarded=_unforwarded(machine, name, uplink),
        filtered=(bridged or "0").strip() == "1",
        serves=_serves(machine, name),
        uplink=uplink,
        tables=read_tables(machine),
    )


def users_network(lxd: Lxd, settings: Settings) -> Network | None:
    """The network of the settings, else of the default profile."""
    name = settings.network
    if name is None:
        profile = lxd.profile("default")
        nic = nic_of(profile.devices) if profile else None
        name = plug_of(nic[1]) if nic else None
    return next((one for one in lxd.networks() if one.name == name), None)


def _unforwarded(machine: Machine, *interfaces: str) -> str:
    """The first key that is 0: the one for all, which sets the others when it changes, first."""
    own = (f"net/ipv4/conf/{one}/forwarding" for one in interfaces if one)
    for key in ("net/ipv4/ip_forward", *own):
        if (machine.text(f"/proc/sys/{key}") or "").strip() == "0":
            return key
    return ""


def _serves(machine: Machine, bridge: str) -> bool | None:
    """By what the process was started with: nothing else tells whose dnsmasq it is."""
    wanted = f"--interface={bridge}"
    for pid in machine.names("/proc"):
        if not pid.isdecimal():
            continue
        words = (machine.text(f"/proc/{pid}/cmdline") or "").split("\0")
        if wanted in words and words[0].endswith("dnsmasq"):
            return True
    # Where /proc is mounted with hidepid, others' processes are not to be seen.
    return False if machine.superuser else None


def _uplink(routes: str) -> str:
    rows = (line.split() for line in routes.splitlines()[1:])
    return next((row[0] for row in rows if len(row) > 7 and row[1] == row[7] == "00000000"), "")
