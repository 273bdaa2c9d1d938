"""What the timer does: snapshots that are due are taken, those that have expired are removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from lab import labels
from lab.errors import CapacityError, LabError, together
from lab.lxd.model import Instance, Pool
from lab.lxd.port import Lxd
from lab.report import Report
from lab.settings.settings import Settings
from provision.half_taken import By, read_take
from provision.homes import home_place
from provision.managed import container_lock, is_managed, is_preparing, managed_container
from provision.restoring import home_of
from provision.snapshots.pairs import Pair, read_pairs
from provision.snapshots.schedule import Schedule, expired, is_due, schedule_of
from provision.snapshots.take import remove, take

_FULL: Final = 0.95
"""Of a pool: what is deleted in it stays in its snapshots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    name: str

    def __str__(self) -> str:
        return f"{self.name}: take a snapshot"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    name: str
    snapshot: str

    def __str__(self) -> str:
        return f"{self.name}: remove the snapshot {self.snapshot}, which has expired"


Action: TypeAlias = Take | Remove


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    done: tuple[Action, ...] = ()
    failed: tuple[tuple[str, LabError], ...] = ()


def plan_schedule(lxd: Lxd, settings: Settings) -> tuple[Action, ...]:
    """Changes nothing."""
    now = lxd.now()
    found: list[Action] = []
    for instance in sorted(filter(_is_whole, lxd.instances()), key=lambda each: each.name):
        schedule = schedule_of(settings.snapshots, instance)
        pairs = _whole(instance, read_pairs(lxd, instance, home_of(lxd, instance)))
        due = is_due(schedule, instance, pairs, now)
        if due:
            found.append(Take(name=instance.name))
        # One more is there by then.
        expiring = Schedule(
            every=schedule.every, keep=max(1, schedule.keep - due), origin=schedule.origin
        )
        found += [Remove(name=instance.name, snapshot=one.name) for one in expired(expiring, pairs)]
    return tuple(found)


def run_schedule(lxd: Lxd, settings: Settings, report: Report) -> Outcome:
    """A failure of one container does not stop the others."""
    done: list[Action] = []
    failed: list[tuple[str, LabError]] = []
    for action in plan_schedule(lxd, settings):
        if isinstance(action, Remove) and action.name in dict(failed):
            continue  # the new one is not there, so the old one stays
        error = _tried(lxd, settings, action, report)
        if error is None:
            done.append(action)
        else:
            report.failed(action.name, error.brief)
            failed.append((action.name, error))
    return Outcome(done=tuple(done), failed=tuple(failed))


def failure(outcome: Outcome) -> LabError | None:
    """What makes the command end badly."""
    return together(
        outcome.failed,
        f"{len(outcome.failed)} snapshots could not be taken or removed.",
        fix="Correct these causes; the next run of the timer tries again.",
    )


def set_schedule(
    lxd: Lxd, settings: Settings, name: str, own: Schedule | None, report: Report
) -> Schedule:
    """What NAME has from now on; OWN: None for that of its template or of the lab."""
    with container_lock(settings, name, report, f"schedule-snapshots {name}"):
        instance = managed_container(lxd, name)
        wanted = own.value if own else None
        if instance.config.get(labels.SNAPSHOTS) != wanted:
            instance = lxd.update(name, config={labels.SNAPSHOTS: wanted})
        return schedule_of(settings.snapshots, instance)


def _whole(instance: Instance, pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """Without the half that a killed run left, which the next snapshot removes."""
    mark = read_take(instance.config.get(labels.SNAPSHOT))
    return tuple(
        one for one in pairs if one.root is not None or mark is None or one.name != mark.snapshot
    )


def _is_whole(instance: Instance) -> bool:
    if not is_managed(instance) or is_preparing(instance) or labels.MOVE in instance.config:
        return False
    return home_place(instance) is not None


def _tried(lxd: Lxd, settings: Settings, action: Action, report: Report) -> LabError | None:
    try:
        _do(lxd, settings, action, report)
    except LabError as error:
        return error
    return None


def _do(lxd: Lxd, settings: Settings, action: Action, report: Report) -> None:
    match action:
        case Take(name=name):
            _refuse_on_a_full_pool(lxd, name)
            take(lxd, settings, name, None, report, by=By.SCHEDULE)
        case Remove(name=name, snapshot=snapshot):
            remove(lxd, settings, name, snapshot, report)


def _refuse_on_a_full_pool(lxd: Lxd, name: str) -> None:
    place = home_place(managed_container(lxd, name))
    for pool in lxd.pools():
        if place is not None and pool.name == place[0] and _used(pool) > _FULL:
            raise CapacityError(
                f"The pool {pool.name} is almost full, so no snapshot of {name} was taken.",
                details="What is deleted in a container stays in its snapshots.",
                fix=f"Free space in the pool, for instance: invoke snapshots {name}",
            )


def _used(pool: Pool) -> float:
    total, free = pool.total_bytes, pool.free_bytes
    return 0.0 if not total or free is None else 1 - free / total
