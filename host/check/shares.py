"""Findings about shares: what is missing on the server, and what containers have of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote

from host.finding import Finding, Status
from lab.cloudinit.account import UID
from lab.lxd.idmap import own_range
from lab.lxd.model import Instance, State
from lab.lxd.port import Lxd
from lab.machine.access import may_change, named
from lab.machine.container_processes import sees
from lab.machine.deadline import within
from lab.settings.settings import Settings
from lab.settings.shares import ShareKind
from lab.shares.devices import shares_of
from lab.shares.ground import Ground, Problem
from lab.shares.sources import look_at
from lab.shares.troubles import troubles

_NAME = "shares"
_SERVERS = 65536
"""Ids below are the server's own accounts: their rights are the admin's business."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareFacts:
    shares: tuple[str, ...] = ()
    """All there are, by lab.yaml and by containers."""
    broken: Mapping[str, Problem] = field(default_factory=dict)
    """Of lab.yaml's: why nobody can have it as it is."""
    troubles: Mapping[tuple[str, str], Problem] = field(default_factory=dict)
    """By container and share."""
    unseen: tuple[tuple[str, str], ...] = ()
    """Containers that run without a share that they have: it was missing when they started."""
    rightless: tuple[tuple[str, str], ...] = ()
    """Containers that have an open share, and no right to change things in it."""
    strangers: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """By directory of an open share: ids with rights that no container has who has the share."""


def read_share_facts(
    lxd: Lxd, settings: Settings, containers: Sequence[Instance], ground: Ground
) -> ShareFacts:
    """Of CONTAINERS, which are labstamp's."""
    if not settings.is_local:
        return ShareFacts()
    having = [(one, share) for one in containers for share in shares_of(one)]
    looked = {
        name: look_at(share, settings, lxd, ground) for name, share in settings.shares.items()
    }
    broken = {name: found for name, found in looked.items() if isinstance(found, Problem)}
    opened = {
        name: found.path
        for name, found in looked.items()
        if not isinstance(found, Problem) and settings.shares[name].kind is ShareKind.OPEN
    }
    return ShareFacts(
        shares=tuple(sorted({*settings.shares, *(share for _, share in having)})),
        broken=broken,
        troubles={
            (one.name, share): problem
            for one in containers
            for share, problem in troubles(one, settings, lxd, ground, broken)
        },
        unseen=tuple(
            (one.name, share)
            for one, share in having
            if share not in broken and _is_unseen(lxd, one, share)
        ),
        rightless=tuple(
            (one.name, share)
            for one, share in having
            if share in opened and not _has_rights(one, opened[share])
        ),
        strangers=_strangers(having, opened),
    )


def findings(facts: ShareFacts) -> Iterator[Finding]:
    found = [*_broken(facts), *_of_containers(facts), *_strange(facts)]
    if found:
        yield from found
    elif facts.shares:
        yield Finding(name=_NAME, found=f"in order: {', '.join(facts.shares)}")


def _broken(facts: ShareFacts) -> Iterator[Finding]:
    for name, problem in facts.broken.items():
        yield Finding(
            name=_NAME,
            subject=name,
            status=Status.WARN,
            found=problem.found.rstrip("."),
            why="Containers that start now start without it, or see an empty directory. No "
            "container can be made with it.",
            fix=problem.command or problem.advice,
        )


def _of_containers(facts: ShareFacts) -> Iterator[Finding]:
    for (name, _), problem in facts.troubles.items():
        yield Finding(
            name=_NAME,
            subject=name,
            status=Status.WARN,
            found=problem.found.rstrip("."),
            why="The container has something else than lab.yaml says.",
            fix=problem.command or problem.advice,
        )
    for name, share in facts.unseen:
        if (name, share) not in facts.troubles:
            yield Finding(
                name=_NAME,
                subject=name,
                status=Status.WARN,
                found=f"it runs without its share {share}",
                why="The share was missing when the container started.",
                fix=f"invoke share {quote(name)} {quote(share)}",
            )
    for name, share in facts.rightless:
        yield Finding(
            name=_NAME,
            subject=name,
            status=Status.WARN,
            found=f"it has the share {share}, without the right to change things in it",
            why="A run that gave the right was interrupted, or somebody removed it.",
            fix=f"invoke share {quote(name)} {quote(share)}",
        )


def _strange(facts: ShareFacts) -> Iterator[Finding]:
    for path, ids in facts.strangers.items():
        entries = ",".join(f"u:{number}" for number in sorted(ids))
        yield Finding(
            name=_NAME,
            subject=path,
            status=Status.WARN,
            found="ids without a container that has it may change things in it: "
            + ", ".join(map(str, sorted(ids))),
            why="A later container may get these ids.",
            fix=f"sudo setfacl -R -x {entries} {quote(path)} && "
            f"sudo setfacl -R -d -x {entries} {quote(path)}",
        )


def _is_unseen(lxd: Lxd, instance: Instance, share: str) -> bool:
    if instance.state is not State.RUNNING:
        return False
    init = lxd.init_pid(instance.name)
    return init is not None and not sees(init, shares_of(instance)[share].get("path", ""))


def _has_rights(instance: Instance, path: str) -> bool:
    own = own_range(instance)
    if own is None:
        return False
    try:
        return within(lambda: may_change(Path(path), (own.base, own.base + UID)))
    except OSError:
        return True  # what cannot be read is told of the share


def _strangers(
    having: Iterable[tuple[Instance, str]], opened: Mapping[str, str]
) -> dict[str, frozenset[int]]:
    people: dict[str, set[int]] = {path: set() for path in opened.values()}
    for one, share in having:
        own = own_range(one)
        if share in opened and own is not None:
            people[opened[share]] |= {own.base, own.base + UID}
    found = {}
    for path, known in people.items():
        try:
            ids = within(lambda path=path: named(Path(path)))  # type: ignore[misc]
        except OSError:
            continue
        strange = frozenset(number for number in ids - known if number >= _SERVERS)
        if strange:
            found[path] = strange
    return found
