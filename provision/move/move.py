"""`move`: copy, stop, copy what has changed since, start there, judge; or go back.

The note on the source says at each moment which of the two is the container (`provision.moving`).
What a run that was cut off left is gone on with by the next one, or undone by it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from lab import labels
from lab.errors import CapacityError, Conflict, InputError, LabError, LxdError, LxdUnreachable
from lab.lxd.errors import AGAIN
from lab.lxd.model import State
from lab.lxd.port import Lxd
from lab.machine.lock import hold_lock
from lab.process import me
from lab.report import Report
from lab.settings.settings import Settings
from provision.changing import put
from provision.create.ready import SshProbe, Timeouts, probe_ssh, wait_until_up
from provision.filtered import start_filtered
from provision.half_taken import finish_half_taken
from provision.ids.facts import IDS_LOCK, read_ids
from provision.ids.ranges import Person, refuse_second
from provision.managed import container_lock, managed_container
from provision.move.becoming import AUTOSTART, INSTANCE_ID
from provision.move.copies import Sides, bring, fit, leftovers, take_away, wait_until_idle
from provision.move.ending import finish
from provision.move.facts import Facts, read, read_here
from provision.move.going_back import go_back
from provision.move.noting import advance, noted
from provision.move.plan import Action, Move, plan_move, plan_resume
from provision.moving import MoveMark, Stage, move_mark


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveContext:
    lxd: Lxd
    there: Lxd
    settings: Settings
    settings_there: Settings
    remote: str
    """As it was typed."""
    report: Report
    timeouts: Timeouts = field(default_factory=Timeouts)
    probe_ssh: Callable[[str], SshProbe] = probe_ssh

    @property
    def sides(self) -> Sides:
        return Sides(lxd=self.lxd, there=self.there, report=self.report)

    def read(self, name: str) -> Facts:
        return read(self.lxd, self.there, self.remote, self.settings_there, name)


def with_report(context: MoveContext, report: Report) -> MoveContext:
    return replace(context, report=report)


def plan(context: MoveContext, name: str) -> Action:
    """What `move` would do. Changes nothing."""
    facts = context.read(name)
    return plan_resume(facts) or plan_move(facts)


def move(context: MoveContext, name: str) -> None:
    """Afterwards the other server has the container, or it is here as it was."""
    what = f"move {name} to {context.remote}"
    remote, arrival = context.settings_there.remote, f"arrival-{context.there.project}-{name}"
    with (
        container_lock(context.settings, name, context.report, what),
        hold_lock(arrival, context.report, what, remote=remote),
    ):
        # With the locks: another process may have changed everything before.
        facts = context.read(name)
        resumed = plan_resume(facts)
        if resumed is None:
            mark, action = _first_mark(context, facts), plan_move(facts)
        else:
            mark = _taken_over(context, resumed.mark)
            if mark.is_moved:
                finish(context.sides, mark)
                context.report.done(name, f"is on {context.remote}")
                return
            action = None
        _move(context, name, mark, action)


def _move(context: MoveContext, name: str, mark: MoveMark, action: Move | None) -> None:
    try:
        if mark.stage is not Stage.TRYING:
            mark = _hand_over(context, name, mark, action)
        address = _judged(context, mark)
        down = context.lxd.now() - datetime.fromisoformat(mark.since)
        mark = advance(context.lxd, mark.at(Stage.MOVED))
    except LabError as error:
        raise _undone(context, mark, error) from error
    except BaseException:
        _undo_quietly(context, mark)
        raise
    try:
        finish(context.sides, mark)
    except LabError as error:
        raise _with_way_on(error, mark) from error
    was = "it stays stopped" if mark.asleep else f"it was down for {down.total_seconds():.0f} s"
    place = f" at {address}" if address and not mark.asleep else ""
    context.report.done(name, f"is on {context.remote}{place}; {was}")
    context.report.say(f"Here it is kept, stopped. To remove it: invoke move {name} --forget")


def _first_mark(context: MoveContext, facts: Facts) -> MoveMark:
    return MoveMark(
        builder=me(),
        id=secrets.token_hex(4),
        name=facts.here.instance.name,
        remote=context.remote,
        url=facts.url,
        server=facts.there.server.certificate,
        asleep=facts.here.instance.state is State.STOPPED,
        autostart=facts.here.instance.config.get(AUTOSTART),
    )


def _hand_over(context: MoveContext, name: str, mark: MoveMark, action: Move | None) -> MoveMark:
    """All of it is there, and nothing of it runs anywhere."""
    lxd, report = context.lxd, context.report
    if action is None:
        mark = _as_before(context, mark)
        action = plan_move(context.read(name))
    else:
        finish_half_taken(lxd, managed_container(lxd, name))
        for old in leftovers(context.there, name, lxd.server()):
            take_away(context.there, name, old)
    mark = noted(lxd, replace(mark, answered=_answers(context, name)))
    first, last = mark.snapshots
    _snapshot(lxd, name, first)
    bring(context.sides, read_here(lxd, name), action, mark)
    mark = advance(lxd, replace(mark.at(Stage.STOPPING), since=lxd.now().isoformat()))
    report.phase(name, "stop")
    lxd.stop(name)
    _snapshot(lxd, name, last)
    bring(context.sides, read_here(lxd, name), action, mark)
    _fit(context, name)
    return advance(lxd, mark.at(Stage.TRYING))


def _fit(context: MoveContext, name: str) -> None:
    """As it is decided now: somebody there may have taken ids or GPUs meanwhile."""
    there, remote = context.there, context.settings_there.remote
    with hold_lock(IDS_LOCK, context.report, f"move {name}", remote=remote):
        facts = context.read(name)
        action = plan_move(facts)
        ids = fit(there, action, facts.here.instance.config.get(INSTANCE_ID))
        if ids is not None:
            person = Person(project=there.project, name=name, home=action.home)
            refuse_second(facts.there.ids, read_ids(there), person, ids, None)


def _judged(context: MoveContext, mark: MoveMark) -> str:
    """Its address, once it is up there."""
    there, name, report = context.there, mark.name, context.report
    if managed_container(context.lxd, name).state is not State.STOPPED:
        raise Conflict(
            f"{name} was started here while it was being moved, so its copy is older.", fix=AGAIN
        )
    instance = there.instance(name)
    if instance is None:
        raise LxdError(f"The copy of {name} is missing on {mark.remote}.")
    if instance.state is not State.RUNNING:
        report.phase(name, f"boot on {mark.remote}")
        start_filtered(there, name, report)
    return wait_until_up(
        there,
        name,
        report,
        timeouts=context.timeouts,
        probe_ssh=context.probe_ssh,
        must_answer=mark.answered,
    )


def _answers(context: MoveContext, name: str) -> bool:
    """Whether ssh greets now, seen from here: then it must there, too."""
    address = next(iter(context.lxd.state(name).ipv4), None)
    return address is not None and context.probe_ssh(address) is SshProbe.BANNER


def _snapshot(lxd: Lxd, name: str, snapshot: str) -> None:
    """Of both; one that is there is of an earlier try, and as good."""
    home = read_here(lxd, name).home
    if snapshot not in lxd.volume_snapshots(home.pool, home.name):
        lxd.create_volume_snapshot(home.pool, home.name, snapshot)
    if snapshot not in lxd.snapshots(name):
        lxd.create_snapshot(name, snapshot)


def _taken_over(context: MoveContext, mark: MoveMark) -> MoveMark:
    """This run's from here on. The two daemons may still be at what was asked for."""
    name, lxd = mark.name, context.lxd
    mark = replace(mark, builder=me())
    put(lxd, name, config={labels.MOVE: str(mark)})
    if mark.is_moved:
        return mark
    context.report.phase(name, "wait for LXD")
    for each in (lxd, context.there):
        wait_until_idle(each, name)
    return mark


def _as_before(context: MoveContext, mark: MoveMark) -> MoveMark:
    """It runs as before, so that nobody waits while all is copied again."""
    lxd, name = context.lxd, mark.name
    instance = managed_container(lxd, name)
    if not mark.asleep and instance.state is not State.RUNNING:
        lxd.start(name)
    if mark.stage is Stage.STOPPING:
        mark = advance(lxd, mark.at(Stage.COPYING))
    # The last snapshot is of an earlier stop.
    home = read_here(lxd, name).home
    lxd.delete_snapshot(name, mark.snapshots[1])
    lxd.delete_volume_snapshot(home.pool, home.name, mark.snapshots[1])
    return mark


def _undone(context: MoveContext, mark: MoveMark, error: LabError) -> LabError:
    """ERROR with what became of the container; it is as before unless the text says otherwise."""
    name = mark.name
    try:
        now = move_mark(managed_container(context.lxd, name))
        if now is None:
            # Nothing was begun.
            return error
        if now.builder != me() or now.id != mark.id:
            return error
        if now.is_moved:
            return _with_way_on(error, mark)
        go_back(context.sides, now)
    except LabError as worse:
        both = f"{error.brief} The way back failed, too: {worse.brief}"
        return _with_way_on(LxdError(both, details=worse.details, fix=worse.fix), mark)
    kinds = (InputError, CapacityError, LxdUnreachable)
    kind = next((one for one in kinds if isinstance(error, one)), LxdError)
    return kind(
        f"{error.brief} {name} is in its earlier state.", details=error.details, fix=error.fix
    )


def _undo_quietly(context: MoveContext, mark: MoveMark) -> None:
    """After Ctrl-C; a second one leaves it to the next run."""
    name = mark.name
    try:
        now = move_mark(managed_container(context.lxd, name))
        if now is not None and now.builder == me() and now.id == mark.id and not now.is_moved:
            go_back(context.sides, now)
    except LabError as error:
        context.report.say(f"{name} is moved only in part: {error.brief}")
    if move_mark(context.lxd.instance(name)) is not None:
        context.report.say(f"To continue: {mark.command}")


def _with_way_on(error: LabError, mark: MoveMark) -> LabError:
    way_on = f"Correct the cause, then continue (no file is lost): {mark.command}"
    fix = "\n".join(filter(None, (error.fix, way_on)))
    return LxdError(error.brief, details=error.details, fix=fix)
