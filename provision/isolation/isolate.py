"""`isolate`: containers that share their ids are moved to ranges of their own, one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lab.errors import InputError, LabError, together
from lab.lxd.port import Lxd
from lab.report import Report
from lab.settings.settings import Settings
from provision.create.ready import SshProbe, Timeouts, probe_ssh, wait_until_up
from provision.ids.facts import read_ids
from provision.isolation.move import MoveContext, move
from provision.isolation.plan import Action, Leave, Move, plan_one
from provision.managed import container_lock, is_managed, managed_container


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Names and endings, in the order in which they were dealt with."""

    done: tuple[str, ...] = ()
    left: tuple[Leave, ...] = ()
    failed: tuple[tuple[str, LabError], ...] = ()


def plan_isolation(lxd: Lxd, names: Sequence[str]) -> tuple[Action, ...]:
    """For the containers NAMES, all of them where none is named. Changes nothing.

    InputError where one that is named is not labstamp's, or cannot be moved.
    """
    facts = read_ids(lxd)
    if names:
        wanted = [managed_container(lxd, name) for name in dict.fromkeys(names)]
    else:
        wanted = sorted(filter(is_managed, lxd.instances()), key=lambda each: each.name)
    found: list[Action] = []
    for one in wanted:
        action = plan_one(facts, one)
        if isinstance(action, Move):
            facts = replace(facts, planned=(*facts.planned, action.ids))
        if action is not None:
            found.append(action)
    left = [action for action in found if isinstance(action, Leave)]
    if names and left:
        raise InputError(
            "Nothing was changed: some of these containers cannot be moved to ids of their own.",
            details="\n".join(map(str, left)),
            fix="Correct what each line says, or leave out these containers.",
        )
    return tuple(found)


def isolate(
    lxd: Lxd,
    settings: Settings,
    actions: Sequence[Action],
    report: Report,
    *,
    timeouts: Timeouts | None = None,
    probe_ssh: Callable[[str], SshProbe] = probe_ssh,
) -> Outcome:
    """Carry out the plan. A failure of one container does not stop the others."""
    context = MoveContext(lxd=lxd, report=report, remote=settings.remote)
    done: list[str] = []
    left = [action for action in actions if isinstance(action, Leave)]
    failed: list[tuple[str, LabError]] = []
    for action in actions:
        if not isinstance(action, Move):
            continue
        name = action.name
        try:
            with container_lock(settings, name, report, f"isolate {name}"):
                # With the lock: another process may have changed everything before.
                now = plan_one(read_ids(lxd), managed_container(lxd, name))
                if isinstance(now, Leave):
                    left.append(now)
                elif now is not None:
                    move(context, now)
                    done.append(name)
                    if not now.asleep:
                        waits = timeouts or Timeouts()
                        wait_until_up(lxd, name, report, timeouts=waits, probe_ssh=probe_ssh)
        except LabError as error:
            report.failed(name, error.brief)
            failed.append((name, error))
    return Outcome(done=tuple(done), left=tuple(left), failed=tuple(failed))


def failure(outcome: Outcome) -> LabError | None:
    """What makes the command end badly."""
    names = " ".join(name for name, _ in outcome.failed)
    return together(
        outcome.failed,
        f"{len(outcome.failed)} containers could not be moved to ids of their own.",
        fix=f"Correct these causes, then run: invoke isolate {names}",
    )
