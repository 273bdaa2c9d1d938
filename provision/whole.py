"""A container that is nobody's unfinished work: only such a one is started, stopped or changed."""

from __future__ import annotations

from lab import labels
from lab.errors import InputError
from lab.lxd.model import Instance
from lab.lxd.port import Lxd
from lab.process import in_words, is_alive
from provision.former import refuse_while_upgraded
from provision.homes import read_stores
from provision.ids.marker import refuse_while_isolated
from provision.managed import command_that_finishes, is_preparing, managed_container
from provision.moving import refuse_while_moved
from provision.renaming import refuse_while_renamed
from provision.restoring import refuse_while_restored


def whole_container(lxd: Lxd, name: str) -> Instance:
    """The container NAME; InputError unless its provisioning and each later work on it ended."""
    instance = managed_container(lxd, name)
    refuse_while_renamed(instance)
    refuse_unfinished(instance)
    refuse_while_restored(name, read_stores(lxd).homes(name))
    return instance


def refuse_unfinished(instance: Instance) -> None:
    """InputError unless its provisioning and each later work on it ended, but for a rename."""
    refuse_while_moved(instance)
    refuse_while_upgraded(instance)
    refuse_while_isolated(instance)
    if is_preparing(instance):
        refuse_while_made(instance)
        raise InputError(
            f'The container "{instance.name}" is only half made.',
            fix=f"Finish it: {command_that_finishes(instance)}\n"
            f"or remove it (/home is kept): invoke destroy {instance.name}",
        )


def refuse_while_made(instance: Instance) -> None:
    """InputError while a process that is alive provisions it."""
    builder = instance.config.get(labels.BUILDER, "")
    if is_preparing(instance) and is_alive(builder):
        raise InputError(
            f'The container "{instance.name}" is being provisioned by {in_words(builder)}.',
            fix="Wait until it ends, or end that run with Ctrl-C.",
        )
