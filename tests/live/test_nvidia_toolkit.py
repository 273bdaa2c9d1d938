"""nvidia-container-toolkit in docker's image: installed, skipped with a reason, or refused."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.live_lab.aptrepo import PACKAGE, VERSION, AptRepository, apt_repository, make_key
from tests.support.live_lab.lab import ROOT, Lab, Said, lxc, lxc_ended
from tests.support.live_lab.making import BUILD_PROJECT, PREFIX
from tests.support.live_lab.removing import remove_instance
from tests.support.live_lab.tiny import Tiny

BODY = "ft-docker"
FRESH = "ft-toolkit"
GIVEN = f"/run/labstamp/{PACKAGE}"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AptRepository]:
    with apt_repository(tmp_path_factory.mktemp("apt")) as served:
        yield served


@pytest.fixture
def docker(tiny: Tiny) -> Iterator[Tiny]:
    """The last steps of docker-nested alone: its scripts, on its finished body."""
    remove_instance(BODY)
    lxc("copy", "body-docker-nested", BODY, "--target-project", "default", project=BUILD_PROJECT)
    shutil.copytree(ROOT / "cloud-init", tiny.directory / "cloud-init", dirs_exist_ok=True)
    tiny.define(
        **{
            "cloud-init": "docker.yaml.j2",
            "scripts": ["docker-storage.sh", "nvidia-toolkit.sh", "docker-nested.sh"],
            "instance": {
                "config": {
                    "security.nesting": "true",
                    "security.syscalls.intercept.mknod": "true",
                    "security.syscalls.intercept.setxattr": "true",
                }
            },
            "checks": [
                {"name": "boots", "kind": "boots"},
                {
                    "name": "nvidia runtime",
                    "kind": "command",
                    "run": ["sh", "/run/labstamp/check-nvidia-toolkit.sh"],
                    "stdout": f"^{VERSION}, without cgroups$",
                },
            ],
        }
    )
    yield tiny
    remove_instance(BODY)


def test_it_is_installed_from_the_source_that_the_settings_name(
    docker: Tiny, repository: AptRepository
) -> None:
    toolkit = {"url": repository.url, "key": str(repository.key)}
    docker.set(source={"kind": "instance", "name": BODY}, **{PACKAGE: toolkit})
    docker.lab.succeed("build-images")
    assert (
        f"+ {PACKAGE}: {VERSION}, without cgroups; docker's runtime nvidia\n" in docker.kept_log()
    )


@pytest.fixture(scope="module")
def builder(lab: Lab) -> Iterator[str]:
    """Where nvidia-toolkit.sh is run by hand, as the pipeline does in a builder."""
    remove_instance(FRESH)
    lxc("launch", f"{PREFIX}/docker-nested", FRESH, "-c", "security.nesting=true")
    lxc("exec", FRESH, "--", "cloud-init", "status", "--wait")
    yield FRESH
    remove_instance(FRESH)


def _run(
    builder: str, *, url: str | None = None, key: Path | None = None, key_url: str = ""
) -> str:
    """The exit code and what it says, with these files where the cloud-config puts them."""
    _inside(builder, "sh", "-c", f"rm -f {GIVEN}.*")
    if url:
        _write(builder, f"{GIVEN}.sources", f"Types: deb\nURIs: {url}\nSuites: /\n")
    if key:
        _write(builder, f"{GIVEN}.key", key.read_text())
    if key_url:
        _write(builder, f"{GIVEN}.key-url", f"{key_url}\n")
    script = (ROOT / "images" / "scripts" / "nvidia-toolkit.sh").read_text()
    _write(builder, "/run/labstamp/nvidia-toolkit.sh", script)
    ended = _inside(builder, "sh", "/run/labstamp/nvidia-toolkit.sh")
    return f"{ended.code}: {ended.out}{ended.err}"


def _write(builder: str, path: str, text: str) -> None:
    _inside(builder, "sh", "-c", f"mkdir -p /run/labstamp; cat >{path}", stdin=text)


def _inside(builder: str, *argv: str, stdin: str = "") -> Said:
    ended = lxc_ended("exec", builder, "--", *argv, stdin=stdin)
    return Said(code=ended.returncode, out=ended.stdout, err=ended.stderr)


def _is_clean(builder: str) -> bool:
    """Nothing of a source that is of no use is left in the image."""
    left = f"/etc/apt/sources.list.d/{PACKAGE}.sources /usr/share/keyrings/{PACKAGE}.*"
    return _inside(builder, "sh", "-c", f"ls {left} 2>/dev/null").out == ""


def test_none_named(builder: str) -> None:
    assert _run(builder) == f"0: + {PACKAGE}: skipped, lab.yaml names no source of it\n"


def test_nobody_answers(builder: str, repository: AptRepository) -> None:
    address, _, _ = repository.url.removeprefix("http://").partition(":")
    with socket.create_server((address, 0)) as door:
        port = door.getsockname()[1]
    url = f"http://{address}:{port}"
    for said in (
        _run(builder, url=url, key=repository.key),
        _run(builder, url=url, key_url=f"{url}/key"),
    ):
        assert said.startswith(f"0: + {PACKAGE}: skipped, ")
        assert f"{address}" in said
        assert _is_clean(builder)


def test_a_name_that_nobody_knows(builder: str, repository: AptRepository) -> None:
    said = _run(builder, url="http://toolkit.invalid/deb", key=repository.key)
    assert said == f"0: + {PACKAGE}: skipped, Could not resolve 'toolkit.invalid'\n"


def test_signed_by_somebody_else(builder: str, repository: AptRepository, tmp_path: Path) -> None:
    make_key(tmp_path / "gnupg", tmp_path / "other.asc")
    said = _run(builder, url=repository.url, key=tmp_path / "other.asc")
    assert said.startswith("1: ")
    assert "NO_PUBKEY" in said
    assert said.endswith(f"{PACKAGE} cannot be had from the source that lab.yaml names for it.\n")


def test_its_settings_survive_being_run_twice(builder: str, repository: AptRepository) -> None:
    for _ in range(2):
        said = _run(builder, url=repository.url, key=repository.key)
        assert said.endswith(f"+ {PACKAGE}: {VERSION}, without cgroups; docker's runtime nvidia\n")
    daemon = json.loads(lxc("exec", builder, "--", "cat", "/etc/docker/daemon.json"))
    assert daemon["runtimes"] == {"nvidia": {"path": "nvidia-container-runtime", "args": []}}
    assert daemon["storage-driver"] == "overlay2"
    config = lxc("exec", builder, "--", "cat", "/etc/nvidia-container-runtime/config.toml")
    assert config.splitlines()[-1] == "no-cgroups = true"
