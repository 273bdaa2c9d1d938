"""`apply`: the plan, several containers side by side. What fails leaves the others alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from lab import labels
from lab.errors import LabError, together
from lab.lxd.port import Lxd
from lab.report import Report
from lab.settings.settings import Settings
from provision.create.provision import Provisioned
from provision.create.request import Request
from provision.expiry.renew import Renewal, Renewed
from provision.lab_file.look import AT_ONCE, Plan
from provision.lab_file.rekey import change_keys
from provision.lab_file.steps import (
    ChangeKeys,
    Entry,
    GiveGpus,
    Make,
    Note,
    Remove,
    Renew,
    Replace,
    Resize,
    Share,
    Step,
    Unshare,
)
from provision.lifecycle import destroy
from provision.resize.resize import resize
from provision.resize.sizes import Sizes
from provision.shares.share import share, unshare


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What applying is done with."""

    lxd: Lxd
    settings: Settings
    report: Report
    stamp: Callable[[Request], Provisioned]
    """`provision`, with all that it needs."""
    renew: Callable[[str, Renewal], Renewed]
    made: Callable[[Provisioned], Any] = lambda _made: None
    """Told of each container at once: its password is known to nobody else."""
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """In the order of names."""

    done: tuple[str, ...] = ()
    failed: tuple[tuple[str, LabError], ...] = ()


def apply(means: Means, plan: Plan) -> Outcome:
    """What gives something back comes first: others may be waiting for it."""
    first = [(entry, _giving_back(entry)) for entry in plan.entries]
    failed = dict(_side_by_side(means, first))
    rest = [
        (entry, [step for step in entry.steps if step not in steps])
        for entry, steps in first
        if entry.name not in failed
    ]
    failed |= dict(_side_by_side(means, rest))
    changed = (entry.name for entry in plan.entries if entry.is_changed)
    return Outcome(
        done=tuple(sorted(name for name in changed if name not in failed)),
        failed=tuple(sorted(failed.items())),
    )


def failure(outcome: Outcome) -> LabError | None:
    """What makes the command end badly."""
    return together(
        outcome.failed,
        f"{len(outcome.failed)} containers could not be brought to what the file says.",
        fix="Correct these causes, then run the same command again: it goes on with the rest.",
    )


def _giving_back(entry: Entry) -> list[Step]:
    return [
        step
        for step in entry.steps
        if isinstance(step, Remove) or (isinstance(step, GiveGpus) and step.frees)
    ]


def _side_by_side(
    means: Means, work: Sequence[tuple[Entry, Sequence[Step]]]
) -> list[tuple[str, LabError]]:
    """On Ctrl-C those under way are finished, and the others never begin."""
    due = [(entry, steps) for entry, steps in work if steps]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        futures = [pool.submit(_one, means, entry, steps) for entry, steps in due]
        try:
            ended = [future.result() for future in futures]
        except BaseException:
            means.stop.set()
            means.report.say("Interrupted: what has begun is finished first.")
            pool.shutdown(cancel_futures=True)
            raise
    found = zip(due, ended, strict=True)
    return [(entry.name, error) for (entry, _), error in found if error is not None]


def _one(means: Means, entry: Entry, steps: Sequence[Step]) -> LabError | None:
    try:
        for step in steps:
            if means.stop.is_set():
                return None
            _take(means, entry, step)
    except LabError as error:
        means.report.failed(entry.name, error.brief)
        return error
    return None


def _take(means: Means, entry: Entry, step: Step) -> None:
    lxd, settings, report = means.lxd, means.settings, means.report
    name, account = entry.name, entry.wanted.account if entry.wanted else ""
    match step:
        case Make(request=request, sizes=sizes):
            _make(means, request, sizes)
        case Replace(request=request, sizes=sizes):
            destroy(lxd, settings, name, purge=False, report=report)
            _make(means, request, sizes)
        case Resize(sizes=sizes):
            resize(lxd, settings, name, sizes, report)
        case GiveGpus(wish=wish):
            wanted = Request(name=name, account=account, template="", gpus=wish, only_gpus=True)
            means.stamp(wanted)
        case Share(names=names):
            share(lxd, settings, name, names, report)
        case Unshare(names=names):
            unshare(lxd, settings, name, names, report)
        case ChangeKeys(keys=keys):
            change_keys(lxd, settings, name, keys, report)
        case Renew(renewal=renewal):
            means.renew(name, renewal)
        case Remove():
            destroy(lxd, settings, name, purge=False, report=report)
        case Note(mark=mark):
            lxd.update(name, config={labels.APPLIED: str(mark)})


def _make(means: Means, request: Request, sizes: Sizes | None) -> None:
    made = means.stamp(request)
    # Before anything else: a run that is killed later must not take the password with it.
    means.made(made)
    if sizes is not None:
        resize(means.lxd, means.settings, request.name, sizes, means.report)
