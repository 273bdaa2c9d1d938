"""Ranges of user and group ids that containers have of their server's. Pure.

LXD maps the ids 0, 1, 2 … of a container to a range of the server's. Containers without a range of
their own (`security.idmap.isolated`) all have the daemon's whole range, from its first id on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from lab import labels
from lab.lxd.model import Instance

SIZE: Final = 65536
"""What a container gets: all ids that POSIX accounts, systemd and docker use."""
NEXT: Final = "volatile.idmap.next"
"""On instances: the map of the next start. On volumes: of whom it was attached to last."""
ON_DISK: Final = "volatile.last_state.idmap"
"""On instances: the map that the root's files have; `[]` where the mount does it."""
ON_VOLUME: Final = "volatile.idmap.last"
"""On volumes: the map that their files have."""
_BASE: Final = "volatile.idmap.base"


@dataclass(frozen=True, slots=True, order=True)
class IdRange:
    base: int
    size: int

    @property
    def end(self) -> int:
        """The first id behind it."""
        return self.base + self.size

    def overlaps(self, other: IdRange) -> bool:
        return self.base < other.end and other.base < self.end

    def holds(self, other: IdRange) -> bool:
        return self.base <= other.base and other.end <= self.end

    def __str__(self) -> str:
        """As `user.lab.ids`, and as people read it in /etc/subuid."""
        return f"{self.base}:{self.size}"

    @property
    def config(self) -> Mapping[str, str]:
        """What gives an instance this range, and no other."""
        return {
            "security.idmap.isolated": "true",
            "security.idmap.base": str(self.base),
            "security.idmap.size": str(self.size),
        }


def read_range(text: str | None) -> IdRange | None:
    """`BASE:SIZE`; None for anything else."""
    found = re.fullmatch(r"([0-9]{1,10}):([0-9]{1,10})", text or "")
    if not found or int(found[2]) == 0:
        return None
    return IdRange(int(found[1]), int(found[2]))


def read_map(text: str | None) -> IdRange | None:
    """The range of a map that is one for users and groups alike, as LXD writes maps (JSON).

    None for any other: no map at all, or one with exceptions (`raw.idmap`).
    """
    try:
        entries = json.loads(text or "[]")
        users = [IdRange(one["Hostid"], one["Maprange"]) for one in entries if one["Isuid"]]
        groups = [IdRange(one["Hostid"], one["Maprange"]) for one in entries if one["Isgid"]]
        from_zero = all(one["Nsid"] == 0 for one in entries)
    except (ValueError, TypeError, KeyError):
        return None
    return users[0] if from_zero and len(users) == 1 and users == groups else None


def same_map(one: str | None, other: str | None) -> bool:
    """Whether two maps, as LXD writes them, say the same."""
    try:
        return bool(json.loads(one or "[]") == json.loads(other or "[]"))
    except ValueError:
        return False


def is_privileged(instance: Instance) -> bool:
    """Its root is the server's: it has no range at all."""
    return instance.config.get("security.privileged") in {"true", "1", "yes", "on"}


def own_range(instance: Instance) -> IdRange | None:
    """From its next start on. None where it shares the daemon's range, or has none."""
    base = instance.config.get(_BASE, "")
    if is_privileged(instance) or not base.isdecimal() or int(base) == 0:
        return None
    # LXD takes the size of the map from a profile, too.
    told = read_map(instance.config.get(NEXT))
    return told if told and told.base == int(base) else IdRange(int(base), SIZE)


def shares(instance: Instance) -> bool:
    """Whether it has the daemon's range, as every other that shares."""
    return not is_privileged(instance) and NEXT in instance.config and own_range(instance) is None


def overlapping(instances: Iterable[Instance]) -> Iterator[tuple[Instance, Instance]]:
    """Pairs of those that have a range, whose ranges overlap; by range, then name.

    The two roots of one container have one range.
    """
    having = [
        (own, one.name, one)
        for one in instances
        if labels.UPGRADE not in one.config and (own := own_range(one)) is not None
    ]
    having.sort(key=lambda each: each[:2])
    for (before, _, first), (after, _, second) in pairwise(having):
        if before.overlaps(after):
            yield first, second


def daemon_range(instances: Iterable[Instance]) -> IdRange | None:
    """The daemon's range, as containers that share it tell it; None where none does.

    What all of them have: members of a cluster may differ.
    """
    told = [read_map(one.config.get(NEXT)) for one in instances if shares(one)]
    found = {one for one in told if one is not None}
    if not found:
        return None
    base, end = max(one.base for one in found), min(one.end for one in found)
    return IdRange(base, end - base) if base < end else None


def trial_range(whole: IdRange) -> IdRange | None:
    """The one of WHOLE that no person is given: for instances in which images are judged.

    The last, which LXD gives away last. None where there is hardly room for people.
    """
    return IdRange(whole.end - SIZE, SIZE) if whole.size >= 3 * SIZE else None


def kept_range(config: Mapping[str, str]) -> IdRange | None:
    """That a volume was given for life; else the one that its files have, if it is of our size.

    A volume that was last attached to a container without a range of its own has none.
    """
    noted = read_range(config.get(labels.IDS))
    if noted is not None:
        return noted
    found = read_map(config.get(ON_VOLUME))
    return found if found is not None and found.size == SIZE else None
