"""Where a userland comes from: apt under every naming scheme, NVIDIA's installer, real packages."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.driver.userland import install, userland_of, version_in
from lab.lxd.client import connect
from lab.settings.driver import DriverSettings
from lab.settings.settings import Settings
from tests.support.live_lab.driven import bring_archive, drive, inside, newest, running, runs
from tests.support.live_lab.gpu_host import GpuHost, back_afterwards
from tests.support.live_lab.lab import instances, lxc
from tests.support.live_lab.removing import remove_instance
from tests.support.live_lab.standins import NEW, OLD, Scheme, driver_repository, make_debs, make_run
from tests.support.live_lab.tiny import PROJECT, Tiny

LATER = "590.48.01"
ANN = "lt-userland"


@pytest.fixture(scope="module")
def gpu_host() -> Iterator[GpuHost]:
    """For the whole module: each test says which driver it wants, and those in a row share it."""
    with back_afterwards() as host:
        yield host


@pytest.mark.parametrize(
    ("scheme", "version"),
    [(Scheme.DEBIAN, NEW), (Scheme.UBUNTU, NEW), (Scheme.NVIDIA, LATER)],
)
def test_apt_gives_exactly_the_hosts_version_and_keeps_it(
    tiny: Tiny, gpu_host: GpuHost, tmp_path: Path, scheme: Scheme, version: str
) -> None:
    branch = version.partition(".")[0]
    held = sorted(name.format(branch=branch) for name in scheme.packages)
    newer = version.replace(".", ".9", 1)
    gpu_host.at(version)
    with driver_repository(tmp_path / "archive", version, newer, scheme=scheme) as archive:
        bring_archive(tiny, archive)
        drive(tiny)
        tiny.lab.succeed("build-images")
        assert (newest(tiny)["driver"], newest(tiny)["gpu"]) == (version, "passed")
        with running():
            assert inside("apt-mark", "showhold").split() == held
            _wait_for_network()
            inside("apt-get", "update", "-qq")
            inside("apt-get", "dist-upgrade", "--yes", "-qq")
            # Neither by hand: only labstamp moves it.
            for name in held:
                policy = inside("apt-cache", "policy", name)
                assert f"Candidate: {scheme.version(version)}" in policy
                assert scheme.version(newer) in policy


def _wait_for_network() -> None:
    inside(
        "sh", "-c", "for _ in $(seq 50); do ip -4 route | grep -q default && exit; sleep 0.2; done"
    )


def test_a_version_that_is_not_available_names_those_that_are(
    tiny: Tiny, gpu_host: GpuHost
) -> None:
    gpu_host.at("470.256.02")
    drive(tiny)
    said = tiny.lab.invoke("build-images")
    assert said.code == 2
    lines = said.err.splitlines()
    at = lines.index("error: Driver 470.256.02 is not available from the container's apt.")
    assert "  nvidia-smi 535.261.03-1" in lines[at:]
    assert "NVIDIA-Linux-x86_64-470.256.02.run" in said.err
    assert tiny.release() is None
    assert [name for name in instances(PROJECT) if not name.startswith("source-")] == ["body-tiny"]


def test_nvidias_installer_serves_where_no_archive_does(
    tiny: Tiny, gpu_host: GpuHost, tmp_path: Path
) -> None:
    gpu_host.at(OLD)
    installer = make_run(tmp_path, OLD)
    wrong = {"file": str(installer), "sha256": "0" * 64}
    drive(tiny, run=wrong)
    said = tiny.lab.invoke("build-images")
    assert said.code == 2
    assert hashlib.sha256(installer.read_bytes()).hexdigest() in said.err
    assert tiny.release() is None
    uninstaller = runs("its uninstaller", "ls", "/usr/bin", shows="^nvidia-uninstall$")
    drive(tiny, uninstaller, run={"file": str(tmp_path / "NVIDIA-Linux-x86_64-{version}.run")})
    tiny.lab.succeed("build-images")
    assert gpu_host.driver_version() == OLD
    assert (newest(tiny)["driver"], newest(tiny)["gpu"]) == (OLD, "passed")


def test_the_real_userland_is_honest_about_a_host_without_its_driver(
    tiny: Tiny, gpu_host: GpuHost
) -> None:
    """Debian's own 535.261.03, which asks a real module: behind these GPUs there is none."""
    gpu_host.at(OLD)
    drive(tiny)
    said = tiny.lab.invoke("build-images")
    assert said.code == 5
    assert (
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver." in said.err
    )
    assert "nvidia-smi: nvidia-smi failed with exit code 9" in said.err
    assert tiny.release() is None
    assert gpu_host.driver_version() == OLD
    assert "Setting up nvidia-smi (535.261.03-1)" in tiny.kept_log()


@pytest.fixture
def ann(source: dict[str, str]) -> Iterator[str]:
    """A running container of a user, with a file of hers."""
    remove_instance(ANN)
    lxc("copy", source["name"], ANN)
    lxc("start", ANN)
    lxc("exec", ANN, "--", "sh", "-c", "echo mine >/root/notes")
    _settle()
    yield ANN
    remove_instance(ANN)


def _settle() -> None:
    ready = "test -S /run/systemd/private && ip -4 route | grep -q default"
    for _ in range(100):
        if lxc("exec", ANN, "--", "sh", "-c", f"({ready}) && echo up || true").strip():
            return
        time.sleep(0.2)
    raise AssertionError(f"{ANN} does not come up")


def test_each_kind_replaces_each_other_in_a_running_container(ann: str, tmp_path: Path) -> None:
    for version in (OLD, NEW):
        make_debs(tmp_path, version)
        make_run(tmp_path, version)
    packages = {"packages": str(tmp_path / "debs-{version}")}
    installer = {"run": {"file": str(tmp_path / "NVIDIA-Linux-x86_64-{version}.run")}}
    lxd = connect()
    for version, driver in (
        (OLD, packages),
        (NEW, packages),
        (NEW, packages),
        (OLD, installer),
        (NEW, installer),
        (OLD, packages),
        (NEW, installer),
        (OLD, {}),  # the real ones, over NVIDIA's installer
        (NEW, packages),
    ):
        chosen = DriverSettings.model_validate_json(json.dumps(driver))
        install(lxd, ann, userland_of(Settings(driver=chosen), version))
        assert version_in(lxd, ann) == version
    held = lxc("exec", ann, "--", "apt-mark", "showhold").split()
    assert held == ["libcuda1", "libnvidia-ml1", "nvidia-smi"]
    assert lxc("exec", ann, "--", "cat", "/root/notes") == "mine\n"
    assert lxc("exec", ann, "--", "dpkg", "--audit") == ""
