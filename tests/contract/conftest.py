"""The two behind the port: an LXD in memory, and the real one in a project of its own."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.lxd.client import connect
from lab.lxd.model import Completed, Image, InstanceSpec
from lab.lxd.port import Lxd
from tests.support.builders.four_gpus import FOUR
from tests.support.fake_lxd.lxd import FakeLxd
from tests.support.live_lab.lab import lxc
from tests.support.tiny_root import make_tiny_root

# What the build project has, too: instances of its own, all the rest shared.
SHARED = {
    "features.images": "false",
    "features.profiles": "false",
    "features.networks": "false",
    "features.storage.volumes": "false",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of the verbs of the gateway, those about GPUs alone need a host that has some."""
    for item in items:
        if item.path.parent == Path(__file__).parent and item.path.stem != "test_gpus_contract":
            item.add_marker(pytest.mark.plain)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    lxd: Lxd
    outside: Lxd
    """The default project of the same server."""
    image: Image
    metadata: Path
    rootfs: Path
    pool: str
    prefix: str
    again: Callable[[], Lxd]
    """Another connection to the same project."""
    discard: Callable[[str, str, str], None]
    """What no verb removes: kind, name and project."""

    def unused(self) -> str:
        """A name that nothing has yet."""
        return f"{self.prefix}-{secrets.token_hex(4)}"


@pytest.fixture(scope="session", params=["fake", pytest.param("real", marks=pytest.mark.live)])
def backend(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backend]:
    open_one = _fake if request.param == "fake" else _real
    with ExitStack() as undo:
        yield open_one(tmp_path_factory.mktemp("root"), undo)


@pytest.fixture(scope="session")
def box(backend: Backend) -> Iterator[str]:
    """A running instance that the tests share and leave as it is."""
    name = backend.unused()
    backend.lxd.create(InstanceSpec(name=name, image=backend.image.fingerprint))
    backend.lxd.start(name)
    yield name
    backend.lxd.delete(name)


@pytest.fixture
def name(backend: Backend) -> Iterator[str]:
    """A name for an instance that is gone after the test."""
    name = backend.unused()
    yield name
    backend.lxd.delete(name)


@pytest.fixture
def made(backend: Backend, name: str) -> str:
    """A stopped instance."""
    backend.lxd.create(InstanceSpec(name=name, image=backend.image.fingerprint))
    return name


@pytest.fixture
def alias(backend: Backend) -> Iterator[str]:
    """An alias; whatever image has it after the test is removed."""
    alias = f"{backend.unused()}/x"
    yield alias
    for taken, fingerprint in backend.lxd.aliases().items():
        if taken.startswith(alias) and fingerprint != backend.image.fingerprint:
            backend.lxd.delete_image(fingerprint)
        elif taken.startswith(alias):
            backend.lxd.delete_alias(taken)


@pytest.fixture
def volume(backend: Backend) -> Iterator[str]:
    volume = backend.unused()
    yield volume
    backend.lxd.delete_volume(backend.pool, volume)


def _fake(directory: Path, undo: ExitStack) -> Backend:
    metadata, rootfs = directory / "metadata.tar", directory / "rootfs.tar"
    metadata.write_bytes(b"metadata")
    rootfs.write_bytes(b"rootfs")
    outside = FakeLxd()
    outside.store.disk = directory / "disk"
    outside.on_run = _run_here
    outside.host_gpus = FOUR
    outside.create_project("contract", SHARED)
    lxd = outside.in_project("contract")
    image = lxd.import_image(metadata, rootfs, properties={"os": "tiny"})
    return Backend(
        lxd=lxd,
        outside=outside,
        image=image,
        metadata=metadata,
        rootfs=rootfs,
        pool="default",
        prefix="gw",
        again=lambda: lxd,
        discard=lambda kind, name, _project: _forget(outside, kind, name),
    )


def _forget(lxd: FakeLxd, kind: str, name: str) -> None:
    if kind == "profiles":
        del lxd.store.profiles[name]
    else:
        del lxd.store.acls[name]


def _real(directory: Path, undo: ExitStack) -> Backend:
    metadata, rootfs = make_tiny_root(directory)
    outside = connect()
    project = f"gw-contract-{secrets.token_hex(4)}"
    lxd = outside.in_project(project)
    pool = next(pool.name for pool in outside.pools())
    outside.create_project(project, SHARED)
    undo.callback(outside.delete_project, project)
    image = lxd.import_image(metadata, rootfs, properties={"os": "tiny"})
    undo.callback(lxd.delete_image, image.fingerprint)
    undo.callback(_delete_instances, lxd)
    return Backend(
        lxd=lxd,
        outside=outside,
        image=image,
        metadata=metadata,
        rootfs=rootfs,
        pool=pool,
        prefix="gw",
        again=lambda: connect(project=project),
        discard=lambda kind, name, at: _delete(f"/1.0/{kind}/{name}?project={at}"),
    )


def _delete(path: str) -> None:
    lxc("query", "-X", "DELETE", path)


def _delete_instances(lxd: Lxd) -> None:
    for instance in lxd.instances():
        lxd.delete(instance.name)


def _run_here(name: str, argv: Sequence[str], stdin: bytes | None) -> Completed:
    """Let the fake's commands happen on this machine: the tests' own are harmless."""
    try:
        done = subprocess.run(
            argv, input=stdin or b"", capture_output=True, check=False, env=os.environ
        )
    except FileNotFoundError:
        return Completed(exit_code=127, stdout="", stderr=f"{argv[0]}: not found")
    return Completed(
        exit_code=done.returncode,
        stdout=done.stdout.decode(errors="replace"),
        stderr=done.stderr.decode(errors="replace"),
    )
