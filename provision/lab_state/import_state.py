"""`import-state`: what LXD lost is put back, as the file and the pool tell it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lab.errors import InputError
from lab.lxd.port import Lxd
from lab.machine.lock import hold_lock
from lab.machine.lxd_recover import recover
from lab.report import Report
from lab.settings.settings import Settings
from provision.lab_state.actions import Ground, Plan, Put, Recover
from provision.lab_state.apply import Finder, find_lost, make_ground, put_back
from provision.lab_state.document import Lab, LabState, read_state, refuse_another_lab
from provision.lab_state.facts import read_facts
from provision.lab_state.plan import plan_import

_SUBJECT = "LXD"
_ROUNDS = 4
"""A project, what is in it, what `lxd recover` finds, and the keys of that."""


def open_file(lxd: Lxd, settings: Settings, path: Path, *, moved: bool = False) -> LabState:
    """The file at PATH; InputError unless it is of this lab."""
    state = read_state(path)
    here = Lab(
        server=lxd.server().name, project=settings.project, build_project=settings.build_project
    )
    refuse_another_lab(path, state, here, moved=moved)
    return state


def plan_now(lxd: Lxd, settings: Settings, state: LabState, *, from_file: bool = False) -> Plan:
    """What the next round would do. Changes nothing."""
    return plan_import(state, read_facts(lxd, settings, state), from_file=from_file)


def import_state(
    lxd: Lxd,
    settings: Settings,
    state: LabState,
    report: Report,
    *,
    from_file: bool = False,
    find: Finder = recover,
    before_changes: Callable[[], None] = lambda: None,
) -> Plan:
    """Put back all that can be; what is left is only told.

    BEFORE_CHANGES: is called when the pools are known, before quotas are set.
    """
    with hold_lock("import-state", report, "import-state", remote=settings.remote):
        for _ in range(_ROUNDS):
            plan = plan_now(lxd, settings, state, from_file=from_file)
            if not plan.actions:
                return plan
            _do(lxd, settings, plan, report, find=find, before_changes=before_changes)
        return plan_now(lxd, settings, state, from_file=from_file)


def _do(
    lxd: Lxd,
    settings: Settings,
    plan: Plan,
    report: Report,
    *,
    find: Finder,
    before_changes: Callable[[], None],
) -> None:
    for action in plan.actions:
        if isinstance(action, Ground):
            report.phase(_SUBJECT, str(action))
            make_ground(lxd, action)
    recovering = next((one for one in plan.actions if isinstance(one, Recover)), None)
    if recovering is not None:
        _refuse_elsewhere(settings, recovering)
        report.phase(_SUBJECT, "lxd recover")
        find_lost(recovering, find)
        return
    before_changes()
    put_back(lxd, settings, [one for one in plan.actions if isinstance(one, Put)], report)


def _refuse_elsewhere(settings: Settings, action: Recover) -> None:
    if not settings.is_local:
        raise InputError(
            f"LXD at {settings.remote} does not know the pool {action.pools[0].name}.",
            details="`lxd recover` finds what is in it, and runs on that machine only.",
            fix="Run import-state there, or run there, as root: lxd recover",
        )
