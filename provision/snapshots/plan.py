"""From what is asked for and the facts to what a restore does, or why it cannot be. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lab.errors import InputError
from lab.lxd.devices import devices_of, root_of
from lab.lxd.idmap import ON_DISK, ON_VOLUME, same_map
from lab.lxd.model import Instance, Pool, Snapshot, State, Volume
from lab.process import me
from provision.other_run import in_other_hands
from provision.restoring import BOTH, Half, Journal, Step
from provision.snapshots.pairs import Pair, find

_NEWEST_ALONE = "zfs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    instance: Instance
    home: Volume
    pairs: tuple[Pair, ...] = ()
    pools: Mapping[str, Pool] = field(default_factory=dict)
    journal: Journal | None = None
    """Of a run that was cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """Stop it, bring the files of HALVES back, put today's wish back, start it."""

    name: str
    pair: Pair
    halves: tuple[Half, ...]
    asleep: bool = False
    leftover: Journal | None = None

    def __str__(self) -> str:
        what = " and ".join(half.value for half in self.halves)
        taken = self.pair.taken_at
        of = f"{self.pair.name}{f' ({taken:%Y-%m-%d %H:%M} UTC)' if taken else ''}"
        begin = "restore" if self.asleep else "stop it, restore"
        end = "" if self.asleep else ", start it"
        text = f"{self.name}: {begin} its {what} from {of}{end}"
        if self.leftover is not None:
            text += " (an earlier run was interrupted here)"
        return (
            f"{text}\n  Files of its {what} that were written since are lost. GPUs, limits, ports, "
            "keys and shares stay as they are."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """An earlier run brought all back, and was cut off before the start."""

    name: str
    journal: Journal
    was_meant: bool
    """Whether it is the restore that is asked for now."""

    def __str__(self) -> str:
        end = "leave it stopped" if self.journal.asleep else "start it"
        return (
            f"{self.name}: finish the restore from {self.journal.snapshot}, "
            f"which was interrupted: {end}"
        )


def plan(snapshot: str, halves: Sequence[Half], facts: Facts) -> Restore | Finish:
    """HALVES: () for the whole pair. InputError where it cannot be restored."""
    name, journal = facts.instance.name, facts.journal
    wanted = tuple(half for half in BOTH if half in halves) or BOTH
    if journal is not None:
        _refuse_others(name, journal)
        if journal.step is Step.RESTORED:
            same = (journal.snapshot, journal.halves) == (snapshot, wanted)
            return Finish(name=name, journal=journal, was_meant=same)
        _refuse_leaving_half(name, journal, wanted)
    pair = find(facts.pairs, name, snapshot)
    if pair.command is not None:
        raise InputError(
            f"The snapshot {snapshot} belongs to `invoke {pair.command}`.",
            details="Its files may have owners or a driver that do not fit any more.",
            fix=f"Let that command finish, which removes it: invoke {pair.command} {name}",
        )
    _refuse_missing(name, pair, wanted)
    for half in wanted:
        _refuse_older(half, pair, facts)
        _refuse_owners(half, pair, facts)
    _refuse_shared(name, wanted, facts)
    asleep = facts.instance.state is not State.RUNNING if journal is None else journal.asleep
    return Restore(name=name, pair=pair, halves=wanted, asleep=asleep, leftover=journal)


def _refuse_others(name: str, journal: Journal) -> None:
    """InputError unless the run that wrote JOURNAL is over."""
    if journal.alive is False or journal.builder == me():
        return
    fix = f"invoke restore {name} {journal.command}"
    reason, way = in_other_hands(journal, "restoring", once_over="run on that machine", fix=fix)
    raise InputError(
        f'The container "{name}" is being restored from the snapshot {journal.snapshot}.',
        details=reason,
        fix=way or "Wait until it ends, or end that run with Ctrl-C.",
    )


def _refuse_leaving_half(name: str, journal: Journal, wanted: Sequence[Half]) -> None:
    if set(journal.halves) <= set(wanted):
        return
    raise InputError(
        f"An interrupted run was restoring more of {name} than this.",
        details=f"It was restoring its {' and '.join(half.value for half in journal.halves)}.",
        fix=f"Continue that first: invoke restore {name} {journal.command}",
    )


def _refuse_missing(name: str, pair: Pair, wanted: Sequence[Half]) -> None:
    lacking = [half.value for half in wanted if half not in pair.halves]
    if not lacking:
        return
    there = pair.halves[0].value
    raise InputError(
        f"The snapshot {pair.name} of {name} has no {' and no '.join(lacking)}.",
        details=f"It has the {there} alone.",
        fix=f"Restore that alone: invoke restore {name} {pair.name} --{there}",
    )


def _refuse_older(half: Half, pair: Pair, facts: Facts) -> None:
    pool = facts.pools.get(_pool(half, facts))
    if pool is None or pool.driver != _NEWEST_ALONE:
        return
    having = [one.name for one in facts.pairs if half in one.halves]
    newer = having[having.index(pair.name) + 1 :]
    if newer:
        name = facts.instance.name
        raise InputError(
            f"The pool {pool.name} is ZFS, which restores the newest snapshot only.",
            details=f"Newer than {pair.name}: {', '.join(newer)}.",
            fix="Take single files out of it (nothing else changes):\n"
            f"invoke restore {name} {pair.name} --file PATH\n"
            f"or remove the newer ones first: invoke remove-snapshot {name} {newer[-1]}",
        )


def _refuse_owners(half: Half, pair: Pair, facts: Facts) -> None:
    """LXD would take files of the one range for those of the other."""
    kept = _kept(half, pair)
    key = ON_DISK if half is Half.ROOT else ON_VOLUME
    now = facts.instance.config if half is Half.ROOT else facts.home.config
    if kept is None or not kept.config or same_map(kept.config.get(key), now.get(key)):
        return
    name = facts.instance.name
    raise InputError(
        f"The snapshot {pair.name} was taken before {name} was given its present ids.",
        details=f"The files of its {half.value} have other owners on the server than today's.",
        fix="Take single files out of it, which get the right owners: "
        f"invoke restore {name} {pair.name} --file PATH",
    )


def _refuse_shared(name: str, wanted: Sequence[Half], facts: Facts) -> None:
    others = [*(one for one in facts.home.used_by if one != name), *facts.home.used_elsewhere]
    if Half.HOME in wanted and others:
        raise InputError(
            f"The home of {name} (volume {facts.home.name}) is also attached to "
            f"{', '.join(others)}.",
            fix="Detach it there first: "
            f"lxc storage volume detach {facts.home.pool} {facts.home.name} {others[0]}",
        )


def _kept(half: Half, pair: Pair) -> Snapshot | None:
    return pair.root if half is Half.ROOT else pair.home


def _pool(half: Half, facts: Facts) -> str:
    if half is Half.HOME:
        return facts.home.pool
    root = root_of(devices_of(facts.instance))
    return root[1].get("pool", "") if root else ""
