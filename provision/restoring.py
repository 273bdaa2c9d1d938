"""The note on a home while its person's files are restored: by whom, how far, and today's wish.

It is on the home's volume, as LXD replaces all keys of an instance with those of its snapshot.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from lab import labels
from lab.errors import InputError
from lab.lxd.model import Instance, Volume
from lab.lxd.port import Lxd
from lab.process import in_words, is_alive
from provision.homes import home_place


class Half(str, Enum):
    HOME = "home"
    ROOT = "root"


BOTH = (Half.HOME, Half.ROOT)


class Step(str, Enum):
    FILES = "files"
    """Files are being restored: the container must not run. All of it can be done again."""
    RESTORED = "restored"
    """Files and wish are as they are to be; its user may have written to it since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a container is to be, whatever files it has."""

    config: Mapping[str, str] = field(default_factory=dict)
    devices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    profiles: Sequence[str] = ()
    description: str = ""
    home_size: str | None = None
    """Quota of the home's volume."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """The value of `user.lab.restore`: written before anything else, removed last."""

    builder: str
    """`HOST PID STARTTIME`."""
    snapshot: str
    halves: tuple[Half, ...]
    wish: Wish
    step: Step = Step.FILES
    asleep: bool = False
    """Was stopped when it began, and is to be afterwards."""

    def at(self, step: Step) -> Journal:
        return replace(self, step=step)

    def __str__(self) -> str:
        told = {
            "builder": self.builder,
            "snapshot": self.snapshot,
            "halves": [half.value for half in self.halves],
            "step": self.step.value,
            "asleep": self.asleep,
            "config": dict(self.wish.config),
            "devices": {name: dict(device) for name, device in self.wish.devices.items()},
            "profiles": list(self.wish.profiles),
            "description": self.wish.description,
            "home-size": self.wish.home_size,
        }
        return json.dumps(told, separators=(",", ":"))

    @property
    def alive(self) -> bool | None:
        """Whether that run still goes on; None if it is not known here."""
        return is_alive(self.builder)

    @property
    def command(self) -> str:
        """What continues it, behind the container's name."""
        only = "" if len(self.halves) > 1 else f" --{self.halves[0].value}"
        return f"{self.snapshot}{only}"


def read_journal(text: str | None) -> Journal | None:
    """None where there is none. InputError for one that was changed: nothing else is known."""
    if not text:
        return None
    try:
        return _read(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"The key {labels.RESTORE} of a home cannot be read.",
            details="An unfinished restore keeps there what the container is to be.",
            fix="Restore the container by hand, then unset the key: "
            f"lxc storage volume unset POOL VOLUME {labels.RESTORE}",
        ) from error


def _read(told: Mapping[str, Any]) -> Journal:
    return Journal(
        builder=str(told["builder"]),
        snapshot=str(told["snapshot"]),
        halves=tuple(Half(one) for one in told["halves"]),
        step=Step(told["step"]),
        asleep=told["asleep"] is True,
        wish=Wish(
            config={str(key): str(value) for key, value in told["config"].items()},
            devices={str(name): dict(device) for name, device in told["devices"].items()},
            profiles=tuple(map(str, told["profiles"])),
            description=str(told["description"]),
            home_size=told["home-size"],
        ),
    )


def home_of(lxd: Lxd, instance: Instance) -> Volume | None:
    """The volume that INSTANCE has as /home, as it is now."""
    pool, name = home_place(instance) or ("", "")
    return next((one for one in lxd.volumes(pool) if one.name == name), None) if pool else None


def unfinished(homes: Iterable[Volume]) -> tuple[Volume, Journal] | None:
    """Of a person's HOMES the one that has a journal, and that.

    The container does not tell which it is: it may be as at the time of the snapshot.
    """
    for home in homes:
        journal = read_journal(home.config.get(labels.RESTORE))
        if journal is not None:
            return home, journal
    return None


def refuse_while_restored(name: str, homes: Iterable[Volume]) -> None:
    """InputError if files of NAME may be half those of today and half those of a snapshot."""
    found = unfinished(homes)
    if found is None:
        return
    journal = found[1]
    who = in_words(journal.builder)
    at_work = f"{who} is restoring it." if journal.alive else f"{who} was restoring it."
    raise InputError(
        f'The container "{name}" is being restored from the snapshot {journal.snapshot}.',
        details=f"{at_work} Until that ends, some of its files may be missing or old.",
        fix="Wait until it ends. If that run was interrupted, continue it: "
        f"invoke restore {name} {journal.command}",
    )


def refuse_half_restored(name: str, home: Volume) -> None:
    """InputError if HOME, which no container has, was being restored when its container went."""
    if read_journal(home.config.get(labels.RESTORE)) is None:
        return
    where = f"{home.pool} {home.name}"
    raise InputError(
        f"The home of {name} (volume {home.name}) was being restored when its container was "
        "removed.",
        details="Some of its files may be missing or old.",
        fix=f"Restore it from one of its snapshots: lxc storage volume restore {where} SNAPSHOT\n"
        f"then allow its use: lxc storage volume unset {where} {labels.RESTORE}",
    )
