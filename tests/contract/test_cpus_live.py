"""The kernel gives an instance the CPUs that LXD was told last, whoever of the two is faster."""

from __future__ import annotations

import os

import pytest

from lab.lxd.cpus import KEY
from lab.lxd.model import InstanceSpec
from lab.wait import poll
from tests.contract.conftest import Backend

pytestmark = [
    pytest.mark.live,
    pytest.mark.parametrize("backend", ["real"], indirect=True, scope="session"),
]
# LXD 5.0.2 loses about half of all changes that are written once, beside other limits.
CHANGES = ["1", "2", "0-1", "1-1", None, "1", None]


def _wait_for(backend: Backend, name: str, count: int) -> None:
    """LXD gives the CPUs a moment after it has said that they are changed."""

    def given() -> bool | None:
        return int(backend.lxd.run(name, ["nproc"]).stdout) == count or None

    poll(given, what=f"{count} CPUs for {name}", timeout=20)


def test_each_change_is_in_force_at_once(backend: Backend, box: str) -> None:
    all_there = len(os.sched_getaffinity(0))
    assert all_there >= 2, "With a single CPU there is nothing to see."
    meant = {"1": 1, "2": 2, "0-1": 2, "1-1": 1, None: all_there}
    for number, limit in enumerate(CHANGES):
        # As `resize` does: LXD sets these between its scheduler and its database.
        others = {"limits.memory": f"{100 + number}MiB", "limits.processes": str(500 + number)}
        instance = backend.lxd.update(box, config={KEY: limit, **others})
        assert instance.config.get(KEY) == limit
        _wait_for(backend, box, meant[limit])
    backend.lxd.update(box, config={"limits.memory": None, "limits.processes": None})


def test_a_stopped_one_gets_them_when_it_starts(backend: Backend, name: str) -> None:
    backend.lxd.create(InstanceSpec(name=name, image=backend.image.fingerprint))
    backend.lxd.update(name, config={KEY: "1"})
    backend.lxd.start(name)
    _wait_for(backend, name, 1)
