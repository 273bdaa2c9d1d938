"""Which instances are labstamp's. The others are never touched."""

from __future__ import annotations

from contextlib import AbstractContextManager

from lab import labels
from lab.errors import InputError
from lab.lxd.model import Instance
from lab.lxd.port import Lxd
from lab.machine.lock import hold_lock
from lab.names import did_you_mean, quote
from lab.report import Report
from lab.settings.settings import Settings
from provision.former import (
    being_upgraded,
    is_being_upgraded,
    other_root,
    read_mark,
    unfinished,
)
from provision.moving import arrival_mark


def is_managed(instance: Instance) -> bool:
    return labels.OWNER in instance.config


def is_preparing(instance: Instance) -> bool:
    return instance.config.get(labels.PHASE) == labels.PREPARING


def is_unclean(instance: Instance) -> bool:
    """Whether it is a copy in which there is yet what belongs to the owner of the first."""
    return labels.UNCLEAN in instance.config


def command_that_finishes(instance: Instance) -> str:
    """What to type for one that is half made."""
    name = instance.name
    arrival = arrival_mark(instance)
    if arrival is not None:
        return f"invoke move {name} SERVER (on {arrival.source})"
    if labels.FROM_BACKUP in instance.config:
        return f"invoke restore-backup {name} {instance.config[labels.FROM_BACKUP]}"
    if is_unclean(instance):
        return f"invoke clone {instance.config.get(labels.CLONE, 'NAME')} {name}"
    if is_being_upgraded(instance):
        mark = read_mark(instance)
        return f"invoke upgrade {mark.name if mark else name}"
    return f"invoke provision {name}"


def managed_container(lxd: Lxd, name: str) -> Instance:
    """The container NAME; InputError when there is none, or it is a foreign instance."""
    instance = lxd.instance(name)
    if instance is None:
        raise no_container(lxd, name)
    if not is_managed(instance):
        mark = read_mark(instance)
        if mark is not None:
            raise other_root(instance, mark)
        if labels.KEPT_ROOT in instance.config:
            raise being_upgraded(name, None)
        raise InputError(
            f"{quote(name)} is an instance that labstamp did not make.",
            details="It was not changed.",
            fix="Use lxc to work on it.",
        )
    return instance


def no_container(lxd: Lxd, name: str) -> InputError:
    instances = lxd.instances()
    leaving = unfinished(instances, name)
    if leaving is not None:
        return being_upgraded(name, read_mark(leaving))
    known = [instance.name for instance in instances if is_managed(instance)]
    return InputError(
        f"There is no container {quote(name)}{did_you_mean(name, known)}.",
        fix="List the containers: invoke list",
    )


def container_lock(
    settings: Settings, name: str, report: Report, what: str
) -> AbstractContextManager[None]:
    """Hold the lock of the container NAME of the lab's project while WHAT is done."""
    return hold_lock(f"container-{settings.project}-{name}", report, what, remote=settings.remote)
