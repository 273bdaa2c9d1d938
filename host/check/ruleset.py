"""The rules of the machine's firewall, from `iptables-save` and `nft --json list ruleset`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from typing import Any, Final

from host.check.packet import Chain, Condition, Rule, Table, Verdict
from host.machine import Machine

_SAVES: Final = ("iptables-save", "iptables-legacy-save")
_FLAGS: Final = {
    "-i": "iif",
    "-o": "oif",
    "-p": "proto",
    "-s": "saddr",
    "-d": "daddr",
    "--dport": "dport",
    "--dports": "dport",
    "--sport": "sport",
    "--sports": "sport",
    "--ctstate": "state",
    "--state": "state",
    "--ctstatus": "status",
    "--dst-type": "dst-type",
}
_NO_CONDITION: Final = {"-m", "--comment"}
_TARGETS: Final = {
    "ACCEPT": Verdict.ACCEPT,
    "DROP": Verdict.DROP,
    "REJECT": Verdict.DROP,
    "RETURN": Verdict.RETURN,
}
_HARMLESS: Final = {"LOG", "NFLOG", "MARK", "CONNMARK", "CHECKSUM", "TCPMSS", "AUDIT", "CT"}
_HOOKS: Final = {"INPUT": "input", "FORWARD": "forward"}

_META: Final = {
    "iifname": "iif",
    "iif": "iif",
    "oifname": "oif",
    "oif": "oif",
    "l4proto": "proto",
    "nfproto": "family",
}
_CT: Final = {"state": "state", "status": "status"}
_IP: Final = {"saddr": "saddr", "daddr": "daddr", "protocol": "proto", "version": "version"}
_VERDICTS: Final = {
    "accept": Verdict.ACCEPT,
    "drop": Verdict.DROP,
    "reject": Verdict.DROP,
    "return": Verdict.RETURN,
    "jump": Verdict.JUMP,
    "goto": Verdict.GOTO,
}
_STATEMENTS: Final = {"counter", "log", "mangle", "comment", "notrack", "ct helper", "flow"}
_FAMILIES: Final = {"ip", "inet"}

Json = Mapping[str, Any]


def read_tables(machine: Machine) -> tuple[Table, ...] | None:
    """None where nobody lets us see them: they are root's to read."""
    saved = [machine.run([save]) for save in _SAVES]
    listed = machine.run(["nft", "--json", "list", "ruleset"])
    answers = [one for one in (*saved, listed) if one.exit_code == 0]
    if not answers:
        return None
    tables = [table for one in saved if one.exit_code == 0 for table in of_iptables(one.stdout)]
    known = {table.name for table in tables}
    if listed.exit_code == 0:
        # iptables' own tables are among them, with words that only iptables understands.
        tables += [one for one in of_nft(listed.stdout) if one.name not in known]
    return tuple(tables)


# ---- iptables -----------------------------------------------------------------------------------


def of_iptables(saved: str) -> tuple[Table, ...]:
    tables: list[Table] = []
    for line in saved.splitlines():
        if line.startswith("*"):
            tables.append(Table(name=f"ip {line[1:].strip()}", iptables=True))
        elif line.startswith(":") and tables:
            name, policy, *_ = line[1:].split()
            filters = tables[-1].name == "ip filter"
            tables[-1].chains[name] = Chain(
                name=name,
                hook=_HOOKS.get(name, "") if filters and policy != "-" else "",
                drops=policy == "DROP",
            )
        elif line.startswith("-A ") and tables:
            chain, rule = _iptables_rule(line)
            if chain in tables[-1].chains:
                tables[-1].chains[chain].rules.append(rule)
    return tuple(tables)


def _iptables_rule(line: str) -> tuple[str, Rule]:
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    chain, rest = words[1], words[2:]
    conditions: list[Condition] = []
    negated = False
    while rest:
        word = rest.pop(0)
        if word in {"-j", "-g"}:
            return chain, _towards(rest[0] if rest else "", word, tuple(conditions), line)
        if word == "!":
            negated = True
            continue
        value = rest.pop(0) if rest and not _is_option(rest[0]) else ""
        if word not in _NO_CONDITION:
            key = _FLAGS.get(word, "")
            conditions.append(Condition(key=key, values=tuple(value.split(",")), negated=negated))
        negated = False
    return chain, Rule(conditions=tuple(conditions), text=line)


def _is_option(word: str) -> bool:
    return word == "!" or word.startswith("-")


def _towards(target: str, how: str, conditions: tuple[Condition, ...], line: str) -> Rule:
    if target in _TARGETS:
        return Rule(conditions=conditions, verdict=_TARGETS[target], text=line)
    if target in _HARMLESS:
        return Rule(conditions=conditions, text=line)
    verdict = Verdict.GOTO if how == "-g" else Verdict.JUMP
    return Rule(conditions=conditions, verdict=verdict, target=target, text=line)


# ---- nft ----------------------------------------------------------------------------------------


def of_nft(listed: str) -> tuple[Table, ...]:
    try:
        entries = json.loads(listed).get("nftables") or ()
    except (ValueError, AttributeError):
        return ()
    tables: dict[str, Table] = {}
    for entry in entries:
        if "chain" in entry and entry["chain"].get("family") in _FAMILIES:
            raw = entry["chain"]
            filters = raw.get("type") == "filter"
            _table(tables, raw).chains[raw["name"]] = Chain(
                name=raw["name"],
                hook=raw.get("hook", "") if filters else "",
                drops=raw.get("policy") == "drop",
            )
        elif "rule" in entry and entry["rule"].get("family") in _FAMILIES:
            raw = entry["rule"]
            chain = _table(tables, raw).chains.get(raw.get("chain", ""))
            if chain is not None:
                chain.rules += _nft_rules(raw.get("expr") or ())
    return tuple(tables.values())


def _table(tables: dict[str, Table], raw: Json) -> Table:
    name = f"{raw['family']} {raw['table']}"
    return tables.setdefault(name, Table(name=name))


def _nft_rules(expressions: Iterable[Json]) -> list[Rule]:
    conditions: list[Condition] = []
    rules: list[Rule] = []
    for expression in expressions:
        for name, value in expression.items():
            if name in _VERDICTS:
                target = value.get("target", "") if isinstance(value, Mapping) else ""
                rules.append(
                    Rule(
                        conditions=tuple(conditions),
                        verdict=_VERDICTS[name],
                        target=target,
                        text=" ".join((*map(str, conditions), name)),
                    )
                )
            elif name == "match":
                conditions += _nft_match(value)
            elif name == "vmap":
                rules += _nft_map(value, tuple(conditions))
            elif name not in _STATEMENTS:
                conditions.append(Condition(key=""))
    return rules


def _nft_match(raw: Json) -> list[Condition]:
    key, implied = _nft_key(raw.get("left"))
    values = _nft_values(raw.get("right"))
    if not key or values is None:
        return [*implied, Condition(key="")]
    return [*implied, Condition(key=key, values=values, negated=raw.get("op") == "!=")]


def _nft_map(raw: Json, conditions: tuple[Condition, ...]) -> list[Rule]:
    """`iifname vmap { "lxdbr0": jump x }`: a rule for each of its entries."""
    key, implied = _nft_key(raw.get("key"))
    entries = (raw.get("data") or {}).get("set") if isinstance(raw.get("data"), Mapping) else None
    if not isinstance(entries, list):
        # A named map: whatever is in it.
        return [Rule(conditions=(*conditions, Condition(key="")), verdict=Verdict.ACCEPT)]
    rules = []
    for value, verdict in entries:
        values = _nft_values(value)
        own = Condition(key=key if values else "", values=values or ())
        for name, target in verdict.items():
            rules.append(
                Rule(
                    conditions=(*conditions, *implied, own),
                    verdict=_VERDICTS.get(name, Verdict.NONE),
                    target=target.get("target", "") if isinstance(target, Mapping) else "",
                    text=" ".join((*map(str, (*conditions, own)), name)),
                )
            )
    return rules


def _nft_key(left: Any) -> tuple[str, list[Condition]]:
    """What is compared, empty for what is not understood, and what is taken for granted with it."""
    if not isinstance(left, Mapping):
        return "", []
    if "meta" in left:
        return _META.get(left["meta"].get("key", ""), ""), []
    if "ct" in left:
        return _CT.get(left["ct"].get("key", ""), ""), []
    payload = left.get("payload") or {}
    protocol, name = payload.get("protocol", ""), payload.get("field", "")
    if protocol == "ip":
        return _IP.get(name, ""), []
    if protocol == "ip6":
        return "", [Condition(key="family", values=("ipv6",))]
    implied = [] if protocol in {"", "th"} else [Condition(key="proto", values=(protocol,))]
    return name if name in {"sport", "dport"} else "", implied


def _nft_values(right: Any) -> tuple[str, ...] | None:
    """None where they are not understood: a named set, for one."""
    match right:
        case bool():
            return None
        case str() if not right.startswith("@"):
            found: tuple[str, ...] | None = (right,)
        case int():
            found = (str(right),)
        case list():
            found = _each(right)
        case {"set": inner}:
            found = _each(inner if isinstance(inner, list) else [inner])
        case {"prefix": {"addr": address, "len": length}}:
            found = (f"{address}/{length}",)
        case {"range": [low, high]}:
            found = (f"{low}-{high}",)
        case _:
            found = None
    return found


def _each(values: Iterable[Any]) -> tuple[str, ...] | None:
    found: list[str] = []
    for value in values:
        one = _nft_values(value)
        if one is None:
            return None
        found += one
    return tuple(found)
