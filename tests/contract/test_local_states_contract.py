"""What the kernel tells of instances is what LXD tells of them."""

from __future__ import annotations

from dataclasses import replace

from lab.lxd.model import InstanceSpec, InstanceState, State
from tests.contract.conftest import Backend

MIB = 1 << 20


def told(backend: Backend, name: str) -> InstanceState:
    instance = backend.lxd.instance(name)
    assert instance is not None
    return backend.lxd.local_states((instance,))[name]


def test_of_a_running_one(backend: Backend, name: str) -> None:
    limited = {"limits.memory": "64MiB"}
    spec = InstanceSpec(name=name, image=backend.image.fingerprint, config=limited)
    backend.lxd.create(replace(spec, devices=_home(backend, name)))
    try:
        backend.lxd.start(name)
        here, there = told(backend, name), backend.lxd.state(name)
        assert (here.state, here.ipv4, here.ipv6) == (there.state, there.ipv4, there.ipv6)
        # Of volumes that a project has of the default one, LXD 5.0.2 tells nothing.
        assert there.disk_bytes.keys() <= here.disk_bytes.keys() == {"root", "home"}
        assert here.disk_quotas == {"root": 300 * MIB, "home": 50 * MIB}
        # LXD leaves out what a root shares with its image.
        assert here.disk_bytes["root"] >= there.disk_bytes["root"]
        assert here.memory is not None
        assert here.memory.limit == 64 * MIB
        assert here.memory_bytes > 0
        assert here.memory.held is not None
        assert 0 <= here.memory.held <= 64 * MIB
        assert not here.memory.has_more_than_limit
        assert backend.lxd.memory(name) is not None
        backend.lxd.update(name, config={"limits.memory": "80MiB"})
        again = backend.lxd.memory(name)
        assert again is not None
        assert again.limit == 80 * MIB
        assert not again.has_more_than_limit
    finally:
        backend.lxd.delete(name)
        backend.lxd.delete_volume(backend.pool, f"{name}-home")


def _home(backend: Backend, name: str) -> dict[str, dict[str, str]]:
    backend.lxd.create_volume(backend.pool, f"{name}-home", {"size": "50MiB"})
    home = {"type": "disk", "pool": backend.pool, "source": f"{name}-home", "path": "/home"}
    root = {"type": "disk", "pool": backend.pool, "path": "/", "size": "300MiB"}
    return {"root": root, "home": home}


def test_of_a_stopped_one(backend: Backend, made: str) -> None:
    here = told(backend, made)
    assert (here.state, here.ipv4, here.ipv6) == (State.STOPPED, (), ())
    assert (here.memory, here.memory_bytes) == (None, 0)
    assert backend.lxd.memory(made) is None
    assert here.disk_bytes.keys() == backend.lxd.state(made).disk_bytes.keys()


def test_what_is_not_there_is_not_told(backend: Backend, made: str) -> None:
    instance = backend.lxd.instance(made)
    assert instance is not None
    gone = replace(instance, name=backend.unused())
    assert list(backend.lxd.local_states((gone, instance))) == [made]
    assert backend.lxd.local_states(()) == {}
    assert backend.lxd.memory(gone.name) is None


def test_an_instance_has_what_its_profiles_say(backend: Backend, made: str) -> None:
    instance = backend.lxd.instance(made)
    profile = backend.lxd.profile("default")
    assert instance is not None
    assert profile is not None
    assert instance.expanded_config == {**profile.config, **instance.config}
