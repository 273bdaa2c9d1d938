"""Doing what the plan says. Each step is one change of LXD's: a run that is cut off is gone on with
by the next, which finds what is left to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

from lab import labels
from lab.errors import LabError, LxdError, LxdUnreachable
from lab.lxd.port import Lxd
from lab.machine.lxd_recover import Pool
from lab.report import Report
from lab.settings.settings import Settings
from provision.lab_state.actions import (
    CreateAcl,
    CreateNetwork,
    CreateProject,
    Ground,
    Put,
    PutAlias,
    PutImage,
    PutInstance,
    PutVolume,
    Recover,
    SetProfile,
)
from provision.managed import container_lock

Finder = Callable[[tuple[Pool, ...]], None]
"""`lab.machine.lxd_recover.recover`."""


def make_ground(lxd: Lxd, action: Ground) -> None:
    match action:
        case CreateProject(name=name, config=config):
            lxd.create_project(name, config)
        case CreateAcl(name=name, rules=rules):
            lxd.set_network_acl(name, rules)
        case CreateNetwork(name=name, config=config):
            lxd.create_network(name, config)
        case SetProfile(name=name, config=config, devices=devices):
            lxd.set_profile(name, config, devices)


def find_lost(action: Recover, find: Finder) -> None:
    find(
        tuple(
            Pool(name=one.name, driver=one.driver, source=one.source, config=one.config)
            for one in action.pools
        )
    )


def put_back(lxd: Lxd, settings: Settings, actions: Iterable[Put], report: Report) -> None:
    """A failure with one container does not stop the others. LxdError of all that failed."""
    failed: list[tuple[str, LabError]] = []
    for action in actions:
        error = _tried(lxd, settings, action, report)
        if error is not None:
            failed.append((_subject(action), error))
    if failed:
        raise LxdError(
            f"{len(failed)} of the changes could not be made.",
            details="\n".join(f"{subject}: {error}" for subject, error in failed),
            fix="Correct these causes, then run the same command again.",
        )


def _tried(lxd: Lxd, settings: Settings, action: Put, report: Report) -> LabError | None:
    try:
        with _lock(settings, action, report):
            _put(lxd, action)
    except LxdUnreachable:
        raise
    except LabError as error:
        report.failed(_subject(action), error.brief)
        return error
    report.done(_subject(action), str(action).partition(": ")[2])
    return None


def _put(lxd: Lxd, action: Put) -> None:
    match action:
        case PutVolume(pool=pool, name=name, config=config):
            lxd.update_volume(pool, name, config)
        case PutInstance(name=name):
            lxd.update(
                name,
                config=action.config,
                devices=action.devices,
                profiles=action.profiles,
                description=action.description,
            )
        case PutImage(fingerprint=fingerprint, properties=properties):
            lxd.set_image_properties(fingerprint, properties)
        case PutAlias(name=name, fingerprint=fingerprint):
            lxd.set_alias(name, fingerprint)


def _lock(settings: Settings, action: Put, report: Report) -> AbstractContextManager[None]:
    """Of the container that it is about."""
    name = None
    if isinstance(action, PutInstance):
        name = action.name
    elif isinstance(action, PutVolume):
        name = action.config.get(labels.CONTAINER)
    if name is None:
        return nullcontext()
    return container_lock(settings, name, report, "import-state")


def _subject(action: Put) -> str:
    return str(action).partition(": ")[0]
