"""Findings about what keeps one user's container from the addresses of others. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from shlex import quote
from typing import Final

from host.builders_bridge import can_be_apart
from host.finding import Finding, Status
from lab import labels
from lab.lxd.devices import devices_of, nic_of
from lab.lxd.model import Instance, Network, Server
from lab.lxd.nic_filters import IPV6, ISOLATION, Wanted, filtering

_NAME: Final = "network-filters"
_BUILDERS: Final = "builders-network"
_WHY: Final = "The container was made before labstamp had filters, or with other settings. "
_AT_ONCE: Final = "The filters take effect immediately."
_REPLUGS: Final = "LXD reconnects the NIC: open connections end."
_LOAD: Final = (
    "{sudo}modprobe br_netfilter && echo br_netfilter | {sudo}tee /etc/modules-load.d/labstamp.conf"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NicFacts:
    instances: tuple[Instance, ...] = ()
    """Users' containers."""
    networks: tuple[Network, ...] = ()
    wanted: Wanted = field(default_factory=Wanted)
    users: Network | None = None
    """The network that they are on by the settings, else by the default profile."""


def findings(facts: NicFacts, server: Server, sudo: str) -> Iterator[Finding]:
    found = [one for each in facts.instances for one in _judged(each, facts, sudo)]
    if not (facts.wanted.filters or facts.wanted.isolation):
        yield Finding(name=_NAME, found="not asked for (network-filters: false)")
    else:
        yield from found or [
            Finding(name=_NAME, found="users' containers can send from their own addresses only")
        ]
    yield from _builders(facts, server)


def _judged(instance: Instance, facts: NicFacts, sudo: str) -> Iterator[Finding]:
    found = nic_of(devices_of(instance))
    if found is None:
        return
    name, nic = found
    if facts.wanted.ipv6 is False and nic.get(IPV6) == "true":
        yield Finding(
            name=_NAME,
            subject=instance.name,
            status=Status.FAIL,
            found="its NIC filters IPv6, and the kernel's br_netfilter is not loaded",
            why="LXD cannot start this container again.",
            fix=_LOAD.format(sudo=sudo),
        )
    filters = filtering(nic, facts.networks, facts.wanted)
    added = [f"{key}={value}" for key, value in filters.keys.items() if nic.get(key) != value]
    if added:
        verb = "set" if name in instance.devices else "override"
        project = "" if instance.project == "default" else f" --project {instance.project}"
        yield Finding(
            name=_NAME,
            subject=instance.name,
            status=Status.WARN,
            found="it can use the addresses of other containers",
            why=_WHY + (_REPLUGS if ISOLATION in filters.keys else _AT_ONCE),
            fix=f"lxc config device {verb}{project} {quote(instance.name)} {quote(name)} "
            + " ".join(added),
        )


def _builders(facts: NicFacts, server: Server) -> Iterator[Finding]:
    own = next((one.name for one in facts.networks if labels.BUILDERS in one.config), None)
    if own is not None:
        yield Finding(
            name=_BUILDERS,
            subject=own,
            found="users' containers cannot reach the builders' network",
        )
    elif facts.users is not None and can_be_apart(facts.users, server):
        yield Finding(
            name=_BUILDERS,
            status=Status.WARN,
            found=f"builders and users' containers share the network {facts.users.name}",
            why="A container may answer DHCP in place of the server while an image is built.",
            fix="invoke host.setup",
        )


def containers(instances: Sequence[Instance]) -> tuple[Instance, ...]:
    """Users' containers that are whole, by name."""
    whole = (
        one
        for one in instances
        if labels.OWNER in one.config and one.config.get(labels.PHASE) != labels.PREPARING
    )
    return tuple(sorted(whole, key=lambda one: one.name))
