"""Findings about the way from containers to their addresses and to the world. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface
from typing import Final

from host.check.network_facts import NetworkFacts
from host.check.packet import Blocked, Packet, blocked
from host.finding import Finding, Status

_NO_ADDRESS: Final = "Containers get no address: nobody can log in, and no image can be built."
_PLAIN: Final = {"family": "ipv4", "version": "4", "status": "none"}
"""Of every packet here."""
_NO_WORLD: Final = "Containers cannot reach other networks: apt fails, and no image can be built."


def findings(facts: NetworkFacts, sudo: str) -> Iterator[Finding]:
    """SUDO: what stands before a command that root has to run."""
    found = [*_bridge(facts, sudo), *_forwarding(facts, sudo), *_server(facts)]
    found += _firewall(facts, sudo)
    if found:
        yield from found
        return
    unseen = "" if facts.tables is not None else "; only root can see the firewall's rules"
    yield Finding(name="network", subject=facts.name, found=f"nothing blocks this network{unseen}")


def _bridge(facts: NetworkFacts, sudo: str) -> Iterator[Finding]:
    if facts.there:
        return
    yield Finding(
        name="network-bridge",
        subject=facts.name,
        status=Status.FAIL,
        found="the bridge does not exist",
        why="No container that uses it can start.",
        # LXD makes what is missing of a network when one of its keys changes.
        fix=_again(facts.name) if facts.managed else f"{sudo}ip link add {facts.name} type bridge",
    )


def _forwarding(facts: NetworkFacts, sudo: str) -> Iterator[Finding]:
    if not facts.unforwarded or not facts.managed:
        return
    yield Finding(
        name="network-forwarding",
        subject=facts.name,
        status=Status.FAIL,
        found=f"the kernel forwards no packets ({facts.unforwarded}=0)",
        why=f"{_NO_WORLD} Something turned forwarding off after LXD turned it on; search "
        "/etc/sysctl.conf and /etc/sysctl.d.",
        fix=f"{sudo}sysctl -w {facts.unforwarded}=1",
    )


def _server(facts: NetworkFacts) -> Iterator[Finding]:
    if not facts.managed:
        return
    if facts.config.get("ipv4.dhcp") == "false" or facts.config.get("ipv4.address") == "none":
        key = "ipv4.dhcp=true" if "ipv4.dhcp" in facts.config else "ipv4.address=auto"
        yield Finding(
            name="network-dhcp",
            subject=facts.name,
            status=Status.FAIL,
            found="LXD gives no addresses on this bridge",
            why=_NO_ADDRESS,
            fix=f"lxc network set {facts.name} {key}",
        )
    elif facts.serves is False and facts.there:
        yield Finding(
            name="network-dhcp",
            subject=facts.name,
            status=Status.FAIL,
            found="its DHCP server, LXD's dnsmasq, does not run",
            why=_NO_ADDRESS,
            fix=_again(facts.name),
        )


def _again(bridge: str) -> str:
    """The commands that make LXD set up the network and its dnsmasq again; NICs stay connected."""
    return (
        f"lxc network set {bridge} ipv4.dhcp.expiry=2h && "
        f"lxc network unset {bridge} ipv4.dhcp.expiry"
    )


# ---- the firewall -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """A packet that has to come through, and what follows where it does not."""

    hook: str
    packet: Packet
    what: str
    why: str


def _firewall(facts: NetworkFacts, sudo: str) -> Iterator[Finding]:
    for way in _ways(facts):
        end = blocked(facts.tables or (), way.hook, way.packet)
        if end is None:
            continue
        yield Finding(
            name="network-firewall",
            subject=facts.name,
            status=Status.FAIL,
            found=f"{_who(end)} drops {way.what}",
            why=way.why,
            fix=_fix(end, facts.name, sudo),
        )
        # One fix mostly fixes the others, too; the rest is reported by the next check.
        return


def _ways(facts: NetworkFacts) -> Iterator[_Way]:
    bridge = facts.name
    discover = {
        **_PLAIN,
        "iif": bridge,
        "proto": "udp",
        "sport": "68",
        "dport": "67",
        "saddr": "0.0.0.0",  # noqa: S104 - nobody binds to it
        "daddr": "255.255.255.255",
        "state": "new",
        "dst-type": "BROADCAST",
    }
    asked = "DHCP requests of containers"
    if not facts.managed:
        if facts.filtered:
            packet = {**discover, "oif": bridge}
            yield _Way(hook="forward", packet=packet, what=asked, why=_NO_ADDRESS)
        return
    yield _Way(hook="input", packet=discover, what=asked, why=_NO_ADDRESS)
    gateway, guest = _addresses(facts.config.get("ipv4.address", ""))
    dns = {**discover, **guest, **gateway, "sport": "40000", "dport": "53", "dst-type": "LOCAL"}
    yield _Way(hook="input", packet=dns, what="DNS requests of containers", why=_NO_WORLD)
    if not facts.uplink:
        return
    out = {
        **_PLAIN,
        "iif": bridge,
        "oif": facts.uplink,
        "proto": "tcp",
        "sport": "40000",
        "dport": "80",
        **guest,
        "daddr": "192.0.2.1",
        "state": "new",
        "dst-type": "UNICAST",
    }
    yield _Way(hook="forward", packet=out, what="packets from containers", why=_NO_WORLD)
    back = {
        **out,
        "iif": facts.uplink,
        "oif": bridge,
        "sport": "80",
        "dport": "40000",
        "saddr": "192.0.2.1",
        "state": "established",
    }
    del back["daddr"]
    yield _Way(hook="forward", packet=back, what="packets to containers", why=_NO_WORLD)


def _addresses(ipv4: str) -> tuple[dict[str, str], dict[str, str]]:
    """The bridge's own address as a destination, and one of a container's as a source."""
    try:
        own = IPv4Interface(ipv4)
    except ValueError:
        return {}, {}
    return {"daddr": str(own.ip)}, {"saddr": str(own.ip + 1)}


def _who(end: Blocked) -> str:
    place = f"{end.table.name} {end.chain.name}"
    if _is_ufw(end):
        return f"ufw ({place})"
    if _is_firewalld(end):
        return f"firewalld ({place})"
    if _is_dockers(end):
        return f"docker's firewall ({place}, policy DROP)"
    return f"the firewall ({place}, {f'rule {end.rule}' if end.rule else 'policy drop'})"


def _fix(end: Blocked, bridge: str, sudo: str) -> str:
    if _is_ufw(end):
        return " && ".join(
            f"{sudo}ufw {what} on {bridge}"
            for what in ("allow in", "route allow in", "route allow out")
        )
    if _is_firewalld(end):
        firewall = f"{sudo}firewall-cmd"
        return (
            f"{firewall} --permanent --zone=trusted --change-interface={bridge} && "
            f"{firewall} --reload"
        )
    ways = ("-i", "-o") if end.chain.hook == "forward" else ("-i",)
    if end.table.iptables:
        chain = "DOCKER-USER" if _is_dockers(end) else end.chain.name
        return " && ".join(f"{sudo}iptables -I {chain} {way} {bridge} -j ACCEPT" for way in ways)
    names = {"-i": "iifname", "-o": "oifname"}
    return " && ".join(
        f"{sudo}nft insert rule {end.table.name} {end.chain.name} {names[way]} {bridge} accept"
        for way in ways
    )


def _is_ufw(end: Blocked) -> bool:
    return any(name.startswith("ufw-") for name in end.table.chains)


def _is_firewalld(end: Blocked) -> bool:
    return end.table.name.endswith(" firewalld")


def _is_dockers(end: Blocked) -> bool:
    return end.chain.hook == "forward" and "DOCKER-USER" in end.table.chains
