"""One action on one container; what fails is undone, what is killed is left to the next run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from lab import labels
from lab.errors import CapacityError, InputError, LabError, LxdError
from lab.instances.ssh_keys import give_keys
from lab.lxd.model import Progress
from lab.lxd.port import Lxd
from lab.process import me
from lab.rdp import Greet, greet
from lab.report import Report
from provision.changing import put
from provision.create.ready import (
    SshProbe,
    Timeouts,
    probe_ssh,
    wait_for_address,
    wait_for_desktop,
    wait_for_first_boot,
    wait_for_ssh,
    wait_until_up,
)
from provision.former import Stage, UpgradeMark
from provision.isolation.move import MoveContext, move
from provision.lab_info import give_lab_info
from provision.upgrade.actions import (
    Action,
    Back,
    Forget,
    Handed,
    Leave,
    Reinstall,
    Resume,
    Upgrade,
)
from provision.upgrade.carried import Carried, read_carried, set_password, write_carried
from provision.upgrade.reinstall import reinstall
from provision.upgrade.root_file import ReadFile, read_root_file
from provision.upgrade.swap import (
    current_mark,
    exchange,
    existing,
    finish,
    go_back,
    leave_name,
    remove_kept_root,
    start,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeContext:
    lxd: Lxd
    report: Report
    remote: str
    """The LXD that is meant, as in the settings."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    probe_ssh: Callable[[str], SshProbe] = probe_ssh
    greet: Greet = greet
    read_file: ReadFile = read_root_file
    clock: Callable[[], float] = time.monotonic


def apply(context: UpgradeContext, action: Action) -> bool:
    """Do it. False where nothing of it is left to decide afterwards."""
    match action:
        case Resume():
            _resume(context, action)
            return not action.finishes
        case Forget():
            context.report.phase(action.name, "remove its kept root")
            remove_kept_root(context.lxd, action.name, action.kept)
            context.report.done(action.name, f"its kept root {action.kept} is removed")
            return action.expired
        case Upgrade(move=isolated) if isolated is not None:
            move(
                MoveContext(lxd=context.lxd, report=context.report, remote=context.remote),
                isolated,
            )
            if not isolated.asleep:
                # Its address is to be kept, so it is to be known.
                _settled(context, action.name)
            return True
        case Upgrade():
            _upgrade(context, action)
            return action.reinstall
        case Reinstall():
            reinstall(context.lxd, action.name, action.packages, context.report)
        case Back():
            _back(context, action)
        case Leave():
            pass
    return False


def _upgrade(context: UpgradeContext, action: Upgrade) -> None:
    lxd, name = context.lxd, action.name
    carried = Carried()

    def carry(mark: UpgradeMark) -> None:
        nonlocal carried
        root = existing(lxd, name)
        carried = read_carried(lxd, root, action.account, context.report, context.read_file)
        write_carried(lxd, mark.next, carried)

    def judge() -> None:
        _wait(context, action)
        set_password(lxd, name, action.account, carried)

    mark = UpgradeMark(
        builder=me(), name=name, next=action.spec.name, kept=action.kept, asleep=action.asleep
    )
    steps = Steps(make=lambda: _make(context, action), carry=carry, judge=judge)
    _swap(context, mark, action.handed, steps, to=action.release)


def _back(context: UpgradeContext, action: Back) -> None:
    lxd, name, report = context.lxd, action.name, context.report

    def judge() -> None:
        # Nothing runs inside: its user was root there.
        waits, probe = context.timeouts, context.probe_ssh
        wait_until_up(lxd, name, report, timeouts=waits, probe_ssh=probe)

    mark = UpgradeMark(
        builder=me(),
        name=name,
        next=action.next,
        kept=action.kept,
        fresh=False,
        asleep=action.asleep,
    )
    _swap(context, mark, action.handed, Steps(judge=judge), to=action.release)


def _nothing() -> None: ...
def _carry_nothing(_: UpgradeMark) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What the two kinds of change do differently. MAKE: while the container is in use yet."""

    make: Callable[[], None] = _nothing
    carry: Callable[[UpgradeMark], None] = _carry_nothing
    judge: Callable[[], None]


def _swap(
    context: UpgradeContext, mark: UpgradeMark, handed: Handed, steps: Steps, *, to: str
) -> None:
    lxd, report, name = context.lxd, context.report, mark.name
    try:
        put(lxd, name, config={labels.UPGRADE: str(mark)})
        steps.make()
        began = context.clock()
        mark = leave_name(lxd, mark, report)
        steps.carry(mark)
        mark = exchange(lxd, mark, handed, report)
        start(lxd, mark, report)
        steps.judge()
        down = context.clock() - began
        mark = mark.at(Stage.OPENING)
        put(lxd, mark.kept, config={labels.UPGRADE: str(mark)})
    except LabError as error:
        raise _undone(context, mark, error) from error
    except BaseException:
        _undo_quietly(context, mark)
        raise
    try:
        finish(lxd, mark)
    except LabError as error:
        raise _with_way_on(error, name) from error
    was = "it stays stopped" if mark.asleep else f"it was down for {down:.0f} s"
    report.done(name, f"has {to}; {was}")


def _make(context: UpgradeContext, action: Upgrade) -> None:
    """While its user goes on working."""
    lxd, name = context.lxd, action.name
    context.report.phase(name, f"make a root of {action.release}")

    def tell(progress: Progress) -> None:
        context.report.detail(name, progress.text)

    config = {**action.spec.config, labels.BUILDER: me()}
    lxd.create(replace(action.spec, config=config), on_progress=tell)
    if action.keys is not None:
        lines = [key.line for key in action.keys.keys]
        give_keys(lxd, action.spec.name, action.account, lines, action.keys.revoked)
    give_lab_info(lxd, action.spec.name, context.report)


def _wait(context: UpgradeContext, action: Upgrade) -> None:
    """Until all answers that its user needs, as `provision` judges it."""
    lxd, name, report = context.lxd, action.name, context.report
    waits, probe = context.timeouts, context.probe_ssh
    wait_for_first_boot(lxd, name, action.account, report, timeouts=waits)
    address = wait_for_address(lxd, name, report, timeouts=waits)
    wait_for_ssh(lxd, name, address, report, timeouts=waits, probe_ssh=probe)
    if action.rdp is not None:
        wait_for_desktop(
            name,
            address,
            action.rdp,
            report,
            timeouts=waits,
            probe_ssh=probe,
            greet=context.greet,
        )


def _resume(context: UpgradeContext, action: Resume) -> None:
    lxd, name = context.lxd, action.name
    mark = replace(action.mark, builder=me())
    put(lxd, action.leaving, config={labels.UPGRADE: str(mark)})
    if action.finishes:
        lxd.wait_until_idle(name)
        finish(lxd, mark)
        context.report.done(name, "its upgrade is finished")
        return
    go_back(lxd, mark, context.report, lambda: _settled(context, name))


def _settled(context: UpgradeContext, name: str) -> None:
    """What keeps it from an address now, kept it from one before, too."""
    try:
        wait_until_up(
            context.lxd,
            name,
            context.report,
            timeouts=context.timeouts,
            probe_ssh=context.probe_ssh,
        )
    except LabError as error:
        context.report.say(error.brief)


def _undone(context: UpgradeContext, mark: UpgradeMark, error: LabError) -> LabError:
    """ERROR with what became of the container; it is as before unless the text says otherwise."""
    name = mark.name
    try:
        now = current_mark(context.lxd, name)
        if now is None or now.builder != me() or now.stage is Stage.OPENING:
            return _with_way_on(error, name)
        go_back(context.lxd, now, context.report, lambda: _settled(context, name))
    except LabError as worse:
        both = f"{error.brief} The rollback failed, too: {worse.brief}"
        return _with_way_on(LxdError(both, details=worse.details, fix=worse.fix), name)
    kind = type(error) if isinstance(error, InputError | CapacityError) else LxdError
    return kind(
        f"{error.brief} {name} is in its earlier state.", details=error.details, fix=error.fix
    )


def _undo_quietly(context: UpgradeContext, mark: UpgradeMark) -> None:
    """After Ctrl-C; a second one leaves it to the next run."""
    name = mark.name
    try:
        now = current_mark(context.lxd, name)
        if now is not None and now.builder == me() and now.stage is not Stage.OPENING:
            go_back(context.lxd, now, context.report, lambda: _settled(context, name))
    except LabError as error:
        context.report.say(f"{name} is upgraded only in part: {error.brief}")
    if current_mark(context.lxd, name) is not None:
        context.report.say(f"To continue: invoke upgrade {name}")


def _with_way_on(error: LabError, name: str) -> LabError:
    way_on = f"Correct the cause, then continue (no file is lost): invoke upgrade {name}"
    fix = "\n".join(filter(None, (error.fix, way_on)))
    return LxdError(error.brief, details=error.details, fix=fix)
