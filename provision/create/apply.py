"""Doing a plan. What a failed or interrupted run made is removed again; nothing else ever is.

And that only while nobody can have used it; from then on it is finished by the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial

from lab import labels
from lab.errors import InstanceCorrupted, LabError, LxdError
from lab.instances.removal import remove_instance
from lab.instances.ssh_keys import give_keys
from lab.lxd.model import Progress, State
from lab.lxd.port import Lxd
from lab.process import me
from lab.rdp import Greet, greet
from lab.report import Report
from provision.clone.cleaning import clean_copy
from provision.create.actions import (
    Action,
    ChangeGpus,
    CleanCopy,
    CopyVolume,
    CreateInstance,
    CreateVolume,
    GiveKeys,
    MarkReady,
    RemoveCopy,
    RemoveLeftover,
    ReuseVolume,
    SetPassword,
    Start,
    TakeOver,
)
from provision.create.closed import is_closed, open_up
from provision.create.home_volume import have_home
from provision.create.password import new_password
from provision.create.ready import (
    SshProbe,
    Timeouts,
    probe_ssh,
    wait_for_address,
    wait_for_desktop,
    wait_for_first_boot,
    wait_for_ssh,
)
from provision.filtered import start_filtered
from provision.held_memory import tell_memory
from provision.homes import FINISHED
from provision.lab_info import give_lab_info
from provision.managed import is_unclean, managed_container
from provision.shares.prepare import PrepareShare


def apply(
    actions: Sequence[Action],
    lxd: Lxd,
    report: Report,
    *,
    timeouts: Timeouts | None = None,
    probe_ssh: Callable[[str], SshProbe] = probe_ssh,
    greet: Greet = greet,
    prepare: Callable[[PrepareShare], None],
    claimed: Callable[[], None] = lambda: None,
) -> str | None:
    """Do ACTIONS in order; returns the password when one was set, its only appearance.

    CLAIMED is called as soon as LXD holds the GPUs that were decided upon; what it raises undoes
    that like any failure.
    """
    password: str | None = None
    waits = timeouts or Timeouts()
    with ExitStack() as undo:
        for action in actions:
            match action:
                case RemoveLeftover(name=name):
                    report.phase(name, "remove what an interrupted run left")
                    # LXD may still be at what the crashed run asked it for.
                    lxd.wait_until_idle(name, timeout=60)
                    remove_instance(lxd, name)
                case TakeOver():
                    _take_over(action, lxd, report, undo)
                case CreateVolume() | CopyVolume() | ReuseVolume() | RemoveCopy():
                    have_home(action, lxd, report, undo)
                case CreateInstance() | ChangeGpus():
                    _take(action, lxd, report, undo)
                    claimed()
                case CleanCopy():
                    _clean_copy(action, lxd, report)
                case GiveKeys():
                    _give_keys(action, lxd)
                case PrepareShare():
                    prepare(action)
                case Start(name=name):
                    _hand_over(actions, lxd)
                    give_lab_info(lxd, name, report)
                    if lxd.state(name).state is not State.RUNNING:
                        _start(name, actions, lxd, report, claimed)
                    _wait(action, lxd, report, timeouts=waits, probe_ssh=probe_ssh, greet=greet)
                    tell_memory(lxd, name, report)
                case SetPassword():
                    password = _set_password(action, lxd)
                case MarkReady():
                    _mark_ready(action, lxd)
        undo.pop_all()
    return password


def _clean_copy(action: CleanCopy, lxd: Lxd, report: Report) -> None:
    report.phase(action.name, "clean")
    clean_copy(lxd, action.name, action.account, action.owner)
    config = {**dict.fromkeys(action.keys), labels.UNCLEAN: None}
    lxd.update(action.name, config=config, devices=dict.fromkeys(action.devices))


def _take(action: CreateInstance | ChangeGpus, lxd: Lxd, report: Report, undo: ExitStack) -> None:
    if isinstance(action, CreateInstance):
        _create_instance(action, lxd, report, undo)
    else:
        _change_gpus(action, lxd, report, undo)


def _create_instance(action: CreateInstance, lxd: Lxd, report: Report, undo: ExitStack) -> None:
    name = action.spec.name
    report.phase(name, "create")
    undo.callback(partial(_undo_instance, lxd, report, name))

    def tell(progress: Progress) -> None:
        report.detail(name, progress.text)

    lxd.create(action.spec, on_progress=tell)


def _take_over(action: TakeOver, lxd: Lxd, report: Report, undo: ExitStack) -> None:
    name = action.name
    report.phase(name, "continue")
    # LXD may still be at what the run asked it for that was cut off.
    lxd.wait_until_idle(name, timeout=60)
    lxd.update(name, config={labels.BUILDER: action.builder})
    undo.callback(partial(_undo_instance, lxd, report, name))


def _hand_over(actions: Sequence[Action], lxd: Lxd) -> None:
    """From the container's first start on, its home may hold somebody's files.

    So it is whole before that, and no undoing, no next run and no `destroy` takes it away.
    """
    for action in actions:
        if isinstance(action, CreateVolume | CopyVolume):
            lxd.update_volume(action.pool, action.name, FINISHED)


def _give_keys(action: GiveKeys, lxd: Lxd) -> None:
    lines = [key.line for key in action.keys]
    give_keys(lxd, action.name, action.account, lines, action.revoked)


def _start(
    name: str,
    actions: Sequence[Action],
    lxd: Lxd,
    report: Report,
    claimed: Callable[[], None],
) -> None:
    report.phase(name, "boot")
    try:
        start_filtered(lxd, name, report)
    except InstanceCorrupted as error:
        made = next((one for one in actions if isinstance(one, CreateInstance)), None)
        if made is None or made.spec.copy_of is not None:
            raise
        report.say(f"{name} is made again: {error.details or error.brief}")
        remove_instance(lxd, name)
        lxd.create(made.spec)
        # Its GPUs were anybody's for a moment.
        claimed()
        for action in actions:
            if isinstance(action, GiveKeys):
                _give_keys(action, lxd)
        give_lab_info(lxd, name, report)
        start_filtered(lxd, name, report)


def _wait(
    action: Start,
    lxd: Lxd,
    report: Report,
    *,
    timeouts: Timeouts,
    probe_ssh: Callable[[str], SshProbe],
    greet: Greet,
) -> None:
    """Until all answers that its user needs."""
    name = action.name
    wait_for_first_boot(lxd, name, action.account, report, timeouts=timeouts)
    address = wait_for_address(lxd, name, report, timeouts=timeouts)
    wait_for_ssh(lxd, name, address, report, timeouts=timeouts, probe_ssh=probe_ssh)
    if action.rdp is not None:
        wait_for_desktop(
            name, address, action.rdp, report, timeouts=timeouts, probe_ssh=probe_ssh, greet=greet
        )


def _change_gpus(action: ChangeGpus, lxd: Lxd, report: Report, undo: ExitStack) -> None:
    name = action.name
    before = managed_container(lxd, name)
    report.phase(name, "change its GPUs")
    undo.callback(
        partial(
            _undo_gpus,
            lxd,
            report,
            name,
            {key: before.config.get(key) for key in action.config},
            {device: before.devices.get(device) for device in action.devices},
        )
    )
    lxd.update(name, config=action.config, devices=action.devices)


def _set_password(action: SetPassword, lxd: Lxd) -> str:
    password = new_password()
    line = f"{action.account}:{password}\n".encode()
    done = lxd.run(action.name, ["chpasswd"], stdin=line, timeout=30)
    if done.exit_code != 0:
        raise LxdError(
            f"The password of {action.account} in {action.name} could not be set.",
            details=done.stderr.replace(password, "…"),
            fix="Run the same command again.",
        )
    return password


def _mark_ready(action: MarkReady, lxd: Lxd) -> None:
    open_up(lxd, action.name, action.account)
    lxd.update(
        action.name,
        config={
            labels.PHASE: labels.READY,
            labels.BUILDER: None,
            labels.PACKAGES: None,
            labels.ACCOUNTS: None,
            "security.protection.delete": "true",
        },
    )


def _undo_instance(lxd: Lxd, report: Report, name: str) -> None:
    try:
        lxd.wait_until_idle(name, timeout=60)
        instance = lxd.instance(name)
        if instance is None or instance.config.get(labels.BUILDER) != me():
            return
        if not is_closed(instance) and not is_unclean(instance):
            report.say(f"{name} is only half made. To finish it: invoke provision {name}")
            return
        report.phase(name, "undo")
        remove_instance(lxd, name)
    except LabError as error:
        report.say(
            f"{name} is only half made: {error.brief} To finish it, run the same command again."
        )


def _undo_gpus(
    lxd: Lxd,
    report: Report,
    name: str,
    config: Mapping[str, str | None],
    devices: Mapping[str, Mapping[str, str] | None],
) -> None:
    try:
        lxd.update(name, config=config, devices=devices)
    except LabError as error:
        report.say(f"{name} may have lost its earlier GPUs: {error.brief}")
