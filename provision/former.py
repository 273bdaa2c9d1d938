"""The note on a root that an upgrade replaces: by whom, how far, and what to put back. Pure.

The container's name is that of its present root: both roots are instances, and change names. The
note is on the root that leaves, from before anything else is done until that root is removed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from lab import labels
from lab.errors import InputError
from lab.lxd.model import Instance
from lab.process import in_words, is_alive


class Stage(str, Enum):
    MAKING = "making"
    """The container is as it was; its next root is being made beside it."""
    SWAPPING = "swapping"
    """Either root may have the container's name; the next one has not run as it."""
    TRYING = "trying"
    """The next root runs as the container, to be judged."""
    OPENING = "opening"
    """It was judged fit: its user may write to it, and nothing goes back any more."""
    KEPT = "kept"
    """Another root is the container now; this one is the way back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeMark:
    """The value of `user.lab.upgrade`."""

    builder: str
    """`HOST PID STARTTIME`."""
    name: str
    """Of the container."""
    next: str
    """What the next root is called until it gets the container's name."""
    kept: str
    """What this root is called from then on."""
    stage: Stage = Stage.MAKING
    fresh: bool = True
    """The next root is new: nobody has written to it while nobody was able to log in."""
    asleep: bool = False
    """The container was stopped when it began, and is to be afterwards."""
    address: str = ""
    """What it is reached at, where LXD gives that by DHCP; empty where it is not known."""
    since: str = ""
    """When it was replaced, by the server's clock."""
    config: Mapping[str, str | None] = field(default_factory=dict)
    """What this root had of the keys that it loses meanwhile."""
    devices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """All that were its own."""

    def at(self, stage: Stage) -> UpgradeMark:
        return replace(self, stage=stage)

    def __str__(self) -> str:
        told = {
            "builder": self.builder,
            "name": self.name,
            "next": self.next,
            "kept": self.kept,
            "stage": self.stage.value,
            "fresh": self.fresh,
            "asleep": self.asleep,
            "address": self.address,
            "since": self.since,
            "config": dict(self.config),
            "devices": {name: dict(device) for name, device in self.devices.items()},
        }
        return json.dumps(told, separators=(",", ":"))

    @property
    def alive(self) -> bool | None:
        """Whether that run still goes on; None if it is not known here."""
        return is_alive(self.builder)


def read_mark(instance: Instance) -> UpgradeMark | None:
    text = instance.config.get(labels.UPGRADE)
    if not text:
        return None
    try:
        told = json.loads(text)
        return UpgradeMark(
            builder=told["builder"],
            name=told["name"],
            next=told["next"],
            kept=told["kept"],
            stage=Stage(told["stage"]),
            fresh=told["fresh"] is True,
            asleep=told["asleep"] is True,
            address=told.get("address", ""),
            since=told["since"],
            config=dict(told["config"]),
            devices={name: dict(device) for name, device in told["devices"].items()},
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def is_kept_root(instance: Instance) -> bool:
    mark = read_mark(instance)
    return mark is not None and mark.stage is Stage.KEPT


def unfinished(instances: Iterable[Instance], name: str) -> Instance | None:
    """The root that an upgrade of the container NAME, which has not ended, replaces."""
    for instance in instances:
        mark = read_mark(instance)
        if mark is not None and mark.name == name and mark.stage is not Stage.KEPT:
            return instance
    return None


def as_listed(instance: Instance) -> Instance:
    """Half made where it is a root between two names, which is no container for other commands."""
    mark = read_mark(instance)
    if mark is None or mark.stage is not Stage.SWAPPING or labels.OWNER in instance.config:
        return instance
    said = {
        labels.OWNER: mark.config.get(labels.OWNER) or mark.name,
        labels.PHASE: labels.PREPARING,
        labels.BUILDER: mark.builder,
    }
    return replace(instance, config={**instance.config, **said})


def is_being_upgraded(instance: Instance) -> bool:
    """Told by INSTANCE alone, whichever of the two roots it is."""
    mark = read_mark(instance)
    if mark is not None and mark.stage is not Stage.KEPT:
        return True
    preparing = instance.config.get(labels.PHASE) == labels.PREPARING
    return preparing and labels.KEPT_ROOT in instance.config


def refuse_while_upgraded(instance: Instance) -> None:
    """InputError if it may be replaced, or replaces another, at any moment."""
    if is_being_upgraded(instance):
        raise being_upgraded(instance.name, read_mark(instance))


def other_root(instance: Instance, mark: UpgradeMark) -> InputError:
    """For a command that takes INSTANCE, which carries MARK, for a container."""
    if mark.stage is not Stage.KEPT:
        return being_upgraded(mark.name, mark)
    return InputError(
        f'"{instance.name}" is not a container: it is the kept root of "{mark.name}".',
        details="It was not changed.",
        fix=f"Return to it: invoke upgrade {mark.name} --back\n"
        f"or remove it: invoke upgrade {mark.name} --forget",
    )


def being_upgraded(name: str, mark: UpgradeMark | None) -> InputError:
    if mark is not None and mark.alive:
        return InputError(
            f'The container "{name}" is being upgraded by {in_words(mark.builder)}.',
            fix="Wait until it ends.",
        )
    return InputError(
        f'The container "{name}" is being upgraded.',
        details="Its files may be in another instance until that ends.",
        fix=f"Wait until it ends. If that run was interrupted, continue it: invoke upgrade {name}",
    )
