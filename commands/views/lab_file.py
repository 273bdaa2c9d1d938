"""The plan for containers.yaml, for people and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from lab.gpu_selection import GpuSelection
from lab.printable import in_line
from lab.sizes import format_size
from provision.create.request import Request
from provision.expiring import NEVER
from provision.keys.public_key import PublicKey
from provision.lab_file.look import Plan
from provision.lab_file.steps import Difference, Entry, Kind, Make, Replace, Why
from provision.lab_file.texts import shown, split
from provision.resize.sizes import Sizes

Line = tuple[str, str, str, str]
"""Sign, name, field, text."""

_STAYS: Final = "is not in the file, and stays; --prune removes it, and keeps its /home"


def of_plan(plan: Plan) -> list[str]:
    """A line for each change, then how many there are."""
    lines = [line for entry in plan.entries for line in _lines(entry)]
    return [*_aligned(lines), *([""] if lines else []), summary(plan)]


def summary(plan: Plan) -> str:
    changed = plan.of(Kind.CHANGE)
    changes = sum(len(entry.changes) for entry in changed)
    counts = [
        (len(plan.of(Kind.MAKE)), "to make"),
        (len(plan.of(Kind.FINISH)), "to finish"),
        (len(changed), f"to change ({_counted(changes, 'change')})"),
        (len(plan.of(Kind.REPLACE)), "to make again"),
        (len(plan.of(Kind.REMOVE)), "to remove"),
        (len(plan.of(Kind.ENDED)), "ended"),
        (len(plan.of(Kind.STAYS)), "not in the file"),
    ]
    unchanged = plan.of(Kind.SAME)
    same = [entry for entry in unchanged if not entry.left]
    counts += [
        (sum(_is_left(entry, Why.ROOT) for entry in unchanged), "waiting for --replace"),
        (
            sum(_is_left(entry, Why.OUTSIDE) for entry in unchanged),
            "changed outside of the file",
        ),
    ]
    parts = [f"{count} {what}" for count, what in counts if count]
    parts.append(f"{len(same)} as the file says")
    end = "." if plan.is_changed else "; nothing to do."
    return f"{_counted(len(plan.entries), 'container')}: {', '.join(parts)}{end}"


def document(plan: Plan, made: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    return {
        "containers": [_document(entry) for entry in plan.entries],
        "made": list(made),
    }


def _is_left(entry: Entry, why: Why) -> bool:
    return any(one.left is why for one in entry.left)


def _document(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "kind": entry.kind.value,
        "differences": [
            {
                "field": one.word,
                "has": one.has,
                "wants": one.wants,
                "outside": one.outside,
                "left": one.left.value if one.left else None,
            }
            for one in entry.differences
        ],
        "own_devices": list(entry.present.by_hand) if entry.present else [],
    }


def _lines(entry: Entry) -> Iterator[Line]:
    match entry.kind:
        case Kind.MAKE | Kind.FINISH:
            word = "new" if entry.kind is Kind.MAKE else "finish"
            yield ("+", entry.name, word, _made(entry))
        case Kind.REMOVE:
            yield ("-", entry.name, "remove", "the container; its /home is kept")
        case Kind.STAYS:
            yield ("·", entry.name, "", _STAYS)
        case Kind.ENDED:
            until = entry.wanted.until if entry.wanted else None
            yield ("·", entry.name, "until", f"{until or 'its end'} has passed; its /home is kept")
        case _:
            yield from _differing(entry)
    if entry.kind in {Kind.SAME, Kind.CHANGE} and entry.present and entry.present.by_hand:
        devices = ", ".join(entry.present.by_hand)
        yield ("·", entry.name, "devices", f"given by hand, and stay: {in_line(devices)}")


def _differing(entry: Entry) -> Iterator[Line]:
    name = entry.name
    for one in entry.changes:
        sign = "±" if entry.kind is Kind.REPLACE and one.word == "template" else "~"
        yield (sign, name, one.word, _change(entry, one))
    if entry.kind is Kind.REPLACE:
        lost = "what is installed outside of /home, snapshots and the address are lost"
        yield ("±", name, "root", f"is made again: {lost}")
    for one in entry.left:
        yield ("!" if one.left is Why.ROOT else "?", name, one.word, _left(entry, one))
    if entry.wanted and entry.wanted.reason and entry.changes:
        yield ("~", name, "reason", in_line(entry.wanted.reason))


def _change(entry: Entry, one: Difference) -> str:
    by_hand = "; it was changed outside of the file" if one.outside else ""
    if one.word in {"shares", "keys"}:
        return _given_and_taken(entry, one) + by_hand
    return f"{shown(one.word, one.has)} → {shown(one.word, one.wants)}{by_hand}"


def _left(entry: Entry, one: Difference) -> str:
    has = shown(one.word, one.has)
    wants = shown(one.word, one.wants)
    if one.left is Why.ROOT:
        return f"{has}; the file says {wants}: only a new root has it, --replace {entry.name}"
    if one.word in {"shares", "keys"}:
        has = f"{has} ({_given_and_taken(entry, one)} by the file)"
    told = f"{has}; the file says {wants}"
    return f"{told}. It was changed outside of the file: --set-back or --keep"


def _given_and_taken(entry: Entry, one: Difference) -> str:
    has, wants = split(one.has or ""), split(one.wants)
    called = _comments(entry) if one.word == "keys" else {}
    return ", ".join(
        [
            *(f"+ {called.get(name, name)}" for name in wants if name not in has),
            *(f"- {called.get(name, name)}" for name in has if name not in wants),
        ]
    )


def _comments(entry: Entry) -> dict[str, str]:
    keys: list[PublicKey] = []
    if entry.wanted and entry.wanted.keys:
        keys += entry.wanted.keys
    if entry.present and entry.present.public_keys:
        keys += entry.present.public_keys
    return {
        key.fingerprint: f"{key.comment} ({key.fingerprint[:15]}…)"
        if key.comment
        else key.fingerprint
        for key in keys
    }


def _made(entry: Entry) -> str:
    step = next((step for step in entry.steps if isinstance(step, Make | Replace)), None)
    if step is None:
        return ""
    again = "; its kept /home is used" if entry.present and entry.present.home else ""
    if entry.kind is Kind.FINISH:
        again = "; a run that made it was interrupted"
    return ", ".join(_said(step.request, step.sizes)) + again


def _said(request: Request, sizes: Sizes | None) -> Iterator[str]:
    yield request.template
    if request.account != request.name:
        yield f"account {request.account}"
    if request.cpus is not None:
        yield _counted(request.cpus, "CPU")
    for size, what in (
        (request.memory_bytes, "memory"),
        (request.disk_bytes, "disk"),
        (request.home_bytes, "home"),
    ):
        if size is not None:
            yield f"{format_size(size)} {what}"
    if sizes is not None and sizes.processes is not None:
        yield f"{sizes.processes} processes"
    if request.gpus is not None:
        yield _gpus(request.gpus)
    if request.shares:
        yield f"shares {', '.join(request.shares)}"
    yield _counted(len(request.keys), "key") if request.keys else "a password"
    if request.until:
        yield "no end" if request.until == NEVER else f"until {request.until}"


def _gpus(wish: GpuSelection) -> str:
    if wish.is_none:
        return "no GPU"
    return _counted(wish.count, "GPU") if wish.count else f"GPUs {wish}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _aligned(lines: Iterable[Line]) -> list[str]:
    every = list(lines)
    width = max((len(name) for _, name, _, _ in every), default=0)
    words = max((len(word) for _, _, word, _ in every), default=0)
    texts, before = [], ""
    for sign, name, word, text in every:
        called = "" if name == before else name
        texts.append(f"{sign} {called:<{width}}  {word:<{words}}  {text}".rstrip())
        before = name
    return texts
