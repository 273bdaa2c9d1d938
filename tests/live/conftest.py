"""One lab for all live tests: templates are built once, by the command that users type."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.gpu_host import GpuHost, simulated_cards
from tests.live.lab import Lab, instances, lxc, query
from tests.live.standins import NEW, OLD, make_debs
from tests.live.tiny import PREFIX as TINY_PREFIX
from tests.live.tiny import PROJECT as TINY_PROJECT
from tests.live.tiny import Tiny, make_source, make_tiny

PREFIX = "labtest"
BUILD_PROJECT = "labtest-build"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All that lives here needs LXD, and fails without it."""
    for item in items:
        if "/live/" in str(item.path):
            item.add_marker(pytest.mark.live)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """All four templates, built from nothing by one plain command, with the host's userland."""
    directory = tmp_path_factory.mktemp("lab")
    for version in (OLD, NEW):
        make_debs(directory, version)
    driver = {"delivery": "image", "packages": str(directory / "debs-{version}")}
    if not simulated_cards():
        # What is not about cards can be tested on any LXD.
        driver["version"] = OLD
    settings = {"alias-prefix": PREFIX, "build-project": BUILD_PROJECT, "driver": driver}
    lab = Lab(settings=directory / "lab.yaml")
    lab.settings.write_text(json.dumps(settings))
    remove_lab(PREFIX, BUILD_PROJECT)
    lab.succeed("build-images")
    yield lab
    remove_lab(PREFIX, BUILD_PROJECT)


@pytest.fixture
def gpu_host() -> Iterator[GpuHost]:
    """The simulated host that LXD runs on, as it was started: 4 cards, driver OLD."""
    host = GpuHost()
    host.insist()
    yield host
    if host.driver_version() != OLD:
        host.driver(OLD)
    host.nodes("make")


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
    path = tmp_path_factory.mktemp("key") / "id_ed25519"
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
    for name in names:
        lab.invoke("destroy", name, "--yes", "--purge")
    made = [
        lab.succeed(
            "provision",
            name,
            *("--template", "docker", "--key", public, "--disk", "6GiB"),
            *("--memory", "2GiB", "--cpus", "1", "--password", "--json"),
        ).document
        for name in names
    ]
    yield made[0], made[1]
    for name in names:
        lab.invoke("destroy", name, "--yes", "--purge")


def remove_instance(name: str) -> None:
    """Of the default project; also when it is not there."""
    if name in instances("default"):
        lxc("delete", "--force", name)


def remove_lab(prefix: str, project: str) -> None:
    """Images, instances and the build project of a test's lab, whatever state they are in."""
    projects = [path.rsplit("/", 1)[1] for path in query("/1.0/projects")]
    if project in projects:
        for instance in query(f"/1.0/instances?recursion=1&project={project}"):
            lxc("delete", "--force", instance["name"], project=project)
    for image in query("/1.0/images?recursion=1"):
        if any(alias["name"].startswith(f"{prefix}/") for alias in image["aliases"]):
            lxc("image", "delete", image["fingerprint"])
    if project in projects:
        lxc("project", "delete", project)
    for pool in query("/1.0/storage-pools?recursion=1"):
        for volume in query(f"/1.0/storage-pools/{pool['name']}/volumes/custom?recursion=1"):
            if volume["name"].startswith(f"{project}-apt-"):
                lxc("storage", "volume", "delete", pool["name"], volume["name"])


def settings_file(path: Path, **values: object) -> Path:
    """A lab.yaml with VALUES (JSON is YAML)."""
    keyed = {key.replace("_", "-"): str(value) for key, value in values.items()}
    path.write_text(json.dumps(keyed))
    return path
