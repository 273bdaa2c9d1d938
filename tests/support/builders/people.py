"""People of a lab in memory, and what is theirs: a container, and a home that holds a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lab import labels
from lab.gpu_selection import parse_selection
from lab.lxd.model import State
from lab.report import Silent
from lab.settings.settings import Settings
from provision import lifecycle
from provision.create.request import Request
from tests.support.builders.stamping import bob, stamp
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.fake_lxd.store import FakeFile, FakeVolume

PEOPLE: Final = ("ann", "ben", "eve")
_THESIS: Final = "/thesis"


def wishes(name: str, template: str) -> Request:
    """What NAME's container was asked for with."""
    gpus = parse_selection("none" if name == "eve" else "1")
    return bob(name=name, template=template, gpus=gpus)


def let_people_in(lxd: FakeLxd, settings: Settings, template: str) -> None:
    """ann's container runs, ben's is stopped, both have a GPU; of eve's the home is kept."""
    for name in PEOPLE:
        stamp(lxd, wishes(name, template), settings=settings)
        lxd.write_file(name, f"/home{_THESIS}", _years_of(name))
    lxd.stop("ben")
    lifecycle.destroy(lxd, settings, "eve", purge=False, report=Silent())


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    config: Mapping[str, str]
    files: Mapping[str, FakeFile]


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    config: Mapping[str, str]
    devices: Mapping[str, Mapping[str, str]]
    files: Mapping[str, FakeFile]
    state: State
    snapshots: tuple[str, ...]


def homes(lxd: FakeLxd) -> Mapping[str, Home]:
    """By the names of their volumes. Whatever else LXD holds is not people's."""
    nothing = FakeVolume()
    return {
        name: Home(
            config=dict(config), files=dict(lxd.store.contents.get((pool, name), nothing).files)
        )
        for (pool, name), config in lxd.store.volumes.items()
        if labels.CONTAINER in config
    }


def containers(lxd: FakeLxd) -> Mapping[str, Container]:
    return {
        name: Container(
            config=dict(one.config),
            devices=dict(one.devices),
            files=dict(one.files),
            state=one.state,
            snapshots=one.snapshots,
        )
        for (project, name), one in lxd.store.instances.items()
        if project == "default" and labels.OWNER in one.config
    }


def assert_files_are_there(lxd: FakeLxd) -> None:
    """In everybody's home, and it is the home of the same person."""
    found = homes(lxd)
    assert {name: home.files[_THESIS].content for name, home in found.items()} == {
        f"home-{name}": _years_of(name) for name in PEOPLE
    }
    assert [home.config[labels.CONTAINER] for home in found.values()] == list(PEOPLE)


def _years_of(name: str) -> bytes:
    return f"years of {name}".encode()
