"""From wishes about shares to what is to be done. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from lab import labels
from lab.lxd.devices import Device
from lab.lxd.idmap import IdRange
from lab.lxd.model import Instance, State
from lab.settings.shares import ShareKind
from lab.shares.devices import device_name, mounts_of, shares_of
from provision.shares.prepare import CloseShare, PrepareShare
from provision.shares.sharing import Sharing, devices_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeShares:
    """What a container has of shares, in one call; while it runs, too."""

    name: str
    devices: Mapping[str, Device | None] = field(default_factory=dict)
    config: Mapping[str, str | None] = field(default_factory=dict)
    given: tuple[str, ...] = ()
    """In words."""
    taken: tuple[str, ...] = ()
    running: bool = False

    def __str__(self) -> str:
        parts = [
            *([f"share {', '.join(self.given)} with {self.name}"] if self.given else []),
            *([f"remove {', '.join(self.taken)} from {self.name}"] if self.taken else []),
        ]
        if not parts:
            return f"record the shares of {self.name}"
        return "; ".join(parts) + self.proviso

    @property
    def proviso(self) -> str:
        """What goes on in it; after a text."""
        if self.taken and self.running:
            return f"; files that are open in it stay open until: invoke restart {self.name}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachAgain:
    """Shares that a running container has and does not see: they were missing at its start."""

    name: str
    devices: Mapping[str, Device]
    places: tuple[str, ...]

    def __str__(self) -> str:
        return f"attach {', '.join(self.places)} to {self.name} again, where it is not mounted"


Action: TypeAlias = PrepareShare | ChangeShares | AttachAgain | CloseShare


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    instance: Instance
    ids: IdRange | None
    """Its own; None where it has none."""
    prepared: frozenset[str] = frozenset()
    """The shares for which nothing is left to do on the server."""
    where: Mapping[str, str] = field(default_factory=dict)
    """Directory on the server of each share that it has, or that lab.yaml has."""
    unseen: frozenset[str] = frozenset()
    """The shares that it has, and that are not mounted in it while it runs."""
    named: frozenset[str] = frozenset()
    """The directories in which its ids have rights by name."""


def plan_share(sharings: Sequence[Sharing], facts: Facts) -> tuple[Action, ...]:
    """() where the container has SHARINGS as lab.yaml says."""
    instance, has = facts.instance, shares_of(facts.instance)
    differing = [one for one in sharings if has.get(one.name) != one.device[1]]
    due = [one for one in sharings if one in differing or one.name not in facts.prepared]
    stays = {name: device for name, device in has.items() if name not in _names(differing)}
    left = [facts.where.get(one.name, "") for one in differing if one.name in has]
    left += [one.source.path for one in sharings if one.kind is not ShareKind.OPEN]
    opened = {one.source.path for one in sharings if one.kind is ShareKind.OPEN}
    actions: list[Action] = []
    if facts.ids is not None:
        actions += _prepared(due, instance.name, facts.ids)
    config = wishes(instance.config, {*stays, *_names(sharings)}, sharings)
    if differing or config:
        actions.append(
            ChangeShares(
                name=instance.name,
                devices=devices_of(differing),
                config=config,
                given=tuple(map(str, differing)),
                running=instance.state is State.RUNNING,
            )
        )
    again = [one for one in sharings if one.name in facts.unseen and one not in differing]
    if again:
        places = tuple(one.place for one in again)
        actions.append(AttachAgain(name=instance.name, devices=devices_of(again), places=places))
    return (*actions, *_closed([one for one in left if one not in opened], facts, stays))


def plan_unshare(names: Sequence[str], facts: Facts) -> tuple[Action, ...]:
    """() where the container has none of the shares NAMES."""
    instance, has = facts.instance, shares_of(facts.instance)
    stays = {name: device for name, device in has.items() if name not in names}
    gone = [name for name in names if name in has]
    actions: list[Action] = []
    if gone:
        actions.append(
            ChangeShares(
                name=instance.name,
                devices={device_name(name): None for name in gone},
                config=wishes(instance.config, stays, ()),
                taken=tuple(f"{name} ({has[name].get('path', '')})" for name in gone),
                running=instance.state is State.RUNNING,
            )
        )
    left = [facts.where.get(name, "") for name in names]
    return (*actions, *_closed(left, facts, stays))


def wishes(
    config: Mapping[str, str], names: Iterable[str], sharings: Iterable[Sharing]
) -> dict[str, str | None]:
    """What of CONFIG changes for a container that has the shares NAMES afterwards.

    SHARINGS: those whose file system is known. So a later `provision` finds it as requested, and
    `host.check` knows what has to be mounted.
    """
    wanted = sorted(names)
    before = mounts_of(config.get(labels.SHARES))
    mounted = {name: before[name] for name in wanted if name in before} | mount_marks(sharings)
    changes: dict[str, str | None] = {
        labels.SHARES: json.dumps(mounted, sort_keys=True) if mounted else None,
        labels.REQUEST: following(config.get(labels.REQUEST), wanted),
    }
    return {key: value for key, value in changes.items() if value != config.get(key)}


def following(kept: str | None, names: Sequence[str]) -> str | None:
    """The request KEPT in `user.lab.request`, for the shares NAMES; as it is if unreadable."""
    try:
        wish = dict(json.loads(kept or ""))
    except (ValueError, TypeError):
        return kept
    if wish.get("shares", []) != list(names):
        wish["shares"] = list(names)
    return json.dumps(wish, sort_keys=True, separators=(",", ":"))


def mount_marks(sharings: Iterable[Sharing]) -> dict[str, list[str]]:
    return {one.name: [one.source.mount.kind, one.source.mount.point] for one in sharings}


def shared(name: str, sharings: Sequence[Sharing], ids: IdRange) -> tuple[PrepareShare, ...]:
    """What is to be done on the server for a container NAME that is made with SHARINGS."""
    return tuple(_prepared(sharings, name, ids))


def _prepared(due: Iterable[Sharing], name: str, ids: IdRange) -> Iterator[PrepareShare]:
    for sharing in due:
        if sharing.kind is not ShareKind.READ_ONLY:
            yield PrepareShare(name=name, sharing=sharing, ids=ids)


def _closed(paths: Iterable[str], facts: Facts, stays: Mapping[str, Device]) -> Iterator[Action]:
    """What of PATHS it does not write in under another name."""
    kept = {
        facts.where.get(name) for name, device in stays.items() if device.get("readonly") != "true"
    }
    for path in dict.fromkeys(paths):
        if path in facts.named and path not in kept and facts.ids is not None:
            yield CloseShare(name=facts.instance.name, path=path, ids=facts.ids)


def _names(sharings: Iterable[Sharing]) -> set[str]:
    return {one.name for one in sharings}
