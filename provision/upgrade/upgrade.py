"""`upgrade`: plan for some containers or all, then change them one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab import labels
from lab.errors import InputError, LabError, LxdError, together
from lab.lxd.port import Lxd
from lab.settings.settings import Settings
from provision.former import Stage, read_mark
from provision.managed import container_lock, is_managed
from provision.upgrade.actions import Action, Leave
from provision.upgrade.apply import UpgradeContext, apply
from provision.upgrade.facts import read
from provision.upgrade.plan import Wish, plan_one
from provision.upgrade.root_file import ReadFile, reader

_MOST_STEPS = 6
"""Undo what was interrupted, ids, forget, upgrade; and one to see that nothing is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Names and endings, in the order in which they were dealt with."""

    done: tuple[str, ...] = ()
    left: tuple[Leave, ...] = ()
    failed: tuple[tuple[str, LabError], ...] = ()


def every_name(lxd: Lxd, template: str | None) -> tuple[str, ...]:
    """The containers of TEMPLATE, of all where it is None, and those half way to another root."""
    wanted = [one for one in lxd.instances() if template in {None, one.config.get(labels.TEMPLATE)}]
    marks = filter(None, map(read_mark, wanted))
    half_way = {mark.name for mark in marks if mark.stage is not Stage.KEPT}
    return tuple(sorted(half_way | {one.name for one in wanted if is_managed(one)}))


def plan_upgrade(
    lxd: Lxd,
    settings: Settings,
    names: Sequence[str],
    wish: Wish,
    *,
    insist: bool = True,
    read_file: ReadFile | None = None,
) -> tuple[Action, ...]:
    """What `upgrade` would do. Changes nothing.

    InputError where one of NAMES cannot be upgraded, and they were named: INSIST.
    """
    wanted = tuple(dict.fromkeys(names))
    look = None if wish.back or wish.forget else read_file or reader(settings)
    facts = read(lxd, settings, wanted, look=look)
    found = [action for name in wanted for action in plan_one(name, facts, wish)]
    left = [action for action in found if isinstance(action, Leave)]
    if insist and left:
        raise InputError(
            "Nothing was changed: not every container named can be upgraded.",
            details="\n".join(map(str, left)),
            fix="Correct what each line says, or leave out these containers.",
        )
    return tuple(found)


def upgrade(
    context: UpgradeContext, settings: Settings, actions: Sequence[Action], wish: Wish
) -> Outcome:
    """Carry out the plan. A failure of one container does not stop the others."""
    report = context.report
    done: list[str] = []
    left = [action for action in actions if isinstance(action, Leave)]
    failed: list[tuple[str, LabError]] = []
    due = [action.name for action in actions if not isinstance(action, Leave)]
    for name in dict.fromkeys(due):
        try:
            with container_lock(settings, name, report, f"upgrade {name}"):
                # With the lock: another process may have changed everything before.
                ending = _bring(context, settings, name, wish)
        except LabError as error:
            report.failed(name, error.brief)
            failed.append((name, error))
            continue
        if isinstance(ending, Leave):
            left.append(ending)
        else:
            done.append(name)
    return Outcome(done=tuple(done), left=tuple(left), failed=tuple(failed))


def _bring(context: UpgradeContext, settings: Settings, name: str, wish: Wish) -> Leave | None:
    """Until nothing is left to do; what was interrupted first."""
    for _ in range(_MOST_STEPS):
        look = context.read_file if wish.reinstall else None
        actions = plan_one(name, read(context.lxd, settings, (name,), look=look), wish)
        if not actions:
            return None
        if isinstance(actions[0], Leave):
            return actions[0]
        if not apply(context, actions[0]):
            return None
    raise LxdError(
        f"The upgrade of {name} does not come to an end.", fix=f"Try again: invoke upgrade {name}"
    )


def failure(outcome: Outcome) -> LabError | None:
    """What makes the command end badly."""
    names = " ".join(name for name, _ in outcome.failed)
    return together(
        outcome.failed,
        f"{len(outcome.failed)} containers could not be upgraded.",
        fix=f"Correct these causes, then run: invoke upgrade {names}",
    )
