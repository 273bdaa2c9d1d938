"""What every LXD behind the port does: it takes over instances and volumes from a server.

Here from itself, under another name: that shows the same, and needs no second one.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from lab.errors import LxdError
from lab.lxd.idmap import ON_DISK
from lab.lxd.model import InstanceSpec, State
from tests.contract.conftest import Backend
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.live_lab.lab import lxc


@pytest.fixture(scope="module")
def reachable(backend: Backend) -> Iterator[Backend]:
    """It listens, so that other servers may reach it."""
    if isinstance(backend.lxd, FakeLxd) or lxc("config", "get", "core.https_address").strip():
        yield backend
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lxc("config", "set", "core.https_address", f"127.0.0.1:{port}")
    yield backend
    lxc("config", "unset", "core.https_address")


@pytest.fixture
def copy(backend: Backend) -> Iterator[str]:
    """A name for what is received, an instance and a volume, both gone after the test."""
    copy = backend.unused()
    yield copy
    backend.lxd.delete(copy)
    backend.lxd.delete_volume(backend.pool, copy)


def test_a_volume_is_received_with_its_snapshots_and_refreshed(
    reachable: Backend, made: str, volume: str, copy: str
) -> None:
    lxd, pool = reachable.lxd, reachable.pool
    lxd.create_volume(pool, volume, {"user.a": "1"})
    home = {"type": "disk", "pool": pool, "source": volume, "path": "/home"}
    lxd.update(made, devices={"home": home})
    lxd.start(made)
    lxd.write_file(made, "/home/mark", b"monday")
    lxd.create_volume_snapshot(pool, volume, "one")
    config = next(one for one in lxd.volumes(pool) if one.name == volume).config
    kept = {key: config[key] for key in config if key.startswith("volatile.idmap.")}
    # While it is in use.
    lxd.receive_volume(lxd, (pool, volume), pool, copy, {"user.b": "2", **kept})
    with pytest.raises(LxdError):
        lxd.receive_volume(lxd, (pool, volume), pool, copy, {})
    assert lxd.volume_snapshots(pool, copy) == ("one",)
    found = next(one for one in lxd.volumes(pool) if one.name == copy).config
    assert {key: found[key] for key in found if key.startswith("user.")} == {"user.b": "2"}
    assert {key: found.get(key) for key in kept} == kept
    lxd.write_file(made, "/home/mark", b"tuesday")
    lxd.stop(made, force=True)
    lxd.create_volume_snapshot(pool, volume, "two")
    lxd.receive_volume(lxd, (pool, volume), pool, copy, {}, refresh=True)
    lxd.wait_until_volume_idle(pool, copy)
    assert lxd.volume_snapshots(pool, copy) == ("one", "two")
    found = next(one for one in lxd.volumes(pool) if one.name == copy).config
    assert found["user.b"] == "2"
    lxd.update(made, devices={"home": {**home, "source": copy}})
    lxd.start(made)
    assert lxd.read_file(made, "/home/mark") == b"tuesday"
    lxd.stop(made, force=True)
    lxd.restore_volume(pool, copy, "one")
    lxd.start(made)
    assert lxd.read_file(made, "/home/mark") == b"monday"
    lxd.stop(made, force=True)
    lxd.update(made, devices={"home": None})


def test_an_instance_is_received_with_its_snapshots_and_refreshed(
    reachable: Backend, made: str, copy: str
) -> None:
    lxd = reachable.lxd
    lxd.start(made)
    lxd.write_file(made, "/root/mark", b"monday")
    lxd.create_snapshot(made, "one")
    spec = InstanceSpec(name=copy, config={"user.b": "2"}, description="a copy")
    before = lxd.instance(made)
    assert before is not None
    # While it runs.
    found = lxd.receive_instance(lxd, made, spec)
    assert (found.name, found.state, found.description) == (copy, State.STOPPED, "a copy")
    assert {key for key in found.config if key.startswith("user.")} == {"user.b"}
    assert found.config[ON_DISK] == before.config[ON_DISK]
    assert lxd.snapshots(copy) == ("one",)
    with pytest.raises(LxdError):
        lxd.receive_instance(lxd, made, spec)
    lxd.write_file(made, "/root/mark", b"tuesday")
    lxd.stop(made, force=True)
    lxd.create_snapshot(made, "two")
    lxd.receive_instance(lxd, made, InstanceSpec(name=copy), refresh=True)
    assert lxd.snapshots(copy) == ("one", "two")
    assert lxd.read_file(copy, "/root/mark") == b"tuesday"
    kept = lxd.instance(copy)
    assert kept is not None
    assert kept.config["user.b"] == "2"
    lxd.start(copy)
    lxd.stop(copy, force=True)


def test_what_is_not_there_is_not_received(reachable: Backend, copy: str) -> None:
    lxd, pool = reachable.lxd, reachable.pool
    with pytest.raises(LxdError):
        lxd.receive_instance(lxd, reachable.unused(), InstanceSpec(name=copy))
    with pytest.raises(LxdError):
        lxd.receive_volume(lxd, (pool, reachable.unused()), pool, copy, {})
    assert lxd.instance(copy) is None
    assert copy not in {one.name for one in lxd.volumes(pool)}
