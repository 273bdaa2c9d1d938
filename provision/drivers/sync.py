"""`sync-drivers`: existing containers get the host's driver, a few side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

from lab.driver.userland import InstallUserland, Userland, install, userland_of
from lab.errors import CheckError, InputError, LabError
from lab.host_gpus import HostGpus, read_host_gpus
from lab.lxd.model import State
from lab.lxd.port import Lxd
from lab.report import Report
from lab.settings.settings import Settings
from provision.drivers.actions import Action, Forget, Install, Leave, Note, Restart
from provision.drivers.gpu_processes import running
from provision.drivers.plan import Options, is_due, plan
from provision.drivers.survey import InContainer, look_at, look_at_containers
from provision.drivers.update import SyncContext, bring, forget, note, restart
from provision.former import refuse_while_upgraded
from provision.homes import read_stores
from provision.ids.marker import refuse_while_isolated
from provision.managed import container_lock, is_managed, is_preparing
from provision.moving import refuse_while_moved
from provision.renaming import refuse_while_renamed
from provision.restoring import refuse_while_restored

AT_ONCE = 4
"""InstallUserland is work for disk and network; the host's users are at work meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    name: str
    error: LabError


Ending: TypeAlias = Action | Failure
Prepare: TypeAlias = Callable[[Settings, str], Userland]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a sync ended: DONE, LEFT and FAILED, each in the order of names."""

    version: str | None
    done: tuple[Action, ...] = ()
    left: tuple[Leave, ...] = ()
    failed: tuple[Failure, ...] = ()


def prepared(settings: Settings, version: str) -> Userland:
    """InputError if it is already known that VERSION is not available."""
    userland = userland_of(settings, version)
    userland.prepare()
    return userland


def plan_sync(
    lxd: Lxd,
    settings: Settings,
    names: Sequence[str],
    options: Options,
    *,
    at_once: int = AT_ONCE,
) -> tuple[HostGpus, tuple[Action, ...]]:
    """What `sync_drivers` would do. Changes nothing; () without a driver on the host."""
    host = read_host_gpus(lxd, settings)
    containers = look_at_containers(lxd, host, names)
    if host.driver is None:
        return host, ()
    due = [container for container in containers if is_due(container)]
    return host, plan(due, host.driver, _busy(lxd, due, at_once), options)


def sync_drivers(
    lxd: Lxd,
    settings: Settings,
    names: Sequence[str],
    options: Options,
    report: Report,
    *,
    at_once: int = AT_ONCE,
    prepare: Prepare = prepared,
    install: InstallUserland = install,
) -> Outcome:
    """Carry out the plan. A failure of one container does not stop the others: see the outcome.

    InputError before anything is touched where no source of the lab has the host's version.
    """
    host, actions = plan_sync(lxd, settings, names, options, at_once=at_once)
    if host.driver is None:
        return Outcome(version=None)
    due = [action for action in actions if not isinstance(action, Leave)]
    installs = any(isinstance(action, Install) for action in due)
    userland = prepare(settings, host.driver) if installs else None
    work = _Work(
        settings=settings,
        host=host,
        version=host.driver,
        userland=userland,
        options=options,
        at_once=at_once,
        prepare=prepare,
        context=SyncContext(lxd=lxd, report=report, stop=threading.Event(), install=install),
    )
    endings = [*(a for a in actions if isinstance(a, Leave)), *_side_by_side(work, due)]
    return _outcome(host.driver, endings)


def nothing_to_do(version: str | None) -> str:
    if version is None:
        return "No NVIDIA kernel module is loaded on this host, so there is no version to install."
    return f"Every container fits the host's driver {version}; nothing to do."


def failure(outcome: Outcome) -> LabError | None:
    """What makes the command end badly: 2 where only the lab's sources are at fault, else 5."""
    if not outcome.failed:
        return None
    told = "\n".join(f"{each.name}: {each.error}" for each in outcome.failed)
    many = len(outcome.failed)
    brief = (
        f"{many} container{'s' if many > 1 else ''} could not be brought to driver "
        f"{outcome.version}."
    )
    kind = (
        InputError
        if all(isinstance(each.error, InputError) for each in outcome.failed)
        else CheckError
    )
    names = " ".join(each.name for each in outcome.failed)
    return kind(
        brief, details=told, fix=f"Correct these causes, then run: invoke sync-drivers {names}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    settings: Settings
    host: HostGpus
    version: str
    userland: Userland | None
    """None where nothing was to be installed when the plan was made."""
    options: Options
    at_once: int
    prepare: Prepare
    context: SyncContext


def _side_by_side(work: _Work, actions: Sequence[Action]) -> list[Ending]:
    """On Ctrl-C those under way undo what they did, and the others never begin."""
    with ThreadPoolExecutor(max_workers=work.at_once) as pool:
        futures = [pool.submit(_one, work, action.name) for action in actions]
        try:
            endings = [future.result() for future in futures]
        except BaseException:
            work.context.stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return [ending for ending in endings if ending is not None]


def _one(work: _Work, name: str) -> Ending | None:
    report = work.context.report
    try:
        with container_lock(work.settings, name, report, f"sync-drivers {name}"):
            action = _decide_again(work, name)
            _do(work, action)
            return action
    except LabError as error:
        report.failed(name, error.brief)
        return Failure(name=name, error=error)


def _decide_again(work: _Work, name: str) -> Action | None:
    """With the lock: another process may have changed everything before."""
    lxd = work.context.lxd
    work.context.go_on()
    instance = lxd.instance(name)
    if instance is None or not is_managed(instance) or is_preparing(instance):
        return None
    refuse_while_moved(instance)
    refuse_while_upgraded(instance)
    refuse_while_isolated(instance)
    refuse_while_renamed(instance)
    refuse_while_restored(name, read_stores(lxd).homes(name))
    container = look_at(lxd, work.host, instance)
    if container is None:
        return None
    busy = _busy(lxd, [container], 1)
    return next(iter(plan([container], work.version, busy, work.options)), None)


def _do(work: _Work, action: Action | None) -> None:
    match action:
        case Install():
            userland = work.userland or work.prepare(work.settings, work.version)
            bring(work.context, action, userland)
        case Restart():
            restart(work.context, action)
        case Forget():
            forget(work.context, action)
        case Note():
            note(work.context, action)
        case _:
            pass


def _busy(lxd: Lxd, containers: Sequence[InContainer], at_once: int) -> dict[str, tuple[str, ...]]:
    started = [each.name for each in containers if each.state is State.RUNNING]
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        found = pool.map(lambda name: running(lxd, name), started)
    return dict(zip(started, found, strict=True))


def _outcome(version: str, endings: Sequence[Ending]) -> Outcome:
    ordered = sorted(endings, key=lambda ending: ending.name)
    return Outcome(
        version=version,
        done=tuple(e for e in ordered if isinstance(e, Install | Restart | Forget | Note)),
        left=tuple(e for e in ordered if isinstance(e, Leave)),
        failed=tuple(e for e in ordered if isinstance(e, Failure)),
    )
