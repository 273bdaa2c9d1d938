"""What live tests share: one lab, whose templates are built once, and what users have in it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.live_lab.gpu_containers import destroy
from tests.support.live_lab.gpu_host import GpuHost, back_afterwards
from tests.support.live_lab.lab import Lab
from tests.support.live_lab.making import BUILD_PROJECT, Making
from tests.support.live_lab.removing import remove_instance, remove_lab
from tests.support.live_lab.tiny import PREFIX as TINY_PREFIX
from tests.support.live_lab.tiny import PROJECT as TINY_PROJECT
from tests.support.live_lab.tiny import Tiny, make_source, make_tiny


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All that lives here needs LXD, and fails without it."""
    for item in items:
        if "/live/" in str(item.path):
            item.add_marker(pytest.mark.live)


@pytest.fixture(scope="session")
def lab(making: Making | Exception | None) -> Lab:
    """What `Making` makes: all templates, or less in the parts without GPUs."""
    if isinstance(making, Exception):
        raise making
    assert making is not None
    return making.finish()


@pytest.fixture
def gpu_host() -> Iterator[GpuHost]:
    """The simulated host that LXD runs on, as it was started: 4 GPUs, driver OLD."""
    with back_afterwards() as host:
        yield host


@pytest.fixture(scope="session")
def source(lab: Lab) -> Iterator[dict[str, str]]:
    """A container somebody prepared, as `source:` in lab.yaml names it."""
    name = "ft-source"
    remove_instance(name)
    make_source(name, BUILD_PROJECT)
    yield {"kind": "instance", "name": name}
    remove_instance(name)


@pytest.fixture
def tiny(source: dict[str, str], tmp_path: Path) -> Iterator[Tiny]:
    """A lab of its own with nothing built, from that container."""
    remove_lab(TINY_PREFIX, TINY_PROJECT)
    yield make_tiny(tmp_path, source)
    remove_lab(TINY_PREFIX, TINY_PROJECT)


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's private key; `.pub` beside it."""
    return make_key(tmp_path_factory.mktemp("key") / "id_ed25519")


def make_key(path: Path) -> Path:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "tester", "-f", str(path)],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return path


@pytest.fixture(scope="module")
def pair(lab: Lab, key: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Two containers of one docker-nested release, as `provision --json` told of them.

    For one module: what a test says of all containers of the server is of its own alone.
    """
    names = ("lt-ann", "lt-ben")
    public = str(key.with_suffix(".pub"))

    def provision(name: str) -> dict[str, Any]:
        told: dict[str, Any] = lab.succeed(
            "provision",
            name,
            *("--template", "docker", "--key", public, "--disk", "6GiB"),
            *("--memory", "2GiB", "--cpus", "1", "--password", "--json"),
        ).document
        return told

    destroy(lab, names)
    with ThreadPoolExecutor(max_workers=2) as pool:
        ann, ben = pool.map(provision, names)
    yield ann, ben
    destroy(lab, names)


def settings_file(path: Path, **values: object) -> Path:
    """A lab.yaml with VALUES (JSON is YAML)."""
    keyed = {key.replace("_", "-"): str(value) for key, value in values.items()}
    path.write_text(json.dumps(keyed))
    return path
