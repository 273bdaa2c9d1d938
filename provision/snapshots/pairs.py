"""Which snapshots a person has: each of a home, of a root, or of both by one name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lab import labels
from lab.errors import InputError
from lab.lxd.model import Instance, Snapshot, Volume
from lab.lxd.port import Lxd
from lab.names import did_you_mean, quote
from provision.half_taken import By, read_take
from provision.restoring import BOTH, Half
from provision.snapshots.names import others_command


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One of its halves may be missing: `lxc snapshot` takes a root alone, and a home outlives the
    root that it was taken with."""

    name: str
    root: Snapshot | None = None
    home: Snapshot | None = None

    @property
    def halves(self) -> tuple[Half, ...]:
        there = {Half.HOME: self.home, Half.ROOT: self.root}
        return tuple(half for half in BOTH if there[half] is not None)

    @property
    def taken_at(self) -> datetime | None:
        times = (half.created_at for half in (self.root, self.home) if half is not None)
        return next((time for time in times if time is not None), None)

    @property
    def by(self) -> By | None:
        """None where labstamp did not take it, or its root is missing."""
        mark = read_take(self.root.config.get(labels.SNAPSHOT)) if self.root else None
        # Of a snapshot taken by hand after a restore by hand, the note may be an earlier one's.
        return mark.by if mark is not None and mark.snapshot == self.name else None

    @property
    def command(self) -> str | None:
        """The command whose way back it is; None for a person's."""
        return others_command(self.name)


def read_pairs(lxd: Lxd, instance: Instance | None, home: Volume | None) -> tuple[Pair, ...]:
    """The oldest first; where nothing tells the time, by LXD's own order."""
    roots = lxd.snapshots_in_full(instance.name) if instance is not None else ()
    homes = lxd.volume_snapshots_in_full(home.pool, home.name) if home is not None else ()
    return paired(roots, homes)


def paired(roots: tuple[Snapshot, ...], homes: tuple[Snapshot, ...]) -> tuple[Pair, ...]:
    """Pure. Those of a home alone go before: their roots went with an earlier container."""
    by_name = {one.name: one for one in homes}
    known = {one.name for one in roots}
    alone = [Pair(name=one.name, home=one) for one in homes if one.name not in known]
    both = [Pair(name=one.name, root=one, home=by_name.get(one.name)) for one in roots]
    return (*alone, *both)


def find(pairs: tuple[Pair, ...], container: str, name: str) -> Pair:
    """InputError where there is none by that NAME."""
    found = next((one for one in pairs if one.name == name), None)
    if found is None:
        meant = did_you_mean(name, [one.name for one in pairs])
        raise InputError(
            f"{container} has no snapshot {quote(name)}{meant}.",
            fix=f"List its snapshots: invoke snapshots {container}",
        )
    return found
