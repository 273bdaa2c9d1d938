"""What a packet of a container looks like to a firewall, and which rules it meets. Pure.

Rules are judged in three values: what is not understood may match or not, and nobody is blamed
for what only may be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv4Network
from typing import Final

Packet = Mapping[str, str]
"""iif, oif, proto, sport, dport, saddr, daddr, dst-type, and what the kernel remembers of its
connection: state, status. What it has not is left out."""
_DEEPEST: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    key: str
    """As in a packet; empty for one that is not understood."""
    values: tuple[str, ...] = ()
    negated: bool = False

    def __str__(self) -> str:
        return f"{self.key} {'! ' if self.negated else ''}{','.join(self.values)}".strip() or "…"

    def holds(self, packet: Packet) -> bool | None:
        if not self.key or self.key not in packet:
            return None
        met = any(_is(self.key, packet[self.key], value) for value in self.values)
        return met is not self.negated


class Verdict(Enum):
    ACCEPT = "accept"
    DROP = "drop"
    RETURN = "return"
    JUMP = "jump"
    GOTO = "goto"
    NONE = "none"
    """It counts, logs or marks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    conditions: tuple[Condition, ...] = ()
    verdict: Verdict = Verdict.NONE
    target: str = ""
    text: str = ""

    def holds(self, packet: Packet) -> bool | None:
        found = [one.holds(packet) for one in self.conditions]
        if False in found:
            return False
        return None if None in found else True


@dataclass(slots=True, kw_only=True)
class Chain:
    name: str
    hook: str = ""
    """Of a base chain: input, forward, …"""
    drops: bool = False
    """Its policy."""
    rules: list[Rule] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Table:
    """NAME as its tool names it: `inet firewalld`; iptables for those of iptables."""

    name: str
    iptables: bool = False
    chains: dict[str, Chain] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """Where a packet ends."""

    table: Table
    chain: Chain
    """The base chain."""
    rule: str
    """Its text; empty where it is the policy."""


def blocked(tables: Sequence[Table], hook: str, packet: Packet) -> Blocked | None:
    """The first place at HOOK that surely drops PACKET: each table has a say of its own."""
    for table in tables:
        for chain in table.chains.values():
            if chain.hook != hook:
                continue
            end = _through(table, chain, packet, 0)
            drops = chain.drops if end.verdict is Verdict.NONE else end.verdict is Verdict.DROP
            if drops and not end.unsure:
                return Blocked(table=table, chain=chain, rule=end.rule)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    verdict: Verdict = Verdict.NONE
    unsure: bool = False
    """Something on the way may have let it through."""
    rule: str = ""


def _through(table: Table, chain: Chain, packet: Packet, depth: int) -> _End:
    if depth > _DEEPEST:
        return _End(unsure=True)
    unsure = False
    for rule, surely in _met(chain, packet):
        verdict, inner, text = rule.verdict, False, rule.text
        if verdict in {Verdict.JUMP, Verdict.GOTO}:
            target = table.chains.get(rule.target)
            if target is None:
                # Of another table, or a target that some module brings.
                unsure = True
                continue
            end = _through(table, target, packet, depth + 1)
            inner, text = end.unsure, end.rule
            left = verdict is Verdict.GOTO and end.verdict is Verdict.NONE
            verdict = Verdict.RETURN if left else end.verdict
        if inner:
            unsure = True
        if verdict is Verdict.NONE:
            continue
        if not surely:
            unsure = unsure or verdict is not Verdict.DROP
            continue
        if verdict is Verdict.RETURN:
            break
        return _End(verdict=verdict, unsure=unsure, rule=text)
    return _End(unsure=unsure)


def _met(chain: Chain, packet: Packet) -> Iterator[tuple[Rule, bool]]:
    for rule in chain.rules:
        holds = rule.holds(packet)
        if holds is not False:
            yield rule, holds is True


def _is(key: str, has: str, wanted: str) -> bool:
    if key in {"iif", "oif"}:
        return fnmatchcase(has, f"{wanted[:-1]}*" if wanted.endswith("+") else wanted)
    if key in {"saddr", "daddr"}:
        return _lies_in(has, wanted)
    if key in {"sport", "dport"}:
        first, _, last = wanted.replace("-", ":").partition(":")
        low, high = (part if part.isdecimal() else "" for part in (first, last or first))
        return bool(low and high) and int(low) <= int(has) <= int(high)
    return has.lower() == wanted.lower()


def _lies_in(address: str, network: str) -> bool:
    try:
        return IPv4Address(address) in IPv4Network(network, strict=False)
    except ValueError:
        return False
