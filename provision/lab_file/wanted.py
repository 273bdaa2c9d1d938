"""What each container is to have: its own words, then its group's, then the defaults. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.gpu_selection import GpuSelection
from lab.yaml.problems import Problem
from lab.yaml.tree import Tree
from provision.create.request import Request
from provision.keys.public_key import PublicKey
from provision.lab_file.document import LIMITS, Container, Given, LabFile, Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """None: nothing is said of it, so a container that is there keeps what it has."""

    name: str
    account: str
    template: str
    has_template: bool = True
    """Whether the file names it."""
    key_sources: tuple[str, ...] | None = None
    keys: tuple[PublicKey, ...] | None = field(default=None, repr=False)
    """Once the sources were read."""
    mail: str | None = None
    password: bool = False
    cpus: int | None = None
    memory: int | None = None
    processes: int | None = None
    disk: int | None = None
    home: int | None = None
    gpus: GpuSelection | None = None
    shares: tuple[str, ...] | None = None
    until: str | None = None
    group: str | None = None
    reason: str | None = None
    path: Path
    line: int

    def problem(self, text: str) -> Problem:
        return Problem(path=self.path, line=self.line, text=f"{self.name}: {text}")

    @property
    def request(self) -> Request:
        """For a container that is not there."""
        return Request(
            name=self.name,
            account="" if self.account == self.name else self.account,
            template=self.template,
            keys=self.keys or (),
            cpus=self.cpus,
            memory_bytes=self.memory,
            disk_bytes=self.disk,
            home_bytes=self.home,
            password=self.password,
            shares=self.shares,
            until=self.until,
            mail=self.mail,
            gpus=self.gpus,
        )


def every_wanted(lab: LabFile, tree: Tree) -> tuple[Wanted, ...]:
    """By name."""
    return tuple(_wanted(name, lab, tree) for name in sorted(lab.containers))


def _wanted(name: str, lab: LabFile, tree: Tree) -> Wanted:
    one = lab.containers[name]
    givers = _givers(one, lab)
    account, person = next(iter(one.people.items()), (name, Person()))
    template = _first(givers, "template")
    # In their order: the size that a container names goes before a limit that its group names.
    ordered = [level for giver in givers for level in _levels(giver, lab)]
    return Wanted(
        name=name,
        account=account,
        template=template or "base",
        has_template=template is not None,
        key_sources=person.keys,
        mail=person.mail,
        password=person.password,
        gpus=_first(givers, "gpus"),
        shares=_first(givers, "shares"),
        until=_first(givers, "until"),
        group=one.group,
        reason=one.reason,
        path=tree.path,
        line=tree.line(("containers", name)),
        **{word: _first(ordered, word) for word in LIMITS},
    )


def _givers(one: Container, lab: LabFile) -> list[Given]:
    group = [lab.groups[one.group]] if one.group else []
    return [one, *group, lab.defaults]


def _levels(giver: Given, lab: LabFile) -> list[Any]:
    return [giver, *([lab.sizes[giver.size]] if giver.size else [])]


def _first(givers: Sequence[Any], word: str) -> Any:
    return next((found for one in givers if (found := getattr(one, word)) is not None), None)


def by_name(every: Sequence[Wanted]) -> Mapping[str, Wanted]:
    return {one.name: one for one in every}
