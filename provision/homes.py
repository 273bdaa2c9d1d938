"""Whose home a volume is: told by the container that mounts it and by its mark.

Names of volumes are for reading: after `lxc move bob robert`, home-bob is the home of robert.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from lab import labels
from lab.errors import InputError
from lab.lxd.devices import Device, first
from lab.lxd.model import Instance, Volume
from lab.lxd.port import Lxd
from provision.managed import is_managed

HOME: Final[Device] = {"type": "disk", "path": "/home"}
_PREFIX: Final = "home-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """The volumes of all pools, and the containers of PROJECT that may have them."""

    volumes: Sequence[Volume]
    instances: Sequence[Instance]
    project: str = "default"

    def homes(self, name: str) -> tuple[Volume, ...]:
        """Those of the container NAME; more than one only where its pool was changed."""
        return tuple(each for each in self.volumes if self._owner(each) == name)

    def people(self) -> Mapping[str, tuple[Volume, ...]]:
        """The homes of everybody who has one, by the names of their containers."""
        found: dict[str, tuple[Volume, ...]] = {}
        for each in self.volumes:
            if (name := self._owner(each)) is not None:
                found[name] = (*found.get(name, ()), each)
        return found

    def home(self, name: str, pool: str) -> Volume | None:
        """The one to use for NAME: of POOL where there is one there; InputError for two others."""
        found = self.homes(name)
        near = [each for each in found if each.pool == pool] or list(found)
        if len(near) > 1:
            raise InputError(
                f'"{name}" has {len(near)} kept homes: '
                + ", ".join(f"{each.name} in pool {each.pool}" for each in near)
                + ".",
                details="It is not known which one to use.",
                fix="Detach the others from this name, one by one:\n"
                f"lxc storage volume set POOL VOLUME {labels.CONTAINER}=",
            )
        return near[0] if near else None

    def new_name(self, name: str, pool: str) -> str:
        """Of a volume for NAME that is to be made. A protected one is not a reason."""
        taken = {
            each.name
            for each in self.volumes
            if each.pool == pool and self._owner(each) not in {None, name}
        }
        wanted = f"{_PREFIX}{name}"
        return next(each for each in _numbered(wanted) if each not in taken)

    def unused_name(self, name: str, pool: str, *, but: str) -> str:
        """Of a volume for NAME, as no volume of POOL is called BUT that one, whoever has it."""
        there = {each.name for each in self.volumes if each.pool == pool} - {but}
        return next(each for each in _numbered(f"{_PREFIX}{name}") if each not in there)

    def _owner(self, volume: Volume) -> str | None:
        """The container whose home it is; None for a volume that is nobody's, or not labstamp's."""
        if labels.OWNER not in volume.config:
            return None
        for instance in self.instances:
            if home_place(instance) == (volume.pool, volume.name) and is_managed(instance):
                return instance.name
        if volume.config.get(labels.PROJECT, self.project) != self.project:
            return None
        named = volume.name.removeprefix(_PREFIX) if volume.name.startswith(_PREFIX) else ""
        return volume.config.get(labels.CONTAINER, named) or None


def read_stores(lxd: Lxd) -> Stores:
    """Where homes are: the volumes of all pools, and who may have them."""
    return Stores(
        volumes=tuple(volume for pool in lxd.pools() for volume in lxd.volumes(pool.name)),
        instances=lxd.instances(),
        project=lxd.project,
    )


def home_place(instance: Instance) -> tuple[str, str] | None:
    """Pool and name of the volume that INSTANCE has as /home."""
    device = first(instance.devices, HOME)
    if device is None or "pool" not in device[1] or "source" not in device[1]:
        return None
    return device[1]["pool"], device[1]["source"]


def home_marks(name: str, project: str) -> dict[str, str]:
    """What says on a volume that it is the home of NAME."""
    return {labels.CONTAINER: name, labels.PROJECT: project}


FINISHED: Final[Mapping[str, str | None]] = MappingProxyType(
    {labels.PHASE: labels.READY, labels.BUILDER: None, labels.UNCLEAN: None}
)
"""What is on a home from before its container's first start on: it may hold somebody's files."""


def is_unfinished(home: Volume) -> bool:
    """Whether it was made for a container that never started: nobody has put anything there."""
    return home.config.get(labels.PHASE) == labels.PREPARING


def is_half_copied(home: Volume) -> bool:
    """Whether it is, or was to be, a copy of somebody's home for a container that never started."""
    return is_unfinished(home) and labels.UNCLEAN in home.config


def changes(now: Mapping[str, str], wanted: Mapping[str, str | None]) -> dict[str, str | None]:
    """What of WANTED is not so NOW."""
    return {key: value for key, value in wanted.items() if now.get(key) != value}


def _numbered(name: str) -> Iterable[str]:
    yield name
    for number in range(2, 1000):
        yield f"{name}-{number}"
